//! Opens files below a folder without following links. Only regular files are opened, because opening a pipe or device
//! can have effects.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, openat, statat};
use rustix::io::Errno;

use crate::io::fs::own_file::PRIVATE;
use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// Opens files below a folder, and refuses names of which any part is a link, because a link could lead out of the folder.
/// The folder of the last file stays open, since the next file is often in it.
pub(crate) struct Opener<'a> {
    dir: &'a Path,
    last: Option<(String, OwnedFd)>,
}

impl<'a> Opener<'a> {
    pub(crate) fn new(dir: &'a Path) -> Self {
        Self { dir, last: None }
    }

    /// Opens a regular file, by its name relative to the folder.
    ///
    /// # Errors
    /// `no-such-file`, `not-a-file`, or `not-readable`.
    pub(crate) fn open(&mut self, file: &str) -> Result<File, Failure> {
        let (folders, name) = file.rsplit_once('/').unwrap_or(("", file));
        let refuse = |errno: Errno| refusal(file, errno);
        let folder = self.folder(folders).map_err(refuse)?;
        // The type is checked before opening: the writer of a pipe would believe that it is being read.
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(refuse)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(refusal(file, Errno::LOOP));
        }
        // It must not block, in case it has become a pipe since.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = File::from(openat(folder, name, flags, Mode::empty()).map_err(refuse)?);
        match open.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(open),
            Ok(_) => Err(refusal(file, Errno::LOOP)),
            Err(e) => {
                Err(Failure::new(ErrorCode::NotReadable, format!("{file} cannot be read: {}.", cause::of_io(&e))))
            }
        }
    }

    /// The metadata of a file below the folder, without opening it.
    pub(crate) fn stat(&mut self, file: &str) -> Result<Stat, Failure> {
        let (folders, name) = file.rsplit_once('/').unwrap_or(("", file));
        let folder = self.folder(folders).map_err(|errno| refusal(file, errno))?;
        statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| refusal(file, errno))
    }

    fn folder(&mut self, folders: &str) -> Result<&OwnedFd, Errno> {
        let last = match self.last.take() {
            Some((name, folder)) if name == folders => (name, folder),
            _ => (folders.to_owned(), open_folder(self.dir, folders)?),
        };
        Ok(&self.last.insert(last).1)
    }
}

/// Opens a folder below `dir`. `dir` itself may be a link; for `folders` = `""` it is opened itself.
pub(crate) fn open_folder(dir: &Path, folders: &str) -> Result<OwnedFd, Errno> {
    let mut folder = not_private(openat(CWD, dir, FOLDER, Mode::empty())?)?;
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        folder = open_within(&folder, part)?;
    }
    Ok(folder)
}

/// Opens a folder in an open one.
pub(crate) fn open_within(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    not_private(openat(folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?)
}

/// Refuses a folder that holds potluck's own keys.
fn not_private(folder: OwnedFd) -> Result<OwnedFd, Errno> {
    match statat(&folder, PRIVATE, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Err(Errno::PERM),
        Err(_) => Ok(folder),
    }
}

pub(crate) fn refusal(file: &str, errno: Errno) -> Failure {
    match errno {
        Errno::NOENT => Failure::new(ErrorCode::NoSuchFile, format!("There is no file {file}.")),
        Errno::LOOP | Errno::NOTDIR | Errno::NXIO => {
            Failure::new(ErrorCode::NotAFile, format!("{file} is not a regular file, or a part of its name is a link."))
        }
        Errno::PERM => {
            let message = format!("{file} is in a folder in which potluck keeps its own keys, or is one.");
            Failure::new(ErrorCode::NotReadable, message).hint("Offer from another folder.")
        }
        other => {
            let said = io::Error::from(other);
            Failure::new(ErrorCode::NotReadable, format!("{file} cannot be read: {said}."))
        }
    }
}
