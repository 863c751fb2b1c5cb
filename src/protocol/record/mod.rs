//! What the hub keeps on disk, in words: pure data, written by the store and read back at start or when asked.
//!
//! Records have a JSON form that is kept and travels: fields are added with a default and never change their meaning.

mod loaded;
mod query;

use serde::{Deserialize, Serialize};

use super::invite::InviteDigest;
use super::name::NameKey;
use super::types::{Content, RoomAccess};
use super::{Network, PublicKey, Timestamp};
pub use loaded::{Loaded, NameRecord, RoomRecord, WaitingRecord};
pub use query::{Found, HistoryQuery, Inbox, PastAnswer, People, Query};

/// A change that the hub asks its store to keep. Keeping the same record twice is the same as once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// A name belongs to a key, from now on or still. An account may have several keys.
    Name {
        /// The name as its owner writes it.
        name: String,
        /// The name as it is compared, see [`NameKey`]. There is one owner for each.
        name_key: NameKey,
        /// The key that the name belongs to.
        key: PublicKey,
        /// When it was taken, in milliseconds since 1970 (UTC).
        since: i64,
        /// For an account, the number of the password that the key was shown to know: the key is added only while
        /// the account still has that one. Nothing for a name that needs no password.
        credential: Option<u64>,
    },
    /// An invite has let a key in. Before the key's name, which follows.
    InviteSpent {
        /// Which invite.
        digest: InviteDigest,
        /// Whom.
        key: PublicKey,
    },
    /// The hub's keeper has made a name an account, or has changed its password or its keys. The store has it already.
    Account(AccountRecord),
    /// The hub's keeper has removed a name, with its keys, rooms and blocks. The store has done so already.
    NameGone {
        /// Which.
        name_key: NameKey,
    },
    /// Something has been said.
    Message(StoredMessage),
    /// A message was given up before it was on disk: it was never said.
    MessageAbandoned(StoredMessage),
    /// A request was answered whose outcome is kept: whoever asks again is answered the same.
    Answered(AnswerRecord),
    /// Somebody has every message for them up to this number. The number never goes back.
    Received {
        /// Who.
        name_key: NameKey,
        /// The number.
        number: u64,
    },
    /// When somebody was there, as far as they lack what was said to everybody; a newer one replaces it.
    There {
        /// Who.
        name_key: NameKey,
        /// From when until when.
        spans: Vec<Span>,
    },
    /// Somebody blocks somebody.
    Block {
        /// Who blocks.
        by: NameKey,
        /// Whom.
        whom: NameKey,
    },
    /// Somebody does not block somebody any more.
    Unblock {
        /// Who blocked.
        by: NameKey,
        /// Whom.
        whom: NameKey,
    },
    /// A room is there.
    Room {
        /// Its number: never used for another room.
        room: u64,
        /// Its name.
        name: String,
        /// The name as it is compared.
        name_key: NameKey,
        /// Who may join by themselves.
        access: RoomAccess,
        /// Who has made it.
        owner: NameKey,
    },
    /// A room is gone, with its members; what was said in it stays.
    RoomGone {
        /// Its number.
        room: u64,
    },
    /// Somebody is in a room.
    Member {
        /// The room's number.
        room: u64,
        /// Who.
        name_key: NameKey,
        /// The newest message when they joined: later ones are for them.
        since: u64,
        /// Who has brought them in; nobody if they came by themselves.
        by: Option<Bringer>,
    },
    /// Somebody is not in a room any more.
    MemberGone {
        /// The room's number.
        room: u64,
        /// Who.
        name_key: NameKey,
    },
    /// Somebody is, or was, at the hub.
    Visit(VisitRecord),
    /// Logins have failed.
    Failures(FailureRecord),
    /// An account is not known by a key any more: it has newer ones.
    KeyForgotten {
        /// The account's name.
        name_key: NameKey,
        /// The key.
        key: PublicKey,
    },
    /// The hub has a copy of what somebody offers.
    Copy(CopyRecord),
    /// It has it no more.
    CopyGone {
        /// Whose it was.
        name_key: NameKey,
        /// Which.
        file: String,
    },
    /// Messages from before this time are not kept any more, but for the newest of all.
    TrimBefore {
        /// When.
        time: Timestamp,
    },
    /// The oldest messages are not kept any more, until the rest takes at most so many bytes.
    TrimTo {
        /// The bound, in bytes.
        bytes: u64,
    },
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Its number, from 1, growing; no two are the same.
    pub number: u64,
    /// When the hub took it.
    pub sent: Timestamp,
    /// Who said it.
    pub from: String,
    /// The same as it is compared.
    pub from_key: NameKey,
    /// Where.
    pub destination: Destination,
    /// What.
    pub text: String,
    /// Its receiver shall not see it: they block the sender.
    pub withheld: bool,
    /// Which request of which program it was, so that asking again does not say it twice.
    pub idempotency_key: IdempotencyKey,
}

/// Which request of which program: it is the same after both have lost their connection, or the hub its memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The program, by the random name that it gives itself at its start.
    pub instance: String,
    /// The program's number for the request.
    pub ask: i64,
}

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// To everybody who is there.
    Lobby,
    /// In the room of this number.
    Room(u64),
    /// To one person.
    Person {
        /// The name as they write it.
        name: String,
        /// The same as it is compared.
        name_key: NameKey,
    },
}

impl Destination {
    /// One person, by the name as they write it.
    pub fn person(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::Person { name_key: NameKey::of(&name), name }
    }
}

/// Who has brought somebody into a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bringer {
    /// Their name.
    pub by: NameKey,
    /// From where, unless that was the hub's own machine.
    pub network: Option<Network>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Who has asked.
    pub name_key: NameKey,
    /// Which request it was.
    pub idempotency_key: IdempotencyKey,
    /// The answer: an event line without the request's mark.
    pub answer: String,
}

/// A name as the hub's keeper has set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The name as it is compared.
    pub name_key: NameKey,
    /// The name as it is written.
    pub name: String,
    /// The number of its password; none if it belongs to keys alone.
    pub credential: Option<u64>,
    /// The keys that it belongs to.
    pub keys: Vec<PublicKey>,
}

/// A part of what is said, by the numbers of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// What comes after this number,
    pub after: u64,
    /// up to this one. The highest there is stands for a part that has not ended.
    pub until: u64,
}

/// A visit: from a registration to the end of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitRecord {
    /// The run of the hub.
    pub run: u64,
    /// The visit's number in this run.
    pub number: u64,
    /// Who.
    pub name: String,
    /// With which key.
    pub key: PublicKey,
    /// From which address and port, as text.
    pub address: String,
    /// Since when.
    pub opened: Timestamp,
    /// Until when.
    pub closed: Option<Timestamp>,
    /// How many messages were sent.
    pub messages: u64,
}

/// Failed logins of a name, or from an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// `name:` and a name key, `address:` and a [`Network`], or `key:` and a key.
    pub whom: String,
    /// How many in a row; none forgets the record.
    pub count: u32,
    /// When the last one was.
    pub last: Timestamp,
    /// For how many milliseconds from then on no login is checked.
    pub locked_for: Option<u64>,
}

/// A copy that the hub keeps. There is one of each name of each owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// Whose it is.
    pub name_key: NameKey,
    /// Whose it is, as they write it.
    pub owner: String,
    /// The content under its owner's name for it.
    pub content: Content,
}
