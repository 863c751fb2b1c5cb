//! Names in use, and who may fetch what the hub serves.

use std::collections::HashMap;

use crate::protocol::PublicKey;
use crate::protocol::name::NameKey;

/// A name in use.
#[derive(Clone)]
pub(in crate::core::hub) struct Registered {
    pub(in crate::core::hub) name: String,
    pub(in crate::core::hub) name_key: NameKey,
    pub(in crate::core::hub) number: u64,
    /// The newest message when it was taken into use.
    pub(in crate::core::hub) entered: u64,
}

/// How many clients are here by each key: who holds it may fetch what the hub serves for as long as one is.
#[derive(Default)]
pub(in crate::core::hub) struct Fetchers(HashMap<PublicKey, usize>);

impl Fetchers {
    pub(in crate::core::hub) fn enter(&mut self, key: PublicKey) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Says whether that was the last one.
    pub(in crate::core::hub) fn leave(&mut self, key: PublicKey) -> bool {
        let Some(count) = self.0.get_mut(&key) else { return false };
        *count -= 1;
        *count == 0 && self.0.remove(&key).is_some()
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.0.len()
    }
}
