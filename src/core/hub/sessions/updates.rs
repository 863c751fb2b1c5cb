//! Updates of the table and the roster that have been written: clients that are equally far get the same bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::core::time::Time;
use crate::core::versioned_map::Cursor;

/// How long changes are gathered before they are told. Shorter than what people notice, and long enough
/// that a burst of joins costs each client one update.
const GATHER: Duration = Duration::from_millis(20);

/// Updates that have been written, by the revision that they start from and whether all there is is followed: clients
/// that are equally far get the same bytes.
#[derive(Default)]
pub(in crate::core::hub) struct Updates {
    /// Of the table.
    pub(in crate::core::hub) table: Written,
    /// Of the roster.
    pub(in crate::core::hub) roster: Written,
    /// When what has changed is told.
    gather_at: Option<Time>,
}

/// The updates of one of them.
#[derive(Default)]
pub(in crate::core::hub) struct Written(HashMap<(Option<Cursor>, bool), (Cursor, Arc<str>)>);

impl Written {
    /// The update from `seen` on, `whole` or not: how far it reaches, and its text.
    pub(in crate::core::hub) fn get(&self, seen: Option<Cursor>, whole: bool) -> Option<(Cursor, Arc<str>)> {
        self.0.get(&(seen, whole)).cloned()
    }

    pub(in crate::core::hub) fn add(&mut self, seen: Option<Cursor>, whole: bool, to: Cursor, body: Arc<str>) {
        self.0.insert((seen, whole), (to, body));
    }
}

impl Updates {
    /// The roster or the table has changed: what was written is of no more use.
    pub(in crate::core::hub) fn change(&mut self, now: Time) {
        self.table.0.clear();
        self.roster.0.clear();
        self.gather(now);
    }

    /// There is something to tell, and for a short while more is waited for.
    pub(in crate::core::hub) fn gather(&mut self, now: Time) {
        self.gather_at.get_or_insert(now + GATHER);
    }

    /// What has changed is told now.
    pub(in crate::core::hub) fn tell(&mut self) {
        self.gather_at = None;
    }

    /// When what has changed is told.
    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.gather_at
    }
}
