//! An estimate of a transfer's rate over the last seconds, and of the time that is left.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;

/// The window over which the rate is measured.
const WINDOW: Duration = Duration::from_secs(3);

/// Samples are at least this far apart.
const STEP: Duration = Duration::from_millis(90);

/// Samples of a transfer's progress within the window.
#[derive(Debug, Clone, Default)]
pub struct RateEstimator {
    /// Moments, and how many bytes were there then. One sample from before the window stays first.
    samples: VecDeque<(Time, u64)>,
    newest: Option<(Time, u64)>,
}

impl RateEstimator {
    /// Takes a sample: so many bytes are there now.
    pub fn sample(&mut self, now: Time, bytes: u64) {
        self.newest = Some((now, bytes));
        if self.samples.back().is_none_or(|(last, _)| now - *last >= STEP) {
            self.samples.push_back((now, bytes));
        }
        // One from before the window stays: from it on the window is covered.
        while self.samples.get(1).is_some_and(|(second, _)| now - *second >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second within the window; 0 if there are too few samples.
    pub fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, bytes))) = (self.samples.front(), self.newest) else { return 0 };
        let micros = (to - *from).as_micros();
        let moved = u128::from(bytes.saturating_sub(*before)) * 1_000_000;
        moved.checked_div(micros).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// Milliseconds until `size` bytes are there at this rate; none if the rate is unknown or 0.
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
        // A megabyte a second for ten seconds, then nothing but a trickle.
        (1..=100).for_each(|i| rate.sample(Time(i * 100_000), 1_000 + i * 100_000));
        assert_eq!(rate.rate(), 1_000_000);
        assert_eq!(rate.left(11_001_000), Some(1_000));
        (101..=200).for_each(|i| rate.sample(Time(i * 100_000), 10_001_000 + (i - 100) * 100));
        assert_eq!(rate.rate(), 1_000);
        assert!(rate.samples.len() < 40);
        // What turned out wrong is taken back.
        rate.sample(Time(20_100_000), 0);
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
    }
}
