//! The exchange by a short code: two sides that know the same two words come to a strong key, and nobody else does.
//!
//! The *typist* has been told the code; the *maker* has made it. Three messages:
//!
//! 1. The typist sends its [`Share`], with the code's number.
//! 2. The maker answers with its share. From here on the code is spent, unless a valid confirmation follows.
//! 3. The typist confirms: its [`Confirmation`] proves that it knows the words. Only then does the maker confirm in turn.
//!
//! That the typist confirms first means that a false maker (a hub that is not the right one, somebody in between) has one
//! guess for each code that was typed, and learns only whether it was right. A false typist has one guess as well: then
//! the maker ends the code ([`Life`]).
//!
//! **Construction.** SPAKE2 (RFC 9382, crate `spake2`) in its asymmetric form; the symmetric one accepts a message that
//! is reflected. It brings no confirmation, so the keys of these are ours: HKDF-SHA256 over the common secret with the
//! role, the nameplate, the TLS exporter of the connection, and the public keys of both sides. What somebody in between
//! relays over two connections has two exporters; TLS 1.3's exporter does not cover the client's key, hence both keys.
//! Between a sender and a receiver there is no common connection: their exporter is empty, and the keys that they bind are
//! those with which they meet afterwards.
//!
//! Afterwards both have a [`Channel`], which seals what they say to each other. If they lose each other, what both have
//! kept of it ([`Resumption`]) gives them a new one, without another exchange.

mod channel;
mod keys;
mod life;
mod resumption;
mod returns;

use spake2::{Ed25519Group, Identity, Password, Spake2};

use super::secrets::Secrets;
use crate::protocol::PublicKey;
use crate::protocol::code::{Code, Nameplate};
use keys::{Keys, Role};

pub use channel::{Channel, NotOpened, SEALED_BYTES};
pub use life::{Life, Over, Unready};
pub use resumption::Resumption;
pub use returns::{RETURN_NONCE_BYTES, ReturnNonce};

/// The length of a share, in bytes.
pub const SHARE_BYTES: usize = 33;

/// The length of a confirmation, in bytes.
pub const CONFIRMATION_BYTES: usize = 32;

/// The names of both roles for SPAKE2.
const TYPIST: &[u8] = b"potluck typist";
const MAKER: &[u8] = b"potluck maker";

/// The first message of each side. It says nothing about the words.
pub type Share = [u8; SHARE_BYTES];

/// The proof of a side that it knows the words.
pub type Confirmation = [u8; CONFIRMATION_BYTES];

/// What both sides must see alike, besides the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The number of the code.
    pub nameplate: Nameplate,
    /// The key of who has typed the code.
    pub typist: PublicKey,
    /// The key of who has made it.
    pub maker: PublicKey,
    /// The exporter of the TLS connection between the two; nothing between a sender and a receiver.
    pub exporter: Option<[u8; 32]>,
}

/// The other side does not know the words, or is not who it seems to be, or a message was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the code was not right")]
pub struct Wrong;

/// The typist, waiting for the maker's share.
#[derive(Debug)]
pub struct Typist {
    spake: Spake2<Ed25519Group>,
    share: Share,
}

impl Typist {
    /// Begins the exchange that a typed code allows. There must be only one for each code that was typed.
    pub fn start(code: &Code, secrets: &mut Secrets) -> (Self, Share) {
        let (typist, maker) = identities();
        let (spake, share) = Spake2::start_a_with_rng(&password(code), &typist, &maker, secrets);
        let share = to_share(&share);
        (Self { spake, share }, share)
    }

    /// The maker's share has come, and the typist knows whom it talks to. Returns what the typist then waits with, and its
    /// confirmation.
    ///
    /// # Errors
    /// [`Wrong`] if that is no share of a maker.
    pub fn confirm(self, binding: &Binding, makers: &[u8]) -> Result<(ConfirmedTypist, Confirmation), Wrong> {
        let secret = self.spake.finish(makers).map_err(|_| Wrong)?;
        let keys = Keys::new(&secret, binding, &self.share, makers);
        let confirmation = keys.confirmation(Role::Typist)?;
        Ok((ConfirmedTypist { keys }, confirmation))
    }
}

/// The typist, waiting for the maker's confirmation.
#[derive(Debug)]
pub struct ConfirmedTypist {
    keys: Keys,
}

impl ConfirmedTypist {
    /// The maker's confirmation has come: returns the channel to them.
    ///
    /// # Errors
    /// [`Wrong`] if it is not valid.
    pub fn finish(self, confirmation: &[u8]) -> Result<Channel, Wrong> {
        self.keys.verify(Role::Maker, confirmation)?;
        self.keys.channel(Role::Typist)
    }
}

/// The maker, waiting for the typist's confirmation.
#[derive(Debug)]
pub struct Maker {
    keys: Keys,
}

impl Maker {
    /// A typist's share has come. Returns the maker's share; once that is sent, the code is spent unless
    /// [`Maker::finish`] succeeds.
    ///
    /// # Errors
    /// [`Wrong`] if that is no share of a typist; then nothing was given away.
    pub fn answer(
        code: &Code,
        binding: &Binding,
        typists: &[u8],
        secrets: &mut Secrets,
    ) -> Result<(Self, Share), Wrong> {
        let (typist, maker) = identities();
        let (spake, share) = Spake2::<Ed25519Group>::start_b_with_rng(&password(code), &typist, &maker, secrets);
        let (share, secret) = (to_share(&share), spake.finish(typists).map_err(|_| Wrong)?);
        Ok((Self { keys: Keys::new(&secret, binding, typists, &share) }, share))
    }

    /// The typist's confirmation has come. Returns the maker's, and the channel to the typist.
    ///
    /// # Errors
    /// [`Wrong`] if it is not valid: that was a guess, and the code ends.
    pub fn finish(self, confirmation: &[u8]) -> Result<(Confirmation, Channel), Wrong> {
        self.keys.verify(Role::Typist, confirmation)?;
        Ok((self.keys.confirmation(Role::Maker)?, self.keys.channel(Role::Maker)?))
    }
}

fn password(code: &Code) -> Password {
    Password::new(code.words())
}

fn identities() -> (Identity, Identity) {
    (Identity::new(TYPIST), Identity::new(MAKER))
}

/// A share is its side and an element of 32 bytes.
fn to_share(bytes: &[u8]) -> Share {
    let mut share = [0; SHARE_BYTES];
    share.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    share
}

#[cfg(test)]
mod tests;
