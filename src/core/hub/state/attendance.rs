//! When each person was here. A message to the lobby is for those who are here when it is sent; those who leave before
//! they have received it get it later. So the spans of their presence are kept until they have received everything of
//! that time.

use serde::{Deserialize, Serialize};

use crate::protocol::record::Span;

/// The most spans of one person. With more, the two oldest become one, and the messages between them are then for this
/// person, too.
const SPANS: usize = 8;

/// The end of a span that has not ended.
const OPEN: u64 = u64::MAX;

/// The spans in which somebody was here, in numbers of messages, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::core::hub) struct Attendance(Vec<Span>);

impl Attendance {
    /// The spans that the store has. A span that was open when the hub died ends with the newest message.
    pub(in crate::core::hub) fn load(spans: Vec<Span>, newest: u64) -> Self {
        let ended = spans.into_iter().map(|span| Span { until: span.until.min(newest), ..span });
        let mut this = Self(ended.filter(|span| span.after < span.until).collect());
        this.0.sort_unstable();
        this.merge();
        this
    }

    /// The spans of a record.
    pub(super) fn of(spans: &[Span]) -> Self {
        Self(spans.to_vec())
    }

    /// Whether the last span is open, or ends after this number.
    pub(super) fn is_open(&self, newest: u64) -> bool {
        self.0.last().is_some_and(|span| span.until > newest)
    }

    /// Starts a span: later messages are for this person.
    pub(in crate::core::hub) fn begins(&mut self, after: u64) {
        self.0.push(Span { after, until: OPEN });
        self.merge();
    }

    /// Extends the open span back: after this number the person was away only because the connection or the hub was
    /// lost.
    pub(in crate::core::hub) fn reaches_back(&mut self, after: u64) {
        if let Some(open) = self.0.last_mut().filter(|span| span.until == OPEN) {
            open.after = open.after.min(after);
        }
        self.0.sort_unstable();
        self.merge();
    }

    /// Ends the open span: later messages are not for this person.
    pub(in crate::core::hub) fn ends(&mut self, newest: u64) {
        if let Some(open) = self.0.last_mut() {
            open.until = open.until.min(newest);
        }
        self.0.retain(|span| span.after < span.until);
    }

    /// Drops the spans of which the person has received everything.
    pub(in crate::core::hub) fn received(&mut self, number: u64) {
        self.0.retain(|span| span.until > number);
    }

    /// Whether the person was here when this message was sent.
    pub(in crate::core::hub) fn covers(&self, number: u64) -> bool {
        self.0.iter().any(|span| span.after < number && number <= span.until)
    }

    pub(in crate::core::hub) fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Joins spans that meet, and the oldest ones if there are more than [`SPANS`].
    fn merge(&mut self) {
        self.0.dedup_by(|next, before| {
            let meets = next.after <= before.until;
            if meets {
                before.until = before.until.max(next.until);
            }
            meets
        });
        while self.0.len() > SPANS {
            let oldest = self.0.remove(0);
            self.0[0].after = oldest.after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(there: &Attendance) -> Vec<u64> {
        (0..100).filter(|number| there.covers(*number)).collect()
    }

    #[test]
    fn what_was_said_while_somebody_was_there_is_for_them_until_they_have_it() {
        let mut there = Attendance::default();
        there.begins(3);
        there.ends(6);
        there.begins(8);
        assert_eq!(heard(&there)[..5], [4, 5, 6, 9, 10]);
        there.received(6);
        there.ends(9);
        assert_eq!(heard(&there), [9]);
        there.begins(20);
        there.reaches_back(9);
        there.ends(22);
        assert_eq!(heard(&there), (9..=22).collect::<Vec<_>>());
        there.received(22);
        assert_eq!(heard(&there), [0; 0]);
    }

    #[test]
    fn nothing_is_owed_for_a_time_in_which_nobody_spoke() {
        let mut there = Attendance::default();
        there.begins(5);
        there.ends(5);
        there.begins(7);
        there.ends(4);
        assert!(there.spans().is_empty());
    }

    #[test]
    fn however_often_somebody_comes_and_goes_little_is_remembered_and_nothing_is_lost() {
        let mut there = Attendance::default();
        for visit in 0..1_000 {
            there.begins(10 * visit);
            there.ends(10 * visit + 2);
        }
        assert!(there.spans().len() <= SPANS);
        assert!((0..1_000).all(|visit| there.covers(10 * visit + 1) && there.covers(10 * visit + 2)));
        assert!(!there.covers(9_999) && !there.covers(9_985), "what is apart stays apart");
    }

    #[test]
    fn who_was_there_when_the_hub_died_left_with_its_last_word() {
        let there = Attendance::load(vec![Span { after: 4, until: OPEN }, Span { after: 0, until: 2 }], 6);
        assert_eq!(heard(&there), [1, 2, 5, 6]);
        assert!(Attendance::load(vec![Span { after: 6, until: OPEN }], 6).spans().is_empty());
    }
}
