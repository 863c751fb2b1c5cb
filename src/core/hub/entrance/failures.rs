//! Failed logins: how many there were in a row, and for how long nothing is checked then.
//!
//! A lockout is a duration. It is measured by the hub's own clock, which only goes forward; what an earlier run has
//! written down is worth no more than the policy of this run, whatever the calendar said then and says now.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::core::hub::LoginPolicy;
use crate::core::time::Time;
use crate::protocol::Timestamp;
use crate::protocol::limits::FAILURES_COUNTED;
use crate::protocol::record::FailureRecord;

/// Failures that are longer ago than this, and than the lockout, do not count any more.
const FORGET: Duration = Duration::from_secs(600);

/// Failures in a row, by what [`FailureRecord::whom`] says.
#[derive(Default)]
pub(in crate::core::hub) struct Failures {
    counts: HashMap<String, Count>,
    /// The same in the order in which they are forgotten when there are too many: lockouts are the last to go.
    order: BTreeSet<(Option<Time>, Time, String)>,
}

struct Count {
    failures: u32,
    /// From when on they do not count.
    forgotten: Time,
    /// Until when nothing is checked.
    locked: Option<Time>,
}

impl Failures {
    /// From an earlier run; `epoch` is what the calendar says at time 0.
    pub(in crate::core::hub) fn load(records: Vec<FailureRecord>, epoch: Timestamp, policy: &LoginPolicy) -> Self {
        let mut this = Self::default();
        for record in records {
            if let Some(count) = Self::recall(&record, epoch, policy) {
                this.insert(record.whom, count);
            }
        }
        this
    }

    fn recall(record: &FailureRecord, epoch: Timestamp, policy: &LoginPolicy) -> Option<Count> {
        // A calendar that was ahead then says nothing of how long ago it was.
        let ago = Duration::from_millis(u64::try_from(epoch.0.saturating_sub(record.last.0)).unwrap_or(0));
        let forgotten = Time(0) + FORGET.max(policy.lockout).checked_sub(ago)?;
        let locked = match record.locked_for {
            Some(millis) => Some(Time(0) + Duration::from_millis(millis).min(policy.lockout).checked_sub(ago)?),
            None => None,
        };
        Some(Count { failures: record.count, forgotten, locked })
    }

    fn insert(&mut self, whom: String, count: Count) {
        self.forget(&whom);
        while self.counts.len() >= FAILURES_COUNTED
            && let Some((.., oldest)) = self.order.pop_first()
        {
            self.counts.remove(&oldest);
        }
        self.order.insert((count.locked, count.forgotten, whom.clone()));
        self.counts.insert(whom, count);
    }

    /// How many there were in a row, as far as they count.
    pub(in crate::core::hub) fn count(&self, whom: &str, now: Time) -> u32 {
        let counts = |count: &&Count| count.forgotten > now && count.locked.is_none_or(|until| until > now);
        self.counts.get(whom).filter(counts).map_or(0, |count| count.failures)
    }

    /// For how many milliseconds nothing is checked.
    pub(in crate::core::hub) fn locked(&self, whom: &str, now: Time) -> Option<u64> {
        let until = self.counts.get(whom)?.locked.filter(|until| *until > now)?;
        Some((until - now).as_micros().div_ceil(1_000) as u64)
    }

    /// One more. Gives what is to be kept of it.
    pub(in crate::core::hub) fn add(
        &mut self,
        whom: &str,
        now: Time,
        today: Timestamp,
        max: u32,
        policy: &LoginPolicy,
    ) -> FailureRecord {
        let failures = self.count(whom, now) + 1;
        let lockout = (failures >= max).then_some(policy.lockout);
        let (forgotten, locked) = (now + FORGET.max(policy.lockout), lockout.map(|lockout| now + lockout));
        self.insert(whom.to_owned(), Count { failures, forgotten, locked });
        let locked_for = lockout.map(|lockout| lockout.as_millis() as u64);
        FailureRecord { whom: whom.to_owned(), count: failures, last: today, locked_for }
    }

    /// A success makes an end of the count. Says whether there was one.
    pub(in crate::core::hub) fn forget(&mut self, whom: &str) -> bool {
        let Some(count) = self.counts.remove(whom) else { return false };
        self.order.remove(&(count.locked, count.forgotten, whom.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_the_oldest_is_forgotten_and_lockouts_are_the_last_to_go() {
        let (mut failures, policy) = (Failures::default(), LoginPolicy::default());
        let mut add = |whom: &str, at: u64, max| failures.add(whom, Time(at), Timestamp(0), max, &policy).count;
        assert_eq!((add("locked", 0, 1), add("again", 1, 9), add("again", 2, 9)), (1, 1, 2));
        for n in 0..FAILURES_COUNTED as u64 {
            add(&format!("n{n}"), 3 + n, 9);
        }
        let now = Time(20_000);
        assert_eq!(failures.counts.len(), FAILURES_COUNTED);
        assert_eq!(failures.order.len(), FAILURES_COUNTED);
        assert!(failures.locked("locked", now).is_some() && failures.count("again", now) == 0);
        assert_eq!(["n0", "n1", "n9999"].map(|whom| failures.count(whom, now)), [0, 1, 1]);
        assert!(failures.forget("locked") && !failures.forget("locked") && failures.locked("locked", now).is_none());
    }
}
