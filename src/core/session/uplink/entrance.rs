//! Retries to register with a hub that is too busy, at growing intervals.

use std::time::Duration;

use crate::core::session::asks::Origin;
use crate::core::time::{Rng, Time};
use crate::protocol::Request;

/// The longest pause between two tries, unless the hub wants a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Whether the hub is too busy. See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Entrance {
    /// Since when the hub has been too busy, and how many tries were in vain.
    busy: Option<(Time, u32)>,
    /// What is asked again, and when.
    later: Option<(Time, Request, Origin)>,
}

impl Entrance {
    /// The hub is too busy, and wants us to wait. False if that has gone on for `give_up`.
    pub(super) fn is_busy(
        &mut self,
        now: Time,
        wait: Duration,
        give_up: Duration,
        rng: &mut Rng,
        again: (Request, Origin),
    ) -> bool {
        let (since, tries) = self.busy.unwrap_or((now, 0));
        if now - since >= give_up {
            return false;
        }
        let pause = wait.saturating_mul(2u32.pow(tries.min(16))).min(LONGEST_PAUSE.max(wait));
        // So that clients which were refused together do not ask together again.
        let jitter = Duration::from_micros(rng.below(pause.as_micros() as u64 / 2 + 1));
        let at = (now + pause + jitter).min(since + give_up);
        self.busy = Some((since, tries + 1));
        self.later = Some((at, again.0, again.1));
        true
    }

    /// The hub has let us in.
    pub(super) fn admitted(&mut self) {
        self.busy = None;
    }

    /// A hub that has forgotten everything is asked anew.
    pub(super) fn start_over(&mut self) {
        self.later = None;
    }

    /// When the hub is asked again.
    pub(super) fn due(&self) -> Option<Time> {
        self.later.as_ref().map(|(at, ..)| *at)
    }

    /// What is asked again.
    pub(super) fn take(&mut self) -> Option<(Request, Origin)> {
        self.later.take().map(|(_, request, origin)| (request, origin))
    }
}
