//! Invites: secrets that let somebody into a hub who has not been there before.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ContentHash, Timestamp};

/// The longest secret that a hub looks at, in bytes. Ours have 26.
pub const INVITE_BYTES: usize = 64;

/// What is kept of an invite's secret: its BLAKE3 hash. The secrets are 128 random bits, which nobody finds by trying,
/// so a plain hash is enough for whoever reads the store not to have them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "ContentHash", from = "ContentHash")]
pub struct InviteDigest(pub [u8; 32]);

/// Its text form is that of any BLAKE3 hash.
impl From<InviteDigest> for ContentHash {
    fn from(digest: InviteDigest) -> Self {
        Self(digest.0)
    }
}

impl From<ContentHash> for InviteDigest {
    fn from(hash: ContentHash) -> Self {
        Self(hash.0)
    }
}

impl InviteDigest {
    /// Of a secret as it stands in a join link.
    pub fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for InviteDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invite {:02x}{:02x}…", self.0[0], self.0[1])
    }
}

/// A secret from random bits, as it stands in a join link: 26 lower-case base32 digits.
pub fn invite_secret(random: u128) -> String {
    data_encoding::BASE32_NOPAD.encode(&random.to_be_bytes()).to_ascii_lowercase()
}

/// An invite as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRecord {
    /// What its keeper calls it. There is one of each name.
    pub name: String,
    /// The hash of its secret.
    pub digest: InviteDigest,
    /// How many keys it lets in; without a number, any.
    pub uses: Option<u64>,
    /// How many it has let in. The number never goes back.
    pub spent: u64,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Since when.
    pub made: Timestamp,
}

/// Why an invite does not let anybody in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteOver {
    /// It has let in as many as it may.
    Spent,
    /// Its time is over.
    Expired,
}

impl InviteRecord {
    /// Whether it lets nobody in any more, as of a moment.
    pub fn over(&self, now: Timestamp) -> Option<InviteOver> {
        if self.uses.is_some_and(|uses| self.spent >= uses) {
            return Some(InviteOver::Spent);
        }
        self.until.is_some_and(|until| until <= now).then_some(InviteOver::Expired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_ends_with_its_last_use_or_its_time() {
        let invite = InviteRecord {
            name: "a".into(),
            digest: InviteDigest::of("a"),
            uses: Some(2),
            spent: 1,
            until: Some(Timestamp(10)),
            made: Timestamp(0),
        };
        assert_eq!(invite.over(Timestamp(9)), None);
        assert_eq!(invite.over(Timestamp(10)), Some(InviteOver::Expired));
        assert_eq!(InviteRecord { spent: 2, ..invite.clone() }.over(Timestamp(9)), Some(InviteOver::Spent));
        let endless = InviteRecord { uses: None, until: None, spent: u64::MAX, ..invite };
        assert_eq!(endless.over(Timestamp(i64::MAX)), None);
    }

    #[test]
    fn secrets_fit_into_a_link() {
        let secret = invite_secret(u128::MAX);
        assert!(secret.len() == 26 && secret.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
}
