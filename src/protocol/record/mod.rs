//! Records: the changes that the hub logs and stores. They are plain data; the store writes them, and reads them back
//! when the hub starts or asks for them.
//!
//! Their JSON form is stored and exchanged between versions: a field may be added with a default, but never change its
//! meaning.

mod loaded;
mod query;

use serde::{Deserialize, Serialize};

use super::code::Nameplate;
use super::invite::InviteDigest;
use super::name::NameKey;
use super::types::{Content, RoomAccess};
use super::{Code, Network, PublicKey, Timestamp};
pub use loaded::{Loaded, NameRecord, RoomRecord, WaitingRecord};
pub use query::{Found, HistoryQuery, Inbox, PastAnswer, People, Query};

/// A change to the hub's state that the store must keep. Storing a record twice has the same effect as once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// A key owns a name. A name without a password has one key, an account may have several.
    Name {
        /// The name as its owner writes it.
        name: String,
        /// The name in the form in which names are compared. It is unique.
        name_key: NameKey,
        /// The key that owns the name.
        key: PublicKey,
        /// When the name was first taken, in milliseconds since 1970 (UTC).
        since: i64,
        /// For an account: the number of the password that the key's holder has proven. The key is added only if that
        /// is still the account's password. Nothing for a name without a password.
        credential: Option<u64>,
    },
    /// An invite has let a key in. It comes before the record of the key's name.
    InviteSpent {
        /// The digest of the invite's secret.
        digest: InviteDigest,
        /// The key that was let in.
        key: PublicKey,
    },
    /// A member has made an invite. It is only in the store.
    Invite(Box<MadeInvite>),
    /// A member has revoked their invite of this name. It is only in the store.
    InviteRevoked {
        /// The name of the invite.
        name: String,
    },
    /// An exchange by a code was answered, or has ended. It is only in the store.
    Code {
        /// The number of the code.
        nameplate: Nameplate,
        /// How many exchanges by it have ended well. It never decreases.
        right: u64,
        /// Whether an exchange was answered and has not ended well.
        answered: bool,
        /// Whether the code is void: its words and the secret of its invite are deleted.
        void: bool,
    },
    /// The hub's keeper has created an account, or changed its password or keys. The store has this change already.
    Account(AccountRecord),
    /// The hub's keeper has removed a name with its keys, memberships and blocks. The store has this change already.
    NameGone {
        /// The removed name.
        name_key: NameKey,
    },
    /// A message was sent.
    Message(StoredMessage),
    /// A message was given up before it was stored, as if it had never been sent.
    MessageAbandoned(StoredMessage),
    /// A request was answered. The answer is stored so that the same request, if asked again, is answered the same.
    Answered(AnswerRecord),
    /// Somebody has received all messages for them up to a number, which never decreases.
    Received {
        /// The receiver.
        name_key: NameKey,
        /// The number of the newest message received.
        number: u64,
    },
    /// The spans in which somebody was at the hub, as far as they have not received what was sent to everybody then. It
    /// replaces the record before it.
    There {
        /// The person.
        name_key: NameKey,
        /// The spans, by message numbers.
        spans: Vec<Span>,
    },
    /// Somebody blocks somebody else.
    Block {
        /// The person who blocks.
        by: NameKey,
        /// The person who is blocked.
        whom: NameKey,
    },
    /// Somebody no longer blocks somebody else.
    Unblock {
        /// The person who blocked.
        by: NameKey,
        /// The person who was blocked.
        whom: NameKey,
    },
    /// A room was created.
    Room {
        /// The number of the room. It is never used for another room.
        room: u64,
        /// The name of the room.
        name: String,
        /// The name in the form in which names are compared.
        name_key: NameKey,
        /// Who may join without an invitation.
        access: RoomAccess,
        /// The person who created it.
        owner: NameKey,
    },
    /// A room was removed, with its memberships. Its messages stay.
    RoomGone {
        /// The number of the room.
        room: u64,
    },
    /// Somebody is a member of a room.
    Member {
        /// The number of the room.
        room: u64,
        /// The member.
        name_key: NameKey,
        /// The number of the newest message when they joined. Later messages of the room are for them.
        since: u64,
        /// Who invited them; nothing if they joined by themselves.
        by: Option<Bringer>,
    },
    /// Somebody is no longer a member of a room.
    MemberGone {
        /// The number of the room.
        room: u64,
        /// The former member.
        name_key: NameKey,
    },
    /// A visit of a client began, changed or ended.
    Visit(VisitRecord),
    /// The failed logins of a name, address or key have changed.
    Failures(FailureRecord),
    /// An account has forgotten a key, because it has newer ones.
    KeyForgotten {
        /// The account.
        name_key: NameKey,
        /// The forgotten key.
        key: PublicKey,
    },
    /// The hub has made a copy of an offered file.
    Copy(CopyRecord),
    /// The hub has removed a copy.
    CopyGone {
        /// The owner of the file.
        name_key: NameKey,
        /// The name of the file.
        file: String,
    },
    /// Messages with lower numbers than this are not kept any more, except the newest message of all. The number only
    /// grows.
    Trim {
        /// The number.
        below: u64,
    },
}

/// An invite as a member has made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeInvite {
    /// The name of the invite, which no other has.
    pub name: String,
    /// The digest of its secret.
    pub digest: InviteDigest,
    /// How many it lets in.
    pub uses: u64,
    /// Until when it is good.
    pub until: Timestamp,
    /// When it was made.
    pub made: Timestamp,
    /// Who made it.
    pub maker: NameKey,
    /// Its short code and its secret, if it has a code.
    pub code: Option<(Code, String)>,
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredMessage {
    /// Its number. Numbers start at 1 and grow; no two messages have the same.
    pub number: u64,
    /// When the hub took the message.
    pub sent: Timestamp,
    /// The sender's name as they write it.
    pub from: String,
    /// The sender.
    pub from_key: NameKey,
    /// Where the message was sent.
    pub destination: Destination,
    /// The text of the message.
    pub text: String,
    /// Whether the receiver blocks the sender and must not see the message.
    pub withheld: bool,
    /// The request that sent it, so that the same request, if asked again, does not send it twice.
    pub idempotency_key: IdempotencyKey,
}

/// Identifies a request across lost connections and restarts of the hub, so that it is carried out once however often
/// it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// The random name that the client's process gave itself at its start.
    pub instance: String,
    /// The number that this process gave the request.
    pub ask: i64,
}

/// Where a message is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// Everybody who is at the hub.
    Lobby,
    /// The room of this number.
    Room(u64),
    /// One person.
    Person {
        /// The name as that person writes it.
        name: String,
        /// The name in the form in which names are compared.
        name_key: NameKey,
    },
}

impl Destination {
    /// The destination for one person, by the name as they write it.
    pub fn person(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::Person { name_key: NameKey::of(&name), name }
    }
}

/// Who invited somebody into a room.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Bringer {
    /// The inviter.
    pub by: NameKey,
    /// The inviter's network; nothing if that was the hub's own machine.
    pub network: Option<Network>,
}

/// The stored answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// The person who asked.
    pub name_key: NameKey,
    /// The request that was answered.
    pub idempotency_key: IdempotencyKey,
    /// The answer: an event line without the request's `id`.
    pub answer: String,
}

/// A name as the hub's keeper has set it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The name in the form in which names are compared.
    pub name_key: NameKey,
    /// The name as it is written.
    pub name: String,
    /// The number of its password; nothing if the name belongs to keys alone.
    pub credential: Option<u64>,
    /// The keys that own the name.
    pub keys: Vec<PublicKey>,
}

/// A span of messages by their numbers: after one, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    /// The number before the first message of the span.
    pub after: u64,
    /// The number of the last message of the span. The highest possible number means that the span has not ended.
    pub until: u64,
}

/// A visit: the time from a client's registration until it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitRecord {
    /// The run of the hub: a random number that it draws at each start.
    pub run: u64,
    /// The number of the visit in this run.
    pub number: u64,
    /// The name of the client.
    pub name: String,
    /// The client's public key.
    pub key: PublicKey,
    /// The client's address and port, as text.
    pub address: String,
    /// The time of the registration.
    pub opened: Timestamp,
    /// The time at which the client left; nothing while it is there.
    pub closed: Option<Timestamp>,
    /// How many messages the client sent.
    pub messages: u64,
}

/// The failed logins of a name, an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// What is counted: `name:` and a name key, `address:` and a [`Network`], or `key:` and a key.
    pub whom: String,
    /// How many logins in a row have failed; 0 removes the record.
    pub count: u32,
    /// When the last login failed.
    pub last: Timestamp,
    /// For how many milliseconds after that its logins are not checked.
    pub locked_for: Option<u64>,
}

/// A copy of an offered file that the hub keeps. It is unique by owner and file name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRecord {
    /// The owner of the file.
    pub name_key: NameKey,
    /// The owner's name as they write it.
    pub owner: String,
    /// The content, with the name that its owner gave the file.
    pub content: Content,
}
