//! What is told of offers and of who has what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::limits::FOLLOWED_OFFERS;
use crate::protocol::types::{ChunkHolder, FoundFile, Skipped};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Offer, OfferName, PublicKey};

bodies! {
    /// The folder has been chosen.
    DirSet {
        /// The folder, with its links resolved.
        dir: String,
    }
    /// The hub has our offers.
    OfferAcked {
        /// The offers as everybody sees them.
        offers: Vec<Offer>,
        /// The revision that has them.
        revision: u64,
        /// What is in the folders and was left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        skipped: Vec<Skipped>,
        /// How many chunks were asked for at most, if that was said; how many each file has become is said with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<u32>,
    }
    /// How far hashing is.
    OfferProgress {
        /// Files that are hashed.
        files: u64,
        /// Files in all.
        total_files: u64,
        /// Bytes that are hashed.
        bytes: u64,
        /// Bytes in all.
        size: u64,
    }
    /// Files that we offer have changed.
    OfferChanged {
        /// New and changed offers as everybody sees them.
        offers: Vec<Offer>,
        /// Files that are not offered any more: they are gone or cannot be read.
        withdrawn: Vec<String>,
        /// The revision that has all this.
        revision: u64,
    }
    /// The hub has a copy.
    OfferKept {
        /// Of these files.
        files: Vec<String>,
        /// Their size in all, in bytes.
        bytes: u64,
    }
    /// Offers have been taken back.
    Withdrawn {
        /// Which.
        files: Vec<String>,
        /// The first revision without them.
        revision: u64,
    }
    /// What is offered.
    Table {
        /// The revision that this is.
        revision: u64,
        /// The offers, sorted by file, then owner.
        offers: Vec<Offer>,
        /// Whether the hub is lost, and this is what was offered when it still answered.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        stale: bool,
        /// Whether there is more than fits into one answer.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
        /// Where to go on, with `after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// A part of what is offered, as the hub has it.
    TablePage {
        /// The revision that this is.
        revision: u64,
        /// The newest revision in which an offer changed: pages from this one on are of one and the same table.
        changed: u64,
        /// Offers, sorted by file, then owner.
        offers: Vec<Offer>,
        /// Where the next page begins, if this is not the last one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// The table is not followed any more.
    TableUnfollowed {
        /// How many offers there are.
        total: u64,
        /// How many are followed at most.
        most: u64,
        /// Why, and what still works.
        message: String,
    }
    /// What is offered has changed.
    TableUpdated {
        /// The revision that we have now.
        revision: u64,
        /// New and changed offers.
        added: Vec<Offer>,
        /// Offers that are gone.
        removed: Vec<OfferName>,
        /// How many offers there are now.
        total: u64,
        /// Whether `added` is the whole table, and what was known before is void.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    }
    /// Who has what was searched for.
    Found {
        /// What was searched for.
        text: String,
        /// The revision of the table when the search began.
        revision: u64,
        /// What was found, sorted by name, then hash; at most 200 at a time.
        files: Vec<FoundFile>,
        /// Whether there is more than that.
        more: bool,
        /// Where to go on, with `after`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    }
    /// Who has which chunks of a file.
    Chunks {
        /// The file's name.
        file: String,
        /// Size in bytes.
        size: u64,
        /// BLAKE3 hash of the whole content.
        hash: ContentHash,
        /// Size of every chunk but the last, in bytes.
        chunk_size: u64,
        /// Number of chunks.
        chunks: u64,
        /// Who has which; those with the most first, then by name.
        holders: Vec<ChunkHolder>,
    }
    /// Where a content can be had.
    Located {
        /// Holders of one and the same content.
        sources: Vec<Holder>,
    }
    /// One holder of a content.
    Holder {
        /// What it offers, and where. Who only has fetched it is shown as an owner here.
        offer: Offer,
        /// The key that it must prove to hold.
        key: PublicKey,
        /// Which chunks it has; all, unless this says otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        has: Option<ChunkSet>,
    }
    /// Who has more of a content that we are fetching.
    SourcesUpdated {
        /// The content.
        hash: ContentHash,
        /// Holders that are new or have more.
        sources: Vec<Holder>,
    }
    /// The hub has made a copy, or could not.
    Stored {
        /// Our name for it.
        file: String,
        /// The content.
        hash: ContentHash,
        /// Why there is no copy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<ErrorCode>,
        /// The same in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    }
}

impl TableUnfollowed {
    /// The table has so many offers: more than are followed.
    pub fn too_large(total: u64) -> Self {
        let most = FOLLOWED_OFFERS as u64;
        let message = format!(
            "There are {total} offers, too many to keep a list of them here: changes are not told any more. `list`, \
             `search` and `get` ask the hub."
        );
        Self { total, most, message }
    }
}
