//! What the hub has in memory when it starts, as the store gives it.

use super::{Bringer, CopyRecord, FailureRecord, Span, VisitRecord};
use crate::protocol::PublicKey;
use crate::protocol::invite::InviteDigest;
use crate::protocol::name::NameKey;
use crate::protocol::types::RoomAccess;

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
    /// The name as it is compared.
    pub name_key: NameKey,
    /// Who may join by themselves.
    pub access: RoomAccess,
    /// Who has made it; nobody if that is not known.
    pub owner: NameKey,
    /// Who is in it, sorted, since which message, and who has brought them in.
    pub members: Vec<(NameKey, u64, Option<Bringer>)>,
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
    /// The newest visits, see [`VISITS_LOADED`](crate::protocol::limits::VISITS_LOADED), and the last one under each name;
    /// oldest first.
    pub visits: Vec<VisitRecord>,
    /// Failed logins.
    pub failures: Vec<FailureRecord>,
    /// The keys that each invite has let in, sorted.
    pub invited: Vec<(InviteDigest, PublicKey)>,
    /// The copies that the hub keeps, in the order of their owners' keys, then of their names.
    pub copies: Vec<CopyRecord>,
    /// Messages to one person alone that they do not have, in the order of their numbers.
    pub waiting: Vec<WaitingRecord>,
    /// When people were there, as far as they lack what was said to everybody, in the order of their keys.
    pub there: Vec<(NameKey, Vec<Span>)>,
    /// The number of the newest message; 0 if there was never one.
    pub last_message: u64,
    /// The digest of all messages that were ever said.
    pub said: [u8; 16],
    /// The highest number that a room has had.
    pub last_room: u64,
}
