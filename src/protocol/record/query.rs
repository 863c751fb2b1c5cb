//! What the hub asks its store while it runs, and what the store answers.

use super::{Span, StoredMessage};
use crate::protocol::code::Nameplate;
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use crate::protocol::name::NameKey;
use crate::protocol::{PublicKey, Timestamp};

/// A query to the store. The answer includes every record that the hub handed over before the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Messages that somebody has not received.
    Inbox(Inbox),
    /// Messages that were sent earlier.
    History(HistoryQuery),
    /// The stored answers to the newest requests of a process: to at most
    /// [`REQUESTS_IN_FLIGHT`](crate::protocol::limits::REQUESTS_IN_FLIGHT) messages, and to as many other requests.
    PastAnswers {
        /// The process, by the name that it gave itself.
        instance: String,
        /// The person who asked.
        name_key: NameKey,
    },
    /// Below which number messages go, so that what is left is not older, and takes no more room.
    TrimPoint {
        /// Only messages from this time on shall be left.
        since: Option<Timestamp>,
        /// Messages of so many bytes shall be left.
        bytes: Option<u64>,
    },
    /// The invite that a key has presented.
    Invite {
        /// The digest of the invite's secret.
        digest: InviteDigest,
        /// The key that has presented it.
        key: PublicKey,
    },
    /// The code of this number.
    Code(Nameplate),
    /// The newest invites that somebody has made, at most [`INVITES_SHOWN`](crate::protocol::limits::INVITES_SHOWN).
    Invites(NameKey),
}

/// Messages that somebody has not received, oldest first: those to them alone, withheld ones included; those in their
/// rooms; and those to everybody. Their own messages are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbox {
    /// The receiver.
    pub name_key: NameKey,
    /// Only messages after this number.
    pub after: u64,
    /// The receiver's rooms, each with the number after which its messages are for them.
    pub rooms: Vec<(u64, u64)>,
    /// The spans in which messages to everybody were for them. They do not overlap.
    pub lobby: Vec<Span>,
    /// The highest number of messages.
    pub limit: usize,
    /// The answer ends once the texts together have this many bytes.
    pub bytes: usize,
}

/// Messages that were sent earlier and that somebody may see. Messages withheld from them are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// The person who asks.
    pub name_key: NameKey,
    /// Whether messages to everybody are included.
    pub lobby: bool,
    /// The rooms whose messages are included.
    pub rooms: Vec<u64>,
    /// Which messages between two people are included.
    pub people: People,
    /// In rooms and to everybody: people whose messages are left out.
    pub without: Vec<NameKey>,
    /// Only messages sent at this time or later.
    pub since: Option<Timestamp>,
    /// Only messages after this number.
    pub after: Option<u64>,
    /// Only messages before this number.
    pub before: Option<u64>,
    /// Only messages that have all these words.
    pub words: Option<String>,
    /// Whether the oldest of these messages are wanted, instead of the newest.
    pub oldest: bool,
    /// The highest number of messages.
    pub limit: usize,
    /// The answer ends once the texts together have this many bytes.
    pub bytes: usize,
}

/// Which messages between two people a query includes. One of the two is the person who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// None of them.
    Nobody,
    /// Those with this person.
    With(NameKey),
    /// Those with anybody.
    Everybody,
}

/// The store's answer to a [`Query`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The messages, oldest first, and whether there are more.
    Messages(Vec<StoredMessage>, bool),
    /// The stored answers of a process, each with the number that the process gave the request.
    PastAnswers(Vec<(i64, PastAnswer)>),
    /// The number below which messages go; 0 if none do.
    TrimPoint(u64),
    /// The invite, if it exists, and whether it has let in the key that presented it before.
    Invite(Option<(InviteRecord, bool)>),
    /// The code and its invite, if they exist.
    Code(Option<Box<(CodeRecord, InviteRecord)>>),
    /// The invites, in the order in which they were made, with their codes.
    Invites(Vec<(InviteRecord, Option<CodeRecord>)>),
}

/// The stored answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PastAnswer {
    /// The request sent this message.
    Said {
        /// The number of the message.
        number: u64,
        /// When the hub took the message.
        sent: Timestamp,
    },
    /// The request was answered with this event line.
    Answer(String),
}
