//! Hashing many files at once: small ones side by side, large ones each with all cores. Files whose hash is remembered
//! are not read.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::io::content::hash::{Buffer, Fingerprint, Hashed, hash_alone, hash_file, threads};
use crate::io::content::hash_cache::{HashCache, Wanted};
use crate::io::fs::open::Opener;
use crate::io::os::cancel::Cancel;
use crate::protocol::event::OfferProgress;
use crate::protocol::{ErrorCode, Failure};

/// From this size on, in bytes, a file is hashed by all threads.
const LARGE: u64 = 8 << 20;
/// How many files a thread takes at a time.
const RUN: usize = 16;
/// Hashing that is over sooner reports no progress.
const FIRST_PROGRESS: Duration = Duration::from_millis(200);
/// How many files are looked up and hashed together: enough for all cores, and for one transaction.
pub(crate) const TOGETHER: usize = 2_048;

/// The least time between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// Receives reports of progress, on any thread.
pub type Progress<'a> = dyn FnMut(OfferProgress) + Send + 'a;

/// Counts what has been hashed, and reports it now and then.
pub(crate) struct Meter<'a> {
    files: AtomicU64,
    bytes: AtomicU64,
    total_files: u64,
    size: u64,
    next: Mutex<Next<'a>>,
}

struct Next<'a> {
    at: Instant,
    tell: &'a mut (dyn FnMut(OfferProgress) + Send),
}

impl<'a> Meter<'a> {
    /// Starts counting up to `total_files` files of `size` bytes in all.
    pub(crate) fn new(total_files: u64, size: u64, tell: &'a mut (dyn FnMut(OfferProgress) + Send)) -> Self {
        let next = Mutex::new(Next { at: Instant::now() + FIRST_PROGRESS, tell });
        Self { files: AtomicU64::new(0), bytes: AtomicU64::new(0), total_files, size, next }
    }

    /// Counts `files` more files as done, with `bytes` that were not counted yet.
    pub(crate) fn done(&self, files: u64, bytes: u64) {
        self.files.fetch_add(files, Ordering::Relaxed);
        self.read(bytes);
    }

    fn read(&self, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // One thread tells; the others need not wait for it.
        let Ok(mut next) = self.next.try_lock() else { return };
        if Instant::now() < next.at {
            return;
        }
        (next.tell)(OfferProgress {
            files: self.files.load(Ordering::Relaxed).min(self.total_files),
            total_files: self.total_files,
            // A file that is read twice, because it was changed, is counted twice.
            bytes: bytes.min(self.size),
            size: self.size,
        });
        next.at = Instant::now() + PROGRESS;
    }
}

/// Hashes files and remembers their hashes; those that are remembered already are not read.
pub(crate) fn hash_or_remember(
    dir: &Path,
    files: &[(&str, Fingerprint)],
    chunks: Option<u32>,
    cache: &HashCache,
    progress: &mut Progress<'_>,
    cancel: &Cancel,
) -> Vec<Result<Hashed, Failure>> {
    let size = files.iter().map(|(_, fingerprint)| fingerprint.size).sum();
    let meter = Meter::new(files.len() as u64, size, progress);
    let mut hashed = Vec::with_capacity(files.len());
    for some in files.chunks(TOGETHER) {
        hashed.extend(hash_some(dir, some, chunks, cache, &meter, cancel));
    }
    hashed
}

/// The same for a part of many files, whose progress one meter counts.
pub(crate) fn hash_some(
    dir: &Path,
    files: &[(&str, Fingerprint)],
    chunks: Option<u32>,
    cache: &HashCache,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Vec<Result<Hashed, Failure>> {
    let wanted =
        |(name, fingerprint): &(&str, Fingerprint)| Wanted { path: dir.join(name), fingerprint: *fingerprint, chunks };
    let remembered = cache.find(&files.iter().map(wanted).collect::<Vec<_>>());
    let known = remembered.iter().flatten();
    let (known_files, known_bytes) = known.fold((0, 0), |(n, bytes), hashed| (n + 1, bytes + hashed.fingerprint.size));
    meter.done(known_files, known_bytes);

    let started = SystemTime::now();
    let missing: Vec<_> =
        files.iter().zip(&remembered).filter(|(_, hashed)| hashed.is_none()).map(|(f, _)| f).collect();
    let jobs: Vec<_> = missing.iter().map(|(name, fingerprint)| (*name, fingerprint.size)).collect();
    let hashed = hash_files(dir, &jobs, chunks, meter, cancel);
    let fresh =
        missing.iter().zip(&hashed).filter_map(|(file, hashed)| Some((dir.join(file.0), hashed.as_ref().ok()?)));
    cache.put(started, fresh);
    let mut hashed = hashed.into_iter();
    let mut next = || hashed.next().unwrap_or_else(|| Err(ErrorCode::Interrupted.into()));
    remembered.into_iter().map(|known| known.map_or_else(&mut next, Ok)).collect()
}

/// Hashes files below a folder, by their names and sizes. The results are in the same order.
fn hash_files(
    dir: &Path,
    files: &[(&str, u64)],
    chunks: Option<u32>,
    meter: &Meter<'_>,
    cancel: &Cancel,
) -> Vec<Result<Hashed, Failure>> {
    let job = HashJob { dir, files, chunks, meter, cancel };
    let (large, small): (Vec<usize>, Vec<usize>) = (0..files.len()).partition(|i| files[*i].1 >= LARGE);
    let mut results = job.small(&small);
    let mut opener = Opener::new(dir);
    results.extend(large.into_iter().map(|i| (i, job.large(&mut opener, files[i].0))));
    results.sort_unstable_by_key(|(i, _)| *i);
    results.into_iter().map(|(_, result)| result).collect()
}

struct HashJob<'a, 'm> {
    dir: &'a Path,
    files: &'a [(&'a str, u64)],
    chunks: Option<u32>,
    meter: &'a Meter<'m>,
    cancel: &'a Cancel,
}

impl HashJob<'_, '_> {
    /// Hashes small files, each on one of the threads; returns the results with their indices.
    fn small(&self, small: &[usize]) -> Vec<(usize, Result<Hashed, Failure>)> {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            // A thread that cannot be had is not needed: the others take its share.
            let spawn = |_| thread::Builder::new().spawn_scoped(scope, || self.runs(small, &next)).ok();
            let helpers: Vec<_> = (1..threads().min(small.len().div_ceil(RUN))).map_while(spawn).collect();
            let mut results = self.runs(small, &next);
            for helper in helpers {
                results.extend(helper.join().expect("hashing does not panic"));
            }
            results
        })
    }

    fn runs(&self, small: &[usize], next: &AtomicUsize) -> Vec<(usize, Result<Hashed, Failure>)> {
        let (mut buffer, mut opener) = (Buffer::default(), Opener::new(self.dir));
        let mut results = Vec::new();
        loop {
            let first = next.fetch_add(RUN, Ordering::Relaxed).min(small.len());
            let run = &small[first..(first + RUN).min(small.len())];
            if run.is_empty() {
                return results;
            }
            results.extend(run.iter().map(|i| {
                let hash = |file: &File, progress: &mut dyn FnMut(u64)| {
                    hash_alone(file, self.chunks, &mut buffer, progress, self.cancel)
                };
                (*i, self.twice(&mut opener, self.files[*i].0, hash))
            }));
        }
    }

    fn large(&self, opener: &mut Opener<'_>, name: &str) -> Result<Hashed, Failure> {
        self.twice(opener, name, |file, progress| hash_file(file, self.chunks, progress, self.cancel))
    }

    /// Hashes a file, and again if it was changed meanwhile.
    fn twice(
        &self,
        opener: &mut Opener<'_>,
        name: &str,
        mut hash: impl FnMut(&File, &mut dyn FnMut(u64)) -> Result<Hashed, Failure>,
    ) -> Result<Hashed, Failure> {
        let mut once = || {
            if self.cancel.is_cancelled() {
                return Err(ErrorCode::Interrupted.into());
            }
            let mut before = 0;
            let mut progress = |now: u64| {
                self.meter.read(now - before);
                before = now;
            };
            hash(&opener.open(name)?, &mut progress)
        };
        let hashed = match once() {
            Err(failure) if failure.code == ErrorCode::SourceChanged => once(),
            other => other,
        };
        self.meter.done(1, 0);
        hashed
    }
}
