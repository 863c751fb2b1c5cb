//! What both sides keep of an exchange, so that they come to a new channel when one of them returns.
//!
//! Each return makes a channel of its own: the keys are HKDF-SHA256 over the secret that both kept, with a nonce of each
//! side. One fresh nonce is enough for fresh keys, so whoever forwards the nonces, repeats or invents them gets no message
//! sealed twice under one key, and learns nothing.

use std::fmt;

use aws_lc_rs::hkdf;

use super::channel::{Channel, Seal};
use super::keys::{KEY_BYTES, Role};
use super::{Share, Wrong};

/// The salt of the key derivation: the name and version of the construction.
const SALT: &[u8] = b"potluck return to an exchange 1";

/// The length of a nonce of one side, in bytes. A share has another length.
pub const RETURN_NONCE_BYTES: usize = 32;

const _: () = assert!(RETURN_NONCE_BYTES != size_of::<Share>());

/// A nonce of one side, fresh for each return.
pub type ReturnNonce = [u8; RETURN_NONCE_BYTES];

/// The secret that both sides keep. Its debug form leaves it out.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption([u8; KEY_BYTES]);

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resumption")
    }
}

impl Resumption {
    pub(super) fn from_secret(secret: [u8; KEY_BYTES]) -> Self {
        Self(secret)
    }

    /// What was kept on a disk.
    ///
    /// # Errors
    /// [`Wrong`] if it has another length.
    pub fn recalled(kept: &[u8]) -> Result<Self, Wrong> {
        kept.try_into().map(Self).map_err(|_| Wrong)
    }

    /// What is to be kept on a disk, for nobody else to read.
    pub fn to_keep(&self) -> [u8; KEY_BYTES] {
        self.0
    }

    /// The typist's side of the channel after these nonces.
    ///
    /// # Errors
    /// [`Wrong`] if no keys can be made, which does not happen.
    pub fn typist(&self, typists: &ReturnNonce, makers: &ReturnNonce) -> Result<Channel, Wrong> {
        self.channel(Role::Typist, typists, makers)
    }

    /// The maker's side of the channel after these nonces.
    ///
    /// # Errors
    /// [`Wrong`] if no keys can be made, which does not happen.
    pub fn maker(&self, typists: &ReturnNonce, makers: &ReturnNonce) -> Result<Channel, Wrong> {
        self.channel(Role::Maker, typists, makers)
    }

    fn channel(&self, of: Role, typists: &ReturnNonce, makers: &ReturnNonce) -> Result<Channel, Wrong> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(&self.0);
        let seal = |role: Role| {
            let mut key = [0; KEY_BYTES];
            let info = [role.name(), b" ", typists, makers];
            let expanded = secret.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
            expanded.map_err(|_| Wrong).and_then(|()| Seal::new(&key))
        };
        Ok(Channel::new(seal(of)?, seal(of.other())?, self.clone()))
    }
}
