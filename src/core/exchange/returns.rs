//! A new channel for both sides of an exchange, when one of them returns.
//!
//! Each return makes a channel of its own: the keys are HKDF-SHA256 over the secret that both kept, with a nonce of each
//! side. One fresh nonce is enough for fresh keys, so whoever forwards the nonces, repeats or invents them gets no message
//! sealed twice under one key, and learns nothing.

use aws_lc_rs::hkdf;

use super::channel::{Channel, Seal};
use super::keys::{KEY_BYTES, Role};
use super::{Resumption, Wrong};

/// The salt of the key derivation: the name and version of the construction.
const SALT: &[u8] = b"potluck return to an exchange 1";

/// The length of a nonce of one side, in bytes.
pub const RETURN_NONCE_BYTES: usize = 32;

/// A nonce of one side, fresh for each return.
pub type ReturnNonce = [u8; RETURN_NONCE_BYTES];

impl Resumption {
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
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(self.secret());
        let seal = |role: Role| {
            let mut key = [0; KEY_BYTES];
            let info = [role.name(), b" ", typists, makers];
            let expanded = secret.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
            expanded.map_err(|_| Wrong).and_then(|()| Seal::new(&key))
        };
        Ok(Channel::new(seal(of)?, seal(of.other())?, self.clone()))
    }
}
