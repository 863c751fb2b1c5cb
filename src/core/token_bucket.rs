//! The token bucket: how much may be taken at a rate, and how much at once after a pause.
//!
//! It is the generic cell rate algorithm (ITU-T I.371, annex A). The bucket keeps one time, at which everything that was
//! taken is paid for, and each taking moves it on by its price: the time that so much takes at the rate. Whoever uses the
//! bucket says how far ahead of the clock that time may be, which is the *burst*; then what is too much is refused, or
//! waits.

use std::time::Duration;

/// A bucket. Times are since any moment that the caller keeps to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// In nanoseconds: more than a [`Duration`] holds, so that no sum of what others ask for overflows.
    paid: u128,
}

impl TokenBucket {
    /// A bucket from which nothing can be had ahead until so much time has passed.
    pub fn empty(burst: Duration) -> Self {
        Self { paid: burst.as_nanos() }
    }

    /// Takes something at this price, whether it is too much or not.
    pub fn take(&mut self, now: Duration, price: Duration) {
        self.paid = self.paid.max(now.as_nanos()).saturating_add(price.as_nanos());
    }

    /// How long until something at this price can be taken without being further ahead than `burst`.
    pub fn wait(&self, now: Duration, price: Duration, burst: Duration) -> Duration {
        let mut after = *self;
        after.take(now, price);
        to_duration(after.paid.saturating_sub(now.as_nanos()).saturating_sub(burst.as_nanos()))
    }

    /// Takes something at this price, unless that is too much.
    ///
    /// # Errors
    /// After how many milliseconds it is not too much any more.
    pub fn spend(&mut self, now: Duration, price: Duration, burst: Duration) -> Result<(), u64> {
        let wait = self.wait(now, price, burst);
        if !wait.is_zero() {
            return Err((wait.as_micros() as u64).div_ceil(1_000));
        }
        self.take(now, price);
        Ok(())
    }

    /// When everything that was taken is paid for, except for a burst.
    pub fn due(&self, burst: Duration) -> Duration {
        to_duration(self.paid.saturating_sub(burst.as_nanos()))
    }

    /// Whether everything that was taken is paid for.
    pub fn is_paid(&self, now: Duration) -> bool {
        self.paid <= now.as_nanos()
    }
}

/// How long so many bytes, or anything else, take at a rate of so many a second.
pub fn price(amount: u64, rate: u64) -> Duration {
    let nanos = u128::from(amount) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn to_duration(nanos: u128) -> Duration {
    let secs = u64::try_from(nanos / 1_000_000_000);
    secs.map_or(Duration::MAX, |secs| Duration::new(secs, (nanos % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_is_had_at_once_and_then_the_rate() {
        let (mut bucket, price) = (TokenBucket::default(), SECOND / 4);
        let had = (0..100).take_while(|_| {
            bucket.wait(SECOND, price, SECOND).is_zero() && {
                bucket.take(SECOND, price);
                true
            }
        });
        assert_eq!(had.count(), 4);
        assert_eq!(bucket.wait(SECOND, price, SECOND), price);
        assert_eq!(bucket.wait(SECOND + price, price, SECOND), Duration::ZERO);
        assert_eq!((bucket.is_paid(SECOND), bucket.is_paid(2 * SECOND)), (false, true));
        let mut empty = TokenBucket::empty(SECOND);
        empty.take(Duration::ZERO, price);
        assert_eq!((empty.due(SECOND), empty.wait(Duration::ZERO, Duration::ZERO, SECOND)), (price, price));
    }
}
