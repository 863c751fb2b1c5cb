//! A file that can be offered.

use std::sync::Arc;

use crate::io::content::hash::Hashed;
use crate::protocol::Content;

/// A file that can be offered.
#[derive(Debug)]
pub(crate) struct Ready {
    /// The name by which it is offered, relative to a folder that is known.
    pub(crate) name: Arc<str>,
    pub(crate) hashed: Hashed,
}

impl Ready {
    /// What is published of it.
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
