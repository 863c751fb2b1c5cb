//! What a client asks of the hub about files, besides what its user asks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::Content;
use crate::protocol::{ChunkSet, ContentHash};

/// What we have without offering it, because we fetched it. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Have {
    /// The contents; at most [`HAVE_CONTENTS`](crate::protocol::limits::HAVE_CONTENTS).
    pub have: Vec<Had>,
}

/// What we have of one content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Had {
    /// The content.
    pub hash: ContentHash,
    /// Its size in bytes.
    pub size: u64,
    /// How it is cut, in bytes.
    pub chunk_size: u64,
    /// The chunks that we have, in addition to those of which we have said so before; none: we do not have it any
    /// more.
    pub chunks: ChunkSet,
}

/// A content is not fetched any more. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// The content.
    pub settled: ContentHash,
}

/// A push is taken back, or is over. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeBack {
    /// Its number at the hub.
    pub take_back: u64,
}

/// Takes those of these files out of the table that are in it; answered by `withdrawn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The client's number for this request.
    pub id: i64,
    /// The files; at most [`PUBLISH_FILES`](crate::protocol::limits::PUBLISH_FILES).
    pub gone: Vec<String>,
}

/// The next page of what is offered below a folder that this client fetches, without following the table; answered by
/// `table-page`. The first page answers its `get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The client's number for this request.
    pub id: i64,
    /// The folder, with `/` at its end.
    pub folder: String,
    /// Only what this person offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where the page before ended.
    pub after: String,
}

/// A push that was accepted could not be fetched: it waits as before. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotTaken {
    /// Its number at the hub.
    pub not_taken: u64,
}

/// A file is for one person; answered by `push-asked`, whose `transfer` is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The client's number for this request.
    pub id: i64,
    /// The file; its name has no folders.
    pub push: Content,
    /// Who shall have it.
    pub to: String,
}

/// Puts contents into the table; answered by `offer-acked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The client's number for this request.
    pub id: i64,
    /// All of them, or none.
    pub publish: Vec<Content>,
    /// How many files follow in further frames that are not offered yet: room is needed for all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Whether the hub shall keep a copy of each. When it has, or cannot, it says so with `stored`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
