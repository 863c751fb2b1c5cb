//! What the store is asked, and what waits for its answers.

use std::collections::BTreeMap;

use crate::core::hub::{ConnId, PeerId};
use crate::protocol::Id;

/// Why the store was asked.
pub(in crate::core::hub) enum PendingQuery {
    /// For what a client does not have: in the visit of this number, and as of this message.
    Inbox { peer: PeerId, number: u64, as_of: u64 },
    /// For what has been said.
    History { peer: PeerId, request_id: Option<Id>, forward: bool },
    /// For what a client was answered before it came.
    PastAnswers(PeerId),
    /// For the number below which messages go.
    TrimPoint,
    /// For the invite that a connection has shown.
    Invite(ConnId),
}

/// Queries that the store has not answered, and how many there were: logins are counted with them.
#[derive(Default)]
pub(in crate::core::hub) struct Queries {
    pending: BTreeMap<u64, PendingQuery>,
    last: u64,
}

impl Queries {
    /// A number that was not used before.
    pub(in crate::core::hub) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of one more query.
    pub(in crate::core::hub) fn ask(&mut self, pending: PendingQuery) -> u64 {
        let number = self.number();
        self.pending.insert(number, pending);
        number
    }

    pub(in crate::core::hub) fn answered(&mut self, number: u64) -> Option<PendingQuery> {
        self.pending.remove(&number)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.pending.len()
    }
}
