//! Getting one content: a thread for each connection (see `lane`), one that checks what an earlier
//! run left, and the caller's, which watches and tells how it goes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::lane::{Loss, run_lane};
use super::partial::Partial;
use super::target::Target;
use super::uploads::PROGRESS_EVERY;
use crate::core::swarm::Swarm;
use crate::io::cancel::Cancel;
use crate::io::hash::{ChunkHasher, Manifest};
use crate::io::identity::Identity;
use crate::protocol::data::{MAX_SEGMENT, is_token};
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey};

/// Chunks up to this size are verified before they are written; see `mod.rs`.
pub(super) const GATHERED: u64 = 2 << 20;
/// The most connections of one transfer; with more sources, the others wait in reserve.
const MAX_LANES: usize = 8;
/// Below this size, in bytes, a second connection costs more than it gives.
const WORTH_A_LANE: u64 = 4 << 20;

/// Who has the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which it is told about.
    pub name: String,
    /// Where its data server listens.
    pub address: SocketAddr,
    /// The key that it must prove to hold.
    pub key: PublicKey,
}

/// What to get, from whom, and where to put it.
#[derive(Debug, Clone)]
pub struct FetchJob {
    /// 16 lower-case hex digits, new for each transfer; by it a source knows which of our
    /// connections belong together.
    pub token: String,
    /// The name under which it is offered.
    pub file: String,
    /// The content.
    pub hash: ContentHash,
    /// How it is cut. Sources that cut it otherwise serve it too, but not its manifest.
    pub chunking: Chunking,
    /// Who has it, the preferred first. At least one.
    pub sources: Vec<Source>,
    /// The download folder. It must exist.
    pub folder: PathBuf,
    /// The name to be, relative to the folder; see [`check_target`](super::check_target).
    pub target: String,
    /// What to do if that name is taken.
    pub on_conflict: OnConflict,
}

/// How a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchNote {
    /// The target is ready to be filled.
    Started {
        /// Where the file will be, unless the name is taken by then.
        path: PathBuf,
        /// The bytes that an earlier attempt left; they are checked meanwhile.
        resumed: u64,
    },
    /// The first connection to a source is made.
    Connected {
        /// The source's name.
        source: String,
    },
    /// So much is there by now; at most ten times a second.
    Progress {
        /// The bytes that are there, those of earlier attempts included. It shrinks if some of
        /// those turn out wrong.
        bytes: u64,
    },
    /// A source is not used any more.
    SourceDropped {
        /// The source's name.
        name: String,
        /// Why.
        failure: Failure,
    },
}

/// A content that has been got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where the file is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// How long it took.
    pub elapsed: Duration,
    /// The bytes that came from each source, those without any left out. Their sum is less than
    /// the size if an earlier attempt had got some.
    pub from: Vec<(String, u64)>,
}

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
    present: u64,
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

/// Gets a content from its sources, verifies every byte, and puts it in place. It blocks until
/// that is done, has failed, or `cancel` is raised. What was got stays in a hidden file beside the
/// target, from which the next attempt goes on.
///
/// # Errors
/// `bad-name`, `no-such-dir`, `exists`, `not-writable`, `disk-full`, `disk-failed` of the target;
/// `interrupted` if cancelled; otherwise why the last source was dropped: `peer-unreachable`,
/// `peer-key-changed`, `peer-refused`, `peer-broke`, `bad-chunk`, `source-changed`, `source-gone`.
pub fn fetch(
    job: &FetchJob,
    identity: &Identity,
    notify: &(dyn Fn(FetchNote) + Send + Sync),
    cancel: &Cancel,
) -> Result<Fetched, Failure> {
    let started = Instant::now();
    if !is_token(&job.token) {
        return Err(Failure::new(ErrorCode::BadRequest, "The transfer's token is not 16 hex digits."));
    }
    if job.sources.is_empty() {
        return Err(Failure::new(ErrorCode::SourceGone, "Nobody has the file."));
    }
    let target = Target::open(&job.folder, &job.target, job.on_conflict)?;
    let (partial, claimed) = Partial::open(&target, job.hash, job.chunking)?;
    let run = Run::new(job, identity, notify, partial, &claimed);
    notify(FetchNote::Started { path: target.path(), resumed: run.lock().present });
    if let Err(failure) = run.all(!claimed.is_empty(), cancel) {
        if run.lock().present == 0 {
            run.partial.discard();
        }
        return Err(failure);
    }
    let path = target.place(run.partial.finish()?)?;
    let state = run.lock();
    let named = job.sources.iter().zip(&state.sources).map(|(source, s)| (source.name.clone(), s.bytes));
    let from = named.filter(|(_, bytes)| *bytes > 0).collect();
    Ok(Fetched { path, size: job.chunking.size(), hash: job.hash, elapsed: started.elapsed(), from })
}

impl<'a> Run<'a> {
    fn new(
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
    fn all(&self, check: bool, cancel: &Cancel) -> Result<(), Failure> {
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
            if check && named.spawn_scoped(scope, || self.check_claims()).is_err() {
                // Whatever is not checked is fetched.
                self.disown_all();
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

    /// Checks what an earlier run left against the manifest, while the lanes fetch the rest.
    fn check_claims(&self) {
        let manifest = loop {
            let state = self.lock();
            if let Plan::Known(manifest) = &state.plan {
                break manifest.clone();
            }
            drop(self.wait(state));
            if self.stop.is_cancelled() {
                return;
            }
        };
        let mut buffer = vec![0; MAX_SEGMENT];
        let mut next = self.lock().swarm.next_claimed(0);
        while let Some(chunk) = next {
            if self.stop.is_cancelled() {
                return;
            }
            if self.is_right(chunk, &manifest, &mut buffer) {
                self.chunk_done(chunk, None);
            } else {
                self.disown(chunk);
            }
            next = self.lock().swarm.next_claimed(chunk + 1);
        }
    }

    fn is_right(&self, chunk: u32, manifest: &Manifest, buffer: &mut [u8]) -> bool {
        let mut hasher = ChunkHasher::new(self.job.chunking, chunk);
        let mut range = self.job.chunking.range(chunk);
        while !range.is_empty() {
            let piece = &mut buffer[..(range.end - range.start).min(MAX_SEGMENT as u64) as usize];
            if self.stop.is_cancelled() || self.partial.read(range.start, piece).is_err() {
                return false;
            }
            hasher.update(piece);
            range.start += piece.len() as u64;
        }
        hasher.finish() == manifest[chunk as usize]
    }

    fn disown(&self, chunk: u32) {
        if self.stop.is_cancelled() {
            return;
        }
        // The mark is a hint; if it cannot be changed, the next attempt finds out again.
        let _ = self.partial.mark(chunk, false);
        let range = self.job.chunking.range(chunk);
        let mut state = self.lock();
        state.swarm.disown(chunk);
        state.present -= range.end - range.start;
        drop(state);
        self.changed.notify_all();
    }

    fn disown_all(&self) {
        let mut next = self.lock().swarm.next_claimed(0);
        while let Some(chunk) = next {
            self.disown(chunk);
            next = self.lock().swarm.next_claimed(chunk + 1);
        }
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
