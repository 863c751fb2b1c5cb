//! How much a client may ask in a time.
//!
//! The generic cell rate algorithm (ITU-T I.371, annex A): a moment for each limit, which every request moves on by
//! its share of a second; a request is refused when that moment would be too far ahead.

use crate::core::time::Time;
use crate::protocol::limits::BURST;

/// How far one client is ahead of what it may ask and say.
#[derive(Default)]
pub(in crate::core::hub) struct Rates {
    requests: TokenBucket,
    messages: TokenBucket,
}

impl Rates {
    /// Takes what requests cost, at `rate` a second.
    ///
    /// # Errors
    /// How many milliseconds to wait.
    pub(in crate::core::hub) fn request(&mut self, now: Time, rate: u32, cost: u32) -> Result<(), u64> {
        self.requests.spend(now, rate, cost)
    }

    /// Takes one message, at `rate` a second.
    ///
    /// # Errors
    /// How many milliseconds to wait.
    pub(in crate::core::hub) fn message(&mut self, now: Time, rate: u32) -> Result<(), u64> {
        self.messages.spend(now, rate, 1)
    }
}

/// How far ahead of its rate somebody is.
#[derive(Default)]
struct TokenBucket(Time);

impl TokenBucket {
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
