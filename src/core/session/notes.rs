//! The descriptions of files and uploads that session and driver exchange.

use crate::protocol::types::Skipped;
use crate::protocol::{Content, ContentHash, Failure, Route, event};

/// Files that the driver must hash, and then serve to everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    /// The number of the task.
    pub task: u64,
    /// The folder that the names are relative to.
    pub dir: String,
    /// The names of files and folders, each once; `.` is the folder itself.
    pub files: Vec<String>,
    /// The highest number of chunks of each file.
    pub chunks: Option<u32>,
    /// Whether hidden files in folders are offered, too.
    pub hidden: bool,
    /// Whether the folders are watched for new files.
    pub watch: bool,
}

/// Files that have been hashed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashed {
    /// The files under the names by which they are offered.
    pub contents: Vec<Content>,
    /// What the folders contain that was not offered.
    pub skipped: Vec<Skipped>,
}

/// Files that we offer have changed on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesChanged {
    /// Files with new content, and new files in watched folders. They are served already.
    pub changed: Vec<Content>,
    /// Files that are gone or cannot be read. They are not served any more.
    pub gone: Vec<String>,
}

/// News of an upload.
#[derive(Debug, Clone, PartialEq)]
pub enum UploadNote {
    /// A peer has started to fetch from us.
    Started {
        /// The name of the peer.
        peer: String,
        /// The name of the file.
        file: String,
        /// The total size in bytes.
        size: u64,
        /// The hash of the content.
        hash: ContentHash,
        /// The way that the peer's connection takes.
        route: Route,
    },
    /// The best way that a connection of it takes is another one now.
    Way(Route),
    /// This many bytes have been sent.
    Progress(u64),
    /// The peer has everything that it wanted; this many bytes were sent.
    Completed(u64),
    /// The upload has failed.
    Failed(Failure),
}

/// What the hub says of a meeting.
#[derive(Debug, Clone, PartialEq)]
pub enum MeetingNews {
    /// It has begun.
    Met(event::Meeting),
    /// Where the other side may be reached.
    Places(event::MeetingPlaces),
    /// There is none.
    Refused(event::MeetingRefused),
}
