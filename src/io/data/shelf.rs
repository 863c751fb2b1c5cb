//! What this client serves, and to whom.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::io::hash::{Fingerprint, Hashed};
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey};

/// The files that are offered and the peers that may fetch them. Clones share one shelf.
#[derive(Debug, Clone, Default)]
pub struct Shelf(Arc<Shared>);

/// How long a peer that nobody has announced may be on its way: it learned of us from the hub, and the hub
/// tells us of it at the same moment.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    peers_changed: Condvar,
}

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<String, Arc<Shelved>>,
    /// The names of each content, so that a request by hash finds it under any of them.
    names: HashMap<ContentHash, BTreeSet<String>>,
    peers: HashMap<PublicKey, String>,
}

/// One file on the shelf.
#[derive(Debug)]
pub(super) struct Shelved {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) hashed: Hashed,
}

impl Shelf {
    /// Puts a file on the shelf under the name by which it is offered, in place of what had that
    /// name. The same content may have several names.
    pub fn add(&self, file_name: &str, path: PathBuf, hashed: Hashed) {
        let mut inner = self.lock();
        inner.remove(file_name);
        inner.names.entry(hashed.hash).or_default().insert(file_name.to_owned());
        let shelved = Arc::new(Shelved { name: file_name.to_owned(), path, hashed });
        inner.files.insert(file_name.to_owned(), shelved);
    }

    /// Takes a file off the shelf; false if there was none of that name. Ranges that are being
    /// sent are still sent; the next request is told `source-gone`.
    pub fn remove(&self, file_name: &str) -> bool {
        self.lock().remove(file_name)
    }

    /// Takes all files off the shelf.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.files.clear();
        inner.names.clear();
    }

    /// Says who may fetch, with the names by which they are known. It counts from the next request
    /// of each connection on.
    pub fn set_peers(&self, peers: HashMap<PublicKey, String>) {
        self.lock().peers = peers;
        self.0.peers_changed.notify_all();
    }

    /// The name of a peer that may fetch.
    pub(super) fn peer(&self, key: &PublicKey) -> Option<String> {
        self.lock().peers.get(key).cloned()
    }

    /// The file with this content, preferably under this name.
    pub(super) fn find(&self, hash: &ContentHash, file_name: &str) -> Option<Arc<Shelved>> {
        let inner = self.lock();
        let named = inner.files.get(file_name).filter(|s| s.hashed.hash == *hash);
        named.or_else(|| inner.files.get(inner.names.get(hash)?.first()?)).cloned()
    }

    /// The name of a peer that may fetch, once it has been announced.
    pub(super) fn await_peer(&self, key: &PublicKey) -> Option<String> {
        let missing = |inner: &mut Inner| !inner.peers.contains_key(key);
        let wait = self.0.peers_changed.wait_timeout_while(self.lock(), ANNOUNCEMENT, missing);
        let (inner, _) = wait.unwrap_or_else(PoisonError::into_inner);
        inner.peers.get(key).cloned()
    }

    /// Held for moments only.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn remove(&mut self, file_name: &str) -> bool {
        let Some(old) = self.files.remove(file_name) else { return false };
        if let Some(names) = self.names.get_mut(&old.hashed.hash) {
            names.remove(file_name);
            if names.is_empty() {
                self.names.remove(&old.hashed.hash);
            }
        }
        true
    }
}

impl Shelved {
    /// Opens the file, if it is still the one that was hashed. It follows no link and never waits
    /// for a pipe.
    ///
    /// # Errors
    /// `source-gone` if there is no such file any more, `source-changed` if it is another.
    pub(super) fn open(&self) -> Result<OpenFile, Failure> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP | Errno::NXIO) => return Err(ErrorCode::SourceChanged.into()),
            Err(_) => return Err(ErrorCode::SourceGone.into()),
        };
        let open = OpenFile { file, fingerprint: self.hashed.fingerprint };
        open.check()?;
        Ok(open)
    }
}

/// A file from the shelf, open for reading.
pub(super) struct OpenFile {
    file: File,
    fingerprint: Fingerprint,
}

impl OpenFile {
    /// Fills `out` from this place of the file. What it returns was read before the check that
    /// the file is unchanged, so a byte that was written after hashing is never passed on.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Failure> {
        let read = self.file.read_exact_at(out, at);
        self.check()?;
        read.map_err(|_| ErrorCode::SourceGone.into())
    }

    fn check(&self) -> Result<(), Failure> {
        match Fingerprint::of(&self.file) {
            Ok(now) if now == self.fingerprint => Ok(()),
            _ => Err(ErrorCode::SourceChanged.into()),
        }
    }
}
