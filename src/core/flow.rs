//! Whether somebody sends, or takes, so little that they only hold a place: a byte now and then is not silence, and
//! would never meet a deadline for it.

use std::time::Duration;

use super::time::Time;

/// Over this time it is looked whether enough comes.
pub const TRIAL: Duration = Duration::from_secs(10);
/// Who moves fewer bytes in a trial is slow: as much as the slowest limit that a user can set.
pub const LEAST: u64 = 10 << 10;
/// Who moves not even this part of it only drips: several connections may share that limit.
const DRIP: u64 = 10;
/// After so many trials in a row in which it only dripped, nothing is hoped for any more.
const HOPELESS: u32 = 6;

/// How it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Enough comes, or it is too early to tell.
    Well,
    /// Too little came of late: whoever else can do the same should be asked.
    Slow,
    /// Next to nothing has come for a minute.
    Hopeless,
}

/// What moves over one connection while something is wanted of it.
#[derive(Debug, Clone)]
pub struct Flow {
    since: Time,
    moved: u64,
    slow: bool,
    drips: u32,
    /// What a trial must move, and how long it is.
    least: u64,
    trial: Duration,
}

impl Flow {
    /// A connection of which something is wanted from now on; `least` bytes in each trial are enough. With 0 it is
    /// never slow.
    pub fn new(now: Time, least: u64, trial: Duration) -> Self {
        Self { since: now, moved: 0, slow: false, drips: 0, least, trial }
    }

    /// So many bytes have moved.
    pub fn moved(&mut self, now: Time, bytes: u64) -> Verdict {
        self.moved = self.moved.saturating_add(bytes);
        let trials = u32::try_from((now - self.since).as_micros() / self.trial.as_micros().max(1)).unwrap_or(u32::MAX);
        if trials > 0 {
            // A pause that ends with much is a pause.
            self.slow = self.moved < self.least;
            self.drips = if self.moved < self.least / DRIP { self.drips.saturating_add(trials) } else { 0 };
            (self.since, self.moved) = (now, 0);
        }
        self.verdict()
    }

    /// How it has gone so far.
    pub fn verdict(&self) -> Verdict {
        match (self.slow, self.drips) {
            (_, HOPELESS..) => Verdict::Hopeless,
            (true, _) => Verdict::Slow,
            (false, _) => Verdict::Well,
        }
    }

    /// Nothing is wanted: it says nothing that nothing comes.
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

    /// What is found within two minutes of who moves a piece at a time, so many seconds after each other.
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
        // A pause that ends with much is a pause.
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
