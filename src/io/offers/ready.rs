//! A hashed file, ready to be offered.

use std::sync::Arc;

use crate::io::content::hash::Hashed;
use crate::protocol::Content;

/// A hashed file, ready to be offered.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The name by which it is offered, relative to the folder of the offer.
    pub(crate) name: Arc<str>,
    pub(crate) hashed: Hashed,
}

impl Ready {
    /// The content that is published.
    pub(crate) fn content(&self) -> Content {
        Content {
            file: self.name.clone(),
            size: self.hashed.chunking.size(),
            hash: self.hashed.hash,
            chunk_size: self.hashed.chunking.chunk_size(),
            chunks: self.hashed.chunking.count().into(),
            modified: Some(self.hashed.fingerprint.modified()),
        }
    }
}
