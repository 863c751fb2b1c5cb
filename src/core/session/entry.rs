//! Whether the hub has let us in.

use crate::protocol::ErrorCode;

/// How it went with coming in, for the exit code of a program that leaves without having been there.
#[derive(Debug, Default)]
pub(super) struct Entry {
    refused: Option<ErrorCode>,
}

impl Entry {
    /// The hub asks for more than our name; it can still be given.
    pub(super) fn refuse(&mut self, code: ErrorCode) {
        self.refused = Some(code);
    }

    /// The hub has let us in.
    pub(super) fn admit(&mut self) {
        self.refused = None;
    }

    /// The exit code of a session that ends because its user has nothing more to ask.
    pub(super) fn exit(&self) -> u8 {
        self.refused.map_or(0, ErrorCode::exit)
    }
}
