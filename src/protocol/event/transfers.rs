//! Events about transfers and pushes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Direction, PushAnswer, Source, Transfer};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Retry, Route};

bodies! {
    /// The transfers that are running or waiting.
    Transfers {
        /// The transfers, sorted by number.
        transfers: Vec<Transfer>,
    }
    /// A transfer waits until others have ended.
    TransferQueued {
        /// The number of the transfer.
        transfer: u64,
        /// The name of the file.
        file: String,
        /// The place in the queue, counted from 1.
        position: u64,
    }
    /// A transfer has started.
    TransferStarted {
        /// The number of the transfer, counted in this process.
        transfer: u64,
        /// Whether it is a download or an upload.
        direction: Direction,
        /// The name of the file.
        file: String,
        /// The name of the other client.
        peer: String,
        /// The total size in bytes.
        size: u64,
        /// The BLAKE3 hash of the content. For a folder: the hash of what `b3sum` prints for its files, sorted by name.
        hash: ContentHash,
        /// The number of files, for a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<u64>,
        /// The number of bytes that an earlier attempt left on disk.
        resumed: u64,
        /// The path of the file on this machine; only for a download.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The way that the first connection takes; absent if none stands by now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Route>,
        /// The number of uploads to this client that were not told before this one, because too many started at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        untold: Option<u64>,
    }
    /// Progress of a transfer.
    TransferProgress {
        /// The number of the transfer.
        transfer: u64,
        /// Bytes that are on disk; for an upload, bytes that were sent.
        bytes: u64,
        /// The total size in bytes.
        size: u64,
        /// The recent rate in bytes a second.
        rate: u64,
        /// The expected time to completion at this rate, in milliseconds; absent if there is no estimate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
        /// The best way that a connection of it takes now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Route>,
    }
    /// A transfer has completed.
    TransferCompleted {
        /// The number of the transfer.
        transfer: u64,
        /// Whether it was a download or an upload.
        direction: Direction,
        /// The name of the file.
        file: String,
        /// The name of the other client.
        peer: String,
        /// The path of the file on this machine; only for a download. If only some chunks were fetched: the path of the
        /// file that has these chunks at their places.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// The total size in bytes.
        size: u64,
        /// The BLAKE3 hash of the content. For a folder: the hash of what `b3sum` prints for its files, sorted by name.
        hash: ContentHash,
        /// The number of files, for a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<u64>,
        /// The chunks that were asked for, if only some were and the file is not complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chunks: Option<ChunkSet>,
        /// The duration in milliseconds.
        elapsed: u64,
        /// The number of bytes that were sent; less than `size` if some were on disk before, or came from others.
        #[serde(default)]
        bytes: u64,
        /// The number of bytes that an earlier attempt left on disk.
        #[serde(default)]
        resumed: u64,
        /// For an upload: the best way that a connection of it took at last; a download has it for each source.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Route>,
        /// How many bytes each source sent; only for a download.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sources: Vec<Source>,
    }
    /// A transfer has failed.
    TransferFailed {
        /// The number of the transfer.
        transfer: u64,
        /// Whether it was a download or an upload.
        direction: Direction,
        /// The name of the file.
        file: String,
        /// The name of the other client.
        peer: String,
        /// Bytes that are on disk; for an upload, bytes that were sent.
        bytes: u64,
        /// The total size in bytes.
        size: u64,
        /// The kind of failure.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
        /// Whether sending the same request again can help.
        retry: Retry,
    }
    /// A transfer no longer uses one of its sources, or goes on without it while it does not answer.
    SourceDropped {
        /// The number of the transfer.
        transfer: u64,
        /// The name of the source.
        peer: String,
        /// The kind of failure.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
    }
    /// No source that is online has the rest: the transfer waits for one.
    TransferStalled {
        /// The number of the transfer.
        transfer: u64,
        /// The name of the file.
        file: String,
        /// Bytes that are on disk.
        bytes: u64,
        /// The total size in bytes.
        size: u64,
        /// The time in milliseconds that it still waits before it fails.
        left: u64,
    }
    /// One file of a folder could not be fetched.
    FileFailed {
        /// The number of the transfer.
        transfer: u64,
        /// The name of the file.
        file: String,
        /// The kind of failure.
        code: ErrorCode,
        /// Says what went wrong.
        message: String,
    }
    /// The hub has taken this client's push.
    PushAsked {
        /// The number of the push, for `cancel`.
        push: u64,
        /// The number of its transfer, which is the same.
        transfer: u64,
        /// The name of the file, as the receiver sees it.
        file: String,
        /// The receiver's name.
        to: String,
        /// Whether the receiver is there. If not, the push waits until they come or this client leaves.
        online: bool,
    }
    /// Somebody offers this client's user a file.
    PushOffered {
        /// The number of the push, for `accept`, `decline` and `cancel`. Its transfer will have the same number.
        push: u64,
        /// The sender's name.
        from: String,
        /// The name of the file.
        file: String,
        /// The size of the file in bytes.
        size: u64,
        /// The BLAKE3 hash of the content.
        hash: ContentHash,
    }
    /// The receiver of a push has answered.
    PushAnswered {
        /// The number of the push.
        push: u64,
        /// The receiver's answer.
        answer: PushAnswer,
    }
    /// A file that was pushed to this client can no longer be fetched.
    PushGone {
        /// The number of the push.
        push: u64,
        /// The sender's name.
        from: String,
        /// The name of the file.
        file: String,
    }
    /// This client's user has declined a push.
    Declined {
        /// The number of the push.
        push: u64,
    }
    /// A transfer has been stopped.
    Cancelled {
        /// The number of the transfer.
        transfer: u64,
    }
}
