//! Detects peers that move so few bytes that they only occupy a place. A byte now and then resets every deadline for
//! silence, so the bytes in a period are counted.
//!
//! The fetch machine judges its lanes by it, and the server of files its connections ([`slots`](super::slots)). They
//! report the bytes that have moved, with the time, and get a [`Verdict`].

use std::time::Duration;

use super::time::Time;

/// The length of a period.
pub const TRIAL: Duration = Duration::from_secs(10);
/// The bytes in a period below which a peer counts as slow: the slowest rate limit that a user can set.
pub const LEAST: u64 = 10 << 10;
/// A peer that moves less than this fraction of the limit moves next to nothing. Several connections may share one rate
/// limit, so slow is not the same.
const DRIP: u64 = 10;
/// The periods of next to nothing, in a row, after which the connection is given up.
const HOPELESS: u32 = 6;

/// The judgement of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is fast enough, or it is too early to tell.
    Well,
    /// The last period was too slow: other sources should be asked as well.
    Slow,
    /// Next to nothing has moved for a minute.
    Hopeless,
}

/// The bytes of a connection while something is expected of it.
#[derive(Debug, Clone)]
pub struct Flow {
    since: Time,
    moved: u64,
    slow: bool,
    drips: u32,
    /// The bytes that a period must move, and its length.
    least: u64,
    trial: Duration,
}

impl Flow {
    /// A connection of which something is expected from now on. `least` bytes in each period of length `trial` are
    /// enough; with 0 it is never slow.
    pub fn new(now: Time, least: u64, trial: Duration) -> Self {
        Self { since: now, moved: 0, slow: false, drips: 0, least, trial }
    }

    /// Counts bytes that have moved.
    pub fn moved(&mut self, now: Time, bytes: u64) -> Verdict {
        self.moved = self.moved.saturating_add(bytes);
        let trials = u32::try_from((now - self.since).as_micros() / self.trial.as_micros().max(1)).unwrap_or(u32::MAX);
        if trials > 0 {
            // A long pause before much data is no slowness.
            self.slow = self.moved < self.least;
            self.drips = if self.moved < self.least / DRIP { self.drips.saturating_add(trials) } else { 0 };
            (self.since, self.moved) = (now, 0);
        }
        self.verdict()
    }

    /// The judgement so far.
    pub fn verdict(&self) -> Verdict {
        match (self.slow, self.drips) {
            (_, HOPELESS..) => Verdict::Hopeless,
            (true, _) => Verdict::Slow,
            (false, _) => Verdict::Well,
        }
    }

    /// Nothing is expected any more, so silence does not count.
    pub fn rest(&mut self, now: Time) {
        *self = Self::new(now, self.least, self.trial);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000)
    }

    /// The verdicts within two minutes for a peer that moves `piece` bytes every `seconds` seconds.
    fn verdicts(least: u64, seconds: u64, piece: u64) -> Vec<Verdict> {
        let mut flow = Flow::new(at(0), least, TRIAL);
        let mut found: Vec<Verdict> = (1..=120 / seconds).map(|n| flow.moved(at(n * seconds), piece)).collect();
        found.dedup();
        found
    }

    #[test]
    fn who_moves_a_byte_now_and_then_is_slow_and_then_given_up() {
        use Verdict::{Hopeless, Slow, Well};
        assert_eq!(verdicts(LEAST, 5, 1), [Well, Slow, Hopeless]);
        assert_eq!(verdicts(LEAST, 9, 1), [Well, Slow, Hopeless]);
        assert_eq!(verdicts(LEAST, 1, 100), [Well, Slow, Hopeless]);
        assert_eq!(verdicts(LEAST, 1, 200), [Well, Slow], "others are asked, but it goes on");
        assert_eq!(verdicts(LEAST, 1, 2_000), [Well]);
        // A long pause before much data is no slowness.
        assert_eq!(verdicts(LEAST, 40, 256 << 10), [Well]);
        assert_eq!(verdicts(0, 9, 0), [Well], "we are slow ourselves");
    }

    #[test]
    fn a_slow_while_is_forgiven() {
        let mut flow = Flow::new(at(0), LEAST, TRIAL);
        assert_eq!(flow.moved(at(40), 1), Verdict::Slow);
        assert_eq!(flow.moved(at(51), LEAST), Verdict::Well);
        assert_eq!(flow.moved(at(92), 1), Verdict::Slow);
    }

    #[test]
    fn what_nobody_wants_is_not_missed() {
        let mut flow = Flow::new(at(0), LEAST, TRIAL);
        flow.rest(at(100));
        assert_eq!(flow.moved(at(101), 1), Verdict::Well);
        assert_eq!(flow.moved(at(111), 1), Verdict::Slow);
        flow.rest(at(112));
        assert_eq!(flow.verdict(), Verdict::Well);
    }
}
