//! Invites let in clients whose keys the hub does not know.
//!
//! The hub holds no invites, only which keys each has let in. It asks the store for each one that a hello shows; so an
//! invite works as soon as the keeper has made it, and stops working as soon as it is revoked. It is used up when its
//! key takes its first name, not by the hello, so that a program that is refused because of its name has lost nothing.

use crate::core::hub::state::{State, decide};
use crate::protocol::invite::InviteRecord;
use crate::protocol::{Failure, PublicKey, Timestamp};

/// An invite that a session has shown.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct ShownInvite {
    pub(in crate::core::hub) record: InviteRecord,
    /// The store knows it as used by this very key. This happens if the hub crashed before it kept the key's name.
    pub(in crate::core::hub) counted: bool,
}

impl ShownInvite {
    /// Checks whether the invite lets a key in.
    ///
    /// # Errors
    /// `access-denied`
    pub(in crate::core::hub) fn check(&self, state: &State, key: PublicKey, today: Timestamp) -> Result<(), Failure> {
        decide::check_invite(state, &self.record, self.counted, key, today)
    }
}
