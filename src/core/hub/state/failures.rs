//! Failed logins: how many there were in a row, and for how long no login is checked after too many.
//!
//! A lockout is a duration, and never longer than the present policy says. It is compared with the calendar of the hub
//! that judges, which only goes forward while it runs. A failure that is dated in the future when a hub starts is taken
//! as of that moment ([`decide::beginning`](super::decide::beginning)), so it does not matter whether the
//! calendar was wrong then or is wrong now.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::LoginPolicy;
use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::Timestamp;
use crate::protocol::record::FailureRecord;

/// Failures are forgotten after this time, or after the lockout if that is longer.
const FORGET: Duration = Duration::from_secs(600);

/// The failures in a row of each name, key or network, see [`FailureRecord::whom`].
#[derive(Default)]
pub(in crate::core::hub) struct Failures {
    counts: HashedMap<String, FailureRecord>,
    /// An index in the order in which failures are forgotten if there are too many: lockouts last.
    order: BTreeSet<(Option<Timestamp>, Timestamp, String)>,
}

/// The place of a record in that order.
fn place(record: &FailureRecord) -> (Option<Timestamp>, Timestamp, String) {
    (record.locked_for.map(|millis| after(record.last, millis)), record.last, record.whom.clone())
}

fn after(moment: Timestamp, millis: u64) -> Timestamp {
    Timestamp(moment.0.saturating_add_unsigned(millis))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The end of the lockout that this record means; `None` if it means none.
fn locked_until(record: &FailureRecord, policy: &LoginPolicy) -> Option<Timestamp> {
    record.locked_for.map(|locked| after(record.last, locked.min(millis(policy.lockout))))
}

impl Failures {
    /// The records that the store has, or [`Failures::rows`] gave.
    pub(super) fn of(records: Vec<FailureRecord>) -> Self {
        let mut failures = Self::default();
        records.iter().for_each(|record| failures.set(record));
        failures
    }

    /// All records, by [`FailureRecord::whom`].
    pub(super) fn rows(&self) -> Vec<FailureRecord> {
        self.counts.iter().map(|(_, record)| record.clone()).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.counts.digest()
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.counts.len()
    }

    pub(in crate::core::hub) fn has(&self, whom: &String) -> bool {
        self.counts.contains_key(whom)
    }

    /// The number of failures in a row that still count.
    pub(in crate::core::hub) fn count(&self, whom: &String, today: Timestamp, policy: &LoginPolicy) -> u32 {
        let counts = |record: &&FailureRecord| {
            let forgotten = after(record.last, millis(FORGET.max(policy.lockout)));
            forgotten > today && locked_until(record, policy).is_none_or(|until| until > today)
        };
        self.counts.get(whom).filter(counts).map_or(0, |record| record.count)
    }

    /// The milliseconds for which no login is checked; `None` if there is no lockout.
    pub(in crate::core::hub) fn locked(&self, whom: &String, today: Timestamp, policy: &LoginPolicy) -> Option<u64> {
        let until = locked_until(self.counts.get(whom)?, policy)?;
        u64::try_from(until.0.saturating_sub(today.0)).ok().filter(|wait| *wait > 0)
    }

    /// Those to forget first if there are too many.
    pub(super) fn oldest(&self) -> impl Iterator<Item = &String> {
        self.order.iter().map(|(.., whom)| whom)
    }

    /// The records that are dated after a moment.
    pub(super) fn dated_after(&self, moment: Timestamp) -> impl Iterator<Item = &FailureRecord> {
        self.counts.iter().map(|(_, record)| record).filter(move |record| record.last > moment)
    }

    /// Sets the number of failures in a row; 0 removes the record.
    pub(super) fn set(&mut self, record: &FailureRecord) {
        if let Some(before) = self.counts.remove(&record.whom) {
            self.order.remove(&place(&before));
        }
        if record.count > 0 {
            self.order.insert(place(record));
            self.counts.insert(record.whom.clone(), record.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{State, decide};
    use super::*;
    use crate::protocol::Record;
    use crate::protocol::limits::FAILURES_COUNTED;

    #[test]
    fn of_too_many_the_oldest_is_forgotten_and_lockouts_are_the_last_to_go() {
        let (mut state, policy) = (State::default(), LoginPolicy::default());
        let mut add = |whom: &str, at: i64, max| {
            let failed = decide::login_failed(&state, Timestamp(at), &policy, &[(whom.to_owned(), max)]);
            failed.records().for_each(|record| state.apply(&record));
            failed.counted[0].count
        };
        assert_eq!((add("locked", 0, 1), add("again", 1, 9), add("again", 2, 9)), (1, 1, 2));
        for n in 0..FAILURES_COUNTED as i64 {
            add(&format!("n{n}"), 3 + n / 1_000, 9);
        }
        let now = Timestamp(20);
        assert_eq!(state.failures.counts.len(), FAILURES_COUNTED);
        assert_eq!(state.failures.order.len(), FAILURES_COUNTED);
        let locked = |state: &State| state.failures.locked(&"locked".to_owned(), now, &policy);
        assert!(locked(&state).is_some() && state.failures.count(&"again".to_owned(), now, &policy) == 0);
        let counts = ["n0", "n1", "n9999"].map(|whom| state.failures.count(&whom.to_owned(), now, &policy));
        assert_eq!(counts, [0, 1, 1]);
        let over = decide::login_right(&state, now, &"locked".to_owned());
        assert!(over.is_some());
        over.iter().for_each(|record: &Record| state.apply(record));
        assert!(decide::login_right(&state, now, &"locked".to_owned()).is_none() && locked(&state).is_none());
    }
}
