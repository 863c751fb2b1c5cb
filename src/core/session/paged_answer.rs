//! The pages of an answer that have arrived so far.

use super::pending::Pending;
use crate::protocol::types::FoundFile;
use crate::protocol::{Client, Offer};

/// The pages of an answer so far; which of the lists is filled depends on the request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PagedAnswer {
    pub(super) pending: Pending,
    /// The revision of the first page.
    pub(super) revision: u64,
    /// How often it was begun anew.
    pub(super) again: u8,
    pub(super) offers: Vec<Offer>,
    pub(super) bytes: usize,
    pub(super) clients: Vec<Client>,
    pub(super) files: Vec<FoundFile>,
}

impl PagedAnswer {
    pub(super) fn new(pending: Pending) -> Self {
        let (offers, clients, files) = (Vec::new(), Vec::new(), Vec::new());
        Self { pending, revision: 0, again: 0, offers, bytes: 0, clients, files }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.clients.is_empty() && self.revision == 0
    }

    /// Whether a page shows the same state as the pages before it; `changed` is the revision of the last change.
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
