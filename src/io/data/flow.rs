//! How fast a source sends: to know how much to ask for ahead, and whether to ask another one.

use std::time::{Duration, Instant};

use super::local_peer::LocalPeer;
use super::socket::Broken;
use crate::core::Time;
use crate::core::flow::{Flow, LEAST, Verdict};

/// How long a source's speed is measured at a time.
const PACE: Duration = Duration::from_secs(1);
/// What a source is taken to send in a second until that is known, in bytes.
const FIRST_RATE: u64 = 4 << 20;

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

/// A [`Flow`] by the clock.
pub(super) struct Flowing {
    started: Instant,
    flow: Flow,
}

impl Flowing {
    /// What comes from a source to this process; if we are to receive slowly ourselves, nobody is to
    /// blame.
    pub(super) fn from_source(to: &LocalPeer) -> Self {
        let least = if to.rates.down.is_some() { 0 } else { LEAST };
        Self { started: Instant::now(), flow: Flow::new(Time(0), least, to.trial) }
    }

    /// So many bytes have come.
    pub(super) fn moved(&mut self, bytes: usize) -> Result<(), Broken> {
        match self.flow.moved(self.now(), bytes as u64) {
            Verdict::Well | Verdict::Slow => Ok(()),
            Verdict::Hopeless => Err(Broken::Drips),
        }
    }

    /// Whether others should be asked.
    pub(super) fn is_slow(&self) -> bool {
        self.flow.verdict() > Verdict::Well
    }

    /// Nothing is asked for.
    pub(super) fn rest(&mut self) {
        let now = self.now();
        self.flow.rest(now);
    }

    fn now(&self) -> Time {
        Time(self.started.elapsed().as_micros() as u64)
    }
}
