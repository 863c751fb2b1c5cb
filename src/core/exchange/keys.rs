//! The keys that follow from the common secret: one for each role's confirmation, one for what each role seals.

use aws_lc_rs::{hkdf, hmac};

use super::channel::{Channel, Seal};
use super::resumption::Resumption;
use super::{Binding, CONFIRMATION_BYTES, Confirmation, Wrong};

/// The salt of the key derivation: the name and version of the construction.
const SALT: &[u8] = b"potluck exchange by a code 1";

/// The length of each key, in bytes.
pub(super) const KEY_BYTES: usize = 32;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Typist,
    Maker,
}

impl Role {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Typist => Self::Maker,
            Self::Maker => Self::Typist,
        }
    }

    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Typist => b"typist",
            Self::Maker => b"maker",
        }
    }
}

/// The keys of one exchange.
pub(super) struct Keys {
    secret: hkdf::Prk,
    /// What both sides must see alike.
    bound: Vec<u8>,
    /// Both shares, the typist's first: what is confirmed.
    shares: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    pub(super) fn new(secret: &[u8], binding: &Binding, typists: &[u8], makers: &[u8]) -> Self {
        // Each part has one length, or one that is said before it, so that no two bindings give the same bytes.
        let mut bound = binding.nameplate.to_be_bytes().to_vec();
        bound.push(u8::from(binding.exporter.is_some()));
        bound.extend_from_slice(&binding.exporter.unwrap_or_default());
        bound.extend_from_slice(&binding.typist.0);
        bound.extend_from_slice(&binding.maker.0);
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret);
        Self { secret, bound, shares: [typists, makers].concat() }
    }

    /// The confirmation of one side.
    pub(super) fn confirmation(&self, of: Role) -> Result<Confirmation, Wrong> {
        let tag = hmac::sign(&self.confirming(of)?, &self.shares);
        tag.as_ref().try_into().map_err(|_| Wrong)
    }

    /// Checks the confirmation of one side, in constant time.
    pub(super) fn verify(&self, of: Role, confirmation: &[u8]) -> Result<(), Wrong> {
        // HMAC would take a part of its tag as well.
        let whole = Some(confirmation).filter(|tag| tag.len() == CONFIRMATION_BYTES).ok_or(Wrong)?;
        hmac::verify(&self.confirming(of)?, &self.shares, whole).map_err(|_| Wrong)
    }

    /// The channel of one side.
    pub(super) fn channel(&self, of: Role) -> Result<Channel, Wrong> {
        let key = |role: Role| Seal::new(&self.derived(b"seal", role)?);
        // Both sides keep the same.
        let resumption = Resumption::new(self.derived(b"resume", Role::Typist)?);
        Ok(Channel::new(key(of)?, key(of.other())?, resumption))
    }

    fn confirming(&self, of: Role) -> Result<hmac::Key, Wrong> {
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.derived(b"confirm", of)?))
    }

    /// The key for a use by one role. 32 bytes are what HKDF-SHA256 gives at once, so this does not fail.
    fn derived(&self, for_what: &[u8], role: Role) -> Result<[u8; KEY_BYTES], Wrong> {
        let mut key = [0; KEY_BYTES];
        let info = [for_what, b" ", role.name(), b" ", &self.bound];
        let expanded = self.secret.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        expanded.map(|()| key).map_err(|_| Wrong)
    }
}
