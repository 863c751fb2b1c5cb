//! Logins: what a failed one counts for, what a right one ends, what an invite is still good for.

use super::super::super::LoginPolicy;
use super::super::State;
use crate::protocol::invite::{InviteOver, InviteRecord};
use crate::protocol::limits::FAILURES_COUNTED;
use crate::protocol::record::FailureRecord;
use crate::protocol::{ErrorCode, Failure, PublicKey, Record, Timestamp};

/// What comes of a login that has failed.
#[derive(Debug)]
pub(in crate::core::hub) struct LoginFailed {
    /// How many there are in a row by now, for each whose failure it is.
    pub(in crate::core::hub) counted: Vec<FailureRecord>,
    /// Whose failures are forgotten, since there are too many.
    forgotten: Vec<FailureRecord>,
}

impl LoginFailed {
    /// What changes.
    pub(in crate::core::hub) fn records(&self) -> impl Iterator<Item = Record> + use<> {
        let all: Vec<FailureRecord> = self.forgotten.iter().chain(&self.counted).cloned().collect();
        all.into_iter().map(Record::Failures)
    }
}

/// Nothing counts for somebody any more.
fn none(whom: &str, today: Timestamp) -> FailureRecord {
    FailureRecord { whom: whom.to_owned(), count: 0, last: today, locked_for: None }
}

impl State {
    /// What a hub finds that begins at this moment: failures from a time that has not come yet are of now.
    pub(in crate::core::hub) fn decide_beginning(&self, begun: Timestamp) -> Vec<Record> {
        let ahead = self.failures.dated_after(begun);
        ahead.map(|record| Record::Failures(FailureRecord { last: begun, ..record.clone() })).collect()
    }

    /// A login has failed: it counts for each of these, who are locked out when there are so many.
    pub(in crate::core::hub) fn decide_login_failed(
        &self,
        today: Timestamp,
        policy: &LoginPolicy,
        whom: &[(String, u32)],
    ) -> LoginFailed {
        let counted = whom.iter().map(|(whom, most)| {
            let count = self.failures.count(whom, today, policy) + 1;
            let locked_for = (count >= *most).then_some(policy.lockout.as_millis() as u64);
            FailureRecord { whom: whom.clone(), count, last: today, locked_for }
        });
        let counted: Vec<FailureRecord> = counted.collect();
        let fresh = whom.iter().filter(|(whom, _)| !self.failures.has(whom)).count();
        let surplus = (self.failures.len() + fresh).saturating_sub(FAILURES_COUNTED);
        let others = self.failures.oldest().filter(|old| whom.iter().all(|(whom, _)| whom != *old));
        LoginFailed { counted, forgotten: others.take(surplus).map(|old| none(old, today)).collect() }
    }

    /// A login was right: an end of the failures of whoever this is, if there were any.
    pub(in crate::core::hub) fn decide_login_right(&self, today: Timestamp, whom: &String) -> Option<Record> {
        self.failures.has(whom).then(|| Record::Failures(none(whom, today)))
    }

    /// Whether an invite lets a key in. What is known here of how often it was spent is newer than what the store has
    /// said; `counted` says that the store knows it as spent for this very key.
    ///
    /// # Errors
    /// `access-denied`
    pub(in crate::core::hub) fn check_invite(
        &self,
        invite: &InviteRecord,
        counted: bool,
        key: PublicKey,
        today: Timestamp,
    ) -> Result<(), Failure> {
        let spent = self.invites.count(invite.digest).max(invite.spent);
        match (InviteRecord { spent, ..invite.clone() }).over(today) {
            // A crash came before the key's name was kept.
            Some(InviteOver::Spent) if counted || self.invites.has_let_in(invite.digest, key) => Ok(()),
            Some(InviteOver::Spent) => Err(denied("The invite has been used.")),
            Some(InviteOver::Expired) => Err(denied("The invite has expired.")),
            None => Ok(()),
        }
    }
}

fn denied(message: &'static str) -> Failure {
    Failure::new(ErrorCode::AccessDenied, message).hint("Ask the hub's keeper for another one.")
}
