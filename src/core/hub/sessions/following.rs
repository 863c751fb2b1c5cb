//! What one client follows: the table, the roster or their changes, and the clients that it was introduced to because
//! it does not follow the roster.

use std::collections::{BTreeSet, VecDeque};

use crate::core::hub::PeerId;
use crate::core::versioned_map::Cursor;
use crate::protocol::{Follow, Follows, Id};

/// What one client follows.
pub(in crate::core::hub) struct Following {
    pub(in crate::core::hub) table: Track,
    pub(in crate::core::hub) roster: Track,
    /// The clients that it was introduced to while it did not follow the roster. It is told when they leave.
    knows: BTreeSet<PeerId>,
    /// The clients that were introduced to it in the same way about this one.
    known_to: BTreeSet<PeerId>,
    /// Requests that are answered when the client has everything up to a revision, oldest first.
    pub(in crate::core::hub) syncs: VecDeque<(u64, Option<Id>)>,
}

/// How one client follows the table or the roster.
pub(in crate::core::hub) struct Track {
    wants: Follow,
    /// The position up to which it has been told; `None` before it has been told anything.
    seen: Option<Cursor>,
}

impl Track {
    fn new(wants: Follow) -> Self {
        Self { wants, seen: None }
    }

    /// Whether the client keeps the whole map, and not only hears of changes.
    pub(in crate::core::hub) fn is_whole(&self) -> bool {
        self.wants == Follow::Table
    }

    /// Starts to follow. A client that wants only changes counts as having seen all that there is.
    fn begin(&mut self, newest: Cursor) {
        self.seen = (self.wants == Follow::Changes).then_some(newest);
    }

    /// Stops following.
    pub(in crate::core::hub) fn end(&mut self) {
        *self = Self::new(Follow::None);
    }

    /// Whether there is a position from which changes can be told.
    fn has_begun(&self) -> bool {
        self.seen.is_some()
    }

    /// The position up to which the client has been told, if there is something newer.
    pub(in crate::core::hub) fn behind(&self, newest: u64) -> Option<Cursor> {
        self.seen.filter(|seen| seen.revision < newest)
    }

    pub(in crate::core::hub) fn told(&mut self, seen: Cursor) {
        self.seen = Some(seen);
    }
}

impl Following {
    pub(in crate::core::hub) fn new(follows: Follows) -> Self {
        let (table, roster) = (Track::new(follows.table), Track::new(follows.roster));
        Self { table, roster, knows: BTreeSet::new(), known_to: BTreeSet::new(), syncs: VecDeque::new() }
    }

    /// Whether the client has been told anything of the table or the roster.
    pub(in crate::core::hub) fn has_begun(&self) -> bool {
        self.table.has_begun() || self.roster.has_begun()
    }

    /// Starts to follow both, at these newest positions. Returns whether the client must be told the whole table, and
    /// the whole roster.
    pub(in crate::core::hub) fn begin(&mut self, table: Cursor, roster: Cursor) -> (bool, bool) {
        self.table.begin(table);
        self.roster.begin(roster);
        (self.table.is_whole(), self.roster.is_whole())
    }

    /// Notes that the client was introduced to another one.
    pub(in crate::core::hub) fn knows(&mut self, whom: PeerId) {
        self.knows.insert(whom);
    }

    /// Notes that another client was introduced to this one.
    pub(in crate::core::hub) fn is_known_to(&mut self, whom: PeerId) {
        self.known_to.insert(whom);
    }

    /// Forgets a client that has left.
    pub(in crate::core::hub) fn forget(&mut self, whom: PeerId) {
        self.knows.remove(&whom);
        self.known_to.remove(&whom);
    }

    /// The client leaves: returns whom it was introduced to, and who was introduced to it.
    pub(in crate::core::hub) fn leave(&mut self) -> (BTreeSet<PeerId>, BTreeSet<PeerId>) {
        (std::mem::take(&mut self.knows), std::mem::take(&mut self.known_to))
    }
}
