//! Copies that were made: a copy that nobody wishes any more is void.

use super::super::State;
use super::super::copies::{CopyKey, Wish};

impl State {
    /// The copy of this number was made, or could not be. Gives the wish that it is for, unless there is another one by
    /// now, or none.
    pub(in crate::core::hub) fn decide_copied(&self, number: u64, key: &CopyKey) -> Option<Wish> {
        self.copies.wished(key).filter(|wish| wish.number == number).cloned()
    }
}
