//! What this client serves, and to whom.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::hash::{Fingerprint, Hashed};
use super::parcels::{ParcelFiles, Parcels};
use super::stored_content::{Holds, Place, StoredContent};
use crate::core::few::Few;
use crate::protocol::limits::HOLDINGS;
use crate::protocol::name::NameKey;
use crate::protocol::{ContentHash, PublicKey};

/// The files that are offered, the contents that are or were fetched, and the peers that may have them. Clones share
/// one store.
#[derive(Debug, Clone, Default)]
pub struct ContentStore(Arc<SharedStore>);

/// How long a peer that nobody has announced may be on its way: it learned of us from the hub, and the hub
/// tells us of it at the same moment.
const ANNOUNCEMENT: Duration = Duration::from_secs(1);
/// How many contents that were fetched in chunks are served; more than a user will miss.
const MAX_FETCHED: usize = 1_024;
/// How many small files that came whole are served.
const MAX_WHOLE: usize = HOLDINGS;

#[derive(Debug, Default)]
struct SharedStore {
    inner: Mutex<StoreState>,
    peers_changed: Condvar,
}

#[derive(Debug, Default)]
struct StoreState {
    files: HashMap<Arc<str>, Arc<StoredContent>>,
    /// The names of each content, so that a request by hash finds it under any of them.
    names: HashMap<ContentHash, Few<Arc<str>>>,
    /// What is or was fetched, the oldest first. A content that is fetched twice at once is there twice.
    fetched: VecDeque<(ContentHash, Arc<StoredContent>)>,
    /// What came whole, as one of many files. When there are too many, the later ones are not served.
    whole: HashMap<ContentHash, Arc<StoredContent>>,
    /// What is for one person each.
    grants: Vec<Grant>,
    /// What is for whoever knew a code. They need not be among the peers.
    parcels: Parcels,
    peers: HashMap<PublicKey, String>,
}

/// A file for one person.
#[derive(Debug)]
struct Grant {
    /// Their name.
    to: NameKey,
    /// The key that they must hold, if one is known.
    key: Option<PublicKey>,
    file: Arc<StoredContent>,
}

impl Grant {
    fn is_for(&self, key: &PublicKey, name: &str) -> bool {
        self.key.is_none_or(|known| known == *key) && NameKey::of(name) == self.to
    }
}

impl ContentStore {
    /// Puts a file in the store under the name by which it is offered, in place of what had that
    /// name. The same content may have several names.
    pub fn add(&self, file_name: impl Into<Arc<str>>, path: impl Into<Box<Path>>, hashed: Hashed) {
        self.put(file_name.into(), Place::At(path.into()), hashed);
    }

    /// The same for a file that is offered from a folder by its name in it.
    pub(in crate::io) fn add_in(&self, folder: Arc<Path>, name: Arc<str>, hashed: Hashed) -> Arc<StoredContent> {
        self.put(name, Place::In(folder), hashed)
    }

    /// Makes room for so many files more, at once rather than bit by bit.
    pub(in crate::io) fn reserve(&self, files: usize) {
        let mut inner = self.lock();
        inner.files.reserve(files);
        inner.names.reserve(files);
    }

    fn put(&self, name: Arc<str>, place: Place, hashed: Hashed) -> Arc<StoredContent> {
        let mut inner = self.lock();
        inner.remove(&name);
        match inner.names.entry(hashed.hash) {
            Entry::Vacant(none) => drop(none.insert(Few::One(name.clone()))),
            Entry::Occupied(mut names) => names.get_mut().insert(name.clone()),
        }
        let file = Arc::new(StoredContent { name: name.clone(), place, hashed, holds: Holds::All });
        inner.files.insert(name, file.clone());
        file
    }

    /// Takes a file out of the store; false if there was none of that name. Ranges that are being
    /// sent are still sent; the next request is told `source-gone`.
    pub fn remove(&self, file_name: &str) -> bool {
        self.lock().remove(file_name)
    }

    /// Takes a content that is or was fetched out of the store. What is offered stays.
    pub fn forget(&self, hash: &ContentHash) {
        let mut inner = self.lock();
        inner.fetched.retain(|(fetched, _)| fetched != hash);
        inner.whole.remove(hash);
    }

    /// Puts a file in the store that one person alone may fetch, who must hold this key if one is known.
    pub fn grant(&self, to: &str, key: Option<PublicKey>, path: PathBuf, hashed: Hashed) {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let file =
            Arc::new(StoredContent { name: name.into(), place: Place::At(path.into()), hashed, holds: Holds::All });
        self.lock().grants.push(Grant { to: NameKey::of(to), key, file });
    }

    /// Takes a file out of the store that was for one person; once, if it was put there several times.
    pub fn revoke(&self, hash: &ContentHash, to: &str) {
        let (mut inner, to) = (self.lock(), NameKey::of(to));
        if let Some(at) = inner.grants.iter().position(|grant| grant.to == to && grant.file.hashed.hash == *hash) {
            inner.grants.remove(at);
        }
    }

    /// Puts the files of a parcel in the store. Nobody may fetch them yet.
    pub(in crate::io) fn put_parcel(&self, parcel: u64, files: ParcelFiles) {
        self.lock().parcels.put(parcel, files);
    }

    /// Lets the holder of this key fetch a parcel, and nothing else unless it is a peer's.
    pub fn admit(&self, parcel: u64, key: PublicKey, name: String) {
        self.lock().parcels.admit(parcel, key, name);
        self.0.peers_changed.notify_all();
    }

    /// Takes a parcel out of the store. Returns the keys with which nothing can be fetched any more.
    pub fn drop_parcel(&self, parcel: u64) -> Vec<PublicKey> {
        let mut inner = self.lock();
        let without = inner.parcels.drop(parcel);
        without.into_iter().filter(|key| !inner.peers.contains_key(key)).collect()
    }

    /// Puts a small file in the store that was fetched with others.
    pub(in crate::io) fn keep(&self, name: &str, path: PathBuf, hashed: Hashed) {
        let (name, place) = (name.into(), Place::At(path.into()));
        let whole = Arc::new(StoredContent { name, place, hashed, holds: Holds::All });
        let mut inner = self.lock();
        if inner.whole.len() < MAX_WHOLE || inner.whole.contains_key(&whole.hashed.hash) {
            inner.whole.insert(whole.hashed.hash, whole);
        }
    }

    /// Puts a content in the store that is being fetched.
    pub(in crate::io) fn begin(&self, growing: Arc<StoredContent>) {
        self.lock().fetched.push_back((growing.hashed.hash, growing));
    }

    /// A fetch has ended: something else takes the place of what was growing, unless that was forgotten.
    pub(in crate::io) fn end_fetch(&self, growing: &Arc<StoredContent>, ended: Option<StoredContent>) {
        let mut inner = self.lock();
        let Some(at) = inner.fetched.iter().position(|(_, shelved)| Arc::ptr_eq(shelved, growing)) else { return };
        inner.fetched.remove(at);
        if let Some(ended) = ended {
            inner.fetched.push_back((ended.hashed.hash, Arc::new(ended)));
        }
        let at_rest = |(_, shelved): &(ContentHash, Arc<StoredContent>)| !matches!(shelved.holds, Holds::Partial(_));
        if inner.fetched.iter().filter(|entry| at_rest(entry)).count() > MAX_FETCHED
            && let Some(oldest) = inner.fetched.iter().position(at_rest)
        {
            inner.fetched.remove(oldest);
        }
    }

    /// Takes the unfinished file with this fingerprint out of the store, for the fetch that goes on with it.
    pub(in crate::io) fn resume(&self, hash: &ContentHash, fingerprint: Fingerprint) -> Option<Arc<StoredContent>> {
        let mut inner = self.lock();
        let is_it = |(of, shelved): &(ContentHash, Arc<StoredContent>)| {
            of == hash && shelved.hashed.fingerprint == fingerprint && !matches!(shelved.holds, Holds::Partial(_))
        };
        let at = inner.fetched.iter().position(is_it)?;
        inner.fetched.remove(at).map(|(_, shelved)| shelved)
    }

    /// A file could not be opened: if it was fetched, and its user has removed or changed it, it is not tried again.
    pub(in crate::io) fn lose(&self, file: &Arc<StoredContent>) {
        if !file.is_lost() {
            return;
        }
        let mut inner = self.lock();
        inner.fetched.retain(|(_, fetched)| !Arc::ptr_eq(fetched, file));
        if inner.whole.get(&file.hashed.hash).is_some_and(|whole| Arc::ptr_eq(whole, file)) {
            inner.whole.remove(&file.hashed.hash);
        }
    }

    /// Takes all offered files out of the store.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.files.clear();
        inner.names.clear();
    }

    /// Somebody may fetch, under this name, or may not any more.
    pub fn set_peer(&self, key: PublicKey, name: Option<String>) {
        let mut inner = self.lock();
        match name {
            Some(name) => drop(inner.peers.insert(key, name)),
            None => drop(inner.peers.remove(&key)),
        }
        drop(inner);
        self.0.peers_changed.notify_all();
    }

    /// Says who may fetch, with the names by which they are known. It counts from the next request
    /// of each connection on.
    pub fn set_peers(&self, peers: HashMap<PublicKey, String>) {
        self.lock().peers = peers;
        self.0.peers_changed.notify_all();
    }

    /// The file with this content, preferably under this name, or what is for this peer alone; otherwise what was
    /// fetched of it, if possible with all of these ranges. Whoever only knew a code gets what is in their parcels.
    pub(in crate::io) fn find(
        &self,
        peer: (&PublicKey, &str),
        hash: &ContentHash,
        file_name: &str,
        ranges: &[[u64; 2]],
    ) -> Option<Arc<StoredContent>> {
        let inner = self.lock();
        if let Some(file) = inner.parcels.find(peer.0, hash) {
            return Some(file.clone());
        }
        if !inner.peers.contains_key(peer.0) && inner.parcels.receiver(peer.0).is_some() {
            return None;
        }
        let theirs = |grant: &&Grant| grant.file.hashed.hash == *hash && grant.is_for(peer.0, peer.1);
        if let Some(grant) = inner.grants.iter().find(theirs) {
            return Some(grant.file.clone());
        }
        let named = inner.files.get(file_name).filter(|s| s.hashed.hash == *hash);
        if let Some(offered) = named.or_else(|| inner.files.get(inner.names.get(hash)?.iter().next()?)) {
            return Some(offered.clone());
        }
        let mut fetched = inner.fetched.iter().filter(|(of, _)| of == hash).map(|(_, shelved)| shelved);
        let whole = |shelved: &&Arc<StoredContent>| ranges.iter().all(|[start, end]| shelved.has(*start, *end));
        fetched.clone().find(whole).or_else(|| inner.whole.get(hash)).or_else(|| fetched.next()).cloned()
    }

    /// Whether a peer that was announced may fetch this content.
    pub(in crate::io) fn serves(&self, peer: &PublicKey, hash: &ContentHash) -> bool {
        let name = self.lock().name_of(peer).map(str::to_owned);
        name.is_some_and(|name| self.find((peer, &name), hash, "", &[]).is_some())
    }

    /// The name of a peer that may fetch, once it has been announced.
    pub(in crate::io) fn await_peer(&self, key: &PublicKey) -> Option<String> {
        let missing = |inner: &mut StoreState| inner.name_of(key).is_none();
        let wait = self.0.peers_changed.wait_timeout_while(self.lock(), ANNOUNCEMENT, missing);
        let (inner, _) = wait.unwrap_or_else(PoisonError::into_inner);
        inner.name_of(key).map(str::to_owned)
    }

    /// Held for moments only.
    fn lock(&self) -> MutexGuard<'_, StoreState> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StoreState {
    /// The name of whoever may fetch something by this key.
    fn name_of(&self, key: &PublicKey) -> Option<&str> {
        self.peers.get(key).map(String::as_str).or_else(|| self.parcels.receiver(key))
    }

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
