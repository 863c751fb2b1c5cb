//! A map with revisions, which can tell what has changed since any revision.
//!
//! Every key has the revision of its latest change, and an index finds keys by revision. So the changes since a
//! revision name each key once, with its newest value, however often it changed: a reader that comes late gets less,
//! not more. A removed key leaves a tombstone. When there are more tombstones than values, all tombstones are dropped,
//! and readers from before that get the whole map.
//!
//! The hub's table and roster are such maps. A client's [`Cursor`] says how far it has been told;
//! [`VersionedMap::since`] gives what it lacks.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::ops::Bound::{Excluded, Unbounded};

/// The number of tombstones that are kept in any case, so that readers of a small map are not sent all of it.
const TOMBSTONES_KEPT: usize = 1_024;

/// The position of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The reader knows everything up to this revision.
    pub revision: u64,
    /// The generation in which it was read: it changes when tombstones are dropped.
    generation: u64,
}

/// The map. Revision 0 is the empty map.
pub struct VersionedMap<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_revision: BTreeMap<u64, K>,
    tombstones: usize,
    /// Tombstones up to this revision may have been dropped.
    forgotten: u64,
    /// How often tombstones have been dropped.
    generation: u64,
}

struct Entry<V> {
    revision: u64,
    value: V,
    live: bool,
}

impl<K, V> Default for VersionedMap<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), by_revision: BTreeMap::new(), tombstones: 0, forgotten: 0, generation: 0 }
    }
}

impl<K: Ord + Clone, V> VersionedMap<K, V> {
    /// The number of values.
    pub fn len(&self) -> usize {
        self.entries.len() - self.tombstones
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest revision in which something changed.
    pub fn newest(&self) -> u64 {
        self.by_revision.last_key_value().map_or(0, |(revision, _)| *revision).max(self.forgotten)
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.live).map(|entry| &entry.value)
    }

    /// All values from the key `start` on, in the order of their keys.
    pub fn range_from<'a>(&'a self, start: &K) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        self.entries.range(start..).filter(|(_, entry)| entry.live).map(|(key, entry)| (key, &entry.value))
    }

    /// Sets a value. `revision` must be higher than all before.
    pub fn set(&mut self, revision: u64, key: K, value: V) {
        let entry = Entry { revision, value, live: true };
        match self.entries.entry(key) {
            MapEntry::Occupied(mut there) => {
                let old = there.insert(entry);
                self.tombstones -= usize::from(!old.live);
                if let Some(key) = self.by_revision.remove(&old.revision) {
                    self.by_revision.insert(revision, key);
                }
            }
            MapEntry::Vacant(none) => {
                self.by_revision.insert(revision, none.key().clone());
                none.insert(entry);
            }
        }
    }

    /// Removes a key. `retire` turns its value into the tombstone.
    pub fn remove(&mut self, revision: u64, key: &K, retire: impl FnOnce(&mut V)) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let old = std::mem::replace(&mut entry.revision, revision);
        self.tombstones += usize::from(std::mem::replace(&mut entry.live, false));
        retire(&mut entry.value);
        if let Some(key) = self.by_revision.remove(&old) {
            self.by_revision.insert(revision, key);
        }
        if self.tombstones > TOMBSTONES_KEPT.max(self.len()) {
            self.forget(revision);
        }
    }

    /// The changes after `cursor`, oldest first: revision, key, value, and whether the value still exists. The boolean
    /// says whether this is the whole map, which replaces what the reader knew. That happens only to a reader that
    /// wants the `whole` map; it is then not told of removed keys.
    pub fn since(&self, cursor: Option<Cursor>, whole: bool) -> (bool, impl Iterator<Item = (u64, &K, &V, bool)>) {
        let lasts = |cursor: &Cursor| cursor.generation == self.generation || cursor.revision >= self.forgotten;
        let known = cursor.filter(|cursor| !whole || lasts(cursor));
        let full = whole && known.is_none();
        let changes = self.by_revision.range((Excluded(known.map_or(0, |cursor| cursor.revision)), Unbounded));
        let changes = changes.filter_map(|(revision, key)| {
            let entry = self.entries.get(key)?;
            Some((*revision, key, &entry.value, entry.live))
        });
        (full, changes.filter(move |change| !full || change.3))
    }

    /// The position of a reader that was told everything up to a revision.
    pub fn cursor(&self, revision: u64) -> Cursor {
        Cursor { revision, generation: self.generation }
    }

    fn forget(&mut self, revision: u64) {
        self.entries.retain(|_, entry| entry.live);
        self.by_revision = self.entries.iter().map(|(key, entry)| (entry.revision, key.clone())).collect();
        self.tombstones = 0;
        self.forgotten = revision;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_each_key_once() {
        let mut map = VersionedMap::default();
        map.set(1, "a", 1);
        map.set(2, "b", 2);
        map.remove(3, &"a", |old| *old = 9);
        map.set(4, "b", 4);
        let (full, all) = map.since(None, true);
        assert_eq!((full, all.collect::<Vec<_>>()), (true, vec![(4, &"b", &4, true)]));
        let (full, all) = map.since(Some(map.cursor(1)), true);
        assert_eq!((full, all.collect::<Vec<_>>()), (false, vec![(3, &"a", &9, false), (4, &"b", &4, true)]));
        assert_eq!((map.len(), map.get(&"a")), (1, None));
    }

    #[test]
    fn marks_are_forgotten_and_early_readers_are_told_anew() {
        let mut map = VersionedMap::default();
        let early = map.cursor(5);
        for revision in 1..=3_000 {
            map.set(2 * revision, revision, ());
            map.remove(2 * revision + 1, &revision, |()| ());
        }
        assert!(map.entries.len() < 2_000);
        assert!(map.since(Some(early), true).0);
        // A reader that started after that and has not finished does not start again.
        assert!(!map.since(Some(map.cursor(5)), true).0);
    }

    proptest::proptest! {
        #[test]
        fn a_reader_who_follows_the_changes_has_the_same(
            steps in proptest::collection::vec((0u8..6, proptest::bool::ANY, 0u8..4), 0..200)
        ) {
            let (mut map, mut reader, mut cursor) = (VersionedMap::default(), BTreeMap::new(), None);
            for (i, (key, set, read)) in steps.iter().enumerate() {
                let revision = i as u64 + 1;
                if *set { map.set(revision, *key, i) } else { map.remove(revision, key, |_| ()) }
                if *read == 0 {
                    let (full, changes) = map.since(cursor, true);
                    if full { reader.clear() }
                    for (_, key, value, live) in changes {
                        if live { reader.insert(*key, *value); } else { reader.remove(key); }
                    }
                    cursor = Some(map.cursor(revision));
                    let all: BTreeMap<_, _> = map.range_from(&0).map(|(k, v)| (*k, *v)).collect();
                    proptest::prop_assert_eq!(&reader, &all);
                }
            }
        }
    }
}
