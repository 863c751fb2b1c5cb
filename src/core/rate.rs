//! Estimates the rate of a transfer over the last seconds, and the time that is left.
//!
//! A session has one for each transfer, for its progress events: it adds samples, and reads the rate and the
//! remaining time.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;

/// The time over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(3);

/// The shortest time between two samples.
const STEP: Duration = Duration::from_millis(90);

/// The recent samples of a transfer's progress.
#[derive(Debug, Clone, Default)]
pub struct RateEstimator {
    /// Times, and the bytes at each. The first sample is from before the window, so that the window is covered.
    samples: VecDeque<(Time, u64)>,
    newest: Option<(Time, u64)>,
}

impl RateEstimator {
    /// Adds a sample: `bytes` are on disk at `now`.
    pub fn sample(&mut self, now: Time, bytes: u64) {
        self.newest = Some((now, bytes));
        if self.samples.back().is_none_or(|(last, _)| now - *last >= STEP) {
            self.samples.push_back((now, bytes));
        }
        // Keep one sample from before the window.
        while self.samples.get(1).is_some_and(|(second, _)| now - *second >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// The rate in bytes a second; 0 if there are too few samples.
    pub fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, bytes))) = (self.samples.front(), self.newest) else { return 0 };
        let micros = (to - *from).as_micros();
        let moved = u128::from(bytes.saturating_sub(*before)) * 1_000_000;
        moved.checked_div(micros).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// The milliseconds until `size` bytes are reached at this rate; `None` if the rate is unknown or 0.
    pub fn left(&self, size: u64) -> Option<u64> {
        let missing = u128::from(size.saturating_sub(self.newest?.1));
        let millis = (missing * 1_000).checked_div(u128::from(self.rate()))?;
        u64::try_from(millis).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut rate = RateEstimator::default();
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
        rate.sample(Time(0), 1_000);
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
        // A megabyte a second for ten seconds, then next to nothing.
        (1..=100).for_each(|i| rate.sample(Time(i * 100_000), 1_000 + i * 100_000));
        assert_eq!(rate.rate(), 1_000_000);
        assert_eq!(rate.left(11_001_000), Some(1_000));
        (101..=200).for_each(|i| rate.sample(Time(i * 100_000), 10_001_000 + (i - 100) * 100));
        assert_eq!(rate.rate(), 1_000);
        assert!(rate.samples.len() < 40);
        // Bytes that turned out wrong are subtracted.
        rate.sample(Time(20_100_000), 0);
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
    }
}
