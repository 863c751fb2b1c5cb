//! A limit on the bytes a second of several streams together.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::core::token_bucket::{TokenBucket, price};

/// How far a stream may be ahead of its rate: the length of a burst.
const AHEAD: Duration = Duration::from_millis(250);

/// The least that is moved at a time, in bytes.
const LEAST: u64 = 4 << 10;

/// A rate that several streams share. Each takes what it moves; who finds the rate used up waits.
#[derive(Debug)]
pub struct ByteRate {
    bytes_a_second: u64,
    started: Instant,
    bucket: Mutex<TokenBucket>,
}

impl ByteRate {
    /// A rate of so many bytes a second, of which nothing is used yet.
    pub fn new(bytes_a_second: u64) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), started: Instant::now(), bucket: Mutex::default() }
    }

    /// The bytes to move at a time, so that a slow rate is no rate of large bursts.
    pub(super) fn portion(&self) -> usize {
        usize::try_from((self.bytes_a_second / 4).max(LEAST)).unwrap_or(usize::MAX)
    }

    /// How long to wait until something may be moved.
    pub(super) fn wait(&self) -> Duration {
        self.bucket().wait(self.started.elapsed(), Duration::ZERO, AHEAD)
    }

    /// So many bytes were moved.
    pub(super) fn take(&self, bytes: usize) {
        self.bucket().take(self.started.elapsed(), price(bytes as u64, self.bytes_a_second));
    }

    fn bucket(&self) -> MutexGuard<'_, TokenBucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_taken_more_than_a_burst_waits_until_it_is_paid_for() {
        let rate = ByteRate::new(1_000_000);
        assert_eq!((rate.portion(), rate.wait()), (250_000, Duration::ZERO));
        let begun = Instant::now();
        rate.take(2_000_000);
        assert!(Instant::now() + rate.wait() >= begun + Duration::from_millis(1_750));
        // However slow the rate is, something can be moved.
        assert_eq!(ByteRate::new(0).portion(), 4_096);
    }
}
