//! Events about offers, and about who has which content.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::limits::FOLLOWED_OFFERS;
use crate::protocol::types::{ChunkHolder, FoundFile, Skipped};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Offer, OfferName, PublicKey};

bodies! {
    /// The user has chosen the folder to offer files from.
    DirSet {
        /// The path of the folder, with symbolic links resolved.
        dir: String,
    }
    /// The hub has accepted this client's offers.
    OfferAcked {
        /// The accepted offers, as everybody sees them.
        offers: Vec<Offer>,
        /// The first revision of the table that has them.
        revision: u64,
        /// What the offered folders contain that was not offered, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<Skipped>,
        /// The limit that the request set on the number of chunks of a file. Each offer says how many chunks it got.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u32>,
    }
    /// How many files have been hashed so far.
    OfferProgress {
        /// Files hashed so far.
        files: u64,
        /// Files to hash in all.
        total_files: u64,
        /// Bytes hashed so far.
        bytes: u64,
        /// Bytes to hash in all.
        size: u64,
    }
    /// Files that this client offers have changed on disk, and its offers with them.
    OfferChanged {
        /// New and changed offers, as everybody sees them.
        offers: Vec<Offer>,
        /// Files that are no longer offered, because they are gone or cannot be read.
        withdrawn: Vec<String>,
        /// The revision of the table that has these changes.
        revision: u64,
    }
    /// The hub has made a copy of files that this client offers.
    OfferKept {
        /// The names of the files.
        files: Vec<String>,
        /// The size of these files together, in bytes.
        bytes: u64,
    }
    /// This client has withdrawn offers.
    Withdrawn {
        /// The names of the files.
        files: Vec<String>,
        /// The first revision of the table without them.
        revision: u64,
    }
    /// The offers, as asked for.
    Table {
        /// The revision of the table that was read.
        revision: u64,
        /// The offers, sorted by file, then owner.
        offers: Vec<Offer>,
        /// Whether the hub is lost. Then these are the offers that were known when it last answered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stale: bool,
        /// Whether more offers match than fit into one answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
        /// The value for `after` that asks for the offers that follow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// A page of the hub's table.
    TablePage {
        /// The revision of the table that was read.
        revision: u64,
        /// The newest revision in which any offer changed. Pages with the same value are pages of the same table.
        changed: u64,
        /// The offers of this page, sorted by file, then owner.
        offers: Vec<Offer>,
        /// Where the next page begins; absent on the last page.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// The table has become too large: this client no longer follows it.
    TableUnfollowed {
        /// The number of offers in the table.
        total: u64,
        /// The highest number of offers that a client follows.
        most: u64,
        /// Explains this, and says which requests still work.
        message: String,
    }
    /// The offers have changed.
    TableUpdated {
        /// The revision of the table that this client has now.
        revision: u64,
        /// New and changed offers.
        added: Vec<Offer>,
        /// Offers that are gone.
        removed: Vec<OfferName>,
        /// The number of offers in the table now.
        total: u64,
        /// Whether `added` is the whole table, which replaces everything told before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    }
    /// The files that a search has found, and who has them.
    Found {
        /// The text that was searched for.
        text: String,
        /// The revision of the table when the search began.
        revision: u64,
        /// The files, sorted by name, then hash; at most 200.
        files: Vec<FoundFile>,
        /// Whether more files match than fit into one answer.
        more: bool,
        /// The value for `after` that asks for the files that follow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// Who has which chunks of a file.
    Chunks {
        /// The name of the file.
        file: String,
        /// The size of the file in bytes.
        size: u64,
        /// The BLAKE3 hash of the whole content.
        hash: ContentHash,
        /// The size in bytes of every chunk but the last.
        chunk_size: u64,
        /// The number of chunks of the file.
        chunks: u64,
        /// Who has which chunks: those with the most chunks first, then by name.
        holders: Vec<ChunkHolder>,
    }
    /// Who has the content that is to be fetched.
    Located {
        /// The holders. All of them have the same content.
        sources: Vec<Holder>,
    }
    /// Somebody who has a content, or a part of it.
    Holder {
        /// The content, and the address where it is served. A client that only fetched the content stands here as the
        /// owner.
        offer: Offer,
        /// The public key that the holder must prove.
        key: PublicKey,
        /// The chunks that the holder has; absent if it has all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        has: Option<ChunkSet>,
    }
    /// New holders of a content that this client is fetching, or holders that have more of it now.
    SourcesUpdated {
        /// The hash of the content.
        hash: ContentHash,
        /// Holders that are new, or that have more chunks than before.
        sources: Vec<Holder>,
    }
    /// The hub has made a copy of an offered file, or could not make it.
    Stored {
        /// The name under which this client offers the file.
        file: String,
        /// The hash of the content.
        hash: ContentHash,
        /// The error code, if there is no copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<ErrorCode>,
        /// The reason in words, if there is no copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    }
}

impl TableUnfollowed {
    /// The event for a table of `total` offers, more than a client follows.
    pub fn too_large(total: u64) -> Self {
        let most = FOLLOWED_OFFERS as u64;
        let message = format!(
            "There are {total} offers, too many to keep a list of them here: changes are not told any more. `list`, \
             `search` and `get` ask the hub."
        );
        Self { total, most, message }
    }
}
