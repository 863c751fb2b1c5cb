//! Whether the hub has let us in.

use crate::protocol::{Client, ErrorCode, event};

/// How it went with coming in, for the exit code of a program that leaves without having been there.
#[derive(Debug, Default)]
pub(super) struct Entry {
    refused: Option<ErrorCode>,
    /// Our number in the roster, even after we have left it.
    number: Option<u64>,
}

impl Entry {
    /// The hub asks for more than our name; it can still be given.
    pub(super) fn refuse(&mut self, code: ErrorCode) {
        self.refused = Some(code);
    }

    /// The hub has let us in.
    pub(super) fn admit(&mut self, number: u64) {
        self.refused = None;
        self.number = Some(number);
    }

    /// A hub that has forgotten everything counts anew.
    pub(super) fn forget_number(&mut self) {
        self.number = None;
    }

    /// The update without ourselves: nobody is told of their own coming and going. Nothing if that is all there is.
    pub(super) fn of_others(&self, mut update: event::RosterUpdated) -> Option<event::RosterUpdated> {
        let before = update.clients.len();
        update.clients.retain(|client: &Client| self.number != Some(client.number));
        (update.full || !update.clients.is_empty() || before == 0).then_some(update)
    }

    /// The exit code of a session that ends because its user has nothing more to ask.
    pub(super) fn exit(&self) -> u8 {
        self.refused.map_or(0, ErrorCode::exit)
    }
}
