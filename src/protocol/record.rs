//! What the hub keeps on disk, in words: pure data, written by the store and read back at start or when asked.

use super::invite::{InviteDigest, InviteRecord};
use super::name::NameKey;
use super::types::{Content, RoomAccess};
use super::{PublicKey, Timestamp};

/// A change that the hub asks its store to keep. Keeping the same record twice is the same as once.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Something has been said.
    Message(StoredMessage),
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
        by: NameKey,
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
    TrimBefore(Timestamp),
    /// The oldest messages are not kept any more, until the rest takes at most so many bytes.
    TrimTo {
        /// The bound, in bytes.
        bytes: u64,
    },
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Its number, from 1, growing; no two are the same.
    pub number: u64,
    /// When the hub took it.
    pub sent: Timestamp,
    /// Who said it.
    pub from: String,
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
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct IdempotencyKey {
    /// The program, by the random name that it gives itself at its start.
    pub instance: String,
    /// The program's number for the request.
    pub ask: i64,
}

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To everybody who is there.
    Lobby,
    /// In the room of this number.
    Room(u64),
    /// To one person, of this name.
    Person(String),
}

/// A part of what is said, by the numbers of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// What comes after this number,
    pub after: u64,
    /// up to this one. The highest there is stands for a part that has not ended.
    pub until: u64,
}

/// A visit: from a registration to the end of it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRecord {
    /// `name:` and a name key, `address:` and a [`Network`](super::Network), or `key:` and a key.
    pub whom: String,
    /// How many in a row; none forgets the record.
    pub count: u32,
    /// When the last one was.
    pub last: Timestamp,
    /// For how many milliseconds from then on no login is checked.
    pub locked_for: Option<u64>,
}

/// A copy that the hub keeps. There is one of each name of each owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyRecord {
    /// Whose it is.
    pub name_key: NameKey,
    /// Whose it is, as they write it.
    pub owner: String,
    /// The content under its owner's name for it.
    pub content: Content,
}

/// A name as the store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRecord {
    /// The name as its owner writes it.
    pub name: String,
    /// The name as it is compared.
    pub name_key: NameKey,
    /// The keys that it belongs to, sorted. An account may have none yet.
    pub keys: Vec<PublicKey>,
    /// If it is an account, the number of its password: each that is set has a higher one than all before.
    pub credential: Option<u64>,
    /// When it was taken, in milliseconds since 1970 (UTC).
    pub since: i64,
    /// The number up to which its owner has every message.
    pub received: u64,
    /// How many messages to them alone are kept that they do not have.
    pub unread: u64,
}

/// A message to one person alone that they do not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRecord {
    /// Whom it is for.
    pub name_key: NameKey,
    /// Its number.
    pub number: u64,
    /// Who has sent it.
    pub from: NameKey,
    /// Bytes of its text.
    pub bytes: u64,
    /// Whether they shall not see it.
    pub withheld: bool,
}

/// A room as the store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// Its number.
    pub room: u64,
    /// Its name.
    pub name: String,
    /// Who may join by themselves.
    pub access: RoomAccess,
    /// Who has made it; nobody if that is not known.
    pub owner: NameKey,
    /// Who is in it, sorted, and since which message.
    pub members: Vec<(NameKey, u64)>,
    /// Those of them whom somebody has brought in, and who, sorted.
    pub brought: Vec<(NameKey, NameKey)>,
}

/// Everything that the hub has in memory when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The names that are taken, in the order of their keys.
    pub names: Vec<NameRecord>,
    /// Who blocks whom, sorted.
    pub blocks: Vec<(NameKey, NameKey)>,
    /// The rooms, in the order of their numbers.
    pub rooms: Vec<RoomRecord>,
    /// The newest visits of earlier runs, oldest first; see [`VISITS_LOADED`](super::limits::VISITS_LOADED).
    pub visits: Vec<VisitRecord>,
    /// Failed logins.
    pub failures: Vec<FailureRecord>,
    /// The copies that the hub keeps, in the order of their owners' keys, then of their names.
    pub copies: Vec<CopyRecord>,
    /// Messages to one person alone that they do not have, in the order of their numbers.
    pub waiting: Vec<WaitingRecord>,
    /// When people were there, as far as they lack what was said to everybody, in the order of their keys.
    pub there: Vec<(NameKey, Vec<Span>)>,
    /// The number of the newest message; 0 if there was never one.
    pub last_message: u64,
    /// The highest number that a room has had.
    pub last_room: u64,
}

/// A question to the store. It is answered as of when everything that was persisted before is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// What somebody does not have yet.
    Inbox(Inbox),
    /// What has been said.
    History(HistoryQuery),
    /// The newest messages that a program has sent: its number for each request, and the message's number and
    /// time; at most [`REQUESTS_IN_FLIGHT`](super::limits::REQUESTS_IN_FLIGHT).
    IdempotencyKeys {
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
    /// The messages of a program: its number, the message's number and time.
    IdempotencyKeys(Vec<(i64, u64, Timestamp)>),
    /// The invite, if there is one, and whether it was spent for the key that has shown it.
    Invite(Option<(InviteRecord, bool)>),
}
