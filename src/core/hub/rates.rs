//! How much a client may ask in a time.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A): a moment for each limit, which every request moves on by
//! its share of a second; a request is refused when that moment would be too far ahead.

use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{BURST, COMMITS_WAITING};
use crate::protocol::{ErrorCode, Failure};

/// How far ahead of its rate somebody is.
#[derive(Default)]
pub(super) struct Pace(Time);

impl Pace {
    /// Takes so many, if `rate` a second allow it; otherwise says how many milliseconds to wait. What costs more than a
    /// burst is taken when there has been nothing else.
    fn spend(&mut self, now: Time, rate: u32, cost: u32) -> Result<(), u64> {
        let cost = u64::from(cost.min(rate.saturating_mul(BURST).max(1)));
        let share = cost * 1_000_000 / u64::from(rate.max(1));
        let burst = u64::from(BURST) * 1_000_000;
        let next = self.0.max(now).0 + share;
        let allowed = now.0 + burst;
        if next > allowed {
            return Err((next - allowed).div_ceil(1_000));
        }
        self.0 = Time(next);
        Ok(())
    }
}

impl Hub {
    pub(super) fn spend_request(&mut self, now: Time, id: PeerId) -> Result<(), Failure> {
        self.spend(now, id, 1)
    }

    /// Takes what a request costs from what its client may ask.
    pub(super) fn spend(&mut self, now: Time, id: PeerId, cost: u32) -> Result<(), Failure> {
        if self.held.len() >= COMMITS_WAITING {
            return Err(Failure::new(ErrorCode::SlowDown, "The hub's disk is behind.").wait(1_000));
        }
        let rate = self.config.limits.request_rate;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.requests.spend(now, rate, cost).map_err(|wait| too_fast("requests", rate, wait))
    }

    pub(super) fn spend_message(&mut self, now: Time, id: PeerId) -> Result<(), Failure> {
        let rate = self.config.limits.message_rate;
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        peer.messages.spend(now, rate, 1).map_err(|wait| too_fast("messages", rate, wait))
    }
}

fn too_fast(what: &str, rate: u32, wait: u64) -> Failure {
    let what = if rate == 1 { what.trim_end_matches('s') } else { what };
    let message = format!("The hub takes at most {rate} {what} a second from one client.");
    Failure::new(ErrorCode::SlowDown, message).wait(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let mut pace = Pace::default();
        let taken = (0..2_000).take_while(|_| pace.spend(Time(0), 100, 1).is_ok()).count();
        assert_eq!(taken, 1_000);
        assert_eq!(pace.spend(Time(0), 100, 1), Err(10));
        assert_eq!(pace.spend(Time(10_000), 100, 1), Ok(()));
        assert_eq!(pace.spend(Time(10_000), 100, 1), Err(10));
    }

    #[test]
    fn what_costs_more_takes_more() {
        let mut pace = Pace::default();
        assert_eq!((0..2_000).take_while(|_| pace.spend(Time(0), 100, 50).is_ok()).count(), 20);
        assert_eq!(pace.spend(Time(0), 100, 50), Err(500));
        // More than a burst is not more than can ever be had.
        assert_eq!(Pace::default().spend(Time(0), 100, 5_000), Ok(()));
    }
}
