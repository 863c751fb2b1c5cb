//! The hub's state as the store loads it at the start of a run.

use super::{Bringer, CopyRecord, FailureRecord, Span, VisitRecord};
use crate::protocol::PublicKey;
use crate::protocol::code::Nameplate;
use crate::protocol::invite::InviteDigest;
use crate::protocol::name::NameKey;
use crate::protocol::types::RoomAccess;

/// A registered name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRecord {
    /// The name as its owner writes it.
    pub name: String,
    /// The name in the form in which names are compared.
    pub name_key: NameKey,
    /// The keys that own the name, sorted. A new account may have none.
    pub keys: Vec<PublicKey>,
    /// For an account, the number of its password: every new password has a higher number than all before it. Nothing
    /// for a name without a password.
    pub credential: Option<u64>,
    /// When the name was first taken, in milliseconds since 1970 (UTC).
    pub since: i64,
    /// The owner has received all messages up to this number.
    pub received: u64,
    /// How many messages to the owner alone are stored and not received yet.
    pub unread: u64,
}

/// A message to one person that they have not received yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRecord {
    /// The receiver.
    pub name_key: NameKey,
    /// The number of the message.
    pub number: u64,
    /// The sender.
    pub from: NameKey,
    /// The length of its text in bytes.
    pub bytes: u64,
    /// Whether the receiver blocks the sender and must not see the message.
    pub withheld: bool,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// The number of the room.
    pub room: u64,
    /// The name of the room.
    pub name: String,
    /// The name in the form in which names are compared.
    pub name_key: NameKey,
    /// Who may join without an invitation.
    pub access: RoomAccess,
    /// Who created the room; the empty key if that is not known.
    pub owner: NameKey,
    /// The members, sorted: each with the number of the newest message when they joined, and who invited them.
    pub members: Vec<(NameKey, u64, Option<Bringer>)>,
}

/// Everything that the hub keeps in memory and that the store has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The registered names, in the order of their keys.
    pub names: Vec<NameRecord>,
    /// Who blocks whom: pairs of the person who blocks and the person who is blocked, sorted.
    pub blocks: Vec<(NameKey, NameKey)>,
    /// The rooms, in the order of their numbers.
    pub rooms: Vec<RoomRecord>,
    /// The newest visits, see [`VISITS_LOADED`](crate::protocol::limits::VISITS_LOADED), and the last one under each name;
    /// oldest first.
    pub visits: Vec<VisitRecord>,
    /// The names, addresses and keys with failed logins.
    pub failures: Vec<FailureRecord>,
    /// The keys that each invite has let in, sorted.
    pub invited: Vec<(InviteDigest, PublicKey)>,
    /// The copies that the hub keeps, in the order of their owners' keys, then of their file names.
    pub copies: Vec<CopyRecord>,
    /// The messages to one person that they have not received, in the order of their numbers.
    pub waiting: Vec<WaitingRecord>,
    /// For people who lack messages to everybody: the spans in which they were at the hub. In the order of their keys.
    pub there: Vec<(NameKey, Vec<Span>)>,
    /// The number of the newest message; 0 if there was never one.
    pub last_message: u64,
    /// Messages below this number are not kept any more.
    pub trimmed: u64,
    /// The digest of all messages that were ever sent.
    pub said: [u8; 16],
    /// The highest number that any room has had.
    pub last_room: u64,
    /// The number of the newest short code; 0 if there was never one.
    pub last_nameplate: Nameplate,
}
