//! The token buckets of one client: how many requests and messages it may send.
//!
//! Each bucket is the generic cell rate algorithm (ITU-T I.371, annex A): it keeps one time, which every request moves
//! on by its share of a second. A request is refused if that time would be more than [`BURST`] seconds ahead.

use crate::core::time::Time;
use crate::protocol::limits::BURST;

/// The token buckets of one client.
#[derive(Default)]
pub(in crate::core::hub) struct Rates {
    requests: TokenBucket,
    messages: TokenBucket,
}

impl Rates {
    /// Takes the price of a request, at `rate` simple requests a second.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub(in crate::core::hub) fn request(&mut self, now: Time, rate: u32, cost: u32) -> Result<(), u64> {
        self.requests.spend(now, rate, cost)
    }

    /// Takes one message, at `rate` messages a second.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub(in crate::core::hub) fn message(&mut self, now: Time, rate: u32) -> Result<(), u64> {
        self.messages.spend(now, rate, 1)
    }
}

/// The time at which all that was taken would be paid for at the rate.
#[derive(Default)]
struct TokenBucket(Time);

impl TokenBucket {
    /// Takes `cost` tokens if `rate` tokens a second allow it, and otherwise returns the milliseconds to wait. A cost
    /// above a whole burst is reduced to one, so that a full bucket always allows it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let mut bucket = TokenBucket::default();
        let taken = (0..2_000).take_while(|_| bucket.spend(Time(0), 100, 1).is_ok()).count();
        assert_eq!(taken, 1_000);
        assert_eq!(bucket.spend(Time(0), 100, 1), Err(10));
        assert_eq!(bucket.spend(Time(10_000), 100, 1), Ok(()));
        assert_eq!(bucket.spend(Time(10_000), 100, 1), Err(10));
    }

    #[test]
    fn what_costs_more_takes_more() {
        let mut bucket = TokenBucket::default();
        assert_eq!((0..2_000).take_while(|_| bucket.spend(Time(0), 100, 50).is_ok()).count(), 20);
        assert_eq!(bucket.spend(Time(0), 100, 50), Err(500));
        // More than a burst is not more than can ever be had.
        assert_eq!(TokenBucket::default().spend(Time(0), 100, 5_000), Ok(()));
    }
}
