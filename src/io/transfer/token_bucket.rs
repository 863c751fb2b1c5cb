//! How fast this process may send and fetch. All connections of one direction share a [`TokenBucket`]: each takes
//! what it is about to send, or has just received, and waits until that is due. Who takes first is served first, and
//! nobody takes more than a piece at a time, so that connections get equal shares.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::core::token_bucket;
use crate::io::os::cancel::Cancel;

/// The slowest limit there is, in bytes a second: below this, connections would look dead to the other side.
pub const SLOWEST: u64 = 1 << 10;
/// How often a wait looks at the cancel flag.
const TICK: Duration = Duration::from_millis(50);
/// How much may be taken at once after a pause, as time: enough to be exact although threads wake late.
const BURST: Duration = Duration::from_millis(100);
/// How many pieces make up a second: so many times at least each of a few connections moves on.
const PIECES: u64 = 16;
/// The least and the most that is taken at a time, in bytes; at most a TLS record.
const PIECE: std::ops::RangeInclusive<u64> = 64..=16 << 10;

/// What this process may send and fetch, together over all connections to other clients.
#[derive(Debug, Clone, Default)]
pub struct Rates {
    /// The limit for what is sent, if there is one.
    pub up: Option<TokenBucket>,
    /// The limit for what is fetched, if there is one.
    pub down: Option<TokenBucket>,
}

/// A limit that its clones share.
#[derive(Debug, Clone)]
pub struct TokenBucket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    started: Instant,
    rate: u64,
    due: Mutex<Due>,
}

impl TokenBucket {
    /// A limit in bytes a second; [`SLOWEST`] at least.
    pub fn new(rate: u64) -> Self {
        let (started, rate) = (Instant::now(), rate.max(SLOWEST));
        Self(Arc::new(Inner { started, rate, due: Mutex::default() }))
    }

    /// The limit in bytes a second.
    pub fn rate(&self) -> u64 {
        self.0.rate
    }

    /// The most bytes that should be taken at a time.
    pub(super) fn piece(&self) -> usize {
        (self.0.rate / PIECES).clamp(*PIECE.start(), *PIECE.end()) as usize
    }

    /// Waits until so many bytes are due. Says whether they are; otherwise `cancel` was raised meanwhile.
    pub(super) fn take(&self, bytes: usize, cancel: &Cancel) -> bool {
        let now = self.0.started.elapsed();
        let due = self.0.due.lock().unwrap_or_else(PoisonError::into_inner).take(now, bytes as u64, self.0.rate);
        loop {
            if cancel.is_cancelled() {
                return false;
            }
            match due.saturating_sub(self.0.started.elapsed()) {
                Duration::ZERO => return true,
                wait => thread::sleep(wait.min(TICK)),
            }
        }
    }
}

/// When what is taken is due, in time since the start. At the start nothing can be had ahead.
#[derive(Debug)]
struct Due(token_bucket::TokenBucket);

impl Default for Due {
    fn default() -> Self {
        Self(token_bucket::TokenBucket::empty(BURST))
    }
}

impl Due {
    /// Takes so many bytes at a moment, and says when they are due. What was taken before is paid for first; a pause
    /// pays for a [`BURST`] at most.
    fn take(&mut self, now: Duration, bytes: u64, rate: u64) -> Duration {
        let due = self.0.due(BURST);
        self.0.take(now, token_bucket::price(bytes, rate));
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connections that take a piece each whenever theirs is due, for so long: what each had.
    fn played(rate: u64, connections: usize, piece: u64, time: Duration) -> Vec<u64> {
        let mut due = Due::default();
        let mut had = vec![0; connections];
        let mut next: Vec<Duration> = (0..connections).map(|_| due.take(Duration::ZERO, piece, rate)).collect();
        loop {
            let first = (0..connections).min_by_key(|c| next[*c]).unwrap();
            let now = next[first];
            if now > time {
                return had;
            }
            had[first] += piece;
            next[first] = due.take(now, piece, rate);
        }
    }

    #[test]
    fn rates_are_kept_by_one_and_by_many() {
        let time = Duration::from_secs(10);
        for rate in [SLOWEST, 20_000, 500_000, 100_000_000, 10_000_000_000] {
            let piece = TokenBucket::new(rate).piece() as u64;
            for connections in [1, 2, 16] {
                let had = played(rate, connections, piece, time);
                let (all, allowed) = (had.iter().sum::<u64>(), rate * 10);
                // The burst of the start is not part of the rate.
                let most = allowed + rate / 10 + connections as u64 * piece;
                assert!(all >= allowed * 98 / 100 && all <= most, "{rate} over {connections}: {all}");
                let (least, largest) = (had.iter().min().unwrap(), had.iter().max().unwrap());
                assert!(largest - least <= 2 * piece, "{rate} over {connections}: {had:?}");
            }
        }
    }

    #[test]
    fn a_pause_pays_for_a_tenth_of_a_second_and_no_more() {
        let (rate, hour) = (1_000_000, Duration::from_secs(3_600));
        let mut due = Due::default();
        // Everything before is long paid for.
        assert!(due.take(hour, 60_000, rate) <= hour);
        assert!(due.take(hour, 40_000, rate) <= hour);
        assert_eq!(due.take(hour, 10_000, rate), hour);
        assert_eq!(due.take(hour, 1, rate), hour + Duration::from_millis(10));
    }

    #[test]
    fn numbers_out_of_all_proportion_do_no_harm() {
        let mut due = Due::default();
        due.take(Duration::MAX, u64::MAX, 0);
        due.take(Duration::ZERO, u64::MAX, 1);
        assert_eq!(due.take(Duration::ZERO, 1, u64::MAX), Duration::MAX);
        assert_eq!(TokenBucket::new(0).rate(), SLOWEST);
        assert_eq!((TokenBucket::new(0).piece(), TokenBucket::new(u64::MAX).piece()), (64, 16 << 10));
    }

    #[test]
    fn a_raised_cancel_ends_the_wait() {
        let (throttle, cancel) = (TokenBucket::new(SLOWEST), Cancel::default());
        assert!(throttle.take(1 << 40, &cancel));
        // What was taken is due in many years.
        let waiting = thread::spawn({
            let (throttle, cancel) = (throttle.clone(), cancel.clone());
            move || throttle.take(1, &cancel)
        });
        cancel.cancel();
        assert!(!waiting.join().unwrap());
    }
}
