//! How fast a source sends: to know how much to ask for ahead, and whether to ask another one.

use std::time::{Duration, Instant};

/// How long a source's speed is measured at a time.
const PACE: Duration = Duration::from_secs(1);
/// What a source is taken to send in a second until that is known, in bytes.
const FIRST_RATE: u64 = 4 << 20;
/// Who sends less than [`LEAST`] bytes in this time is too slow, if others have the same.
const TRIAL: Duration = Duration::from_secs(10);
const LEAST: u64 = 10 << 10;

/// What comes over a connection in a second.
pub(super) struct Speed {
    got: u64,
    since: Instant,
    last: u64,
}

impl Speed {
    pub(super) fn new(now: Instant) -> Self {
        Self { got: 0, since: now, last: FIRST_RATE }
    }

    pub(super) fn got(&mut self, bytes: u64) {
        self.got += bytes;
    }

    /// In bytes a second.
    pub(super) fn rate(&mut self) -> u64 {
        let elapsed = self.since.elapsed();
        let rate = (self.got as f64 / elapsed.as_secs_f64().max(0.01)) as u64;
        if elapsed < PACE {
            return rate.max(self.last);
        }
        *self = Self { got: 0, since: Instant::now(), last: rate };
        rate
    }

    /// Nothing was asked for, so that it says nothing that nothing came.
    pub(super) fn rest(&mut self) {
        (self.got, self.since) = (0, Instant::now());
    }
}

/// Whether a source sends only so much that it is not taken for silent.
pub(super) struct Flow {
    got: u64,
    since: Instant,
    /// Whether we are to receive slowly: then nobody is to blame.
    limited: bool,
}

impl Flow {
    pub(super) fn new(now: Instant, limited: bool) -> Self {
        Self { got: 0, since: now, limited }
    }

    /// So many bytes have come. Says whether it was too little, over the last time that is long enough to tell.
    pub(super) fn is_slow(&mut self, now: Instant, bytes: usize) -> bool {
        self.got += bytes as u64;
        if now.duration_since(self.since) < TRIAL {
            return false;
        }
        let slow = self.got < LEAST && !self.limited;
        self.rest(now);
        slow
    }

    /// Nothing was asked for: it begins anew.
    pub(super) fn rest(&mut self, now: Instant) {
        (self.got, self.since) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a source is too slow that sends a piece at a time, so many seconds after each other.
    fn verdicts(mut flow: Flow, started: Instant, seconds: u64, piece: usize) -> usize {
        let times = (1..=60 / seconds).map(|n| started + Duration::from_secs(n * seconds));
        times.filter(|now| flow.is_slow(*now, piece)).count()
    }

    #[test]
    fn who_sends_a_byte_now_and_then_is_slow() {
        let now = Instant::now();
        assert_eq!(verdicts(Flow::new(now, false), now, 9, 1), 3);
        assert_eq!(verdicts(Flow::new(now, false), now, 1, 1_000), 6);
        assert_eq!(verdicts(Flow::new(now, false), now, 1, 2_000), 0);
        // A pause that ends with much is a pause.
        assert_eq!(verdicts(Flow::new(now, false), now, 20, 256 << 10), 0);
        assert_eq!(verdicts(Flow::new(now, true), now, 9, 1), 0, "we are slow ourselves");
    }

    #[test]
    fn what_nobody_asked_for_is_not_missed() {
        let now = Instant::now();
        let mut flow = Flow::new(now, false);
        flow.rest(now + Duration::from_secs(100));
        assert!(!flow.is_slow(now + Duration::from_secs(101), 1));
    }
}
