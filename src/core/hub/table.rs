//! The table itself: the offers with their revisions, and what is known of them all.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::Names;
use super::offers::Shelved;
use crate::core::ledger::{Ledger, Seen};
use crate::protocol::limits::{FOLLOWED_BYTES, FOLLOWED_OFFERS, offer_bytes};

/// What names an offer: the file, and its owner. Whoever knows an offer by its name shares these.
pub(super) type Key = (Arc<str>, Arc<str>);

pub(super) fn key(file: &str, owner: &str) -> Key {
    (file.into(), owner.into())
}

/// All offers, by file, then owner.
#[derive(Default)]
pub(super) struct Table {
    offers: Ledger<Key, Shelved>,
    names: Names,
    /// What the offers take, as [`offer_bytes`] counts them.
    bytes: usize,
    /// The owners, and how many offers each has.
    owners: BTreeMap<Arc<str>, usize>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.offers.len()
    }

    /// Whether it is too large for a client to have a copy of it.
    pub(super) fn is_too_large(&self) -> bool {
        self.offers.len() > FOLLOWED_OFFERS || self.bytes > FOLLOWED_BYTES
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Shelved> {
        self.offers.get(key)
    }

    /// The name of an offer that comes into the table: as its file is known to whoever has told of it, and its owner to
    /// their other offers.
    pub(super) fn key_of(&self, file: &Arc<str>, owner: &str) -> Key {
        let owner = self.owners.get_key_value(owner).map_or_else(|| owner.into(), |(owner, _)| owner.clone());
        (file.clone(), owner)
    }

    /// Puts an offer in. `revision` is new and higher than all before.
    pub(super) fn set(&mut self, revision: u64, key: Key, offer: Shelved) {
        let fresh = self.offers.get(&key).is_none().then(|| key.clone());
        self.offers.set(revision, key, offer);
        if let Some((file, owner)) = fresh {
            self.bytes += offer_bytes(&file, &owner);
            *self.owners.entry(owner).or_default() += 1;
            self.names.add(&file);
            self.renew_names(&file);
        }
    }

    /// Takes an offer out.
    pub(super) fn remove(&mut self, revision: u64, key: &Key) {
        if self.offers.get(key).is_some() {
            self.bytes -= offer_bytes(&key.0, &key.1);
            self.offers.remove(revision, key, |_| ());
            if let Some(offers) = self.owners.get_mut(&key.1) {
                *offers -= 1;
                if *offers == 0 {
                    self.owners.remove(&key.1);
                }
            }
            self.names.remove(&key.0);
            self.renew_names(&key.0);
        }
    }

    fn renew_names(&mut self, file: &str) {
        let Some((start, next)) = self.names.due(file) else { return };
        let rows = self.offers.range_from(&key(&start, "")).map(|((file, _), _)| &**file);
        self.names.renew(start, rows.take_while(|file| next.as_ref().is_none_or(|next| *file < next.as_str())));
    }

    /// The offers from a key on.
    pub(super) fn from<'a>(&'a self, key: &Key) -> impl Iterator<Item = (&'a Key, &'a Shelved)> + use<'a> {
        self.offers.range_from(key)
    }

    /// Offers from a key on that may have this text in their file's name, in lower case; those that are left out do not.
    pub(super) fn like<'a>(&'a self, from: &Key, text: &str) -> impl Iterator<Item = (&'a Key, &'a Shelved)> + use<'a> {
        let start = from.clone();
        self.names.places(&from.0, text).flat_map(move |(first, next)| {
            let first = key(first, "").max(start.clone());
            self.offers.range_from(&first).take_while(move |((file, _), _)| next.is_none_or(|next| **file < *next))
        })
    }

    /// The newest revision in which something changed.
    pub(super) fn newest(&self) -> u64 {
        self.offers.newest()
    }

    /// What a reader has seen who has been told everything up to a revision.
    pub(super) fn seen(&self, revision: u64) -> Seen {
        self.offers.seen(revision)
    }

    /// What changed, see [`Ledger::since`].
    pub(super) fn since(
        &self,
        seen: Option<Seen>,
        whole: bool,
    ) -> (bool, impl Iterator<Item = (u64, &Key, &Shelved, bool)>) {
        self.offers.since(seen, whole)
    }
}
