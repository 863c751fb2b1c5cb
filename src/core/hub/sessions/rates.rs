//! The token buckets of one client: how many requests and messages it may send.
//!
//! Every request costs its share of a second. One that would be more than [`BURST`] seconds ahead of its rate is refused.

use std::time::Duration;

use crate::core::time::Time;
use crate::core::token_bucket::TokenBucket;
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
        spend(&mut self.requests, now, rate, cost)
    }

    /// Takes one message, at `rate` messages a second.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub(in crate::core::hub) fn message(&mut self, now: Time, rate: u32) -> Result<(), u64> {
        spend(&mut self.messages, now, rate, 1)
    }
}

/// Takes `cost` tokens if `rate` tokens a second allow it, and otherwise returns the milliseconds to wait. A cost above a
/// whole burst is reduced to one, so that a full bucket always allows it.
fn spend(bucket: &mut TokenBucket, now: Time, rate: u32, cost: u32) -> Result<(), u64> {
    let cost = u64::from(cost.min(rate.saturating_mul(BURST).max(1)));
    let price = Duration::from_micros(cost * 1_000_000 / u64::from(rate.max(1)));
    bucket.spend(now - Time(0), price, Duration::from_secs(BURST.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_the_rate() {
        let mut bucket = TokenBucket::default();
        let taken = (0..2_000).take_while(|_| spend(&mut bucket, Time(0), 100, 1).is_ok()).count();
        assert_eq!(taken, 1_000);
        assert_eq!(spend(&mut bucket, Time(0), 100, 1), Err(10));
        assert_eq!(spend(&mut bucket, Time(10_000), 100, 1), Ok(()));
        assert_eq!(spend(&mut bucket, Time(10_000), 100, 1), Err(10));
    }

    #[test]
    fn what_costs_more_takes_more() {
        let mut bucket = TokenBucket::default();
        assert_eq!((0..2_000).take_while(|_| spend(&mut bucket, Time(0), 100, 50).is_ok()).count(), 20);
        assert_eq!(spend(&mut bucket, Time(0), 100, 50), Err(500));
        // More than a burst is not more than can ever be had.
        assert_eq!(spend(&mut TokenBucket::default(), Time(0), 100, 5_000), Ok(()));
    }
}
