//! The descriptions of files and transfers that session and driver exchange.

use std::net::SocketAddr;

use crate::core::fetch;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Skipped;
use crate::protocol::{ChunkSet, Content, ContentHash, ErrorCode, Failure, PublicKey, event};

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

/// A folder to fetch. It may have very many files.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderPlan {
    /// The number of the transfer.
    pub transfer: u64,
    /// The name of the folder, with `/` at its end.
    pub folder: String,
    /// The files of the folder.
    pub files: Vec<FolderFile>,
    /// The clients that have files of it.
    pub sources: Vec<FolderSource>,
    /// What happens to a file that exists with another content.
    pub on_conflict: OnConflict,
}

/// One file of a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderFile {
    /// The content, with the name under which it is offered.
    pub content: Content,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// The clients that have it, as indices of [`FolderPlan::sources`].
    pub sources: Vec<u32>,
}

/// A client that has files of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSource {
    /// The name of the client.
    pub name: String,
    /// The address on which it serves files.
    pub address: SocketAddr,
    /// The key that it must prove; `None` means the hub's key.
    pub key: Option<PublicKey>,
}

/// A content to fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPlan {
    /// The number of the transfer.
    pub transfer: u64,
    /// The person whose file was asked for, if one was named. If they are a source, their key must be the one that is
    /// pinned for them.
    pub from: Option<String>,
    /// The sources, the preferred first. All have the same content.
    pub sources: Vec<event::Holder>,
    /// The wanted chunks; `None` for all.
    pub chunks: Option<ChunkSet>,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// What happens if the file exists.
    pub on_conflict: OnConflict,
    /// Whether others may fetch it from us. A push must not be passed on.
    pub share: bool,
}

impl FetchPlan {
    /// The plan for the fetch machine.
    ///
    /// # Errors
    /// `not-offered` if nobody has it; `peer-broke` if its description is impossible.
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
    /// The plan for the fetch machine. `hub` is the hub's key.
    ///
    /// # Errors
    /// `peer-broke` if the description of a file is impossible.
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

/// The fetch machine's source for a holder.
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
    },
    /// This many bytes have been sent.
    Progress(u64),
    /// The peer has everything that it wanted; this many bytes were sent.
    Completed(u64),
    /// The upload has failed.
    Failed(Failure),
}
