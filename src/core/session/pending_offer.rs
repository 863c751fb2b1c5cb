//! An `offer` that is not final: how much of it the hub has, and which copies are still missing.

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
pub(super) struct PendingOffer {
    pub(super) pending: Pending,
    /// What the hub has not been told of yet.
    pub(super) pieces: VecDeque<Vec<Content>>,
    /// How many files in `pieces` are not offered yet.
    pub(super) more: usize,
    /// The files that the hub has acknowledged.
    pub(super) acked: Vec<Arc<str>>,
    /// One of the acknowledged offers. All have the same owner and address.
    pub(super) like: Option<Offer>,
    pub(super) skipped: Vec<Skipped>,
    /// With `--keep`, the files of which the hub has no copy yet.
    pub(super) uncopied: Option<BTreeSet<Arc<str>>>,
    /// Why the hub could not copy one of them.
    pub(super) failure: Option<Failure>,
    /// The prefixes of folders that are to be watched.
    pub(super) watched: Vec<String>,
}

impl PendingOffer {
    /// The acknowledged offers, as the hub would list them.
    pub(super) fn offers(&self, offered: &BTreeMap<Arc<str>, Box<Offered>>) -> Vec<Offer> {
        let Some(like) = &self.like else { return Vec::new() };
        let acked = self.acked.iter().filter_map(|file| offered.get(file));
        acked.map(|offered| Offer::like(&offered.content, like)).collect()
    }

    /// Whether the hub has not been told of all of it.
    pub(super) fn goes_on(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// The hub has copied this file, or has failed to.
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
