//! Verifies people: judges a `verify` with the known keys on the disk, and reads whom the user has verified.

use crate::core::verify::KnownKey;
use crate::io::state::pins::Pins;
use crate::protocol::event::SafetyNumber;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey, request};

/// A `verify` of somebody at a hub. It reads and writes the known keys, so it must run on a thread that may block.
pub(super) struct Verifying {
    pub(super) pins: Pins,
    pub(super) hub: Option<PublicKey>,
    pub(super) ours: PublicKey,
    pub(super) asked: request::Verify,
    /// The key that the hub shows for them.
    pub(super) shown: Option<PublicKey>,
}

impl Verifying {
    /// What is known of the person from now on, and the answer.
    pub(super) fn judge(self) -> Result<(KnownKey, SafetyNumber), Failure> {
        let hub = self.hub.ok_or_else(|| Failure::from(ErrorCode::Internal))?;
        self.pins.verify(&hub, &self.ours, &self.asked, self.shown)
    }
}

/// Whom the user has verified at this hub. If that cannot be read, whatever needs a known key fails for the same reason.
pub(super) fn verified_at(pins: &Pins, hub: &PublicKey) -> Vec<(NameKey, PublicKey)> {
    pins.verified_at(hub).unwrap_or_else(|failure| {
        complain("whom you have verified is not known", &failure);
        Vec::new()
    })
}

/// Says on standard error what went wrong with the known keys.
pub(super) fn complain(what: &str, failure: &Failure) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "potluck: {what}: {failure}");
}
