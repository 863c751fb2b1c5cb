//! An answer that the hub gives in pages, as far as it is there.

use super::pending::Pending;
use crate::protocol::types::FoundFile;
use crate::protocol::{Client, Offer};

/// An answer of which some pages are there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Collecting {
    pub(super) pending: Pending,
    /// The revision of the first page.
    pub(super) revision: u64,
    pub(super) again: u8,
    pub(super) offers: Vec<Offer>,
    pub(super) bytes: usize,
    pub(super) clients: Vec<Client>,
    pub(super) files: Vec<FoundFile>,
}

impl Collecting {
    pub(super) fn new(pending: Pending) -> Self {
        let (offers, clients, files) = (Vec::new(), Vec::new(), Vec::new());
        Self { pending, revision: 0, again: 0, offers, bytes: 0, clients, files }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.clients.is_empty() && self.revision == 0
    }

    /// Whether this page is of the same state as those before.
    pub(super) fn fits(&mut self, revision: u64, changed: u64) -> bool {
        if self.is_empty() {
            self.revision = revision;
        }
        changed <= self.revision
    }

    pub(super) fn begin_anew(self) -> Self {
        Self { again: self.again + 1, ..Self::new(self.pending) }
    }
}
