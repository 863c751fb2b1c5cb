//! One content that is being fetched in chunks: its file beside its target, and what others may have of it meanwhile.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::hash::{ChunkHasher, Fingerprint, Hashed, Manifest};
use super::here::same;
use super::partial_content::PartialContent;
use super::partial_file::{PartialFile, is_only_renamed};
use super::store::ContentStore;
use super::stored_content::{Holds, Place, StoredContent};
use super::target::Target;
use crate::core::fetch::{FetchPlan, GATHERED, Opened, PlannedFile};
use crate::io::os::cancel::Cancel;
use crate::protocol::data::MAX_SEGMENT;
use crate::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, Timestamp};

/// A content that is being fetched.
pub(in crate::io) struct Incoming {
    /// Its place in the plan.
    pub(in crate::io) file: u32,
    /// The name under which it is offered.
    pub(in crate::io) name: String,
    pub(in crate::io) hash: ContentHash,
    pub(in crate::io) chunking: Chunking,
    modified: Option<Timestamp>,
    share: bool,
    store: ContentStore,
    target: Target,
    partial: PartialFile,
    /// What is in the file, for whoever fetches from us.
    growing: Arc<PartialContent>,
    manifest: OnceLock<Manifest>,
    /// Its place in the store, since the manifest is known.
    stored: OnceLock<Arc<StoredContent>>,
}

impl Incoming {
    /// Makes a file of the plan ready for its chunks. There is none if it is in place already, byte for byte.
    ///
    /// # Errors
    /// `bad-name`, `no-such-dir`, `exists`, `not-writable`, `disk-full`, `disk-failed` of the target; `interrupted` if
    /// cancelled.
    pub(in crate::io) fn open(
        plan: &FetchPlan,
        (file, planned): (u32, &PlannedFile),
        (folder, store): (&std::path::Path, &ContentStore),
        cancel: &Cancel,
    ) -> Result<(Opened, Option<Self>), Failure> {
        let PlannedFile { hash, chunking, modified, .. } = *planned;
        let target = Target::open(folder, &planned.target, plan.on_conflict)?;
        match same(target.folder(), target.name(), (hash, chunking), cancel) {
            Some(here) if plan.share => {
                let (path, chunking) = (target.path(), here.chunking);
                store.keep(&planned.file, path.clone(), here);
                return Ok((Opened::Here { path: path.to_string_lossy().into_owned(), chunking }, None));
            }
            // Whoever gives it to us alone is to learn that we have it: it comes once more, and is not kept twice.
            Some(_) => {}
            None if cancel.is_cancelled() => return Err(ErrorCode::Interrupted.into()),
            None => target.check_conflict()?,
        }
        let whole = plan.is_folder() || plan.chunks.is_none();
        let (partial, claimed) = PartialFile::open(&target, hash, chunking, whole)?;
        let known = partial.fingerprint().ok().and_then(|fingerprint| store.resume(&hash, fingerprint));
        let known = known.filter(|known| known.hashed.chunking == chunking);
        let have = match known.as_ref().map(|known| &known.holds) {
            Some(Holds::All) => ChunkSet::all(chunking.count()),
            Some(Holds::Some(have)) => have.clone(),
            Some(Holds::Partial(_)) | None => ChunkSet::default(),
        };
        let incoming = Self {
            file,
            name: planned.file.clone(),
            hash,
            chunking,
            modified,
            share: plan.share,
            store: store.clone(),
            growing: Arc::new(PartialContent::new(partial.file().clone(), chunking.count(), &have)),
            target,
            partial,
            manifest: OnceLock::new(),
            stored: OnceLock::new(),
        };
        let manifest = known.map(|known| known.hashed.manifest.clone());
        let manifest = manifest.or_else(|| (chunking.count() == 1).then(|| [hash.0].into()));
        let path = incoming.target.path().to_string_lossy().into_owned();
        let opened = Opened::Ready { path, claimed, manifest: manifest.is_some() };
        manifest.into_iter().for_each(|manifest| incoming.set_manifest(manifest));
        Ok((opened, Some(incoming)))
    }

    /// The manifest is known and right: from now on what is verified can be served.
    pub(in crate::io) fn set_manifest(&self, manifest: Manifest) {
        if self.manifest.set(manifest.clone()).is_err() || !self.share {
            return;
        }
        let Ok(fingerprint) = self.partial.fingerprint() else { return };
        let hashed = Hashed { hash: self.hash, chunking: self.chunking, manifest, fingerprint };
        let (name, place) = (self.name.clone().into(), Place::At(self.hidden().into()));
        let stored = Arc::new(StoredContent { name, place, hashed, holds: Holds::Partial(self.growing.clone()) });
        if self.stored.set(stored.clone()).is_ok() {
            self.store.begin(stored);
        }
    }

    /// Whether a chunk that was hashed is what it must be; it is not while that is not known.
    pub(in crate::io) fn is_right(&self, chunk: u32, hasher: ChunkHasher) -> bool {
        let manifest = self.manifest.get();
        manifest.and_then(|manifest| manifest.get(chunk as usize)).is_some_and(|hash| hasher.finish() == *hash)
    }

    /// Whether chunks are verified before they are written, rather than written as they come.
    pub(in crate::io) fn is_gathered(&self) -> bool {
        self.chunking.chunk_size() <= GATHERED
    }

    /// Writes content at its place.
    pub(in crate::io) fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        self.partial.write(at, bytes)
    }

    /// A chunk was verified and is in the file: it can be served, before anybody is told that it is there.
    pub(in crate::io) fn keep(&self, chunk: u32) -> Result<(), Failure> {
        self.partial.mark(chunk, true)?;
        self.growing.insert(chunk);
        Ok(())
    }

    /// Compares a chunk that an earlier attempt left with the manifest. One that is wrong is not said to be there any
    /// more, unless it was not looked at to its end.
    pub(in crate::io) fn check(&self, chunk: u32, cancel: &Cancel) -> bool {
        let mut hasher = ChunkHasher::new(self.chunking, chunk);
        let mut range = self.chunking.range(chunk);
        let mut buffer = vec![0; MAX_SEGMENT];
        let mut right = true;
        while !range.is_empty() && right {
            if cancel.is_cancelled() {
                return false;
            }
            let piece = &mut buffer[..(range.end - range.start).min(MAX_SEGMENT as u64) as usize];
            right = self.partial.read(range.start, piece).is_ok();
            hasher.update(piece);
            range.start += piece.len() as u64;
        }
        if right && self.is_right(chunk, hasher) {
            self.growing.insert(chunk);
            return true;
        }
        // The mark is a hint; if it cannot be changed, the next attempt finds out again.
        let _ = self.partial.mark(chunk, false);
        self.growing.remove(chunk);
        false
    }

    /// Gives the file its name if it is complete, and makes sure that what there is stays otherwise.
    ///
    /// # Errors
    /// `exists`, `not-writable`, `disk-full`, `disk-failed`.
    pub(in crate::io) fn place(&self, complete: bool) -> Result<PathBuf, Failure> {
        let placed = if complete { self.finish() } else { self.partial.keep().map(|()| None) };
        match placed {
            Ok(Some((path, finished))) => {
                self.end_fetch(Some((&path, finished)));
                Ok(path)
            }
            Ok(None) => {
                self.end_fetch(None);
                Ok(self.hidden())
            }
            Err(failure) => {
                self.end_fetch(None);
                Err(failure)
            }
        }
    }

    /// Tells also what the file was before anybody else knew its name.
    fn finish(&self) -> Result<Option<(PathBuf, Fingerprint)>, Failure> {
        self.partial.finish(self.modified)?;
        let finished = self.partial.fingerprint()?;
        match self.target.place(self.partial.name()) {
            Err(failure) if failure.code == ErrorCode::Exists => {
                let wanted = (self.hash, self.chunking);
                let here = same(self.target.folder(), self.target.name(), wanted, &Cancel::default()).ok_or(failure)?;
                self.partial.discard();
                Ok(Some((self.target.path(), here.fingerprint)))
            }
            placed => Ok(Some((placed?, finished))),
        }
    }

    /// It will not be complete: what there is stays for the next attempt, or goes.
    pub(in crate::io) fn leave(&self, discard: bool) {
        if discard {
            self.partial.discard();
        }
        self.end_fetch(None);
    }

    /// The fetch is over, and its file here or still hidden: what there is of it can be served as long as it stays
    /// what it is now.
    fn end_fetch(&self, placed: Option<(&PathBuf, Fingerprint)>) {
        let have = self.growing.all(self.chunking);
        // Whoever has changed it since it got its name must not have that served in our name.
        let is_ours = |now: &Fingerprint| placed.is_none_or(|(_, finished)| is_only_renamed(finished, *now));
        let fingerprint = self.partial.fingerprint().ok().filter(|now| !have.is_empty() && is_ours(now));
        self.growing.end(fingerprint);
        let Some(growing) = self.stored.get() else { return };
        let ended = fingerprint.map(|fingerprint| StoredContent {
            name: growing.name.clone(),
            place: Place::At(placed.map_or_else(|| self.hidden(), |(path, _)| path.clone()).into()),
            hashed: Hashed { fingerprint, ..growing.hashed.clone() },
            holds: if have.len() == self.chunking.count() { Holds::All } else { Holds::Some(have) },
        });
        self.store.end_fetch(growing, ended);
    }

    /// Where the file is until it is complete.
    fn hidden(&self) -> PathBuf {
        self.target.beside(self.partial.name())
    }
}
