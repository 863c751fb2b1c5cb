//! Invites: what lets somebody in whose key the hub does not know.
//!
//! The hub holds no invites. When a hello shows one, the store is asked, so that an invite is good as soon as its keeper
//! has made it, and over as soon as it is revoked. It is spent when its key takes its first name, and not by a hello, so
//! that a program which is turned away over its name has lost nothing.

use std::collections::HashMap;

use crate::protocol::invite::{InviteDigest, InviteOver, InviteRecord};
use crate::protocol::{ErrorCode, Failure, Timestamp};

/// An invite that a session has shown.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct ShownInvite {
    pub(in crate::core::hub) record: InviteRecord,
    /// It was spent for this very key before: a crash came before the key's name was kept.
    pub(in crate::core::hub) counted: bool,
}

/// How often each invite has been spent. Only this hub spends them, so what it has counted since its start is newer
/// than what the store says. Bounded by how many invites there are.
#[derive(Default)]
pub(in crate::core::hub) struct Invites(HashMap<InviteDigest, u64>);

impl Invites {
    pub(in crate::core::hub) fn check(&self, shown: &ShownInvite, today: Timestamp) -> Result<(), Failure> {
        let spent = self.0.get(&shown.record.digest).copied().unwrap_or(shown.record.spent);
        match (InviteRecord { spent, ..shown.record.clone() }).over(today) {
            Some(InviteOver::Spent) if shown.counted => Ok(()),
            Some(InviteOver::Spent) => Err(denied("The invite has been used.")),
            Some(InviteOver::Expired) => Err(denied("The invite has expired.")),
            None => Ok(()),
        }
    }

    pub(in crate::core::hub) fn spend(&mut self, shown: &ShownInvite) {
        let spent = self.0.entry(shown.record.digest).or_insert(shown.record.spent);
        *spent = spent.saturating_add(u64::from(!shown.counted));
    }
}

fn denied(message: &'static str) -> Failure {
    Failure::new(ErrorCode::AccessDenied, message).hint("Ask the hub's keeper for another one.")
}
