//! What session and driver say to each other of files and uploads.

use crate::protocol::types::Skipped;
use crate::protocol::{Content, ContentHash, Failure};

/// Files to hash, and to serve to everybody from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    /// The number of this task.
    pub task: u64,
    /// The folder.
    pub dir: String,
    /// Files and folders in it, each once; `.` is the folder itself.
    pub files: Vec<String>,
    /// At most so many chunks for each file.
    pub chunks: Option<u32>,
    /// Hidden files of folders, too.
    pub hidden: bool,
    /// Whether what is new in the folders is to be told of.
    pub watch: bool,
}

/// Files that have been hashed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hashed {
    /// The files under the names by which they are offered.
    pub contents: Vec<Content>,
    /// What was left out of folders.
    pub skipped: Vec<Skipped>,
}

/// Files that we offer have changed on disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FilesChanged {
    /// Files with another content, or new ones in watched folders. They are served already.
    pub changed: Vec<Content>,
    /// Files that are gone or cannot be read. They are not served any more.
    pub gone: Vec<String>,
}

/// How an upload goes on, as the driver sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum UploadNote {
    /// A peer fetches from us.
    Started {
        /// Its name.
        peer: String,
        /// What it fetches.
        file: String,
        /// Bytes in all.
        size: u64,
        /// Which content.
        hash: ContentHash,
    },
    /// So many bytes are sent.
    Progress(u64),
    /// The peer has what it wanted.
    Completed(u64),
    /// It has not.
    Failed(Failure),
}
