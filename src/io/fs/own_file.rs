//! Opens potluck's own files: keys, pinned keys, databases and their locks. If somebody could replace one of them by a
//! pipe, a device or a link, we would wait for ever, or read and write elsewhere; so only regular files are opened.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::de::DeserializeOwned;

use crate::protocol::name::NameKey;

/// The name of the file that marks a folder with keys. Nothing in such a folder is ever offered.
pub(crate) const PRIVATE: &str = ".potluck-private";

/// Marks a folder as one that holds keys. A failure is not reported: writing the keys will fail too.
pub(crate) fn mark_private(dir: &Path) {
    let _ = open_own(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600), &dir.join(PRIVATE));
}

/// The path of the file that is kept for a name: the name's key and an ending. If an older version made the key by
/// other rules, its file is found.
pub(crate) fn file_of(dir: &Path, name: &str, ending: &str) -> PathBuf {
    let name_key = NameKey::of(name);
    let file = dir.join(format!("{name_key}{ending}"));
    // The key of an ASCII name is the same in every version.
    if name.is_ascii() || file.symlink_metadata().is_ok() {
        return file;
    }
    let kept = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut others = kept.filter_map(|other| other.into_string().ok());
    let same = |other: &String| other.strip_suffix(ending).is_some_and(|other| NameKey::of(other) == name_key);
    others.find(same).map_or(file, |other| dir.join(other))
}

/// Opens a file with these options, if it is a regular file. It never waits for the other end of a pipe.
///
/// # Errors
/// Those of opening; anything but a regular file is named.
pub(crate) fn open_own(options: &mut OpenOptions, file: &Path) -> io::Result<File> {
    // The type is checked before opening: opening a pipe or device can have effects.
    match std::fs::symlink_metadata(file) {
        Ok(found) => must_be_regular(found.file_type())?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    // It may have been replaced since.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open = options.custom_flags(flags.bits().cast_signed()).open(file)?;
    must_be_regular(open.metadata()?.file_type())?;
    Ok(open)
}

/// Opens one of our files for reading.
///
/// # Errors
/// Those of [`open_own`].
pub(crate) fn read_own(file: &Path) -> io::Result<File> {
    open_own(OpenOptions::new().read(true), file)
}

/// What one of our files says, as JSON. One that cannot be read, or is damaged, or longer than so many bytes is as good as
/// none.
pub(crate) fn read_json<T: DeserializeOwned>(file: &Path, most: u64) -> Option<T> {
    let mut text = String::new();
    read_own(file).ok()?.take(most).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Writes another file, which only its owner may read, and renames it over: so there is always a whole one. It is on disk
/// when this returns.
///
/// # Errors
/// Those of opening, writing and renaming.
pub(crate) fn replace_own(file: &Path, text: &str) -> io::Result<()> {
    let fresh = file.with_added_extension("new");
    let mut out = open_own(OpenOptions::new().write(true).create(true).truncate(true).mode(0o600), &fresh)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)
}

fn must_be_regular(kind: std::fs::FileType) -> io::Result<()> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_symlink() => "a link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, and must be a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode, mkfifoat};

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("file"), b"kept").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("dangling")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        mkfifoat(CWD, at("pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert!(read_own(&at("file")).is_ok());
        assert_eq!(read_own(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        for wrong in ["link", "dangling", "folder", "pipe", "socket"] {
            for options in [OpenOptions::new().read(true), OpenOptions::new().write(true).create(true)] {
                let refused = open_own(options, &at(wrong)).unwrap_err().to_string();
                assert!(refused.contains("must be a regular file"), "{wrong}: {refused}");
            }
        }
        assert!(!at("nothing").exists(), "nothing is made through a link");
        assert!(read_own(Path::new("/dev/zero")).unwrap_err().to_string().contains("a device"));
    }
}
