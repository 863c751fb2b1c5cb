//! What is said to everybody is for whoever is there when it is said. Somebody may leave before they have it: it is kept
//! for them, so what is remembered is when they were there, for as long as there is something of that time that they lack.

use super::{Hub, PeerId};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Record, Span};

/// Times of one person that are remembered apart. Of more, the oldest two become one, with what was said between them.
const SPANS: usize = 8;

/// How long somebody's time lasts that is here.
const OPEN: u64 = u64::MAX;

/// When somebody was here, in numbers of messages, oldest first.
#[derive(Default)]
pub(super) struct Presence(Vec<Span>);

impl Presence {
    /// From what the store has. A hub that was killed has not written that they left: they did with the last word.
    pub(super) fn load(spans: Vec<Span>, newest: u64) -> Self {
        let ended = spans.into_iter().map(|span| Span { until: span.until.min(newest), ..span });
        let mut this = Self(ended.filter(|span| span.after < span.until).collect());
        this.0.sort_unstable();
        this.merge();
        this
    }

    /// They are here: what comes after this number is for them.
    fn begins(&mut self, after: u64) {
        self.0.push(Span { after, until: OPEN });
        self.merge();
    }

    /// They came back from where they could not be reached: what comes after this number was for them already.
    fn reaches_back(&mut self, after: u64) {
        if let Some(open) = self.0.last_mut().filter(|span| span.until == OPEN) {
            open.after = open.after.min(after);
        }
        self.0.sort_unstable();
        self.merge();
    }

    /// They leave: what comes after this number is not for them.
    fn ends(&mut self, newest: u64) {
        if let Some(open) = self.0.last_mut() {
            open.until = open.until.min(newest);
        }
        self.0.retain(|span| span.after < span.until);
    }

    /// They have everything up to this number.
    pub(super) fn received(&mut self, number: u64) {
        self.0.retain(|span| span.until > number);
    }

    /// Whether they were here when this was said.
    pub(super) fn covers(&self, number: u64) -> bool {
        self.0.iter().any(|span| span.after < number && number <= span.until)
    }

    pub(super) fn spans(&self) -> &[Span] {
        &self.0
    }

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

impl Hub {
    /// Somebody is here from now on.
    pub(super) fn is_there(&mut self, name_key: &NameKey) {
        let newest = self.recent.newest;
        if let Some(person) = self.people.get_mut(name_key) {
            person.there.begins(newest);
            self.keep_presence(name_key);
        }
    }

    /// Somebody was here before, and the session of then is lost: they have everything up to this number.
    pub(super) fn was_there(&mut self, id: PeerId, received: u64) {
        let Some(peer) = self.peers.get(&id).filter(|peer| peer.returns) else { return };
        if let Some(name) = &peer.name
            && let Some(person) = self.people.get_mut(&name.name_key)
        {
            person.there.reaches_back(received);
        }
    }

    /// Somebody is not here any more.
    pub(super) fn was_last_there(&mut self, name_key: &NameKey) {
        let newest = self.recent.newest_to_all;
        if let Some(person) = self.people.get_mut(name_key) {
            person.there.ends(newest);
            person.there.received(person.received);
            self.keep_presence(name_key);
        }
    }

    fn keep_presence(&mut self, name_key: &NameKey) {
        let spans = self.people.get(name_key).map(|person| person.there.spans().to_vec()).unwrap_or_default();
        self.persist(Record::There { name_key: name_key.to_owned(), spans });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(there: &Presence) -> Vec<u64> {
        (0..100).filter(|number| there.covers(*number)).collect()
    }

    #[test]
    fn what_was_said_while_somebody_was_there_is_for_them_until_they_have_it() {
        let mut there = Presence::default();
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
        let mut there = Presence::default();
        there.begins(5);
        there.ends(5);
        there.begins(7);
        there.ends(4);
        assert!(there.spans().is_empty());
    }

    #[test]
    fn however_often_somebody_comes_and_goes_little_is_remembered_and_nothing_is_lost() {
        let mut there = Presence::default();
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
        let there = Presence::load(vec![Span { after: 4, until: OPEN }, Span { after: 0, until: 2 }], 6);
        assert_eq!(heard(&there), [1, 2, 5, 6]);
        assert!(Presence::load(vec![Span { after: 6, until: OPEN }], 6).spans().is_empty());
    }
}
