//! What each client follows: which changes of the table and the roster it is told, and of whom it is told although it
//! does not follow the roster.

use std::collections::{BTreeSet, VecDeque};

use crate::core::hub::PeerId;
use crate::core::versioned_map::Cursor;
use crate::protocol::{Follow, Follows, Id};

/// What one client follows.
pub(in crate::core::hub) struct Following {
    pub(in crate::core::hub) table: Track,
    pub(in crate::core::hub) roster: Track,
    /// Of whom it was told, though it does not follow the roster: of their leaving it is told, too.
    knows: BTreeSet<PeerId>,
    /// Who was told of it.
    known_to: BTreeSet<PeerId>,
    /// Questions that are answered when it has everything up to a revision.
    pub(in crate::core::hub) syncs: VecDeque<(u64, Option<Id>)>,
}

/// How one client follows the table or the roster.
pub(in crate::core::hub) struct Track {
    wants: Follow,
    /// Up to where it has been told, once it is told anything.
    seen: Option<Cursor>,
}

impl Track {
    fn new(wants: Follow) -> Self {
        Self { wants, seen: None }
    }

    /// Whether the client has, or is being given, all there is.
    pub(in crate::core::hub) fn is_whole(&self) -> bool {
        self.wants == Follow::Table
    }

    /// Begins: who wants only changes has seen what there is.
    fn begin(&mut self, newest: Cursor) {
        self.seen = (self.wants == Follow::Changes).then_some(newest);
    }

    /// Nothing more is told.
    pub(in crate::core::hub) fn end(&mut self) {
        *self = Self::new(Follow::None);
    }

    /// Whether the client has been told something.
    fn has_begun(&self) -> bool {
        self.seen.is_some()
    }

    /// Up to where it has been told, if that is not the newest revision.
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

    /// Whether the client has been told something.
    pub(in crate::core::hub) fn has_begun(&self) -> bool {
        self.table.has_begun() || self.roster.has_begun()
    }

    /// Begins, with what there is of the table and the roster. Says of which of them the client is told everything.
    pub(in crate::core::hub) fn begin(&mut self, table: Cursor, roster: Cursor) -> (bool, bool) {
        self.table.begin(table);
        self.roster.begin(roster);
        (self.table.is_whole(), self.roster.is_whole())
    }

    /// The client was told of somebody.
    pub(in crate::core::hub) fn knows(&mut self, whom: PeerId) {
        self.knows.insert(whom);
    }

    /// Somebody else was told of the client.
    pub(in crate::core::hub) fn is_known_to(&mut self, whom: PeerId) {
        self.known_to.insert(whom);
    }

    /// Somebody is gone.
    pub(in crate::core::hub) fn forget(&mut self, whom: PeerId) {
        self.knows.remove(&whom);
        self.known_to.remove(&whom);
    }

    /// The client leaves. Gives of whom it was told, and who was told of it.
    pub(in crate::core::hub) fn leave(&mut self) -> (BTreeSet<PeerId>, BTreeSet<PeerId>) {
        (std::mem::take(&mut self.knows), std::mem::take(&mut self.known_to))
    }
}
