//! An `offer` on its way: what of it the hub has, and what it waits for.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::pending::Pending;
use crate::protocol::types::Skipped;
use crate::protocol::{Content, Failure, Offer};

/// A file that we offer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Offered {
    pub(super) content: Content,
    /// Whether the hub was asked to keep a copy.
    pub(super) keep: bool,
}

/// An `offer` that is not final.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Publishing {
    pub(super) pending: Pending,
    /// What the hub has not been told of yet.
    pub(super) pieces: VecDeque<Vec<Content>>,
    /// How many files of that are not offered yet.
    pub(super) more: usize,
    /// What it has acknowledged.
    pub(super) acked: Vec<Arc<str>>,
    /// One of these offers: all others have the same owner, at the same place.
    pub(super) like: Option<Offer>,
    pub(super) skipped: Vec<Skipped>,
    /// Files of which the hub shall have a copy, and has none yet.
    pub(super) uncopied: Option<BTreeSet<Arc<str>>>,
    /// Why there is no copy of one of them.
    pub(super) failure: Option<Failure>,
    /// Folders that are to be watched: how the names of what is in them begin.
    pub(super) watched: Vec<String>,
}

impl Publishing {
    /// What has been acknowledged, as the hub tells it.
    pub(super) fn offers(&self, offered: &BTreeMap<Arc<str>, Box<Offered>>) -> Vec<Offer> {
        let Some(like) = &self.like else { return Vec::new() };
        let acked = self.acked.iter().filter_map(|file| offered.get(file));
        acked.map(|offered| Offer::like(&offered.content, like)).collect()
    }

    /// Whether the hub has not been told of all of it.
    pub(super) fn goes_on(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The hub has a copy of one of the files, or has none.
    pub(super) fn stored(&mut self, file: &str, failure: Option<Failure>) {
        if let Some(uncopied) = &mut self.uncopied
            && uncopied.remove(file)
        {
            self.failure = self.failure.take().or(failure);
        }
    }

    pub(super) fn waits_for(&self, file: &str) -> bool {
        self.uncopied.as_ref().is_some_and(|files| files.contains(file))
    }

    pub(super) fn is_over(&self) -> bool {
        self.uncopied.as_ref().is_none_or(BTreeSet::is_empty)
    }
}
