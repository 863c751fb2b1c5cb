//! What the hub asks its store, and what the store answers.

use super::{Span, StoredMessage};
use crate::protocol::invite::{InviteDigest, InviteRecord};
use crate::protocol::name::NameKey;
use crate::protocol::{PublicKey, Timestamp};

/// A question to the store. It is answered as of when everything that was persisted before is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// What somebody does not have yet.
    Inbox(Inbox),
    /// What has been said.
    History(HistoryQuery),
    /// What a program was answered to its newest requests whose outcome is kept: messages, and others; at most
    /// [`REQUESTS_IN_FLIGHT`](crate::protocol::limits::REQUESTS_IN_FLIGHT) of each.
    PastAnswers {
        /// The program.
        instance: String,
        /// Whose it is.
        name_key: NameKey,
    },
    /// An invite that a key has shown.
    Invite {
        /// Which.
        digest: InviteDigest,
        /// The key.
        key: PublicKey,
    },
}

/// What somebody does not have yet, oldest first: messages to them, withheld ones too; in their rooms; and to
/// everybody. Their own are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// Who.
    pub name_key: NameKey,
    /// Only after this number.
    pub after: u64,
    /// Their rooms, each with the number after which its messages are for them.
    pub rooms: Vec<(u64, u64)>,
    /// When messages to everybody were for them; these parts do not overlap.
    pub lobby: Vec<Span>,
    /// At most so many messages.
    pub limit: usize,
    /// No more messages once their texts have so many bytes.
    pub bytes: usize,
}

/// What has been said, as far as somebody may see it. What is withheld from them is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Who asks.
    pub name_key: NameKey,
    /// What was said to everybody.
    pub lobby: bool,
    /// What was said in these rooms.
    pub rooms: Vec<u64>,
    /// What was said between who asks and one other.
    pub people: People,
    /// In rooms and to everybody: not what these have said.
    pub without: Vec<NameKey>,
    /// Only what was sent at this time or later.
    pub since: Option<Timestamp>,
    /// Only after this number.
    pub after: Option<u64>,
    /// Only before this number.
    pub before: Option<u64>,
    /// Only what has all these words.
    pub words: Option<String>,
    /// Whether the oldest of all this are wanted, rather than the newest.
    pub oldest: bool,
    /// At most so many messages.
    pub limit: usize,
    /// No more messages once their texts have so many bytes.
    pub bytes: usize,
}

/// Messages between two people, one of whom asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// None.
    Nobody,
    /// Those with this one.
    With(NameKey),
    /// Those with anybody.
    Everybody,
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Messages, oldest first, and whether there are more.
    Messages(Vec<StoredMessage>, bool),
    /// What a program was answered, by its numbers of the requests.
    PastAnswers(Vec<(i64, PastAnswer)>),
    /// The invite, if there is one, and whether it was spent for the key that has shown it.
    Invite(Option<(InviteRecord, bool)>),
}

/// What a request was answered before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastAnswer {
    /// It said this message.
    Said {
        /// The message's number.
        number: u64,
        /// When the hub took it.
        sent: Timestamp,
    },
    /// This event line.
    Answer(String),
}
