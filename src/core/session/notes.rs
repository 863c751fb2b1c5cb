//! What session and driver say to each other of files and transfers.

use std::net::SocketAddr;

use crate::core::fetch;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Skipped;
use crate::protocol::{ChunkSet, Content, ContentHash, ErrorCode, Failure, PublicKey, event};

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

/// A folder to fetch: many contents, most of them small.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderPlan {
    /// The transfer's number.
    pub transfer: u64,
    /// Its name, with `/` at its end.
    pub folder: String,
    /// The files.
    pub files: Vec<FolderFile>,
    /// Who has them.
    pub sources: Vec<FolderSource>,
    /// What to do with each file that exists with another content.
    pub on_conflict: OnConflict,
}

/// One file of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderFile {
    /// What it is, under the name by which it is offered.
    pub content: Content,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// Who has it: places in [`FolderPlan::sources`].
    pub sources: Vec<u32>,
}

/// Who has files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSource {
    /// Who.
    pub name: String,
    /// Where they serve files.
    pub address: SocketAddr,
    /// The key that they must prove to hold; none stands for that of the hub.
    pub key: Option<PublicKey>,
}

/// A content to fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPlan {
    /// The transfer's number.
    pub transfer: u64,
    /// Whose file it shall be, if that was said: if they are among those who have it, they must have the key that is
    /// known for them.
    pub from: Option<String>,
    /// Who has it, the preferred first; all have the same content.
    pub sources: Vec<event::Holder>,
    /// Only these chunks are wanted.
    pub chunks: Option<ChunkSet>,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// What to do if that exists.
    pub on_conflict: OnConflict,
    /// Whether others may fetch it from us: not what was given to us alone.
    pub share: bool,
}

impl FetchPlan {
    /// What is fetched, from whom.
    ///
    /// # Errors
    /// `not-offered` if nobody has it; `peer-broke` if what its offer says of it cannot be true.
    pub fn planned(&self) -> Result<fetch::FetchPlan, Failure> {
        let first = &self.sources.first().ok_or(ErrorCode::NotOffered)?.offer;
        let sources = self.sources.iter().map(source_of).collect();
        let mut plan = fetch::FetchPlan::of_file(&first.file, first.hash, first.chunking().ok_or_else(unfit)?, sources);
        (plan.files[0].target, plan.files[0].modified) = (self.target.clone(), first.modified);
        (plan.chunks, plan.on_conflict, plan.share) = (self.chunks.clone(), self.on_conflict, self.share);
        Ok(plan)
    }
}

impl FolderPlan {
    /// What is fetched, from whom; this is the hub's key.
    ///
    /// # Errors
    /// `peer-broke` if what an offer says of its file cannot be true.
    pub fn planned(&self, hub: PublicKey) -> Result<fetch::FetchPlan, Failure> {
        let file = |file: &FolderFile| {
            Ok(fetch::PlannedFile {
                file: file.content.file.to_string(),
                target: file.target.clone(),
                hash: file.content.hash,
                chunking: file.content.chunking().ok_or_else(unfit)?,
                modified: file.content.modified,
                sources: file.sources.clone(),
            })
        };
        let source = |source: &FolderSource| fetch::Source {
            name: source.name.clone(),
            address: source.address,
            key: source.key.unwrap_or(hub),
            has: None,
        };
        Ok(fetch::FetchPlan {
            name: self.folder.clone(),
            hash: self.hash(),
            files: self.files.iter().map(file).collect::<Result<_, Failure>>()?,
            sources: self.sources.iter().map(source).collect(),
            chunks: None,
            on_conflict: self.on_conflict,
            share: true,
        })
    }
}

/// Who has a content, as a source of it.
pub fn source_of(holder: &event::Holder) -> fetch::Source {
    fetch::Source {
        name: holder.offer.owner.clone(),
        address: SocketAddr::new(holder.offer.address, holder.offer.port),
        key: holder.key,
        has: holder.has.clone(),
    }
}

fn unfit() -> Failure {
    Failure::new(ErrorCode::PeerBroke, "The offer's size and chunks do not fit together.")
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
