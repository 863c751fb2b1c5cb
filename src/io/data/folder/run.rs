//! The threads of one folder: one for each connection (see `lane`), one for the larger files (see
//! `large`), and the caller's, which watches and tells how it goes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::folders::Downloads;
use super::lane::run_lane;
use super::large::fetch_large;
use super::watch::Told;
use super::writer::{Writer, is_fatal};
use super::{Arrived, FolderFile, FolderJob, FolderNote, no_room, path_of};
use crate::core::batch::{Batch, Item, Lane};
use crate::io::content::hash::{Fingerprint, Hashed, Manifest};
use crate::io::data::LocalPeer;
use crate::io::data::lane::Loss;
use crate::io::data::shelf::Shelf;
use crate::io::data::uploads::PROGRESS_EVERY;
use crate::io::os::cancel::Cancel;
use crate::protocol::data::file_in_line;
use crate::protocol::{Chunking, ErrorCode, Failure};

/// The most connections for small files; with more sources, lanes go to the others afterwards.
const MAX_LANES: usize = 8;
/// Below this many files and this many bytes a second connection costs more than it gives.
const WORTH_A_LANE: (usize, u64) = (256, 4 << 20);
/// What there is to do, by places in the job's files.
#[derive(Default)]
pub(super) struct Work {
    /// Their content is known.
    pub(super) empty: Vec<u32>,
    /// They come whole.
    pub(super) small: Vec<u32>,
    /// They come in chunks.
    pub(super) large: Vec<u32>,
    /// They are in place already.
    pub(super) arrived: Vec<Arrived>,
    /// The bytes of these.
    pub(super) present: u64,
    /// They cannot be fetched.
    pub(super) failed: Vec<(u32, Failure)>,
}

/// What the threads of one folder share.
pub(super) struct Run<'a> {
    pub(super) job: &'a FolderJob,
    pub(super) identity: &'a LocalPeer,
    pub(super) shelf: &'a Shelf,
    pub(super) notify: &'a (dyn Fn(FolderNote) + Send + Sync),
    pub(super) downloads: &'a Downloads,
    /// The places of the files that come whole, by their numbers in the batch.
    pub(super) small: Vec<u32>,
    /// The bytes of these.
    pub(super) streamed: u64,
    large: Vec<u32>,
    empty: Vec<u32>,
    /// The source with which each lane begins.
    starts: Vec<u32>,
    /// Raised when the threads have no more to do, for better or worse.
    pub(super) stop: Cancel,
    state: Mutex<State>,
    changed: Condvar,
}

/// Held for moments only, never over I/O.
pub(super) struct State {
    pub(super) batch: Batch,
    pub(super) sources: Vec<SourceState>,
    pub(super) lanes: usize,
    /// Whether larger files are still being fetched, and the bytes of the one under way.
    pub(super) fetching: bool,
    pub(super) under_way: u64,
    /// The bytes of all that is there.
    pub(super) present: u64,
    /// There, and not yet told.
    pub(super) arrived: Vec<Arrived>,
    /// Failed, and not yet told.
    pub(super) failed: Vec<(u32, Failure)>,
    failures: usize,
    first_failure: Option<Failure>,
    /// Why the whole fails, if it does.
    fatal: Option<Failure>,
}

#[derive(Default)]
pub(super) struct SourceState {
    pub(super) bytes: u64,
    pub(super) connected: bool,
    /// It gives nothing more, whatever is asked for.
    pub(super) dropped: bool,
    /// It gives no larger files.
    pub(super) skipped: bool,
    told: bool,
    pub(super) lanes: u32,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        job: &'a FolderJob,
        (identity, shelf): (&'a LocalPeer, &'a Shelf),
        notify: &'a (dyn Fn(FolderNote) + Send + Sync),
        downloads: &'a Downloads,
        work: Work,
    ) -> Self {
        let item = |index: &u32| {
            let file = &job.files[*index as usize];
            Item { size: file.chunking.size(), line: file_in_line(&file.file), sources: file.sources.clone() }
        };
        let items: Vec<_> = work.small.iter().map(item).collect();
        let streamed = items.iter().map(|i| i.size).sum();
        let has_some = |s: &u32| items.iter().any(|i| i.sources.contains(s));
        let useful: Vec<_> = (0..job.sources.len() as u32).filter(has_some).collect();
        let lanes = match useful.len() {
            0 => 0,
            1 if items.len() <= WORTH_A_LANE.0 && streamed <= WORTH_A_LANE.1 => 1,
            1 => 2,
            more => more.min(MAX_LANES),
        };
        let starts: Vec<_> = useful.into_iter().cycle().take(lanes).collect();
        let mut sources: Vec<_> = job.sources.iter().map(|_| SourceState::default()).collect();
        starts.iter().for_each(|s| sources[*s as usize].lanes += 1);
        let state = State {
            batch: Batch::new(items, job.sources.len(), lanes),
            sources,
            lanes,
            fetching: !work.large.is_empty(),
            under_way: 0,
            present: work.present,
            arrived: work.arrived,
            failures: work.failed.len(),
            first_failure: work.failed.first().map(|(_, failure)| failure.clone()),
            failed: work.failed,
            fatal: None,
        };
        let Work { small, large, empty, .. } = work;
        let (stop, state, changed) = (Cancel::default(), Mutex::new(state), Condvar::new());
        Self { job, identity, shelf, notify, downloads, small, streamed, large, empty, starts, stop, state, changed }
    }

    /// Runs all threads to their end, and returns the bytes that came from each source.
    pub(super) fn all(&self, cancel: &Cancel) -> Result<Vec<(String, u64)>, Failure> {
        let mut told = Told::new(self.lock().present);
        thread::scope(|scope| {
            for (number, source) in self.starts.iter().enumerate() {
                let named = thread::Builder::new().name("data-folder".into());
                if let Err(e) = named.spawn_scoped(scope, move || run_lane(self, number, *source)) {
                    self.fail(Failure::internal(format!("no thread can be had: {e}")));
                    self.lock().lanes -= 1;
                }
            }
            let named = thread::Builder::new().name("data-large".into());
            if !self.large.is_empty()
                && let Err(e) = named.spawn_scoped(scope, || self.fetch_all_large())
            {
                self.fail(Failure::internal(format!("no thread can be had: {e}")));
                self.lock().fetching = false;
            }
            self.write_empty(cancel);
            self.watch(cancel, &mut told);
        });
        self.tell(&mut told, true);
        let state = self.lock();
        if let Some(failure) = &state.fatal {
            return Err(failure.clone());
        }
        self.downloads.sync()?;
        if let Some(Failure { code, message, .. }) = &state.first_failure {
            let (failures, all) = (state.failures, self.job.files.len());
            let message = format!("{failures} of {all} files could not be had. Of the first: {message}");
            return Err(Failure::new(*code, message));
        }
        let named = self.job.sources.iter().zip(&state.sources).map(|(source, s)| (source.name.clone(), s.bytes));
        Ok(named.filter(|(_, bytes)| *bytes > 0).collect())
    }

    /// Empty files need nobody.
    fn write_empty(&self, cancel: &Cancel) {
        let mut writer = self.writer(MAX_LANES);
        for index in self.empty.iter().take_while(|_| !cancel.is_cancelled() && !self.stop.is_cancelled()) {
            let file = &self.job.files[*index as usize];
            if file.hash.0 != *blake3::hash(&[]).as_bytes() {
                self.file_failed(*index, Failure::new(ErrorCode::BadChunk, "Its hash is not that of an empty file."));
                continue;
            }
            match writer.write(&file.target, &[], file.modified) {
                Ok(written) => self.lock().arrived.push(self.arrived(*index, written)),
                Err(failure) => self.unwritten(*index, failure),
            }
        }
    }

    /// One after another: a larger file has lanes enough of its own.
    fn fetch_all_large(&self) {
        let _ended = Ended(self, |state| state.fetching = false);
        for index in self.large.iter().take_while(|_| !self.stop.is_cancelled()) {
            let fetched = fetch_large(self, *index);
            let mut state = self.lock();
            state.under_way = 0;
            match fetched {
                Ok(path) => {
                    state.present += self.job.files[*index as usize].chunking.size();
                    state.arrived.push(Arrived { file: *index, path, hashed: None });
                }
                Err(_) if self.stop.is_cancelled() => {}
                Err(failure) => {
                    drop(state);
                    self.unwritten(*index, failure);
                }
            }
        }
    }

    /// The file with this number in the batch.
    pub(super) fn small(&self, file: u32) -> &FolderFile {
        &self.job.files[self.small[file as usize] as usize]
    }

    /// A writer for the lane with this number.
    pub(super) fn writer(&self, number: usize) -> Writer<'a> {
        Writer::new(self.downloads, &self.job.token, number, self.job.on_conflict)
    }

    /// A file of the batch was written, or could not be.
    pub(super) fn written(&self, source: u32, file: u32, result: Result<(String, Fingerprint), Failure>) {
        let index = self.small[file as usize];
        match result {
            Ok(written) => {
                let size = self.small(file).chunking.size();
                let arrived = self.arrived(index, written);
                let mut state = self.lock();
                state.present += size;
                state.sources[source as usize].bytes += size;
                state.arrived.push(arrived);
                state.batch.done(file);
                if state.batch.is_over() {
                    self.changed.notify_all();
                }
            }
            Err(failure) if is_fatal(&failure) => self.unwritten(index, failure),
            Err(failure) => self.lock().batch.fail(file, failure),
        }
    }

    fn arrived(&self, index: u32, (name, fingerprint): (String, Fingerprint)) -> Arrived {
        let file = &self.job.files[index as usize];
        // However its owner cuts it: what came whole is one chunk here, or none.
        let chunking = Chunking::for_size(file.chunking.size(), None);
        let manifest = if chunking.count() == 0 { Manifest::from([]) } else { [file.hash.0].into() };
        let hashed = Hashed { hash: file.hash, chunking, manifest, fingerprint };
        Arrived { file: index, path: path_of(&self.job.folder, &file.target, &name), hashed: Some(hashed) }
    }

    /// A file could not be had: alone, or with all that would be written after it.
    fn unwritten(&self, index: u32, failure: Failure) {
        if !is_fatal(&failure) {
            return self.file_failed(index, failure);
        }
        let (needed, free) = (self.job.size().saturating_sub(self.lock().present), self.downloads.free());
        let full = failure.code == ErrorCode::DiskFull;
        self.fail(no_room(needed, free).filter(|_| full).unwrap_or(failure));
    }

    fn file_failed(&self, index: u32, failure: Failure) {
        self.lock().fail_file(index, failure);
    }

    /// A lane's connection is lost. Returns the source with which it goes on, if there is one.
    pub(super) fn lost(&self, source: u32, loss: Loss) -> Option<u32> {
        let (failure, lied) = match loss {
            _ if self.stop.is_cancelled() => return None,
            // Lanes of folders do not swap.
            Loss::Stopped | Loss::Swapped(_) => return None,
            Loss::Fatal(failure) => {
                self.fail(failure);
                return None;
            }
            Loss::Lied(failure) => (failure, true),
            Loss::Broke(failure) => (failure, false),
        };
        let mut state = self.lock();
        state.sources[source as usize].lanes -= 1;
        let last = state.sources[source as usize].lanes == 0;
        drop(state);
        if lied || last {
            self.drop_source(source, failure);
        }
        let mut state = self.lock();
        let next = state.next_source();
        if let Some(next) = next {
            state.sources[next as usize].lanes += 1;
        }
        next
    }

    /// Nothing more is asked of a source.
    pub(super) fn drop_source(&self, source: u32, failure: Failure) {
        let mut state = self.lock();
        state.batch.drop_source(source, &failure);
        state.sources[source as usize].dropped = true;
        drop(state);
        self.changed.notify_all();
        self.tell_dropped(source, failure);
    }

    /// Tells that a source is not used any more, once.
    pub(super) fn tell_dropped(&self, source: u32, failure: Failure) {
        if !std::mem::replace(&mut self.lock().sources[source as usize].told, true) {
            let name = self.job.sources[source as usize].name.clone();
            (self.notify)(FolderNote::SourceDropped { name, failure });
        }
    }

    /// The lane's connection is over; what it had is for others.
    pub(super) fn left(&self, lane: Lane) {
        self.lock().batch.leave(lane);
        self.changed.notify_all();
    }

    /// The whole fails, whatever the sources do.
    pub(super) fn fail(&self, failure: Failure) {
        let mut state = self.lock();
        if !self.stop.is_cancelled() {
            state.fatal.get_or_insert(failure);
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
}

/// Counts a thread out however it ends.
pub(super) struct Ended<'a>(pub(super) &'a Run<'a>, pub(super) fn(&mut State));

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.1(&mut self.0.lock());
        self.0.changed.notify_all();
    }
}

impl State {
    /// A source that has something waiting, and that no lane is at.
    pub(super) fn next_source(&mut self) -> Option<u32> {
        let sources = &self.sources;
        self.batch.next_source(|s| sources[s as usize].lanes == 0 && !sources[s as usize].dropped)
    }

    pub(super) fn fail_file(&mut self, index: u32, failure: Failure) {
        self.failures += 1;
        self.first_failure.get_or_insert_with(|| failure.clone());
        self.failed.push((index, failure));
    }
}
