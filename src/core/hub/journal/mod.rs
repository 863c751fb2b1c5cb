//! The log between the sessions and the state: a record is applied at once and written down, and what rests on it is
//! told when it is on disk.

pub(in crate::core::hub) mod commits;
pub(in crate::core::hub) mod health;
pub(in crate::core::hub) mod queries;

use crate::core::hub::journal::commits::Commits;
use crate::core::hub::journal::health::Health;
use crate::core::hub::journal::queries::Queries;
use crate::core::hub::state::State;
use crate::protocol::Failure;

/// The shared facts, and how far what they rest on is on disk.
pub(in crate::core::hub) struct Journal {
    /// What all would share if there were several hubs.
    pub(in crate::core::hub) state: State,
    /// What waits for the disk.
    pub(in crate::core::hub) commits: Commits,
    /// What the store was asked.
    pub(in crate::core::hub) queries: Queries,
    /// Whether the store can write.
    pub(in crate::core::hub) health: Health,
}

impl Journal {
    pub(in crate::core::hub) fn new(state: State) -> Self {
        Self { state, commits: Commits::default(), queries: Queries::default(), health: Health::default() }
    }

    /// Whether something new can be kept. Asked before anything changes.
    ///
    /// # Errors
    /// Why the store cannot write.
    pub(in crate::core::hub) fn can_keep(&self) -> Result<(), Failure> {
        self.health.failure().map_or(Ok(()), Err)
    }
}
