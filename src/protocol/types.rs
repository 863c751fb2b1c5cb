//! Types that requests, events and frames have in common.

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::PASSWORD_BYTES;
use super::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, PublicKey, Route, Timestamp};

/// The caller's own id for a request, repeated on every event that the request causes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("description" = "the caller's own id for a request: an integer, or at most 128 bytes of text"))]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A text.
    Text(String),
}

/// A content: its hash and how it is divided into chunks, with a name for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// The name of the file, relative to its owner's folder, with `/` between parts. Shared, because many parts of the
    /// hub hold it.
    pub file: Arc<str>,
    /// The size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// The size in bytes of every chunk but the last; a power of two.
    pub chunk_size: u64,
    /// The number of chunks; 0 for an empty file.
    pub chunks: u64,
    /// When the file was last changed, by the clock of its owner's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

impl Content {
    /// How the content is divided; `None` if its numbers are impossible.
    pub fn chunking(&self) -> Option<Chunking> {
        Chunking::checked(self.size, self.chunk_size, self.chunks)
    }
}

/// A file that somebody offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// The name of the file, relative to its owner's folder, with `/` between parts.
    pub file: String,
    /// The name of the client that offers it.
    pub owner: String,
    /// The size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// The size in bytes of every chunk but the last; a power of two.
    pub chunk_size: u64,
    /// The number of chunks; 0 for an empty file.
    pub chunks: u64,
    /// When the file was last changed, by the clock of its owner's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether the owner has left and the hub serves its copy.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// The IP address, as the hub sees it, where the file is served.
    pub address: IpAddr,
    /// The TCP port where the file is served.
    pub port: u16,
}

impl Offer {
    /// An offer of `content` by the owner of `other`, and served at the same address.
    pub fn like(content: &Content, other: &Self) -> Self {
        let Content { file, size, hash, chunk_size, chunks, modified } = content;
        let (file, owner) = (file.to_string(), other.owner.clone());
        let (size, hash, chunk_size, chunks, modified) = (*size, *hash, *chunk_size, *chunks, *modified);
        Self { file, owner, size, hash, chunk_size, chunks, modified, kept: other.kept, ..*other }
    }

    /// The offered content, without its owner.
    pub fn content(&self) -> Content {
        self.content_of(self.file.as_str().into())
    }

    /// The offered content, without its owner, under a file name that is shared already.
    pub fn content_of(&self, file: Arc<str>) -> Content {
        Content {
            file,
            size: self.size,
            hash: self.hash,
            chunk_size: self.chunk_size,
            chunks: self.chunks,
            modified: self.modified,
        }
    }

    /// How the content is divided; `None` if its numbers are impossible.
    pub fn chunking(&self) -> Option<Chunking> {
        Chunking::checked(self.size, self.chunk_size, self.chunks)
    }
}

/// Identifies an offer: an owner offers at most one file of a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct OfferName {
    /// The name of the file.
    pub file: String,
    /// The name of the client that offers it.
    pub owner: String,
}

/// Whether a client is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is connected and answers.
    Online,
    /// It does not answer, and may return within the hub's grace period.
    Away,
    /// It has left.
    Offline,
}

/// A client as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// The name of the client.
    pub name: String,
    /// The client's running number at this hub, from 1.
    pub number: u64,
    /// Whether the client is there.
    pub state: Presence,
    /// When this state began.
    pub since: Timestamp,
    /// The client's public key.
    pub key: PublicKey,
    /// The client's IP address, as the hub sees it.
    pub address: IpAddr,
    /// The TCP port on which the client serves files.
    pub port: u16,
    /// The port, for UDP and TCP, on which it accepts direct connections.
    pub link_port: u16,
    /// In `roster-updated`: whether this is the client that reads the event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub you: bool,
    /// Only for a name that the user has verified: whether this is the key that was verified. If not, somebody else may
    /// be using the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// The direction of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A download, to this client.
    Down,
    /// An upload, from this client.
    Up,
}

/// What one source has contributed to a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The name of the source.
    pub peer: String,
    /// The number of bytes that it sent.
    pub bytes: u64,
    /// The way that the connection to it takes, or took last.
    #[serde(default)]
    pub route: Route,
}

/// The state of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It waits until other transfers have ended.
    Queued,
    /// It waits for the other side: a push that is not accepted yet, or a copy that the hub has not started to fetch.
    Waiting,
    /// It is running.
    #[default]
    Running,
}

/// What a push's receiver has done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PushAnswer {
    /// They have accepted it and are fetching it.
    Accepted,
    /// They had accepted it, but could not fetch it; they may accept it again.
    Waiting,
    /// They have declined it.
    Declined,
    /// The receiver's name no longer exists.
    Gone,
}

/// A file in an offered folder that is not offered, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The name of the file, relative to the folder of `setdir`.
    pub file: String,
    /// Why it is not offered.
    pub reason: SkipReason,
}

/// Why a file in an offered folder is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It is a symbolic link, which is never followed.
    Link,
    /// It is neither a file nor a folder: a device, a pipe, a socket.
    Special,
    /// Its name cannot be offered: it is not UTF-8, or has characters that are not allowed.
    Name,
    /// It cannot be read.
    Unreadable,
}

/// How much of a content somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holding {
    /// The name of the holder.
    pub name: String,
    /// The number of chunks that they have.
    pub chunks: u64,
    /// Whether they offer it; if not, they have it because they fetched it.
    pub offered: bool,
}

/// A content that a search has found, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundFile {
    /// The name under which it is offered.
    pub file: String,
    /// The size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// The number of chunks.
    pub chunks: u64,
    /// Who has all or some of it: those who offer it first, each group by name.
    pub holders: Vec<Holding>,
}

/// The chunks that one holder has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkHolder {
    /// The name of the holder.
    pub name: String,
    /// The chunks that they have, of those asked for, as ranges: `[[0,5],[7,8]]` are the chunks 0 to 4 and 7.
    pub has: ChunkSet,
}

/// A transfer that is running or waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// The number of the transfer, counted in this process.
    pub transfer: u64,
    /// Whether it is a download or an upload.
    pub direction: Direction,
    /// The name of the file.
    pub file: String,
    /// The name of the other client.
    pub peer: String,
    /// Bytes that are on disk; for an upload, bytes that were sent.
    pub bytes: u64,
    /// The total size in bytes.
    pub size: u64,
    /// The state of the transfer.
    #[serde(default)]
    pub state: Stage,
    /// The best way that a connection of it takes; absent before the first one stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Route>,
}

/// Who may join a room without an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RoomAccess {
    /// Everybody may.
    Open,
    /// Nobody may: only members can make others members.
    Invite,
}

/// A room as `rooms` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomInfo {
    /// The name of the room.
    pub room: String,
    /// Who may join without an invitation.
    pub access: RoomAccess,
    /// The number of members.
    pub members: u64,
    /// Whether the user who asks is a member.
    pub joined: bool,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// The name of the member.
    pub name: String,
    /// Whether they are there.
    pub state: Presence,
}

/// A message as `history` shows it: to one person, in a room, or to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// The number of the message at this hub.
    pub number: u64,
    /// The receiver's name; `all` for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The name of the room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The sender's name.
    pub from: String,
    /// The text of the message.
    pub text: String,
    /// When the hub took the message.
    pub sent: Timestamp,
}

/// A password as it was typed. Its debug form hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Password(#[schemars(length(min = 1, max = 1024))] pub String);

impl Password {
    /// Whether this can be a password at all.
    ///
    /// # Errors
    /// `bad-config` if it is empty, or has more than [`PASSWORD_BYTES`].
    pub fn check(&self) -> Result<(), Failure> {
        match self.0.len() {
            0 => Err(Failure::new(ErrorCode::BadConfig, "The password is empty.")),
            1..=PASSWORD_BYTES => Ok(()),
            _ => Err(Failure::new(ErrorCode::BadConfig, format!("A password has at most {PASSWORD_BYTES} bytes."))),
        }
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(..)")
    }
}

impl std::str::FromStr for Password {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}
