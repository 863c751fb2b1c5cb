//! The state of the connection to the hub: connecting, up, lost, reconnecting.
//!
//! `uplink` owns it. It holds times and counts only; the link and what was asked survive a change of the connection.

use std::time::Duration;

use crate::core::time::{Rng, Time};

/// The first and the longest pause before a try to reconnect. Each pause is twice the one before, and half of it is
/// random, so that the clients of a restarted hub do not all return at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection that lasted this long ends the outage before it.
const STEADY: Duration = Duration::from_secs(10);

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::core::session) enum HubConnection {
    /// Connecting for the first time.
    #[default]
    First,
    /// Our hello was sent, and the hub's is awaited.
    Greeting { deadline: Time, lost: Option<Outage> },
    /// Carrying the link since a time; `tries` failed before.
    Up { since: Time, tries: u32 },
    /// Waiting for the next try.
    Pausing { until: Time, lost: Outage },
    /// Reconnecting.
    Again { lost: Outage },
}

/// An outage: when it began, and how many tries have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::core::session) struct Outage {
    pub(in crate::core::session) since: Time,
    pub(super) tries: u32,
}

impl Outage {
    /// The outage that begins now. `up` is since when the connection was up, and how many tries it took.
    pub(super) fn begin(now: Time, (since, tries): (Time, u32)) -> Self {
        // A hub that drops every link soon is tried less and less often.
        let tries = if now - since >= STEADY { 0 } else { tries };
        Self { since: now, tries }
    }

    /// When the next try is, and the outage with that try counted.
    pub(super) fn next_try(self, now: Time, give_up: Duration, rng: &mut Rng) -> (Time, Self) {
        let pause = (FIRST_PAUSE * 2u32.pow(self.tries.min(16))).min(LONGEST_PAUSE);
        let half = pause / 2;
        let jitter = Duration::from_micros(rng.below(half.as_micros() as u64 + 1));
        let until = (now + half + jitter).min(self.since + give_up);
        (until, Self { tries: self.tries + 1, ..self })
    }
}

impl HubConnection {
    pub(super) fn outage(&self) -> Option<Outage> {
        match self {
            Self::First | Self::Up { .. } => None,
            Self::Greeting { lost, .. } => *lost,
            Self::Pausing { lost, .. } | Self::Again { lost } => Some(*lost),
        }
    }
}
