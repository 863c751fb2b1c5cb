//! The log between sessions and state: a record is applied to the state at once and persisted; what rests on it is told
//! when it is on disk.
//!
//! The journal owns the state. `commits` knows how far the log has come and what waits for it; `queries` knows what the
//! store was asked; `health` knows whether the store can write.

pub(in crate::core::hub) mod commits;
pub(in crate::core::hub) mod health;
pub(in crate::core::hub) mod queries;

use crate::core::hub::journal::commits::Commits;
use crate::core::hub::journal::health::Health;
use crate::core::hub::journal::queries::Queries;
use crate::core::hub::state::State;
use crate::protocol::Failure;

/// The state, and how much of its log is on disk.
pub(in crate::core::hub) struct Journal {
    /// The facts that several hubs would share.
    pub(in crate::core::hub) state: State,
    /// What waits for a commit.
    pub(in crate::core::hub) commits: Commits,
    /// What waits for an answer of the store.
    pub(in crate::core::hub) queries: Queries,
    /// Whether the store can write, and what is postponed while it cannot.
    pub(in crate::core::hub) health: Health,
}

impl Journal {
    pub(in crate::core::hub) fn new(state: State) -> Self {
        Self { state, commits: Commits::default(), queries: Queries::default(), health: Health::default() }
    }

    /// Whether the store can keep something new. Asked before a request changes anything.
    ///
    /// # Errors
    /// Why the store cannot write.
    pub(in crate::core::hub) fn can_keep(&self) -> Result<(), Failure> {
        self.health.failure().map_or(Ok(()), Err)
    }
}
