//! A folder for what lives as long as the program: readable for its owner only, and removed at the end. What a program
//! left that was killed is removed by the next one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::own_file::open_own;
use super::unwritten;
use crate::io::os::clock::random;
use crate::protocol::Failure;

/// What the names of the folders begin with.
const PREFIX: &str = "potluck-";
/// The file in each folder that is locked as long as the folder is used.
const LOCK: &str = "lock";
/// The most entries that are looked at for folders that were left.
const LOOKED_AT: usize = 10_000;

/// A temporary folder. It is removed, with all that is in it, when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryDir {
    path: PathBuf,
    _lock: File,
}

impl TemporaryDir {
    /// Makes a folder where `TMPDIR` says, or else in `/var/tmp`, which is on a disk and not in memory.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn create() -> io::Result<Self> {
        let base = std::env::var_os("TMPDIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let base = base.unwrap_or_else(|| match Path::new("/var/tmp") {
            disk if disk.is_dir() => disk.to_owned(),
            _ => std::env::temp_dir(),
        });
        Self::create_in(&base)
    }

    fn create_in(base: &Path) -> io::Result<Self> {
        remove_left(base);
        let path = base.join(format!("{PREFIX}{:016x}", random()?));
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path.join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The failure of what was to be kept in a temporary folder, which `what` says.
pub(crate) fn unkept(what: &str, e: &io::Error) -> Failure {
    unwritten(what, e).hint("TMPDIR names another place for temporary files.")
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes folders whose programs have ended without doing so.
fn remove_left(base: &Path) {
    let ours = rustix::process::geteuid().as_raw();
    let entries = std::fs::read_dir(base).into_iter().flatten().take(LOOKED_AT).flatten();
    for entry in entries {
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if digits.is_none_or(|digits| digits.len() != 16 || !digits.bytes().all(|b| b.is_ascii_hexdigit())) {
            continue;
        }
        let path = entry.path();
        let is_ours = path.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == ours);
        let Ok(lock) = open_own(OpenOptions::new().write(true), &path.join(LOCK)) else { continue };
        if is_ours && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_goes_with_its_program_or_with_the_next_one() {
        let base = tempfile::tempdir().unwrap();
        let one = TemporaryDir::create_in(base.path()).unwrap();
        assert_eq!(one.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(one.path().join("file"), b"x").unwrap();
        let left = base.path().join("potluck-0123456789abcdef");
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join(LOCK), b"").unwrap();
        std::fs::create_dir(base.path().join("potluck-else")).unwrap();
        let two = TemporaryDir::create_in(base.path()).unwrap();
        assert!(one.path().join("file").exists() && !left.exists() && base.path().join("potluck-else").exists());
        let (first, second) = (one.path().to_owned(), two.path().to_owned());
        drop((one, two));
        assert!(!first.exists() && !second.exists());
    }
}
