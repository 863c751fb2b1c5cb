//! The folders below the download folder. Each is opened relative to the one above it, without
//! following links, so nobody who moves things about meanwhile can lead a file outside.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::AtFlags;

use super::partial_file::{failed, hidden_name};
use super::target::{enter, enter_if_there, open_downloads};
use crate::protocol::{ContentHash, ErrorCode, Failure};

/// The download folder.
pub(in crate::io) struct Downloads {
    root: OwnedFd,
    /// A folder in each file system that holds some of the files: other ones may be mounted below.
    devices: Mutex<HashMap<u64, OwnedFd>>,
}

impl Downloads {
    pub(in crate::io) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { root: open_downloads(path)?, devices: Mutex::default() })
    }

    /// The folder of a target; `None` if there is none.
    pub(in crate::io) fn find(&self, parents: &str) -> Result<Option<OwnedFd>, Failure> {
        let mut folder = self.root()?;
        for part in parts(parents) {
            match enter_if_there(folder.as_fd(), part)? {
                Some(next) => folder = next,
                None => return Ok(None),
            }
        }
        self.remember(&folder)?;
        Ok(Some(folder))
    }

    /// The folder of a target, to write there; it is made if there is none.
    fn make(&self, parents: &str) -> Result<OwnedFd, Failure> {
        let mut folder = self.root()?;
        for part in parts(parents) {
            folder = enter(folder.as_fd(), part)?;
        }
        self.remember(&folder)?;
        Ok(folder)
    }

    fn remember(&self, folder: &OwnedFd) -> Result<(), Failure> {
        let device = rustix::fs::fstat(folder).map_err(|e| failed(&e.into()))?.st_dev;
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(unknown) = devices.entry(device) {
            unknown.insert(folder.try_clone().map_err(|e| failed(&e))?);
        }
        Ok(())
    }

    /// The bytes that may still be written.
    pub(in crate::io) fn free(&self) -> u64 {
        rustix::fs::fstatvfs(&self.root).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize))
    }

    /// Whether an earlier attempt began to fetch this content to this target.
    pub(in crate::io) fn has_partial(&self, target: &str, hash: ContentHash) -> bool {
        let (parents, name) = split(target);
        let Ok(Some(folder)) = self.find(parents) else { return false };
        rustix::fs::statat(&folder, hidden_name(name, hash), AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Waits until everything is on disk that is in place by now.
    pub(in crate::io) fn sync(&self) -> Result<(), Failure> {
        let devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        devices.values().try_for_each(rustix::fs::syncfs).map_err(|e| failed(&e.into()))
    }

    fn root(&self) -> Result<OwnedFd, Failure> {
        self.root.try_clone().map_err(|e| failed(&e))
    }
}

/// The folder that was used last, kept open: files of one folder come one after another.
pub(in crate::io) struct Folders<'a> {
    downloads: &'a Downloads,
    current: Option<(String, OwnedFd)>,
}

impl<'a> Folders<'a> {
    pub(in crate::io) fn new(downloads: &'a Downloads) -> Self {
        Self { downloads, current: None }
    }

    /// The folder of a checked target, made if there is none, and the target's name in it.
    pub(in crate::io) fn of<'t>(&mut self, target: &'t str) -> Result<(BorrowedFd<'_>, &'t str), Failure> {
        let (parents, name) = split(target);
        let current = match self.current.take() {
            Some(current) if current.0 == parents => current,
            _ => (parents.to_owned(), self.downloads.make(parents)?),
        };
        Ok((self.current.insert(current).1.as_fd(), name))
    }

    /// Lets go of what is open: it may not be where it was.
    pub(in crate::io) fn forget(&mut self) {
        self.current = None;
    }
}

/// The folder and the name in it.
pub(in crate::io) fn split(target: &str) -> (&str, &str) {
    target.rsplit_once('/').unwrap_or(("", target))
}

fn parts(parents: &str) -> impl Iterator<Item = &str> {
    parents.split('/').filter(|p| !p.is_empty())
}

/// The failure if so many bytes more do not fit.
pub(in crate::io) fn missing_room(missing: u64) -> Failure {
    let mib = missing as f64 / f64::from(1 << 20);
    let readable = if mib < 1.0 { String::new() } else { format!(" ({mib:.1} MiB)") };
    let message = format!("There is no room on the disk: {missing} bytes are missing{readable}.");
    Failure::new(ErrorCode::DiskFull, message)
}

/// The failure if there is not enough room.
pub(in crate::io) fn no_room(needed: u64, free: u64) -> Option<Failure> {
    let missing = needed.checked_sub(free).filter(|missing| *missing > 0)?;
    Some(missing_room(missing))
}
