//! A client's name, and the keys that may fetch from the hub.

use std::collections::HashMap;

use crate::protocol::PublicKey;
use crate::protocol::name::NameKey;

/// The name that a session has.
#[derive(Clone)]
pub(in crate::core::hub) struct Registered {
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    /// The number of its visit.
    pub(in crate::core::hub) number: u64,
    /// The newest message on disk when it registered. Messages to the lobby with higher numbers count as heard by it.
    pub(in crate::core::hub) entered: u64,
}

/// The number of registered sessions of each key. A key may fetch what the hub serves while it has at least one.
#[derive(Default)]
pub(in crate::core::hub) struct Fetchers(HashMap<PublicKey, usize>);

impl Fetchers {
    pub(in crate::core::hub) fn enter(&mut self, key: PublicKey) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Removes one session of a key, and returns whether it was the last.
    pub(in crate::core::hub) fn leave(&mut self, key: PublicKey) -> bool {
        let Some(count) = self.0.get_mut(&key) else { return false };
        *count -= 1;
        *count == 0 && self.0.remove(&key).is_some()
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.0.len()
    }
}
