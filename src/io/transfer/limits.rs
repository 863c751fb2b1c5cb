//! How one connection keeps to a [`TokenBucket`], and what it does so that the other side does not take its slowness for
//! silence.

use std::time::{Duration, Instant};

use super::socket::Broken;
use super::token_bucket::TokenBucket;
use crate::io::os::cancel::Cancel;

/// One connection's share of the limits; without any this costs nothing.
#[derive(Default)]
pub(super) struct ConnectionLimits {
    /// For what is sent.
    pub(super) up: Option<TokenBucket>,
    /// For what is received.
    down: Option<TokenBucket>,
    /// The bytes that were received and not paid for yet.
    owed: usize,
    /// How long all payments took: the other side is not to blame for that.
    pub(super) waited: Duration,
    keep_alive: Option<KeepAlive>,
}

/// What is said now and then while much is still to come.
struct KeepAlive {
    words: Vec<u8>,
    every: Duration,
    said: Instant,
}

impl ConnectionLimits {
    /// Receives no faster than this from now on, and says `words` as often as that meanwhile: what was asked for a
    /// while ago may still be on its way, and the other side waits only so long to be asked again.
    pub(super) fn receive_at(&mut self, down: TokenBucket, words: Vec<u8>, every: Duration) {
        self.down = Some(down);
        self.keep_alive = Some(KeepAlive { words, every, said: Instant::now() });
    }

    /// How much of `room` should be received at once.
    pub(super) fn portion(&self, room: usize) -> usize {
        self.down.as_ref().map_or(room, |down| room.min(down.piece()))
    }

    pub(super) fn received(&mut self, bytes: usize) {
        if self.down.is_some() {
            self.owed += bytes;
        }
    }

    /// Waits until what was received is due.
    pub(super) fn pay(&mut self, cancel: &Cancel) -> Result<(), Broken> {
        let Some(down) = self.down.as_ref().filter(|_| self.owed > 0) else { return Ok(()) };
        let started = Instant::now();
        let paid = down.take(std::mem::take(&mut self.owed), cancel);
        self.waited += started.elapsed();
        if paid { Ok(()) } else { Err(Broken::Cancelled) }
    }

    /// What should be said now, if anything.
    pub(super) fn words(&mut self) -> Option<Vec<u8>> {
        let keep = self.keep_alive.as_mut().filter(|keep| keep.said.elapsed() >= keep.every)?;
        keep.said = Instant::now();
        Some(keep.words.clone())
    }
}
