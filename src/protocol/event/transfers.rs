//! What is told of transfers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Direction, PushAnswer, Source, Transfer};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Retry};

bodies! {
    /// What is under way.
    Transfers {
        /// The transfers, sorted by number.
        transfers: Vec<Transfer>,
    }
    /// A transfer waits for others to end.
    TransferQueued {
        /// Its number.
        transfer: u64,
        /// The file's name.
        file: String,
        /// Its place in the queue, from 1.
        position: u64,
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
        /// BLAKE3 hash of the content; of a folder, that of what `b3sum` prints for its files, sorted by name.
        hash: ContentHash,
        /// How many files it is, if it is a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<u64>,
        /// Bytes that were there already from an earlier try.
        resumed: u64,
        /// Where the file will be; only downwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// How many uploads to this peer began before and were not told of, as there were too many of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        untold: Option<u64>,
    }
    /// How far a transfer is.
    TransferProgress {
        /// Its number.
        transfer: u64,
        /// Bytes that are there; upwards, that were sent.
        bytes: u64,
        /// Bytes in all.
        size: u64,
        /// Bytes a second, lately.
        rate: u64,
        /// How long it takes from here at this rate, in milliseconds, if that can be said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
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
        /// Where the file is; only downwards. Of a file of which only some chunks were fetched: where these are, each
        /// in its place.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Bytes in all.
        size: u64,
        /// BLAKE3 hash of the content; of a folder, that of what `b3sum` prints for its files, sorted by name.
        hash: ContentHash,
        /// How many files it is, if it is a folder.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<u64>,
        /// The chunks that were asked for, if that was not all and the file is not complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chunks: Option<ChunkSet>,
        /// How long it took, in milliseconds.
        elapsed: u64,
        /// Bytes that were sent for it; less than `size` if some were there already, or came from elsewhere.
        #[serde(default)]
        bytes: u64,
        /// Bytes that were there already from an earlier try.
        #[serde(default)]
        resumed: u64,
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
        /// Bytes that are there; upwards, that were sent.
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
    /// Nobody who is there has the rest of a file: its transfer waits for somebody who has.
    TransferStalled {
        /// The transfer's number.
        transfer: u64,
        /// The file's name.
        file: String,
        /// Bytes that are there.
        bytes: u64,
        /// Bytes in all.
        size: u64,
        /// How long it waits before it fails, in milliseconds.
        left: u64,
    }
    /// A file of a folder could not be had.
    FileFailed {
        /// The transfer's number.
        transfer: u64,
        /// The file's name.
        file: String,
        /// What kind of failure.
        code: ErrorCode,
        /// What went wrong.
        message: String,
    }
    /// The hub has our push.
    PushAsked {
        /// Its number, for `cancel`.
        push: u64,
        /// That of its transfer: the same.
        transfer: u64,
        /// The file's name, as they see it.
        file: String,
        /// Who shall have it.
        to: String,
        /// Whether they are there. If not, it waits until they come or we leave.
        online: bool,
    }
    /// Somebody wants to give us a file.
    PushOffered {
        /// Its number, for `accept`, `decline` and `cancel`; its transfer has it, too.
        push: u64,
        /// Who.
        from: String,
        /// The file's name.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// BLAKE3 hash of the content.
        hash: ContentHash,
    }
    /// What has become of our push.
    PushAnswered {
        /// Its number.
        push: u64,
        /// What.
        answer: PushAnswer,
    }
    /// A file that was pushed to us cannot be had any more.
    PushGone {
        /// Its number.
        push: u64,
        /// Who wanted to give it.
        from: String,
        /// The file's name.
        file: String,
    }
    /// We have declined a file.
    Declined {
        /// The push's number.
        push: u64,
    }
    /// A transfer has been stopped.
    Cancelled {
        /// Its number.
        transfer: u64,
    }
}
