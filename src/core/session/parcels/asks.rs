//! What the hub was asked about parcels, by numbers that this program uses once.

use std::collections::BTreeMap;

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
