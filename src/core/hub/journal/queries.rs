//! The queries that the store has not answered yet, and who waits for each.

use std::collections::BTreeMap;

use crate::core::hub::{ConnId, PeerId};
use crate::protocol::Id;

/// What a query is for, and who waits for its answer.
pub(in crate::core::hub) enum PendingQuery {
    /// Messages that a client has not received. They are for its visit with this `number`, and complete up to message
    /// `as_of`.
    Inbox { peer: PeerId, number: u64, as_of: u64 },
    /// A `history` request; `forward` if it goes from the oldest message on.
    History { peer: PeerId, request_id: Option<Id>, forward: bool },
    /// The answers that a client was given in a session that is lost.
    PastAnswers(PeerId),
    /// The number below which messages are trimmed.
    TrimPoint,
    /// The invite that a pending connection has shown.
    Invite(ConnId),
    /// The code with which a pending connection has come.
    Code(ConnId),
    /// The invites that a client's user has made; of an `invite-revoke`, the one to be revoked.
    Invites { peer: PeerId, request_id: Option<Id>, revoke: Option<String> },
}

/// The open queries by number. Password checks take their numbers here, too, so that all numbers differ.
#[derive(Default)]
pub(in crate::core::hub) struct Queries {
    pending: BTreeMap<u64, PendingQuery>,
    last: u64,
}

impl Queries {
    /// A new number.
    pub(in crate::core::hub) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Registers a query, and returns its number.
    pub(in crate::core::hub) fn ask(&mut self, pending: PendingQuery) -> u64 {
        let number = self.number();
        self.pending.insert(number, pending);
        number
    }

    /// The store has answered this query: returns who waits for it, once.
    pub(in crate::core::hub) fn answered(&mut self, number: u64) -> Option<PendingQuery> {
        self.pending.remove(&number)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.pending.len()
    }
}
