//! What is told of transfers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Direction, Source, Transfer};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ContentHash, ErrorCode, Retry};

bodies! {
    /// What is under way.
    Transfers {
        /// The transfers, sorted by number.
        transfers: Vec<Transfer>,
    }
    /// A transfer begins.
    TransferStarted {
        /// Its number in this process.
        transfer: u64,
        /// Which way it goes.
        direction: Direction,
        /// The file's name.
        file: String,
        /// Who is at the other end.
        peer: String,
        /// Bytes in all.
        size: u64,
        /// BLAKE3 hash of the content.
        hash: ContentHash,
        /// Bytes that were there already from an earlier try.
        resumed: u64,
        /// Where the file will be; only downwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    }
    /// How far a transfer is.
    TransferProgress {
        /// Its number.
        transfer: u64,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes in all.
        size: u64,
        /// Bytes a second since it started.
        rate: u64,
    }
    /// A transfer ended well.
    TransferCompleted {
        /// Its number.
        transfer: u64,
        /// Which way it went.
        direction: Direction,
        /// The file's name.
        file: String,
        /// Who was at the other end.
        peer: String,
        /// Where the file is; only downwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Bytes in all.
        size: u64,
        /// BLAKE3 hash of the content.
        hash: ContentHash,
        /// How long it took, in milliseconds.
        elapsed: u64,
        /// Who sent how much; only downwards.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources: Vec<Source>,
    }
    /// A transfer did not end well.
    TransferFailed {
        /// Its number.
        transfer: u64,
        /// Which way it went.
        direction: Direction,
        /// The file's name.
        file: String,
        /// Who was at the other end.
        peer: String,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes in all.
        size: u64,
        /// What kind of failure.
        code: ErrorCode,
        /// What went wrong.
        message: String,
        /// Whether asking again can help.
        retry: Retry,
    }
    /// A source of a transfer was given up.
    SourceDropped {
        /// The transfer's number.
        transfer: u64,
        /// Who was given up.
        peer: String,
        /// What kind of failure.
        code: ErrorCode,
        /// What went wrong.
        message: String,
    }
    /// A transfer has been stopped.
    Cancelled {
        /// Its number.
        transfer: u64,
    }
}
