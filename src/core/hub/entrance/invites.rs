//! Invites: what lets somebody in whose key the hub does not know.
//!
//! The hub holds no invites, only which keys each has let in. When a hello shows one, the store is asked, so that an invite is good as soon as its keeper
//! has made it, and over as soon as it is revoked. It is spent when its key takes its first name, and not by a hello, so
//! that a program which is turned away over its name has lost nothing.

use crate::core::hub::state::State;
use crate::protocol::invite::InviteRecord;
use crate::protocol::{Failure, PublicKey, Timestamp};

/// An invite that a session has shown.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct ShownInvite {
    pub(in crate::core::hub) record: InviteRecord,
    /// It was spent for this very key before: a crash came before the key's name was kept.
    pub(in crate::core::hub) counted: bool,
}

impl ShownInvite {
    /// Whether it lets a key in, as far as is known now.
    ///
    /// # Errors
    /// `access-denied`
    pub(in crate::core::hub) fn check(&self, state: &State, key: PublicKey, today: Timestamp) -> Result<(), Failure> {
        state.check_invite(&self.record, self.counted, key, today)
    }
}
