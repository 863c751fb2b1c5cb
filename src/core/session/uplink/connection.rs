//! The state of the connection to the hub: being made, up, lost, being made again.

use std::time::Duration;

use crate::core::time::{Rng, Time};

/// The pause before the first try to reconnect, and the longest one. Each is twice the one before, and
/// half of it is chance, so that the clients of a restarted hub do not come all at once.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection that has lived this long ends the outage before it.
const STEADY: Duration = Duration::from_secs(10);

/// The state of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::core::session) enum HubConnection {
    /// Being made for the first time.
    #[default]
    First,
    /// Our hello was sent, and the hub's is awaited.
    Greeting { deadline: Time, lost: Option<Outage> },
    /// Carrying the link since a moment; `tries` were in vain before.
    Up { since: Time, tries: u32 },
    /// Waiting for the next try.
    Pausing { until: Time, lost: Outage },
    /// Being made again.
    Again { lost: Outage },
}

/// An outage: since when, and how many tries were in vain.
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
