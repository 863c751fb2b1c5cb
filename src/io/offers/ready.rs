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
        self.hashed.content(self.name.clone())
    }
}
