//! What session and driver say to each other of transfers.

use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Source;
use crate::protocol::{ContentHash, Failure, event};

/// A content to fetch.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchPlan {
    /// The transfer's number.
    pub transfer: u64,
    /// Who offers it; all offer the same content.
    pub sources: Vec<event::Holder>,
    /// The name to save under, relative to the download folder.
    pub target: String,
    /// What to do if that exists.
    pub on_conflict: OnConflict,
}

/// How a transfer goes on, as the driver sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum TransferNote {
    /// It begins.
    Started {
        /// Where the file will be.
        path: String,
        /// Bytes that are there already.
        resumed: u64,
    },
    /// So many bytes are there.
    Progress(u64),
    /// A source was given up.
    Dropped {
        /// Who.
        peer: String,
        /// Why.
        failure: Failure,
    },
    /// The file is there.
    Completed {
        /// Where.
        path: String,
        /// Who sent how much.
        sources: Vec<Source>,
    },
    /// It is not.
    Failed(Failure),
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
