//! Maps of everybody and of all rooms. Whoever goes through one of them spends the others' time: in tests each step of that
//! is counted, so that they see that what a client does costs the same however many there are.

use std::collections::{BTreeMap, HashMap, btree_map, hash_map};
use std::iter::Inspect;
use std::ops::{Deref, DerefMut};

/// A map that counts, in tests, how much of it is gone through.
#[derive(Default)]
pub(in crate::core::hub) struct Scanned<M>(M);

/// Those of an iterator, counted.
type Steps<I> = Inspect<I, fn(&<I as Iterator>::Item)>;

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many steps there were since this was asked last.
#[cfg(test)]
pub(in crate::core::hub) fn steps() -> usize {
    STEPS.take()
}

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
