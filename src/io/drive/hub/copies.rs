//! The hub's copies of what others offer: files named by their hashes, in a folder of their own.
//!
//! Work on them takes its time and is done on threads. What is done with one content is done in the order in which
//! the hub wants it; what is done with others does not wait for it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::{Mailbox, Message};
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

/// The folder of the copies, in the hub's data folder.
const FOLDER: &str = "copies";

/// One more than the hub makes copies at a time: what is to be removed does not wait for a slow owner.
const WORKERS: usize = 3;

/// The copies on disk. When this is dropped, what is under way ends.
pub(super) struct Copies(Arc<Shared>);

struct Shared {
    folder: PathBuf,
    local: LocalPeer,
    shelf: ContentStore,
    cache: HashCache,
    mailbox: Mailbox,
    stop: Cancel,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// Contents that are being worked on.
    busy: HashSet<ContentHash>,
    /// What is on the shelf, and as which file.
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

/// Copies that can be served, and those that are not there.
type Known = (Vec<(ContentHash, u64)>, Vec<ContentHash>);

/// A copy whose file is there and has to be read.
struct Unsure {
    hash: ContentHash,
    chunks: Option<u32>,
}

impl Copies {
    /// Puts the copies on the shelf that are known to be sound, because their hashes are remembered, and gives them;
    /// then those whose file is not there. The others are read meanwhile, and the hub is told of each. What no record
    /// names is removed.
    ///
    /// # Errors
    /// `store-failed` when the folder cannot be used.
    pub(super) fn open(
        data: &Path,
        records: &[CopyRecord],
        local: &LocalPeer,
        shelf: &ContentStore,
        mailbox: &Mailbox,
    ) -> Result<(Self, Known), Failure> {
        let folder = data.join(FOLDER);
        let folder = make_folder(&folder).and_then(|()| folder.canonicalize()).map_err(|e| {
            Failure::new(ErrorCode::StoreFailed, format!("{} cannot be used: {}.", folder.display(), cause::of_io(&e)))
        })?;
        let shared = Arc::new(Shared {
            folder,
            local: local.clone(),
            shelf: shelf.clone(),
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
        // What this holds ends its threads, whether all of them could be had or not.
        let this = Self(shared);
        this.spawn("copies-check", move |shared| shared.check_all(unsure))?;
        for _ in 0..WORKERS {
            this.spawn("copies", |shared| shared.work())?;
        }
        Ok((this, known))
    }

    fn spawn(&self, name: &str, work: impl FnOnce(&Shared) + Send + 'static) -> Result<(), Failure> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name(name.into()).spawn(move || work(&shared)).map(drop).map_err(Failure::internal)
    }

    /// Has a copy made; the hub will be told.
    pub(super) fn make(&self, plan: CopyPlan) {
        self.add(Job::Make(Box::new(plan)));
    }

    /// Has a copy removed.
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
        // Whoever looks at the flag under the lock sees it, or is woken.
        let _looking = self.0.lock();
        self.0.changed.notify_all();
    }
}

impl Shared {
    /// Removes what no record names: what was broken off, and what was fetched but not noted when the hub crashed.
    fn sweep(&self, known: &HashMap<ContentHash, &CopyRecord>) {
        let names: HashSet<String> = known.keys().map(ContentHash::to_string).collect();
        self.remove_where(|name| !names.contains(name));
    }

    /// Removes the files of the folder whose names are like this.
    fn remove_where(&self, is_it: impl Fn(&str) -> bool) {
        let entries = fs::read_dir(&self.folder).inspect_err(|e| tracing::warn!("no copies: {}", cause::of_io(e)));
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_none_or(&is_it) {
                remove(&entry.path());
            }
        }
    }

    /// What is known of these copies, and which have to be read.
    fn look<'a>(&self, records: impl Iterator<Item = &'a CopyRecord>) -> (Known, Vec<Unsure>) {
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
                    self.shelve(hashed);
                }
                _ => unsure.push(Unsure { hash, chunks: wanted.chunks }),
            }
        }
        ((found, lost), unsure)
    }

    /// Reads copies, one after the other.
    fn check_all(&self, unsure: Vec<Unsure>) {
        for Unsure { hash, chunks } in unsure {
            let Some(_busy) = self.claim(hash) else { return };
            match self.hash(&hash, chunks) {
                Ok(hashed) if hashed.hash == hash => {
                    let size = hashed.chunking.size();
                    self.shelve(hashed);
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

    /// Does what there is to do, until the end.
    fn work(&self) {
        while let Some((job, _busy)) = self.next_job() {
            match job {
                Job::Make(plan) => {
                    let made = self.make(&plan);
                    self.tell(Message::Copied(plan.copy, made));
                }
                Job::Discard(hash) => {
                    self.unshelve(&hash);
                    remove(&self.path(&hash));
                }
            }
        }
    }

    fn make(&self, plan: &CopyPlan) -> Result<(), Failure> {
        let (offer, hash) = (&plan.source.offer, plan.source.offer.hash);
        let other_size = || Failure::new(ErrorCode::BadChunk, "The content of that hash has another size.");
        if self.is_kept(&hash) {
            // Its owner may say what they like of it.
            let same = self.lock().kept.get(&hash).is_some_and(|kept| kept.size == offer.size);
            return if same { Ok(()) } else { Err(other_size()) };
        }
        if self.unshelve(&hash) {
            // Somebody has changed the file.
            self.tell(Message::CopyLost(hash));
        }
        let unfit = || Failure::new(ErrorCode::PeerBroke, "The offer's size and chunks do not fit together.");
        let chunking = offer.chunking().ok_or_else(unfit)?;
        // One from before may be there, and not read yet.
        if let Ok(hashed) = self.hash(&hash, cut_as(Some(chunking)))
            && hashed.hash == hash
        {
            let same = hashed.chunking.size() == offer.size;
            self.shelve(hashed);
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
        let (folder, local, shelf) = (&self.folder, &self.local, &self.shelf);
        let fetcher = Fetcher { token, seed: 0, folder, local, store: shelf };
        let fetched = fetch(&wanted, &fetcher, &|_| (), &Control::from(self.stop.clone()));
        let made = fetched.and_then(|_| self.hash(&hash, cut_as(Some(chunking)))).and_then(|hashed| {
            let same = hashed.hash == hash;
            same.then_some(hashed).ok_or_else(|| Failure::new(ErrorCode::DiskFailed, "The copy is damaged."))
        });
        if let Ok(hashed) = made {
            self.shelve(hashed);
            self.shelf.forget(&hash);
            return Ok(());
        }
        self.unshelve(&hash);
        // What is left of it would be room that nobody counts.
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

    /// Serves a copy.
    fn shelve(&self, hashed: Hashed) {
        let (hash, fingerprint) = (hashed.hash, hashed.fingerprint);
        self.shelf.add(shelf_name(&hash), self.path(&hash), hashed);
        self.lock().kept.insert(hash, fingerprint);
    }

    /// Takes a copy off the shelf; says whether it was there.
    fn unshelve(&self, hash: &ContentHash) -> bool {
        self.shelf.remove(&shelf_name(hash));
        self.shelf.forget(hash);
        self.lock().kept.remove(hash).is_some()
    }

    /// Whether a copy is on the shelf, and its file still the same.
    fn is_kept(&self, hash: &ContentHash) -> bool {
        let kept = self.lock().kept.get(hash).copied();
        let now = self.path(hash).symlink_metadata().ok().and_then(|meta| Fingerprint::of_metadata(&meta));
        kept.is_some() && kept == now
    }

    fn path(&self, hash: &ContentHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn tell(&self, message: Message) {
        // A hub that ends does not listen any more.
        let _ = self.mailbox.blocking_send(message);
    }

    /// The first job whose content nobody works on; `None` at the end.
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

    /// A content to work on, once nobody else does; `None` at the end.
    fn claim(&self, hash: ContentHash) -> Option<Busy<'_>> {
        self.wait_for(|state| state.busy.insert(hash).then_some(())).map(|()| Busy { shared: self, hash })
    }

    fn wait_for<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.lock();
        while !self.stop.is_cancelled() {
            if let Some(taken) = take(&mut state) {
                return Some(taken);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// Held for moments only.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody works on a content.
struct Busy<'a> {
    shared: &'a Shared,
    hash: ContentHash,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.shared.lock().busy.remove(&self.hash);
        self.shared.changed.notify_all();
    }
}

/// Makes the folder, for its owner only.
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

/// How a copy is called on the shelf: as no file of the hub's own can be.
fn shelf_name(hash: &ContentHash) -> String {
    format!("/{hash}")
}

/// The wish that leads to the chunks that its owner has: then it can be fetched from both.
fn cut_as(chunking: Option<Chunking>) -> Option<u32> {
    chunking.filter(|chunking| *chunking != Chunking::for_size(chunking.size(), None)).map(Chunking::count)
}
