//! Requests about files that a client makes to the hub on its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::Content;
use crate::protocol::{ChunkSet, ContentHash};

/// Contents that this client fetched and can serve without offering them. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Have {
    /// The contents; at most [`HAVE_CONTENTS`](crate::protocol::limits::HAVE_CONTENTS).
    pub have: Vec<Had>,
}

/// The chunks of one content that this client has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Had {
    /// The hash of the content.
    pub hash: ContentHash,
    /// The size of the content in bytes.
    pub size: u64,
    /// The size of a chunk in bytes.
    pub chunk_size: u64,
    /// The chunks, in addition to those reported before. An empty set: the client no longer has the content.
    pub chunks: ChunkSet,
}

/// This client no longer fetches a content, and wants no more news of its holders. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// The hash of the content.
    pub settled: ContentHash,
}

/// Takes back a push that is pending or over. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakeBack {
    /// The number of the push at the hub.
    pub take_back: u64,
}

/// Withdraws those of the named files that are offered; answered by `withdrawn`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// The client's number for this request.
    pub id: i64,
    /// The names of the files; at most [`PUBLISH_FILES`](crate::protocol::limits::PUBLISH_FILES).
    pub gone: Vec<String>,
}

/// Asks for the next page of the offers below a folder that this client fetches and whose table it does not follow;
/// answered by `table-page`. The first page is the answer to its `get`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The client's number for this request.
    pub id: i64,
    /// The name of the folder, with `/` at its end.
    pub folder: String,
    /// If given: only the offers of this person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The `next` of the page before.
    pub after: String,
}

/// A push that was accepted could not be fetched, and waits again as before. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotTaken {
    /// The number of the push at the hub.
    pub not_taken: u64,
}

/// Offers a file to one person; answered by `push-asked`, whose `transfer` is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    /// The client's number for this request.
    pub id: i64,
    /// The content; its name has no folders.
    pub push: Content,
    /// The receiver's name.
    pub to: String,
}

/// Adds contents to the table; answered by `offer-acked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The client's number for this request.
    pub id: i64,
    /// The contents. All are added, or none.
    pub publish: Vec<Content>,
    /// How many further files, not offered yet, will follow in other frames. The hub checks that there is room for all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// Whether the hub must keep a copy of each. It reports with `stored` when it has one, or why it cannot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
