//! Invites: secrets that let a new client into a hub that is not open to everybody.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::{Code, Nameplate};
use super::name::NameKey;
use super::{ContentHash, Timestamp};

/// The longest secret that a hub accepts, in bytes. Our own secrets have 26.
pub const INVITE_BYTES: usize = 64;

/// The BLAKE3 hash of an invite's secret, which is all that the hub keeps of it. A secret has 128 random bits, so it
/// cannot be guessed, and a plain hash is enough to keep it from a reader of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "ContentHash", from = "ContentHash")]
pub struct InviteDigest(pub [u8; 32]);

/// In text it looks like any BLAKE3 hash.
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
    /// The digest of a secret as it stands in a join link.
    pub fn of(secret: &str) -> Self {
        Self(*blake3::hash(secret.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for InviteDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invite {:02x}{:02x}…", self.0[0], self.0[1])
    }
}

/// Makes a secret from random bits, as it stands in a join link: 26 lower-case base32 digits.
pub fn invite_secret(random: u128) -> String {
    data_encoding::BASE32_NOPAD.encode(&random.to_be_bytes()).to_ascii_lowercase()
}

/// An invite, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteRecord {
    /// The name that the hub's keeper gave it; unique at this hub.
    pub name: String,
    /// The digest of its secret.
    pub digest: InviteDigest,
    /// The number of keys that it may let in; without a number, any.
    pub uses: Option<u64>,
    /// The number of keys that it has let in. It never decreases.
    pub spent: u64,
    /// The time after which it is void, if it has one.
    pub until: Option<Timestamp>,
    /// The time at which it was made.
    pub made: Timestamp,
    /// The member who made it, if it was not the hub's keeper.
    pub maker: Option<NameKey>,
}

/// The short code of an invite, as the store keeps it. Whoever reads the store can use it: a code that is compared as a
/// hash would be found by trying all.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// The number of the code. It is never used for another one.
    pub nameplate: Nameplate,
    /// The code with its words; nothing once it is void.
    pub code: Option<Code>,
    /// The secret of the invite, which is given to whoever knows the words; empty once the code is void.
    pub secret: String,
    /// How many exchanges have ended well.
    pub right: u64,
    /// Whether an exchange was answered that has not ended well, so far or for ever.
    pub answered: bool,
}

impl fmt::Debug for CodeRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "code {}-… (right {}, answered {})", self.nameplate, self.right, self.answered)
    }
}

/// How it stands with an invite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InviteState {
    /// It lets in whoever shows it.
    Good,
    /// It has let in as many as it may.
    Spent,
    /// Its time is over.
    Expired,
    /// Somebody has guessed at its short code, which is void.
    Guessed,
}

impl InviteState {
    /// The name of the state, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::Guessed => "guessed",
        }
    }
}

/// An invite as its maker is shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InviteInfo {
    /// Its name.
    pub invite: String,
    /// How it stands.
    pub state: InviteState,
    /// How many it lets in; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many it has let in.
    pub spent: u64,
    /// Until when it is good; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When it was made.
    pub made: Timestamp,
    /// The number of its short code, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Nameplate>,
}

impl InviteInfo {
    /// What an invite and its code are at the time `now`.
    pub fn of(invite: &InviteRecord, code: Option<&CodeRecord>, now: Timestamp) -> Self {
        let used_up = code.is_some_and(|code| invite.uses.is_some_and(|uses| code.right >= uses));
        let state = match invite.over(now) {
            _ if used_up => InviteState::Spent,
            _ if code.is_some_and(|code| code.answered) => InviteState::Guessed,
            Some(InviteOver::Spent) => InviteState::Spent,
            Some(InviteOver::Expired) => InviteState::Expired,
            None => InviteState::Good,
        };
        Self {
            invite: invite.name.clone(),
            state,
            times: invite.uses,
            spent: invite.spent,
            until: invite.until,
            made: invite.made,
            code: code.map(|code| code.nameplate),
        }
    }
}

/// Why an invite is no longer valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteOver {
    /// It has let in as many keys as it may.
    Spent,
    /// It has expired.
    Expired,
}

impl InviteRecord {
    /// Why the invite is no longer valid at the time `now`; `None` if it is valid.
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
            maker: None,
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
