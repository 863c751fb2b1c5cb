//! What the hub was asked about parcels, by numbers that this program uses once.

use std::collections::BTreeMap;

use crate::protocol::code::{MAX_NAMEPLATE, Nameplate, OWN_NAMEPLATES, PARCEL_NAMEPLATES};
use crate::protocol::{ErrorCode, Failure};

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A number for the code of the parcel of this transfer.
    Open(u64),
    /// An answer to the knock of the receiver of this task.
    Knock(u64),
}

/// The asks that are not answered.
#[derive(Debug, Default)]
pub(super) struct AskNumbers {
    last: u64,
    open: BTreeMap<u64, Asked>,
}

impl AskNumbers {
    /// The number of a new ask. It replaces the one before for the same.
    pub(super) fn ask(&mut self, asked: Asked) -> u64 {
        self.open.retain(|_, other| *other != asked);
        self.last += 1;
        self.open.insert(self.last, asked);
        self.last
    }

    /// An answer has come: what was asked; nothing if it was given up.
    pub(super) fn take(&mut self, ask: u64) -> Option<Asked> {
        self.open.remove(&ask)
    }

    /// None is answered any more. Returns whether any was open.
    pub(super) fn take_all(&mut self) -> bool {
        !std::mem::take(&mut self.open).is_empty()
    }

    /// Nobody waits for the answer any more.
    pub(super) fn forget(&mut self, asked: Asked) {
        self.open.retain(|_, other| *other != asked);
    }
}

/// Whether a hub gives this number to a parcel: it says where the receiver looks, and what the code is for.
pub(super) fn may_be_of(nameplate: Nameplate, own_hub: bool) -> bool {
    let step = if own_hub { 2 } else { PARCEL_NAMEPLATES };
    let is_one = (1..=MAX_NAMEPLATE).contains(&nameplate) && nameplate.is_multiple_of(step);
    is_one && OWN_NAMEPLATES.contains(&nameplate) == own_hub
}

/// Why such a number is of no use.
pub(super) fn no_number_of_it() -> Failure {
    Failure::new(ErrorCode::WrongProtocol, "The hub gives a number that no such hub gives to a parcel.")
        .hint("It is false, or of another version.")
}
