//! A file that is being served.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::store::{Holds, StoredContent};
use crate::protocol::{ErrorCode, Failure};

/// A file from the store, open for reading.
pub(in crate::io) struct OpenFile {
    /// `None` while it is being fetched: then its handle is there.
    file: Option<File>,
    shelved: Arc<StoredContent>,
}

impl OpenFile {
    pub(super) fn new(file: Option<File>, shelved: Arc<StoredContent>) -> Self {
        Self { file, shelved }
    }

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
