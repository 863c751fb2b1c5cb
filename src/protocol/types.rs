//! What requests and events are made of.

use std::net::IpAddr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::PASSWORD_BYTES;
use super::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, PublicKey, Timestamp};

/// The caller's own mark for a request, echoed on every event that the request causes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("description" = "the caller's own mark for a request: an integer, or at most 128 bytes of text"))]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A text.
    Text(String),
}

/// What identifies a content and how it is cut into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Content {
    /// The file's name, relative to the folder of its owner, with `/` between parts. Whoever knows the file shares it.
    pub file: Arc<str>,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// Size of every chunk but the last, in bytes; a power of two.
    pub chunk_size: u64,
    /// Number of chunks; none for an empty file.
    pub chunks: u64,
    /// When the file was last changed, as its owner's machine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

impl Content {
    /// How it is cut, if what it says of that can be true.
    pub fn chunking(&self) -> Option<Chunking> {
        Chunking::checked(self.size, self.chunk_size, self.chunks)
    }
}

/// A file that somebody offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// The file's name, relative to the folder of its owner, with `/` between parts.
    pub file: String,
    /// Who offers it.
    pub owner: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// Size of every chunk but the last, in bytes; a power of two.
    pub chunk_size: u64,
    /// Number of chunks; none for an empty file.
    pub chunks: u64,
    /// When the file was last changed, as its owner's machine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether its owner is gone, and the hub serves the copy that it keeps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
    /// Where its owner serves it: the IP address that the hub sees.
    pub address: IpAddr,
    /// Where its owner serves it: the TCP port.
    pub port: u16,
}

impl Offer {
    /// The offer of a content by the owner of another one, served where that is.
    pub fn like(content: &Content, other: &Self) -> Self {
        let Content { file, size, hash, chunk_size, chunks, modified } = content;
        let (file, owner) = (file.to_string(), other.owner.clone());
        let (size, hash, chunk_size, chunks, modified) = (*size, *hash, *chunk_size, *chunks, *modified);
        Self { file, owner, size, hash, chunk_size, chunks, modified, kept: other.kept, ..*other }
    }

    /// The content without its owner.
    pub fn content(&self) -> Content {
        self.content_of(self.file.as_str().into())
    }

    /// The same where the file's name is known already.
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

    /// How it is cut, if what it says of that can be true.
    pub fn chunking(&self) -> Option<Chunking> {
        Chunking::checked(self.size, self.chunk_size, self.chunks)
    }
}

/// Names an offer: no owner offers two files of the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct OfferName {
    /// The file's name.
    pub file: String,
    /// Who offered it.
    pub owner: String,
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Connected and answering.
    Online,
    /// Not answering; may come back within the hub's grace.
    Away,
    /// Gone.
    Offline,
}

/// A client as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// Its name.
    pub name: String,
    /// Its running number at this hub, from 1.
    pub number: u64,
    /// Whether it is there.
    pub state: Presence,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// The public key that it proves to hold.
    pub key: PublicKey,
    /// The IP address that the hub sees.
    pub address: IpAddr,
    /// The TCP port on which it serves files.
    pub port: u16,
    /// The port on which it takes direct connections, for UDP and TCP.
    pub link_port: u16,
    /// In `roster-updated`: whether that is the reader itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub you: bool,
}

/// Which way a transfer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To us.
    Down,
    /// From us.
    Up,
}

/// How much of a transfer came from whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// Who sent it.
    pub peer: String,
    /// How many bytes.
    pub bytes: u64,
}

/// How it stands with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It waits for others to end.
    Queued,
    /// It waits for the other side: a push that is not accepted yet, or a copy that the hub has not begun to fetch.
    Waiting,
    /// It is under way.
    #[default]
    Running,
}

/// What whoever a push is for makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PushAnswer {
    /// They take it, and fetch it now.
    Accepted,
    /// They have taken it, but could not fetch it; they may take it again.
    Waiting,
    /// They do not want it.
    Declined,
    /// Nobody has their name any more.
    Gone,
}

/// Something in a folder that is not offered, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// Its name, relative to the folder of `setdir`.
    pub file: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why something in a folder is not offered.
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

/// What somebody has of a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holding {
    /// Who.
    pub name: String,
    /// How many chunks.
    pub chunks: u64,
    /// Whether they offer it themselves, rather than have it because they fetched it.
    pub offered: bool,
}

/// A content that was found, and who has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundFile {
    /// The name under which it is offered.
    pub file: String,
    /// Size in bytes.
    pub size: u64,
    /// BLAKE3 hash of the whole content.
    pub hash: ContentHash,
    /// Number of chunks.
    pub chunks: u64,
    /// Who has it, or some of it; those who offer it first, each by name.
    pub holders: Vec<Holding>,
}

/// Which chunks somebody has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkHolder {
    /// Who.
    pub name: String,
    /// Which of the chunks that were asked for, as ranges: `[[0,5],[7,8]]` are the chunks 0 to 4 and 7.
    pub has: ChunkSet,
}

/// A transfer that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// Its number in this process.
    pub transfer: u64,
    /// Which way it goes.
    pub direction: Direction,
    /// The file's name.
    pub file: String,
    /// Who is at the other end.
    pub peer: String,
    /// Bytes that are there.
    pub bytes: u64,
    /// Bytes in all.
    pub size: u64,
    /// How it stands with it.
    #[serde(default)]
    pub state: Stage,
}

/// Who may join a room by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum RoomAccess {
    /// Everybody.
    Open,
    /// Nobody: members make others members.
    Invite,
}

/// A room as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoomInfo {
    /// Its name.
    pub room: String,
    /// Who may join by themselves.
    pub access: RoomAccess,
    /// How many members it has.
    pub members: u64,
    /// Whether we are one.
    pub joined: bool,
}

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Member {
    /// Their name.
    pub name: String,
    /// Whether they are there.
    pub state: Presence,
}

/// Something that has been said: to one person, in a room, or to everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Said {
    /// The message's number at this hub.
    pub number: u64,
    /// Whom it was for; `all` for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// In which room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// Who said it.
    pub from: String,
    /// What.
    pub text: String,
    /// When the hub took it.
    pub sent: Timestamp,
}

/// A secret that is typed: it is not shown in diagnostics.
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
