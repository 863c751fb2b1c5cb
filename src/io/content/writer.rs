//! Writing small files: under a hidden name first, then renamed in one step.
//!
//! The hidden name is made of the transfer's token, so no two transfers share one, and of the
//! lane's number. A run that is killed leaves at most one such file for each lane. It is locked as
//! long as it is being written; one that is not is swept away by the next attempt.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::downloads::{Downloads, Folders};
use super::hash::Fingerprint;
use super::partial_file::{failed, hidden_name_in_folder, is_hidden_in_folder, is_only_renamed, set_modified};
use super::target::{check_target, not_placed, place_in, unwritable};
use crate::protocol::{Failure, OnConflict, Timestamp};

/// How often a folder or a hidden file may vanish under our hands, until that cannot be chance.
const RACES: u32 = 4;

/// One thread's way to write files.
pub(in crate::io) struct Writer<'a> {
    folders: Folders<'a>,
    hidden: String,
    on_conflict: OnConflict,
}

/// Why writing did not come to its end.
enum Stopped {
    /// The folder or the hidden file is gone.
    Vanished,
    Failed(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl<'a> Writer<'a> {
    /// A writer with a number that no other one of the transfer has.
    pub(in crate::io) fn new(downloads: &'a Downloads, token: &str, number: usize, on_conflict: OnConflict) -> Self {
        Self { folders: Folders::new(downloads), hidden: hidden_name_in_folder(token, number), on_conflict }
    }

    /// Writes a file and gives it its name, which may be another one if `on_conflict` says so.
    ///
    /// # Errors
    /// `bad-name`, `exists`, `not-writable`, `disk-full`, `disk-failed`.
    pub(in crate::io) fn write(
        &mut self,
        target: &str,
        bytes: &[u8],
        modified: Option<Timestamp>,
    ) -> Result<(String, Fingerprint), Failure> {
        check_target(target)?;
        for _ in 0..RACES {
            match self.try_write(target, bytes, modified) {
                Ok(written) => return Ok(written),
                Err(Stopped::Failed(failure)) => return Err(failure),
                Err(Stopped::Vanished) => self.folders.forget(),
            }
        }
        Err(unwritable(target, Errno::NOENT))
    }

    fn try_write(
        &mut self,
        target: &str,
        bytes: &[u8],
        modified: Option<Timestamp>,
    ) -> Result<(String, Fingerprint), Stopped> {
        let (folder, name) = self.folders.of(target)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(folder, &self.hidden, flags, Mode::from_raw_mode(0o644));
        let mut file = File::from(opened.map_err(|e| vanished_or(e, |e| unwritable(&self.hidden, e)))?);
        let written = fill(&mut file, bytes, modified).map_err(Stopped::Failed).and_then(|before| {
            let placed = place_in(folder, &self.hidden, name, self.on_conflict);
            Ok((placed.map_err(|e| vanished_or(e, |e| not_placed(target, e)))?, before))
        });
        if written.is_err() {
            // If it cannot be removed, the next attempt sweeps it away.
            let _ = rustix::fs::unlinkat(folder, &self.hidden, AtFlags::empty());
        }
        let ((name, before), now) = (written?, Fingerprint::of(&file)?);
        // Somebody may have changed it as soon as it had its name: then it is none that we know.
        Ok((name, if is_only_renamed(before, now) { now } else { before }))
    }
}

fn vanished_or(e: Errno, why: impl FnOnce(Errno) -> Failure) -> Stopped {
    if e == Errno::NOENT { Stopped::Vanished } else { Stopped::Failed(why(e)) }
}

/// Fills a file, and says what it is then.
fn fill(file: &mut File, bytes: &[u8], modified: Option<Timestamp>) -> Result<Fingerprint, Failure> {
    // Not every file system has locks; without one, only the sweeping is lost.
    let _ = rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive);
    file.write_all(bytes).map_err(|e| failed(&e))?;
    if let Some(modified) = modified {
        set_modified(file.as_fd(), modified);
    }
    Fingerprint::of(file)
}

/// Removes what killed runs left in a folder. What cannot be removed, or is anything else but such
/// a file, stays.
pub(in crate::io) fn sweep(folder: BorrowedFd<'_>) {
    let Ok(entries) = Dir::read_from(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().to_str() else { continue };
        if is_hidden_in_folder(name) && is_left_over(folder, name) {
            let _ = rustix::fs::unlinkat(folder, name, AtFlags::empty());
        }
    }
}

/// Our own plain file that nobody is writing.
fn is_left_over(folder: BorrowedFd<'_>, name: &str) -> bool {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::openat(folder, name, flags, Mode::empty()) else { return false };
    let file = File::from(fd);
    let own = |meta: std::fs::Metadata| {
        meta.is_file() && meta.nlink() == 1 && meta.uid() == rustix::process::geteuid().as_raw()
    };
    file.metadata().is_ok_and(own) && rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_ok()
}
