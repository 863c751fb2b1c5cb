//! The threads of one fetch: one for each connection (see `lane`), one that checks what an earlier
//! attempt left (see `claims`), and the caller's, which watches and tells how it goes.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use super::claims::{check_claims, disown_all};
use super::control::Control;
use super::fetch::{FetchJob, FetchNote};
use super::growing::Growing;
use super::lane::{Loss, run_lane};
use super::partial::{Partial, is_only_renamed};
use super::shelf::{Holds, Place, Shelf, Shelved};
use super::sources::{Plan, State};
use super::uploads::PROGRESS_EVERY;
use crate::core::swarm::Swarm;
use crate::io::content::hash::{Fingerprint, Hashed, Manifest};
use crate::io::data::LocalPeer;
use crate::io::os::cancel::Cancel;
use crate::protocol::{ChunkSet, ErrorCode, Failure};

/// Chunks up to this size are verified before they are written; see `mod.rs`.
pub(super) const GATHERED: u64 = 2 << 20;
/// The most connections of one transfer; with more sources, the others wait in reserve.
const MAX_LANES: usize = 8;
/// Below this size, in bytes, a second connection costs more than it gives.
const WORTH_A_LANE: u64 = 4 << 20;
/// How often it is told at most what can be served.
const HAVE_EVERY: Duration = Duration::from_millis(500);
/// After how long a transfer that began with one connection calls in the other sources: it is not as short as it was
/// taken for.
const SPREAD: Duration = Duration::from_millis(500);
/// How long to wait for somebody who has what is missing, while there are others who get more.
const STARVED: Duration = Duration::from_secs(30);
/// After how long that is told: those who get it may have it in a moment.
const STALLED: Duration = Duration::from_secs(2);

/// What the threads of one fetch share.
pub(super) struct Run<'a> {
    pub(super) job: &'a FetchJob,
    pub(super) identity: &'a LocalPeer,
    pub(super) notify: &'a (dyn Fn(FetchNote) + Send + Sync),
    shelf: &'a Shelf,
    pub(super) partial: Partial,
    /// Where the partial file is.
    pub(super) hidden: PathBuf,
    /// What is in it, for whoever fetches from us.
    pub(super) growing: Arc<Growing>,
    /// Its place on the shelf, since the manifest is known.
    shelved: OnceLock<Arc<Shelved>>,
    /// Raised when the lanes have no more to do, for better or worse.
    pub(super) stop: Cancel,
    state: Mutex<State>,
    changed: Condvar,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        job: &'a FetchJob,
        wanted: Option<ChunkSet>,
        identity: &'a LocalPeer,
        shelf: &'a Shelf,
        notify: &'a (dyn Fn(FetchNote) + Send + Sync),
        (partial, hidden): (Partial, PathBuf),
        claimed: &[u32],
    ) -> Self {
        let chunking = job.chunking;
        let mut swarm = Swarm::new(chunking.count(), wanted, chunking.chunk_size() <= GATHERED, job.seed);
        claimed.iter().for_each(|c| swarm.claim(*c));
        let length = |c: &u32| chunking.range(*c).end - chunking.range(*c).start;
        let known = partial.fingerprint().ok().and_then(|fingerprint| shelf.resume(&job.hash, fingerprint));
        let known = known.filter(|known| known.hashed.chunking == chunking);
        let have = match known.as_ref().map(|known| &known.holds) {
            Some(Holds::All) => ChunkSet::all(chunking.count()),
            Some(Holds::Some(have)) => have.clone(),
            Some(Holds::Growing(_)) | None => ChunkSet::default(),
        };
        let manifest = known.map(|known| known.hashed.manifest.clone());
        let manifest = manifest.or_else(|| (chunking.count() == 1).then(|| [job.hash.0].into()));
        let mut state = State::new(swarm, Plan::Unknown, claimed.iter().map(length).sum());
        for source in &job.sources {
            state.learn(source.clone());
        }
        let growing = Arc::new(Growing::new(partial.file().clone(), chunking.count(), &have));
        let (stop, state, changed, shelved) = (Cancel::default(), Mutex::new(state), Condvar::new(), OnceLock::new());
        let run = Self { job, identity, notify, shelf, partial, hidden, growing, shelved, stop, state, changed };
        manifest.into_iter().for_each(|manifest| run.plan_known(&manifest));
        run
    }

    /// The manifest is known: from now on what is verified can be served.
    pub(super) fn plan_known(&self, manifest: &Manifest) {
        if self.job.share
            && let Ok(fingerprint) = self.partial.fingerprint()
        {
            let (hash, chunking) = (self.job.hash, self.job.chunking);
            let hashed = Hashed { hash, chunking, manifest: manifest.clone(), fingerprint };
            let (name, place) = (self.job.file.clone().into(), Place::At(self.hidden.clone().into()));
            let shelved = Arc::new(Shelved { name, place, hashed, holds: Holds::Growing(self.growing.clone()) });
            if self.shelved.set(shelved.clone()).is_ok() {
                self.shelf.begin(shelved);
            }
        }
        let mut state = self.lock();
        state.plan = Plan::Known(manifest.clone());
        let complete = state.is_complete();
        drop(state);
        // An empty file is complete as soon as that is known.
        if complete {
            self.end();
        }
        self.wake();
    }

    /// Runs all threads to their end.
    pub(super) fn all(&self, check: bool, control: &Control) -> Result<(), Failure> {
        thread::scope(|scope| {
            for source in self.first_lanes() {
                self.start_lane(scope, source);
            }
            let named = thread::Builder::new().name("data-check".into());
            if check && named.spawn_scoped(scope, || check_claims(self)).is_err() {
                // Whatever is not checked is fetched.
                disown_all(self);
            }
            self.watch(scope, control);
        });
        let mut state = self.lock();
        let fresh = std::mem::take(&mut state.fresh);
        let result = match state.failure.take() {
            _ if state.is_complete() => Ok(()),
            Some(failure) => Err(failure),
            None => Err(ErrorCode::PeerBroke.into()),
        };
        drop(state);
        if !fresh.is_empty() {
            (self.notify)(FetchNote::Have(fresh));
        }
        result
    }

    /// The sources of the lanes with which it begins: two lanes for one source, one for each of several, and only one
    /// where more are not worth it.
    fn first_lanes(&self) -> Vec<u32> {
        let mut state = self.lock();
        let sources = state.sources.len();
        let lanes = if self.job.chunking.size() <= WORTH_A_LANE { 1 } else { sources.min(MAX_LANES) };
        let mut first: Vec<u32> = (0..lanes).map_while(|_| state.call_in()).collect();
        if sources == 1 && self.job.chunking.size() > WORTH_A_LANE {
            state.sources[0].lanes += 1;
            first.push(0);
        }
        // All of them at once: none of them is the last while others have not begun.
        state.lanes = first.len();
        first
    }

    fn start_lane<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, source: u32) {
        let named = thread::Builder::new().name("data-fetch".into());
        if let Err(e) = named.spawn_scoped(scope, move || run_lane(self, source)) {
            self.fail(Failure::internal(format!("no thread can be had: {e}")));
            self.lane_ended();
        }
    }

    /// Takes in what is told meanwhile, and tells the progress, until the end has come.
    fn watch<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, control: &Control) {
        let (mut told, mut bytes) = (Instant::now(), self.lock().present);
        let (mut had, mut starved, mut stalled) = (Instant::now(), None::<Instant>, false);
        let mut spread = Some(Instant::now() + SPREAD);
        loop {
            self.learn(scope, control);
            if spread.take_if(|at| *at <= Instant::now()).is_some() {
                self.spread(scope);
            }
            let mut state = self.lock();
            if self.stop.is_cancelled() {
                return;
            }
            if control.is_cancelled() {
                drop(state);
                return self.fail(ErrorCode::Interrupted.into());
            }
            if state.is_over() {
                drop(state);
                return self.end();
            }
            if !state.swarm.is_starved() {
                (starved, stalled) = (None, false);
            } else {
                let since = starved.get_or_insert_with(Instant::now).elapsed();
                if since >= STARVED {
                    drop(state);
                    return self
                        .fail(Failure::new(ErrorCode::SourceGone, "Nobody who is there has the rest of the file."));
                }
                // Where nobody is left at all, it is about to end.
                if since >= STALLED && !stalled && state.sources.iter().any(|source| source.lanes > 0) {
                    stalled = true;
                    drop(state);
                    (self.notify)(FetchNote::Stalled(STARVED - STALLED));
                    continue;
                }
            }
            if !state.fresh.is_empty() && had.elapsed() >= HAVE_EVERY {
                had = Instant::now();
                let fresh = std::mem::take(&mut state.fresh);
                drop(state);
                (self.notify)(FetchNote::Have(fresh));
            } else if state.present != bytes && told.elapsed() >= PROGRESS_EVERY {
                (told, bytes) = (Instant::now(), state.present);
                drop(state);
                (self.notify)(FetchNote::Progress { bytes });
            } else {
                drop(self.wait(state));
            }
        }
    }

    /// Fetches from all sources for which there is a connection.
    fn spread<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>) {
        let mut started = Vec::new();
        let mut state = self.lock();
        while state.lanes < MAX_LANES
            && let Some(called) = state.call_in()
        {
            state.lanes += 1;
            started.push(called);
        }
        drop(state);
        started.into_iter().for_each(|source| self.start_lane(scope, source));
    }

    /// Takes in new sources, those that are back, and what known ones have got.
    fn learn<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, control: &Control) {
        let updates = control.take_updates();
        if updates.is_empty() {
            return;
        }
        let mut started = Vec::new();
        let mut state = self.lock();
        for source in updates {
            if state.learn(source)
                && state.lanes < MAX_LANES
                && let Some(called) = state.call_in()
            {
                state.lanes += 1;
                started.push(called);
            }
        }
        drop(state);
        started.into_iter().for_each(|source| self.start_lane(scope, source));
        self.wake();
    }

    /// A chunk was verified and is in the file, from a source or from an earlier attempt: counts
    /// it, unless another lane was faster.
    pub(super) fn chunk_done(&self, chunk: u32, source: Option<u32>) {
        let range = self.job.chunking.range(chunk);
        // Before anybody is told that it is there.
        self.growing.insert(chunk);
        let mut state = self.lock();
        if !state.swarm.done(chunk) {
            return;
        }
        if self.job.share {
            state.fresh.insert(chunk);
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
            Loss::Swapped(other) => return Some(other),
            _ if self.stop.is_cancelled() => return None,
            Loss::Fatal(failure) => {
                self.fail(failure);
                return None;
            }
            // Another lane found out that the source lies.
            Loss::Stopped => (None, false),
            Loss::Lied(failure) => (Some(failure), true),
            Loss::Broke(failure) => (Some(failure), false),
        };
        let mut guard = self.lock();
        let state = &mut *guard;
        let lost = &mut state.sources[source as usize];
        lost.lanes -= 1;
        lost.lied |= lied;
        let ends = !lost.dropped && (lied || lost.lanes == 0);
        let drops = failure.filter(|_| ends && (lied || !state.goes_on_elsewhere(source)));
        let lost = &mut state.sources[source as usize];
        if let Some(failure) = &drops {
            lost.dropped = true;
            lost.stop.cancel();
            state.failure = Some(failure.clone());
        }
        if lost.dropped && lost.lanes == 0 {
            // Not before: until it ends, each lane may still write what it was given.
            state.swarm.drop_source(source);
        }
        let name = lost.source.name.clone();
        let next = state.call_in();
        drop(guard);
        self.changed.notify_all();
        if let Some(failure) = drops {
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
        held.sources.iter().for_each(|source| source.stop.cancel());
        drop(held);
        self.changed.notify_all();
    }

    /// The fetch is over, and its file here or still hidden: what there is of it can be served as long as it stays
    /// what it is now.
    pub(super) fn settle(&self, placed: Option<(&PathBuf, Fingerprint)>) {
        let have = self.growing.all(self.job.chunking);
        // Whoever has changed it since it got its name must not have that served in our name.
        let is_ours = |now: &Fingerprint| placed.is_none_or(|(_, finished)| is_only_renamed(finished, *now));
        let fingerprint = self.partial.fingerprint().ok().filter(|now| !have.is_empty() && is_ours(now));
        self.growing.end(fingerprint);
        let Some(growing) = self.shelved.get() else { return };
        let settled = fingerprint.map(|fingerprint| Shelved {
            name: growing.name.clone(),
            place: Place::At(placed.map_or(&self.hidden, |(path, _)| path).as_path().into()),
            hashed: Hashed { fingerprint, ..growing.hashed.clone() },
            holds: if have.len() == self.job.chunking.count() { Holds::All } else { Holds::Some(have) },
        });
        self.shelf.settle(growing, settled);
    }

    /// The bytes that came from each source, those without any left out.
    pub(super) fn shares(&self) -> Vec<(String, u64)> {
        let state = self.lock();
        let gave = state.sources.iter().filter(|source| source.bytes > 0);
        gave.map(|source| (source.source.name.clone(), source.bytes)).collect()
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
