//! How fast something goes: the rate of late, and how long the rest takes.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;

/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(3);

/// How far apart what is remembered is at least.
const STEP: Duration = Duration::from_millis(90);

/// The progress of the last few seconds.
#[derive(Debug, Clone, Default)]
pub struct RateEstimator {
    /// When how much was there; the first is the oldest within the window.
    notes: VecDeque<(Time, u64)>,
    newest: Option<(Time, u64)>,
}

impl RateEstimator {
    /// So much is there now.
    pub fn note(&mut self, now: Time, bytes: u64) {
        self.newest = Some((now, bytes));
        if self.notes.back().is_none_or(|(last, _)| now - *last >= STEP) {
            self.notes.push_back((now, bytes));
        }
        // One from before the window stays: from it on the window is covered.
        while self.notes.get(1).is_some_and(|(second, _)| now - *second >= WINDOW) {
            self.notes.pop_front();
        }
    }

    /// Bytes a second, lately; 0 if nothing can be said.
    pub fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, bytes))) = (self.notes.front(), self.newest) else { return 0 };
        let micros = (to - *from).as_micros();
        let moved = u128::from(bytes.saturating_sub(*before)) * 1_000_000;
        moved.checked_div(micros).map_or(0, |rate| u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// How long the rest takes at this rate, in milliseconds.
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
        rate.note(Time(0), 1_000);
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
        // A megabyte a second for ten seconds, then nothing but a trickle.
        (1..=100).for_each(|i| rate.note(Time(i * 100_000), 1_000 + i * 100_000));
        assert_eq!(rate.rate(), 1_000_000);
        assert_eq!(rate.left(11_001_000), Some(1_000));
        (101..=200).for_each(|i| rate.note(Time(i * 100_000), 10_001_000 + (i - 100) * 100));
        assert_eq!(rate.rate(), 1_000);
        assert!(rate.notes.len() < 40);
        // What turned out wrong is taken back.
        rate.note(Time(20_100_000), 0);
        assert_eq!((rate.rate(), rate.left(5)), (0, None));
    }
}
