//! Who blocks whom.

use std::collections::BTreeSet;
use std::ops::Bound::{Included, Unbounded};

use super::hashed::HashedMap;
use crate::core::digest::Digest;
use crate::protocol::name::NameKey;

/// Pairs of names: the first blocks the second.
#[derive(Default)]
pub(in crate::core::hub) struct Blocks {
    all: HashedMap<(NameKey, NameKey), ()>,
    /// The same pairs the other way round, as an index.
    by_blocked: BTreeSet<(NameKey, NameKey)>,
}

impl Blocks {
    /// The pairs that [`Blocks::rows`] gave.
    pub(super) fn of(pairs: &[(NameKey, NameKey)]) -> Self {
        let mut blocks = Self::default();
        pairs.iter().for_each(|(by, whom)| blocks.add(by, whom));
        blocks
    }

    /// All pairs, in order.
    pub(super) fn rows(&self) -> Vec<(NameKey, NameKey)> {
        self.all.iter().map(|(pair, ())| pair.clone()).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.all.digest()
    }

    pub(in crate::core::hub) fn has(&self, by: &NameKey, whom: &NameKey) -> bool {
        self.all.contains_key(&(by.clone(), whom.clone()))
    }

    /// The names that somebody blocks.
    pub(in crate::core::hub) fn blocked_by(&self, by: &NameKey) -> impl Iterator<Item = &NameKey> + use<'_> {
        let (from, by) = (Included((by.clone(), NameKey::default())), by.clone());
        self.all
            .range((from, Unbounded))
            .map(|(pair, ())| pair)
            .take_while(move |pair| pair.0 == by)
            .map(|pair| &pair.1)
    }

    pub(super) fn add(&mut self, by: &NameKey, whom: &NameKey) {
        self.all.insert((by.clone(), whom.clone()), ());
        self.by_blocked.insert((whom.clone(), by.clone()));
    }

    pub(super) fn remove(&mut self, by: &NameKey, whom: &NameKey) {
        self.all.remove(&(by.clone(), whom.clone()));
        self.by_blocked.remove(&(whom.clone(), by.clone()));
    }

    /// Removes a name that nobody has any more from both sides.
    pub(super) fn forget(&mut self, name: &NameKey) {
        let theirs: Vec<NameKey> = self.blocked_by(name).cloned().collect();
        theirs.iter().for_each(|whom| self.remove(name, whom));
        let from = (Included((name.clone(), NameKey::default())), Unbounded);
        let by = self.by_blocked.range(from).take_while(|(whom, _)| whom == name);
        let by: Vec<NameKey> = by.map(|(_, by)| by.clone()).collect();
        by.iter().for_each(|by| self.remove(by, name));
    }
}
