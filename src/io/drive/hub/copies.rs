//! The hub's copies of offered files: files named by their hashes, in a folder of their own.
//!
//! The work takes long, so it is done on threads. Jobs for the same content are done in the order in which the hub gave
//! them; jobs for different contents do not wait for each other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Mailbox, Message};
use crate::core::fetch::plan::unfit;
use crate::core::fetch::{FetchPlan, Source};
use crate::core::hub::CopyPlan;
use crate::io::content::hash::{Fingerprint, Hashed};
use crate::io::content::hash_cache::{HashCache, Wanted};
use crate::io::content::hash_many::hash_or_remember;
use crate::io::content::store::ContentStore;
use crate::io::os::cancel::Cancel;
use crate::io::os::clock::random;
use crate::io::transfer::{Control, Fetcher, LocalPeer, fetch};
use crate::protocol::record::CopyRecord;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, OnConflict, cause};

/// The folder of the copies, inside the hub's data folder.
const FOLDER: &str = "copies";

/// The number of threads. It is one more than the hub makes copies at a time, so that removals do not wait for a slow
/// owner.
const WORKERS: usize = 3;

/// The copies on disk. Dropping it cancels the work in progress.
pub(super) struct Copies(Arc<CopiesShared>);

struct CopiesShared {
    folder: PathBuf,
    local: LocalPeer,
    store: ContentStore,
    cache: HashCache,
    mailbox: Mailbox,
    stop: Cancel,
    state: Mutex<CopiesState>,
    changed: Condvar,
}

#[derive(Default)]
struct CopiesState {
    jobs: VecDeque<Job>,
    /// Contents that a thread is working on.
    busy: HashSet<ContentHash>,
    /// The copies in the content store, each with the state of its file.
    kept: HashMap<ContentHash, Fingerprint>,
}

enum Job {
    Make(Box<CopyPlan>),
    Discard(ContentHash),
}

impl Job {
    fn hash(&self) -> ContentHash {
        match self {
            Self::Make(plan) => plan.source.offer.hash,
            Self::Discard(hash) => *hash,
        }
    }
}

/// Copies that can be served, with their sizes; and copies whose file is missing.
type KnownCopies = (Vec<(ContentHash, u64)>, Vec<ContentHash>);

/// A copy whose file exists and must be read to check it.
struct Unsure {
    hash: ContentHash,
    chunks: Option<u32>,
}

impl Copies {
    /// Opens the folder. Returns the copies whose hash is cached, which are served at once, and those whose file is
    /// missing. The others are read in the background, and the hub is told of each. Files that no record names are
    /// removed.
    ///
    /// # Errors
    /// `store-failed` if the folder cannot be used.
    pub(super) fn open(
        data: &Path,
        records: &[CopyRecord],
        local: &LocalPeer,
        store: &ContentStore,
        mailbox: &Mailbox,
    ) -> Result<(Self, KnownCopies), Failure> {
        let folder = data.join(FOLDER);
        let folder = make_folder(&folder).and_then(|()| folder.canonicalize()).map_err(|e| {
            Failure::new(ErrorCode::StoreFailed, format!("{} cannot be used: {}.", folder.display(), cause::of_io(&e)))
        })?;
        let shared = Arc::new(CopiesShared {
            folder,
            local: local.clone(),
            store: store.clone(),
            cache: HashCache::new(Some(data)),
            mailbox: mailbox.clone(),
            stop: Cancel::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let known: HashMap<ContentHash, &CopyRecord> =
            records.iter().map(|record| (record.content.hash, record)).collect();
        shared.sweep(&known);
        let (known, unsure) = shared.look(known.into_values());
        // From here on, dropping this ends the threads, even if some could not be started.
        let this = Self(shared);
        this.spawn("copies-check", move |shared| shared.check_all(unsure))?;
        for _ in 0..WORKERS {
            this.spawn("copies", |shared| shared.work())?;
        }
        Ok((this, known))
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&CopiesShared) + Send + 'static) -> Result<(), Failure> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name(name.into()).spawn(move || work(&shared)).map(drop).map_err(Failure::internal)
    }

    /// Makes a copy; the hub will be told.
    pub(super) fn make(&self, plan: CopyPlan) {
        self.add(Job::Make(Box::new(plan)));
    }

    /// Removes a copy.
    pub(super) fn discard(&self, hash: ContentHash) {
        self.add(Job::Discard(hash));
    }

    fn add(&self, job: Job) {
        self.0.lock().jobs.push_back(job);
        self.0.changed.notify_all();
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        self.0.stop.cancel();
        // Takes the lock so that a waiting thread cannot miss the wakeup.
        let _looking = self.0.lock();
        self.0.changed.notify_all();
    }
}

impl CopiesShared {
    /// Removes files that no record names: interrupted copies, and copies whose record was lost in a crash.
    fn sweep(&self, known: &HashMap<ContentHash, &CopyRecord>) {
        let names: HashSet<String> = known.keys().map(ContentHash::to_string).collect();
        self.remove_where(|name| !names.contains(name));
    }

    /// Removes the files of the folder whose name `is_it` accepts.
    fn remove_where(&self, is_it: impl Fn(&str) -> bool) {
        let entries = fs::read_dir(&self.folder).inspect_err(|e| tracing::warn!("no copies: {}", cause::of_io(e)));
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_none_or(&is_it) {
                remove(&entry.path());
            }
        }
    }

    /// Sorts the recorded copies: those known to be sound, those missing, and those that must be read.
    fn look<'a>(&self, records: impl Iterator<Item = &'a CopyRecord>) -> (KnownCopies, Vec<Unsure>) {
        let (mut there, mut lost) = (Vec::new(), Vec::new());
        for CopyRecord { content, .. } in records {
            let path = self.path(&content.hash);
            let fingerprint = path.symlink_metadata().ok().and_then(|meta| Fingerprint::of_metadata(&meta));
            match fingerprint.filter(|file| file.size == content.size) {
                Some(fingerprint) => {
                    there.push((content.hash, Wanted { path, fingerprint, chunks: cut_as(content.chunking()) }));
                }
                None => lost.push(content.hash),
            }
        }
        let (hashes, wanted): (Vec<_>, Vec<_>) = there.into_iter().unzip();
        let (mut found, mut unsure) = (Vec::new(), Vec::new());
        for ((hash, remembered), wanted) in hashes.into_iter().zip(self.cache.find(&wanted)).zip(&wanted) {
            match remembered {
                Some(hashed) if hashed.hash == hash => {
                    found.push((hash, hashed.chunking.size()));
                    self.serve(hashed);
                }
                _ => unsure.push(Unsure { hash, chunks: wanted.chunks }),
            }
        }
        ((found, lost), unsure)
    }

    /// Reads copies one after the other, to check them.
    fn check_all(&self, unsure: Vec<Unsure>) {
        for Unsure { hash, chunks } in unsure {
            let Some(_busy) = self.claim(hash) else { return };
            match self.hash(&hash, chunks) {
                Ok(hashed) if hashed.hash == hash => {
                    let size = hashed.chunking.size();
                    self.serve(hashed);
                    self.tell(Message::CopyFound(hash, size));
                }
                Ok(_) => self.tell(Message::CopyLost(hash)),
                Err(failure) if matches!(failure.code, ErrorCode::NoSuchFile | ErrorCode::NotAFile) => {
                    self.tell(Message::CopyLost(hash));
                }
                // It may be readable the next time.
                Err(failure) => tracing::warn!("the copy {hash} is not served: {failure}"),
            }
        }
    }

    /// Works on jobs until the end.
    fn work(&self) {
        while let Some((job, _busy)) = self.next_job() {
            match job {
                Job::Make(plan) => {
                    let made = self.make(&plan);
                    self.tell(Message::Copied(plan.copy, made));
                }
                Job::Discard(hash) => {
                    self.stop_serving(&hash);
                    remove(&self.path(&hash));
                }
            }
        }
    }

    fn make(&self, plan: &CopyPlan) -> Result<(), Failure> {
        let (offer, hash) = (&plan.source.offer, plan.source.offer.hash);
        let other_size = || Failure::new(ErrorCode::BadChunk, "The content of that hash has another size.");
        if self.is_kept(&hash) {
            // The hash identifies the content, but the size is only what its owner claims.
            let same = self.lock().kept.get(&hash).is_some_and(|kept| kept.size == offer.size);
            return if same { Ok(()) } else { Err(other_size()) };
        }
        if self.stop_serving(&hash) {
            // Somebody has changed the file.
            self.tell(Message::CopyLost(hash));
        }
        let chunking = offer.chunking().ok_or_else(unfit)?;
        // An older file of the same content may exist and not have been checked yet.
        if let Ok(hashed) = self.hash(&hash, cut_as(Some(chunking)))
            && hashed.hash == hash
        {
            let same = hashed.chunking.size() == offer.size;
            self.serve(hashed);
            return if same { Ok(()) } else { Err(other_size()) };
        }
        let source = Source {
            name: offer.owner.clone(),
            address: SocketAddr::new(offer.address, offer.port),
            key: plan.source.key,
            has: None,
        };
        let mut wanted = FetchPlan::of_file(&offer.file, hash, chunking, vec![source]);
        (wanted.files[0].target, wanted.files[0].modified) = (hash.to_string(), offer.modified);
        (wanted.on_conflict, wanted.share) = (OnConflict::Overwrite, false);
        let token = format!("{:016x}", random().map_err(Failure::internal)?);
        let (folder, local, store) = (&self.folder, &self.local, &self.store);
        let fetcher = Fetcher { token, seed: 0, folder, local, store };
        let fetched = fetch(wanted.into(), &fetcher, &|_| (), &Control::from(self.stop.clone()));
        let made = fetched.and_then(|_| self.hash(&hash, cut_as(Some(chunking)))).and_then(|hashed| {
            let same = hashed.hash == hash;
            same.then_some(hashed).ok_or_else(|| Failure::new(ErrorCode::DiskFailed, "The copy is damaged."))
        });
        if let Ok(hashed) = made {
            self.serve(hashed);
            self.store.forget(&hash);
            return Ok(());
        }
        self.stop_serving(&hash);
        // A file that is left over would take room that nobody counts.
        let name = hash.to_string();
        self.remove_where(|file| file.strip_prefix('.').unwrap_or(file).starts_with(&name));
        made.map(drop)
    }

    fn hash(&self, hash: &ContentHash, chunks: Option<u32>) -> Result<Hashed, Failure> {
        let name = hash.to_string();
        let meta = self.path(hash).symlink_metadata().map_err(|e| {
            if e.kind() == io::ErrorKind::NotFound {
                return ErrorCode::NoSuchFile.into();
            }
            Failure::new(ErrorCode::NotReadable, format!("The copy {name} cannot be read: {}.", cause::of_io(&e)))
        })?;
        let fingerprint = Fingerprint::of_metadata(&meta).ok_or(ErrorCode::NotAFile)?;
        let files = [(name.as_str(), fingerprint)];
        let hashed = hash_or_remember(&self.folder, &files, chunks, &self.cache, &mut |_| (), &self.stop).pop();
        hashed.unwrap_or_else(|| Err(ErrorCode::Interrupted.into()))
    }

    /// Adds a copy to the content store.
    fn serve(&self, hashed: Hashed) {
        let (hash, fingerprint) = (hashed.hash, hashed.fingerprint);
        self.store.add(store_name(&hash), self.path(&hash), hashed);
        self.lock().kept.insert(hash, fingerprint);
    }

    /// Removes a copy from the content store; returns whether it was there.
    fn stop_serving(&self, hash: &ContentHash) -> bool {
        self.store.remove(&store_name(hash));
        self.store.forget(hash);
        self.lock().kept.remove(hash).is_some()
    }

    /// Whether a copy is in the content store and its file is unchanged.
    fn is_kept(&self, hash: &ContentHash) -> bool {
        let kept = self.lock().kept.get(hash).copied();
        let now = self.path(hash).symlink_metadata().ok().and_then(|meta| Fingerprint::of_metadata(&meta));
        kept.is_some() && kept == now
    }

    fn path(&self, hash: &ContentHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn tell(&self, message: Message) {
        // If the hub has ended, nobody needs the message.
        let _ = self.mailbox.blocking_send(message);
    }

    /// The first job whose content no other thread works on; `None` at the end.
    fn next_job(&self) -> Option<(Job, Busy<'_>)> {
        self.wait_for(|state| {
            let at = state.jobs.iter().position(|job| !state.busy.contains(&job.hash()))?;
            let job = state.jobs.remove(at)?;
            state.busy.insert(job.hash());
            Some(job)
        })
        .map(|job| {
            let busy = Busy { shared: self, hash: job.hash() };
            (job, busy)
        })
    }

    /// Waits until no thread works on this content, and claims it; `None` at the end.
    fn claim(&self, hash: ContentHash) -> Option<Busy<'_>> {
        self.wait_for(|state| state.busy.insert(hash).then_some(())).map(|()| Busy { shared: self, hash })
    }

    fn wait_for<T>(&self, mut take: impl FnMut(&mut CopiesState) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        while !self.stop.is_cancelled() {
            if let Some(taken) = take(&mut state) {
                return Some(taken);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Locks the state. It is never held for long.
    fn lock(&self) -> MutexGuard<'_, CopiesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The claim of a thread on a content.
struct Busy<'a> {
    shared: &'a CopiesShared,
    hash: ContentHash,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.shared.lock().busy.remove(&self.hash);
        self.shared.changed.notify_all();
    }
}

/// Creates the folder, readable for its owner only.
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))
}

fn remove(path: &Path) {
    if let Err(e) = fs::remove_file(path).or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })
    {
        tracing::warn!("{} stays: {}", path.display(), cause::of_io(&e));
    }
}

/// The name of a copy in the content store. No file of the hub's own can have it.
fn store_name(hash: &ContentHash) -> String {
    format!("/{hash}")
}

/// The option that divides a file into the chunks that its owner has, so that it can be fetched from both.
fn cut_as(chunking: Option<Chunking>) -> Option<u32> {
    chunking.filter(|chunking| *chunking != Chunking::for_size(chunking.size(), None)).map(Chunking::count)
}
