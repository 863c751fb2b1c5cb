//! The offers in a client's copy of the table. There may be very many, so each takes as little memory as possible.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::protocol::limits::offer_bytes;
use crate::protocol::{ContentHash, Offer, Timestamp};

/// A file and its owner.
type Key = (Arc<str>, Arc<str>);

/// Offers by file, then owner.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rows {
    // The nodes of a tree may be half empty, so they hold little, and the rest is behind a pointer.
    rows: BTreeMap<Key, Box<Rest>>,
    /// The owners, and how many offers each has.
    owners: BTreeMap<Arc<str>, usize>,
    bytes: usize,
}

/// An offer without its names.
#[derive(Debug, Clone, PartialEq)]
struct Rest {
    size: u64,
    hash: ContentHash,
    chunk_size: u64,
    chunks: u64,
    modified: Option<Timestamp>,
    kept: bool,
    address: IpAddr,
    port: u16,
}

/// One offer.
#[derive(Clone, Copy)]
pub(super) struct Row<'a>(&'a Key, &'a Rest);

impl<'a> Row<'a> {
    pub(super) fn file(self) -> &'a str {
        &self.0.0
    }

    pub(super) fn shared_file(self) -> Arc<str> {
        self.0.0.clone()
    }

    pub(super) fn owner(self) -> &'a str {
        &self.0.1
    }

    /// The offer as the hub has told it.
    pub(super) fn offer(self) -> Offer {
        let Rest { size, hash, chunk_size, chunks, modified, kept, address, port } = *self.1;
        let (file, owner) = (self.file().to_owned(), self.owner().to_owned());
        Offer { file, owner, size, hash, chunk_size, chunks, modified, kept, address, port }
    }
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Their size, as [`offer_bytes`] counts it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts an offer in. `known` is our own copy of its file's name, if we have one.
    pub(super) fn put(&mut self, offer: &Offer, known: Option<Arc<str>>) {
        let Offer { size, hash, chunk_size, chunks, modified, kept, address, port, .. } = *offer;
        let rest = Box::new(Rest { size, hash, chunk_size, chunks, modified, kept, address, port });
        let file = known.unwrap_or_else(|| offer.file.as_str().into());
        let owner = self.owners.get_key_value(offer.owner.as_str()).map(|(owner, _)| owner.clone());
        let owner = owner.unwrap_or_else(|| offer.owner.as_str().into());
        if self.rows.insert((file, owner.clone()), rest).is_none() {
            self.bytes += offer_bytes(&offer.file, &offer.owner);
            *self.owners.entry(owner).or_default() += 1;
        }
    }

    /// Takes an offer out.
    pub(super) fn remove(&mut self, file: &str, owner: &str) {
        if self.rows.remove(&(file.into(), owner.into())).is_none() {
            return;
        }
        self.bytes -= offer_bytes(file, owner);
        if let Some(offers) = self.owners.get_mut(owner) {
            *offers -= 1;
            if *offers == 0 {
                self.owners.remove(owner);
            }
        }
    }

    /// The offers from this file on.
    pub(super) fn from(&self, file: &str) -> impl Iterator<Item = Row<'_>> + use<'_> {
        self.rows.range((file.into(), "".into())..).map(|(key, rest)| Row(key, rest))
    }
}
