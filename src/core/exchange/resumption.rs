//! What both sides keep of an exchange, so that they come to a new channel when one of them returns.
//!
//! How a channel follows from it stands in `returns`.

use std::fmt;

use super::Wrong;

/// The length of the secret, in bytes.
const SECRET_BYTES: usize = 32;

/// The secret that both sides keep. Its debug form leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption([u8; SECRET_BYTES]);

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumption")
    }
}

impl Resumption {
    pub(super) fn new(secret: [u8; SECRET_BYTES]) -> Self {
        Self(secret)
    }

    /// What was kept on a disk.
    ///
    /// # Errors
    /// [`Wrong`] if it has another length.
    pub fn recalled(kept: &[u8]) -> Result<Self, Wrong> {
        kept.try_into().map(Self).map_err(|_| Wrong)
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.0
    }

    /// What is to be kept on a disk, for nobody else to read.
    pub fn to_keep(&self) -> [u8; SECRET_BYTES] {
        self.0
    }
}
