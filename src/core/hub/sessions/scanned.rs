//! Maps with an entry for each client or room. Going through such a map costs time for all of its entries, so in tests
//! every step of an iteration is counted: the tests assert that what one client does costs the same, however many
//! others there are.

use std::collections::{BTreeMap, HashMap, btree_map, hash_map};
use std::iter::Inspect;
use std::ops::{Deref, DerefMut};

/// A map that counts the steps of its iterators in tests.
#[derive(Default)]
pub(in crate::core::hub) struct Scanned<M>(M);

/// An iterator whose steps are counted.
type Steps<I> = Inspect<I, fn(&<I as Iterator>::Item)>;

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The number of steps since the last call.
#[cfg(test)]
pub(in crate::core::hub) fn steps() -> usize {
    STEPS.take()
}

/// Counts a step; does nothing outside tests.
pub(in crate::core::hub) fn step<T>(_: &T) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + 1);
}

impl<M> From<M> for Scanned<M> {
    fn from(map: M) -> Self {
        Self(map)
    }
}

impl<M> Deref for Scanned<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for Scanned<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<K, V> Scanned<BTreeMap<K, V>> {
    pub(in crate::core::hub) fn iter(&self) -> Steps<btree_map::Iter<'_, K, V>> {
        self.0.iter().inspect(step)
    }

    pub(in crate::core::hub) fn values(&self) -> Steps<btree_map::Values<'_, K, V>> {
        self.0.values().inspect(step)
    }

    pub(in crate::core::hub) fn values_mut(&mut self) -> Steps<btree_map::ValuesMut<'_, K, V>> {
        self.0.values_mut().inspect(step)
    }
}

impl<K, V> Scanned<HashMap<K, V>> {
    pub(in crate::core::hub) fn iter(&self) -> Steps<hash_map::Iter<'_, K, V>> {
        self.0.iter().inspect(step)
    }
}
