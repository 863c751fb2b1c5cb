//! Judges copies that were made: one that nobody wishes any more is discarded.

use super::super::State;
use super::super::copies::{CopyKey, Wish};

/// The copy with this number was made, or could not be. Returns its wish; `None` if that is gone or was replaced.
pub(in crate::core::hub) fn copied(state: &State, number: u64, key: &CopyKey) -> Option<Wish> {
    state.copies.wished(key).filter(|wish| wish.number == number).cloned()
}
