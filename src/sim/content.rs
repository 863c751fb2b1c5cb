//! Describes the contents of simulated files.

use crate::protocol::transfer::Chunking;
use crate::protocol::{Content, ContentHash, Timestamp};

/// The description of a file with these bytes.
pub(super) fn content_of(file: &str, content: &[u8], modified: Timestamp) -> Content {
    let chunking = Chunking::for_size(content.len() as u64, None);
    Content {
        file: file.into(),
        size: chunking.size(),
        hash: ContentHash(*blake3::hash(content).as_bytes()),
        chunk_size: chunking.chunk_size(),
        chunks: chunking.count().into(),
        modified: Some(modified),
    }
}
