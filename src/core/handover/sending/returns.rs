//! How often somebody who was right comes back: whoever does nothing else must not keep the sender busy, nor its user.

use std::time::Duration;

use crate::core::time::Time;

/// The time in which returns are counted, and in which one is told.
const SPAN: Duration = Duration::from_secs(60);

/// How many returns of one receiver are answered in this time.
const MOST: u32 = 8;

/// The returns of one receiver in the last span.
#[derive(Debug, Default)]
pub(super) struct Returns {
    /// Since when they are counted.
    since: Option<Time>,
    count: u32,
    /// Whether the user knows that they are here.
    is_here: bool,
}

impl Returns {
    /// Of somebody who is here for the first time, which is told.
    pub(super) fn here() -> Self {
        Self { is_here: true, ..Self::default() }
    }

    /// One more. Returns whether it is told to the user; nothing if it is one too many.
    pub(super) fn count(&mut self, now: Time) -> Option<bool> {
        if self.since.is_none_or(|since| since + SPAN <= now) {
            (self.since, self.count) = (Some(now), 0);
        }
        if self.count >= MOST {
            return None;
        }
        self.count += 1;
        self.is_here |= self.count == 1;
        Some(self.count == 1)
    }

    /// They are gone. Returns whether that is told to the user: not of one whose return was not told.
    pub(super) fn leave(&mut self) -> bool {
        std::mem::take(&mut self.is_here)
    }
}
