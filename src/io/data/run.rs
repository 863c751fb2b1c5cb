//! The threads of one fetch: one for each connection (see `lane`), one that checks what an earlier
//! attempt left (see `claims`), and the caller's, which watches and tells how it goes.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::claims::{check_claims, disown_all};
use super::fetch::{FetchJob, FetchNote};
use super::lane::{Loss, run_lane};
use super::partial::Partial;
use super::uploads::PROGRESS_EVERY;
use crate::core::swarm::Swarm;
use crate::io::cancel::Cancel;
use crate::io::hash::Manifest;
use crate::io::identity::Identity;
use crate::protocol::{ErrorCode, Failure};

/// Chunks up to this size are verified before they are written; see `mod.rs`.
pub(super) const GATHERED: u64 = 2 << 20;
/// The most connections of one transfer; with more sources, the others wait in reserve.
const MAX_LANES: usize = 8;
/// Below this size, in bytes, a second connection costs more than it gives.
const WORTH_A_LANE: u64 = 4 << 20;

/// What the threads of one fetch share.
pub(super) struct Run<'a> {
    pub(super) job: &'a FetchJob,
    pub(super) identity: &'a Identity,
    pub(super) notify: &'a (dyn Fn(FetchNote) + Send + Sync),
    pub(super) partial: Partial,
    /// Raised when the lanes have no more to do, for better or worse.
    pub(super) stop: Cancel,
    state: Mutex<State>,
    changed: Condvar,
}

/// Held for moments only, never over I/O.
pub(super) struct State {
    pub(super) swarm: Swarm,
    pub(super) plan: Plan,
    pub(super) sources: Vec<SourceState>,
    reserve: VecDeque<u32>,
    lanes: usize,
    /// The bytes of the chunks that are there or said to be.
    pub(super) present: u64,
    /// Why the whole fails, if it does.
    failure: Option<Failure>,
}

/// What is known of the manifest.
pub(super) enum Plan {
    Unknown,
    /// One lane is asking.
    Asked,
    Known(Manifest),
}

#[derive(Default)]
pub(super) struct SourceState {
    pub(super) bytes: u64,
    pub(super) connected: bool,
    pub(super) dropped: bool,
    lanes: u32,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        job: &'a FetchJob,
        identity: &'a Identity,
        notify: &'a (dyn Fn(FetchNote) + Send + Sync),
        partial: Partial,
        claimed: &[u32],
    ) -> Self {
        let chunking = job.chunking;
        let mut swarm = Swarm::new(chunking.count(), chunking.chunk_size() <= GATHERED);
        claimed.iter().for_each(|c| swarm.claim(*c));
        let length = |c: &u32| chunking.range(*c).end - chunking.range(*c).start;
        let state = State {
            swarm,
            plan: if chunking.count() == 1 { Plan::Known([job.hash.0].into()) } else { Plan::Unknown },
            sources: job.sources.iter().map(|_| SourceState::default()).collect(),
            reserve: VecDeque::new(),
            lanes: 0,
            present: claimed.iter().map(length).sum(),
            failure: None,
        };
        let (stop, state, changed) = (Cancel::default(), Mutex::new(state), Condvar::new());
        Self { job, identity, notify, partial, stop, state, changed }
    }

    /// Runs all threads to their end.
    pub(super) fn all(&self, check: bool, cancel: &Cancel) -> Result<(), Failure> {
        let sources = self.job.sources.len();
        let lanes = match sources {
            _ if self.job.chunking.size() <= WORTH_A_LANE => 1,
            1 => 2,
            more => more.min(MAX_LANES),
        };
        thread::scope(|scope| {
            {
                let mut state = self.lock();
                state.reserve = (lanes.min(sources)..sources).map(|s| s as u32).collect();
                state.lanes = lanes;
                (0..lanes).for_each(|lane| state.sources[lane % sources].lanes += 1);
            }
            for lane in 0..lanes {
                let source = (lane % sources) as u32;
                let named = thread::Builder::new().name("data-fetch".into());
                if let Err(e) = named.spawn_scoped(scope, move || run_lane(self, source)) {
                    self.fail(Failure::new(ErrorCode::Internal, format!("No thread can be had: {e}.")));
                    self.lane_ended();
                }
            }
            let named = thread::Builder::new().name("data-check".into());
            if check && named.spawn_scoped(scope, || check_claims(self)).is_err() {
                // Whatever is not checked is fetched.
                disown_all(self);
            }
            self.watch(cancel);
        });
        let mut state = self.lock();
        match state.failure.take() {
            _ if state.is_complete() => Ok(()),
            Some(failure) => Err(failure),
            None => Err(ErrorCode::PeerBroke.into()),
        }
    }

    /// Tells the progress until the end has come.
    fn watch(&self, cancel: &Cancel) {
        let (mut told, mut bytes) = (Instant::now(), self.lock().present);
        loop {
            let state = self.lock();
            if self.stop.is_cancelled() {
                return;
            }
            if cancel.is_cancelled() {
                drop(state);
                return self.fail(ErrorCode::Interrupted.into());
            }
            if state.is_over() {
                drop(state);
                return self.end();
            }
            if state.present != bytes && told.elapsed() >= PROGRESS_EVERY {
                (told, bytes) = (Instant::now(), state.present);
                drop(state);
                (self.notify)(FetchNote::Progress { bytes });
            } else {
                drop(self.wait(state));
            }
        }
    }

    /// A chunk was verified and is in the file, from a source or from an earlier attempt: counts
    /// it, unless another lane was faster.
    pub(super) fn chunk_done(&self, chunk: u32, source: Option<u32>) {
        let range = self.job.chunking.range(chunk);
        let mut state = self.lock();
        if !state.swarm.done(chunk) {
            return;
        }
        if let Some(source) = source {
            state.present += range.end - range.start;
            state.sources[source as usize].bytes += range.end - range.start;
        }
        if state.is_complete() {
            drop(state);
            self.end();
        }
    }

    /// A lane's connection is lost. Returns the source with which it goes on, if there is one.
    pub(super) fn lost(&self, source: u32, loss: Loss) -> Option<u32> {
        let (failure, lied) = match loss {
            _ if self.stop.is_cancelled() => return None,
            Loss::Stopped => return None,
            Loss::Fatal(failure) => {
                self.fail(failure);
                return None;
            }
            Loss::Lied(failure) => (failure, true),
            Loss::Broke(failure) => (failure, false),
        };
        let mut guard = self.lock();
        let state = &mut *guard;
        let lost = &mut state.sources[source as usize];
        lost.lanes -= 1;
        let drops = !lost.dropped && (lied || lost.lanes == 0);
        if drops {
            lost.dropped = true;
            state.failure = Some(failure.clone());
        }
        let next = state.reserve.pop_front();
        if let Some(next) = next {
            state.sources[next as usize].lanes += 1;
        }
        drop(guard);
        self.changed.notify_all();
        if drops {
            let name = self.job.sources[source as usize].name.clone();
            (self.notify)(FetchNote::SourceDropped { name, failure });
        }
        next
    }

    pub(super) fn lane_ended(&self) {
        self.lock().lanes -= 1;
        self.changed.notify_all();
    }

    /// The whole fails, whatever the sources do.
    fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if !self.stop.is_cancelled() {
            state.failure = Some(failure);
        }
        drop(state);
        self.end();
    }

    /// Lets all threads come to their end.
    pub(super) fn end(&self) {
        // Under the lock, so that whoever looks at the flag and then waits does not miss it.
        let held = self.lock();
        self.stop.cancel();
        drop(held);
        self.changed.notify_all();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, or a tenth of a second.
    pub(super) fn wait<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed.wait_timeout(state, PROGRESS_EVERY).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn wake(&self) {
        self.changed.notify_all();
    }
}

impl State {
    pub(super) fn is_complete(&self) -> bool {
        self.swarm.is_complete() && matches!(self.plan, Plan::Known(_))
    }

    /// Complete, or without hope of it: no connection left, and something to fetch.
    fn is_over(&self) -> bool {
        let only_checking = matches!(self.plan, Plan::Known(_)) && !self.swarm.is_wanting();
        self.is_complete() || (self.lanes == 0 && !only_checking)
    }
}
