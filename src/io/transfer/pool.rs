//! Connections that were hard to make and have nothing to do now: the next lane to the same source takes one of them.
//!
//! A folder of many large files opens a lane for each file, and a connection through routers or the hub costs a meeting.
//! So a lane that ends in peace gives its connection back, unless it goes straight to the source's address: that is dialled
//! again as soon.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::stream::ClientStream;
use crate::core::fetch::Input;
use crate::protocol::{PublicKey, Route};

/// How long a connection is kept that nobody takes. The source ends it after 30 s.
const IDLE: Duration = Duration::from_secs(15);
/// The most connections that are kept, and the most to one source.
const MOST: usize = 32;
const MOST_EACH: usize = 8;
/// How often one connection is used within [`USES_EVERY`]: the source allows 64 transfers over one.
const USES: u32 = 48;
const USES_EVERY: Duration = Duration::from_secs(10);

/// A connection to a source, which has proved its key, the way that it takes, and how often it was used of late.
pub(super) struct Reached {
    pub(super) stream: ClientStream,
    pub(super) route: Route,
    uses: (Instant, u32),
}

impl Reached {
    /// One that has just been made.
    pub(super) fn new(stream: ClientStream, route: Route) -> Self {
        Self { stream, route, uses: (Instant::now(), 0) }
    }

    /// Whether the other side has neither ended the connection nor said anything that nobody asked for.
    fn is_quiet(&self) -> bool {
        self.stream.socket().peek(&mut [0]).is_err_and(|e| e.kind() == ErrorKind::WouldBlock)
    }
}

/// The connections of all transfers that are kept for the next lanes.
#[derive(Default)]
pub(super) struct Pool(Mutex<BTreeMap<PublicKey, Vec<(Instant, Reached)>>>);

impl Pool {
    /// Keeps a connection, over which nothing is outstanding. Gives it back if it is not worth keeping, or there is no
    /// room for it: then it is to be ended.
    pub(super) fn give(&self, key: PublicKey, mut reached: Reached) -> Option<Reached> {
        if reached.uses.0.elapsed() >= USES_EVERY {
            reached.uses = (Instant::now(), 0);
        }
        reached.uses.1 += 1;
        let mut kept = self.kept();
        forget(&mut kept, |_, _| true);
        let room = kept.values().map(Vec::len).sum::<usize>() < MOST;
        let of_key = kept.get(&key).map_or(0, Vec::len);
        if reached.route == Route::Direct || reached.uses.1 >= USES || !room || of_key >= MOST_EACH {
            return Some(reached);
        }
        kept.entry(key).or_default().push((Instant::now(), reached));
        None
    }

    /// Keeps a connection that is better than those in use, for the lane that is about to take it, and forgets worse ones.
    pub(super) fn keep_better(&self, key: PublicKey, reached: Reached) {
        let mut kept = self.kept();
        forget(&mut kept, |of, worse| *of != key || worse.route <= reached.route);
        kept.entry(key).or_default().push((Instant::now(), reached));
    }

    /// A connection to the holder of this key that still stands: the newest of those that take the best way.
    pub(super) fn take(&self, key: &PublicKey) -> Option<Reached> {
        let mut kept = self.kept();
        forget(&mut kept, |_, _| true);
        let of_key = kept.get_mut(key)?;
        while let Some(best) = of_key.iter().map(|(_, reached)| reached.route).min() {
            let newest = of_key.iter().rposition(|(_, reached)| reached.route == best)?;
            let (_, reached) = of_key.remove(newest);
            if reached.is_quiet() {
                return Some(reached);
            }
        }
        None
    }

    /// Forgets all connections to the holder of this key.
    pub(super) fn forget(&self, key: &PublicKey) {
        self.kept().remove(key);
    }

    /// Forgets connections that may be lost by this news: of a source that is elsewhere, or all.
    pub(super) fn heed(&self, news: &Input) {
        if let Input::Whereabouts(key, _) = news {
            self.forget(key);
        } else if let Input::NetworkChanged = news {
            self.kept().clear();
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Vec<(Instant, Reached)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets those that have been kept for too long, and those for which this does not say to keep them.
fn forget(kept: &mut BTreeMap<PublicKey, Vec<(Instant, Reached)>>, keeps: impl Fn(&PublicKey, &Reached) -> bool) {
    kept.retain(|key, of_key| {
        of_key.retain(|(since, reached)| since.elapsed() < IDLE && keeps(key, reached));
        !of_key.is_empty()
    });
}
