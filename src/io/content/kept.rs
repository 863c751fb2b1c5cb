//! Puts what did not come as a file into one: a text that goes to a file, or what standard output did not take.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};

use super::target::{Target, unwritable};
use crate::io::fs::unwritten;
use crate::protocol::{Failure, OnConflict};

/// What the name of an unfinished file ends with; it begins with a dot.
const UNFINISHED: &str = ".kept.potluck";

/// Writes a file of this name in a folder, which is made if it is not there, and returns where it is. It gets its name when
/// all of it is on disk.
///
/// # Errors
/// `exists`, `bad-name`, `not-writable`, `disk-full`; `not-readable` if `write` cannot read what it should write.
pub fn keep(
    folder: &Path,
    name: &str,
    on_conflict: OnConflict,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(folder).map_err(|e| unwritten(&format!("{} cannot be written", folder.display()), &e))?;
    let target = Target::open(folder, name, on_conflict)?;
    target.check_conflict()?;
    let unfinished = format!(".{}{UNFINISHED}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(target.folder(), unfinished.as_str(), flags, Mode::from_raw_mode(0o644));
    let mut file = std::fs::File::from(file.map_err(|e| unwritable(name, e))?);
    let written = write(&mut file)
        .and_then(|()| file.sync_all())
        .map_err(|e| unwritten(&format!("{name} cannot be written"), &e));
    let placed = written.and_then(|()| target.place(&unfinished));
    if placed.is_err() {
        let _ = rustix::fs::unlinkat(target.folder(), unfinished.as_str(), AtFlags::empty());
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ErrorCode;

    #[test]
    fn what_is_kept_replaces_nothing_unless_told() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new");
        let put = |text: &str, on_conflict| keep(&folder, "a.txt", on_conflict, |out| out.write_all(text.as_bytes()));
        assert_eq!(put("1", OnConflict::Fail), Ok(folder.join("a.txt")));
        assert_eq!(put("2", OnConflict::Fail).unwrap_err().code, ErrorCode::Exists);
        assert_eq!(put("3", OnConflict::Rename), Ok(folder.join("a (1).txt")));
        assert_eq!(std::fs::read_to_string(folder.join("a.txt")).unwrap(), "1");
        assert_eq!(put("4", OnConflict::Overwrite), Ok(folder.join("a.txt")));
        assert_eq!(std::fs::read_to_string(folder.join("a.txt")).unwrap(), "4");
        let failed = keep(&folder, "b.txt", OnConflict::Fail, |_| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(failed.unwrap_err().code, ErrorCode::DiskFull);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing unfinished is left");
    }
}
