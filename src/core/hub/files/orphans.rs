//! Offers whose owners are gone, but whose contents other clients have fetched and can still serve.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::core::hub::state::{Key, ListedOffer, Owner, SearchIndex, key};
use crate::protocol::ContentHash;
use crate::protocol::limits::HOLDINGS;
use crate::protocol::types::Content;

/// The most offers of one content that are kept.
const ORPHANS_OF_ONE: usize = 16;

/// The offers without owners, at most [`HOLDINGS`], with indexes by name and by content.
#[derive(Default)]
pub(in crate::core::hub) struct Orphans {
    all: BTreeMap<Key, ListedOffer>,
    names: SearchIndex,
    of: HashMap<ContentHash, BTreeSet<Key>>,
}

impl Orphans {
    /// Keeps an offer whose owner is gone, unless there are [`HOLDINGS`] in all or [`ORPHANS_OF_ONE`] of its content.
    pub(in crate::core::hub) fn add(&mut self, key: Key, content: Arc<Content>) {
        if self.all.len() >= HOLDINGS || self.all.contains_key(&key) {
            return;
        }
        let keys = self.of.entry(content.hash).or_default();
        if keys.len() < ORPHANS_OF_ONE {
            keys.insert(key.clone());
            self.names.add(&key.0);
            let file = key.0.clone();
            self.all.insert(key, ListedOffer { owner: Owner::Gone, content });
            self.renew_names(&file);
        }
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of different contents.
    pub(in crate::core::hub) fn contents(&self) -> usize {
        self.of.len()
    }

    /// Forgets an offer, because it is in the table again.
    pub(in crate::core::hub) fn remove(&mut self, key: &Key) {
        let Some(orphan) = self.take(key) else { return };
        let hash = orphan.content.hash;
        let left = self.of.get_mut(&hash).map(|keys| (keys.remove(key), keys.len()));
        if left.is_some_and(|(_, left)| left == 0) {
            self.of.remove(&hash);
        }
    }

    /// Forgets all offers of a content, because nobody has any of it any more.
    pub(in crate::core::hub) fn remove_all(&mut self, hash: &ContentHash) {
        for key in self.of.remove(hash).into_iter().flatten() {
            self.take(&key);
        }
    }

    fn take(&mut self, key: &Key) -> Option<ListedOffer> {
        let orphan = self.all.remove(key)?;
        self.names.remove(&key.0);
        self.renew_names(&key.0);
        Some(orphan)
    }

    fn renew_names(&mut self, file: &str) {
        let Some((start, next)) = self.names.due(file) else { return };
        let rows = self.all.range(key(&start, "")..).map(|((file, _), _)| &**file);
        self.names.renew(start, rows.take_while(|file| next.as_ref().is_none_or(|next| *file < next.as_str())));
    }

    /// The offers from a file on, in the order of the table.
    pub(in crate::core::hub) fn from<'a>(
        &'a self,
        file: &str,
    ) -> impl Iterator<Item = (&'a Key, &'a ListedOffer)> + use<'a> {
        self.all.range(key(file, "")..)
    }

    /// The offers from a key on whose file names may contain this lower-case text; the caller must check the name.
    pub(in crate::core::hub) fn like<'a>(
        &'a self,
        from: &Key,
        text: &str,
    ) -> impl Iterator<Item = (&'a Key, &'a ListedOffer)> + use<'a> {
        let start = from.clone();
        self.names.places(&from.0, text).flat_map(move |(first, next)| {
            let first = key(first, "").max(start.clone());
            self.all.range(first..).take_while(move |((file, _), _)| next.is_none_or(|next| **file < *next))
        })
    }

    /// An offer of this content.
    pub(in crate::core::hub) fn any(&self, hash: &ContentHash) -> Option<&ListedOffer> {
        self.all.get(self.of.get(hash)?.first()?)
    }

    /// The offers of contents whose hashes begin with these digits.
    pub(in crate::core::hub) fn of_hash(&self, digits: &str) -> impl Iterator<Item = (ContentHash, &Key)> {
        let begins = move |(hash, _): &(&ContentHash, _)| hash.to_string().starts_with(digits);
        let keys = self.of.iter().filter(begins);
        keys.flat_map(|(hash, keys)| keys.iter().map(|key| (*hash, key)))
    }
}
