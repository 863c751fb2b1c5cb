//! What both sides seal for each other after an exchange, so that whoever forwards it learns and changes nothing.

use super::{Resumption, Wrong};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// How many bytes a sealed message has more than what it holds.
pub const SEALED_BYTES: usize = 16;

/// A sealed message was changed, repeated, left out or reordered on the way, or is not for this channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed message was changed on the way")]
pub struct NotOpened;

/// The key of one direction, and the number of the next message in it.
pub(super) struct Seal {
    key: LessSafeKey,
    next: u64,
}

impl Seal {
    pub(super) fn new(key: &[u8; 32]) -> Result<Self, Wrong> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Wrong)?;
        Ok(Self { key: LessSafeKey::new(key), next: 0 })
    }

    /// The nonce of the next message. A key is for one direction of one exchange, and no number comes twice.
    fn nonce(&mut self) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce.iter_mut().rev().zip(self.next.to_le_bytes()).for_each(|(to, byte)| *to = byte);
        self.next += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// One side of a sealed conversation. Messages are opened in the order in which they were sealed.
pub struct Channel {
    ours: Seal,
    theirs: Seal,
    resumption: Resumption,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel").field("sealed", &self.ours.next).field("opened", &self.theirs.next).finish()
    }
}

impl Channel {
    pub(super) fn new(ours: Seal, theirs: Seal, resumption: Resumption) -> Self {
        Self { ours, theirs, resumption }
    }

    /// What both sides keep, to come to another channel if they lose each other.
    pub fn resumption(&self) -> &Resumption {
        &self.resumption
    }

    /// Seals a message for the other side. This fails only beyond 64 GiB, and then gives what the other side does not
    /// open.
    pub fn seal(&mut self, message: &[u8]) -> Vec<u8> {
        let mut sealed = message.to_vec();
        let nonce = self.ours.nonce();
        let done = self.ours.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed);
        done.map_or_else(|_| Vec::new(), |()| sealed)
    }

    /// Opens the next message of the other side.
    ///
    /// # Errors
    /// [`NotOpened`]; the channel is then of no use any more.
    pub fn open(&mut self, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let mut message = sealed.to_vec();
        let nonce = self.theirs.nonce();
        let opened = self.theirs.key.open_in_place(nonce, Aad::empty(), &mut message).map_err(|_| NotOpened)?;
        let length = opened.len();
        message.truncate(length);
        Ok(message)
    }
}
