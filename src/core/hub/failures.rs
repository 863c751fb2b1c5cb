//! Failed logins: how many there were in a row, and for how long nothing is checked then.
//!
//! A lockout is a duration. It is measured by the hub's own clock, which only goes forward; what an earlier run has
//! written down is worth no more than the policy of this run, whatever the calendar said then and says now.

use std::collections::HashMap;
use std::time::Duration;

use super::LoginPolicy;
use crate::core::time::Time;
use crate::protocol::Timestamp;
use crate::protocol::limits::FAILURES_COUNTED;
use crate::protocol::record::FailureRecord;

/// Failures that are longer ago than this, and than the lockout, do not count any more.
const FORGET: Duration = Duration::from_secs(600);

/// Failures in a row, by what [`FailureRecord::whom`] says.
#[derive(Default)]
pub(super) struct Failures(HashMap<String, Count>);

struct Count {
    failures: u32,
    /// From when on they do not count.
    forgotten: Time,
    /// Until when nothing is checked.
    locked: Option<Time>,
}

impl Failures {
    /// From an earlier run; `epoch` is what the calendar says at time 0.
    pub(super) fn load(records: Vec<FailureRecord>, epoch: Timestamp, policy: &LoginPolicy) -> Self {
        let counts = records.into_iter().filter_map(|record| {
            // A calendar that was ahead then says nothing of how long ago it was.
            let ago = Duration::from_millis(u64::try_from(epoch.0.saturating_sub(record.last.0)).unwrap_or(0));
            let forgotten = Time(0) + FORGET.max(policy.lockout).checked_sub(ago)?;
            let locked = match record.locked_for {
                Some(millis) => Some(Time(0) + Duration::from_millis(millis).min(policy.lockout).checked_sub(ago)?),
                None => None,
            };
            Some((record.whom, Count { failures: record.count, forgotten, locked }))
        });
        Self(counts.collect())
    }

    /// How many there were in a row, as far as they count.
    pub(super) fn count(&self, whom: &str, now: Time) -> u32 {
        let counts = |count: &&Count| count.forgotten > now && count.locked.is_none_or(|until| until > now);
        self.0.get(whom).filter(counts).map_or(0, |count| count.failures)
    }

    /// For how many milliseconds nothing is checked.
    pub(super) fn locked(&self, whom: &str, now: Time) -> Option<u64> {
        let until = self.0.get(whom)?.locked.filter(|until| *until > now)?;
        Some((until - now).as_micros().div_ceil(1_000) as u64)
    }

    /// One more. Gives what is to be kept of it.
    pub(super) fn add(
        &mut self,
        whom: &str,
        now: Time,
        today: Timestamp,
        max: u32,
        policy: &LoginPolicy,
    ) -> FailureRecord {
        let failures = self.count(whom, now) + 1;
        let lockout = (failures >= max).then_some(policy.lockout);
        if self.0.len() >= FAILURES_COUNTED && !self.0.contains_key(whom) {
            // Lockouts are the last to go.
            let oldest = self.0.iter().min_by_key(|(_, count)| (count.locked, count.forgotten));
            if let Some(oldest) = oldest.map(|(whom, _)| whom.clone()) {
                self.0.remove(&oldest);
            }
        }
        let (forgotten, locked) = (now + FORGET.max(policy.lockout), lockout.map(|lockout| now + lockout));
        self.0.insert(whom.to_owned(), Count { failures, forgotten, locked });
        let locked_for = lockout.map(|lockout| lockout.as_millis() as u64);
        FailureRecord { whom: whom.to_owned(), count: failures, last: today, locked_for }
    }

    /// A success makes an end of the count. Says whether there was one.
    pub(super) fn forget(&mut self, whom: &str) -> bool {
        self.0.remove(whom).is_some()
    }
}
