//! A map that keeps the digest of its rows up to date, and counts in tests how many rows are iterated over.

use std::collections::{BTreeMap, btree_map};
use std::iter::Inspect;
use std::ops::RangeBounds;

use serde::Serialize;

use crate::core::digest::Digest;
use crate::core::hub::sessions::scanned::step;

/// A map that keeps the digest of its rows. A change hashes the row twice, as it was and as it is, so rows should be
/// small.
#[derive(Clone)]
pub(in crate::core::hub) struct HashedMap<K, V> {
    rows: BTreeMap<K, V>,
    digest: Digest,
}

/// An iterator over rows whose steps are counted.
type Steps<I> = Inspect<I, fn(&<I as Iterator>::Item)>;

impl<K, V> Default for HashedMap<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), digest: Digest::default() }
    }
}

impl<K: Ord + Serialize, V: Serialize> HashedMap<K, V> {
    pub(in crate::core::hub) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(in crate::core::hub) fn contains_key(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(in crate::core::hub) fn digest(&self) -> Digest {
        self.digest
    }

    /// Sets a row, and returns the former one.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.remove(&key);
        self.digest.add(&(&key, &value));
        self.rows.insert(key, value);
        before
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.rows.remove(key)?;
        self.digest.remove(&(key, &value));
        Some(value)
    }

    /// Changes a row, if it exists, and returns the result of `change`.
    pub(super) fn update<R>(&mut self, key: &K, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let value = self.rows.get_mut(key)?;
        self.digest.remove(&(key, &*value));
        let result = change(value);
        self.digest.add(&(key, &*value));
        Some(result)
    }

    pub(in crate::core::hub) fn iter(&self) -> Steps<btree_map::Iter<'_, K, V>> {
        self.rows.iter().inspect(step)
    }

    pub(in crate::core::hub) fn range(&self, range: impl RangeBounds<K>) -> Steps<btree_map::Range<'_, K, V>> {
        self.rows.range(range).inspect(step)
    }
}

impl<K: Ord + Serialize, V: Serialize> FromIterator<(K, V)> for HashedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(rows: I) -> Self {
        let mut map = Self::default();
        rows.into_iter().for_each(|(key, value)| drop(map.insert(key, value)));
        map
    }
}
