//! A temporary folder that is removed when it is dropped.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::io::os::clock::random;

pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Creates a folder that only this user can read, because clients keep their keys in it.
    pub(super) fn create(keep: bool) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("potluck-demo-{:016x}", random()?));
        // It fails if the folder exists, so that somebody else's folder is never used or removed.
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, keep })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes it, unless it must be kept.
    pub(super) fn remove(mut self) -> io::Result<()> {
        let keep = std::mem::replace(&mut self.keep, true);
        if keep { Ok(()) } else { fs::remove_dir_all(&self.path) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // The demo ends because of something worse, which will be told.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
