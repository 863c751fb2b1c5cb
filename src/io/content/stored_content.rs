//! A content in the store: where its file is, what of it is there, and reading it.

use std::borrow::Cow;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::hash::{Fingerprint, Hashed};
use super::partial_content::PartialContent;
use crate::protocol::{ChunkSet, ErrorCode, Failure};

/// One file in the store.
#[derive(Debug)]
pub(in crate::io) struct StoredContent {
    pub(in crate::io) name: Arc<str>,
    pub(in crate::io) place: Place,
    pub(in crate::io) hashed: Hashed,
    pub(in crate::io) holds: Holds,
}

/// Where a file in the store lies.
#[derive(Debug, Clone)]
pub(in crate::io) enum Place {
    /// In this folder, under the name by which it is offered: many files share the folder.
    In(Arc<Path>),
    /// Here.
    At(Box<Path>),
}

/// Which chunks a file in the store has.
#[derive(Debug)]
pub(in crate::io) enum Holds {
    All,
    /// Those that were verified before the fetch ended.
    Some(ChunkSet),
    /// Those that were verified so far.
    Partial(Arc<PartialContent>),
}

impl StoredContent {
    /// Where it is.
    pub(in crate::io) fn path(&self) -> Cow<'_, Path> {
        match &self.place {
            Place::In(folder) => folder.join(&*self.name).into(),
            Place::At(path) => Cow::Borrowed(path),
        }
    }

    /// Whether every chunk of a range is there.
    pub(super) fn has(&self, start: u64, end: u64) -> bool {
        let chunking = self.hashed.chunking;
        if start >= end || end > chunking.size() {
            return false;
        }
        // Both are below the number of chunks, because the range ends within the content.
        let mut chunks = (start / chunking.chunk_size()) as u32..end.div_ceil(chunking.chunk_size()) as u32;
        match &self.holds {
            Holds::All => true,
            Holds::Some(have) => chunks.all(|chunk| have.contains(chunk)),
            Holds::Partial(growing) => growing.has(chunks),
        }
    }

    /// Whether there is no such file any more; that the system does not tell, for now, means nothing.
    pub(super) fn is_lost(&self) -> bool {
        match (&self.holds, self.path().symlink_metadata()) {
            (Holds::Partial(_), _) => false,
            (_, Ok(meta)) => Fingerprint::of_metadata(&meta) != Some(self.hashed.fingerprint),
            (_, Err(e)) => matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Opens the file, if it is still the one that was hashed. It follows no link and never waits
    /// for a pipe.
    ///
    /// # Errors
    /// `source-gone` if there is no such file any more, `source-changed` if it is another.
    pub(in crate::io) fn open(self: &Arc<Self>) -> Result<OpenFile, Failure> {
        if let Holds::Partial(_) = self.holds {
            return Ok(OpenFile { file: None, shelved: self.clone() });
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&*self.path(), flags, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::LOOP | Errno::NXIO) => return Err(ErrorCode::SourceChanged.into()),
            Err(_) => return Err(ErrorCode::SourceGone.into()),
        };
        self.check(&file)?;
        Ok(OpenFile { file: Some(file), shelved: self.clone() })
    }

    fn check(&self, file: &File) -> Result<(), Failure> {
        match Fingerprint::of(file) {
            Ok(now) if now == self.hashed.fingerprint => Ok(()),
            // A fetch goes on with it.
            _ if matches!(self.holds, Holds::Some(_)) => Err(ErrorCode::SourceGone.into()),
            _ => Err(ErrorCode::SourceChanged.into()),
        }
    }
}

/// A file from the store, open for reading.
pub(in crate::io) struct OpenFile {
    /// `None` while it is being fetched: then its handle is there.
    file: Option<File>,
    shelved: Arc<StoredContent>,
}

impl OpenFile {
    /// Fills `out` from this place of the file. What it returns was read before the check that
    /// the file is unchanged, so a byte that was written after hashing is never passed on; and of a
    /// file that is not complete only what was verified before.
    pub(in crate::io) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Failure> {
        // Of nothing, nothing can be missing.
        if !out.is_empty() && !self.shelved.has(at, at.saturating_add(out.len() as u64)) {
            return Err(ErrorCode::SourceGone.into());
        }
        match (&self.file, &self.shelved.holds) {
            (Some(file), _) => {
                let read = file.read_exact_at(out, at);
                self.shelved.check(file)?;
                read.map_err(|_| ErrorCode::SourceGone.into())
            }
            (None, Holds::Partial(growing)) => growing.read(at, out),
            (None, Holds::All | Holds::Some(_)) => Err(ErrorCode::SourceGone.into()),
        }
    }
}
