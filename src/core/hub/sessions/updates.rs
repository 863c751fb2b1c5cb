//! The events that tell the changes of the table and the roster, kept as bytes: clients that are at the same position
//! get the same bytes. Also the time for which changes are gathered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::core::time::Time;
use crate::core::versioned_map::Cursor;

/// Time for which changes are gathered before they are told. People do not notice it, and a burst of joins costs each
/// client one update.
const GATHER: Duration = Duration::from_millis(20);

/// The updates of the current revision, and when gathered changes are told.
#[derive(Default)]
pub(in crate::core::hub) struct Updates {
    /// Updates of the table.
    pub(in crate::core::hub) table: Written,
    /// Updates of the roster.
    pub(in crate::core::hub) roster: Written,
    /// When gathered changes are told; `None` if there are none.
    gather_at: Option<Time>,
}

/// The updates of the table or of the roster, by the position that they start from and whether the client keeps the
/// whole map.
#[derive(Default)]
pub(in crate::core::hub) struct Written(HashMap<(Option<Cursor>, bool), (Cursor, Arc<str>)>);

impl Written {
    /// The update from position `seen` on: the position that it reaches, and its bytes.
    pub(in crate::core::hub) fn get(&self, seen: Option<Cursor>, whole: bool) -> Option<(Cursor, Arc<str>)> {
        self.0.get(&(seen, whole)).cloned()
    }

    pub(in crate::core::hub) fn add(&mut self, seen: Option<Cursor>, whole: bool, to: Cursor, body: Arc<str>) {
        self.0.insert((seen, whole), (to, body));
    }
}

impl Updates {
    /// The table or the roster has changed: drops all updates, and starts the gathering time unless it runs already.
    pub(in crate::core::hub) fn change(&mut self, now: Time) {
        self.table.0.clear();
        self.roster.0.clear();
        self.gather(now);
    }

    /// Starts the gathering time unless it runs already.
    pub(in crate::core::hub) fn gather(&mut self, now: Time) {
        self.gather_at.get_or_insert(now + GATHER);
    }

    /// Ends the gathering time, because changes are told now.
    pub(in crate::core::hub) fn tell(&mut self) {
        self.gather_at = None;
    }

    /// When gathered changes are told; `None` if there are none.
    pub(in crate::core::hub) fn due(&self) -> Option<Time> {
        self.gather_at
    }
}
