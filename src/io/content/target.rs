//! Where a fetched file goes: below the download folder and nowhere else, under a name that
//! replaces nothing unless told.
//!
//! Each folder on the way is opened relative to the one above it, without following links, so
//! nobody who moves things about meanwhile can lead a file outside.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure, OnConflict};

/// The longest part of a path that Linux file systems take, in bytes.
pub(in crate::io) const MAX_PART: usize = 255;
/// The longest path, in bytes.
const MAX_PATH: usize = 4096;
/// After so many files of the same name `rename` gives up.
pub(in crate::io) const MAX_NUMBER: u32 = 9_999;

/// A place for one file.
pub(in crate::io) struct Target {
    folder: OwnedFd,
    folder_path: PathBuf,
    name: String,
    /// Both, relative to the download folder: as its user knows it.
    target: String,
    on_conflict: OnConflict,
}

impl Target {
    /// Opens the folder of a target, a checked path relative to the download folder, and makes
    /// subfolders that do not exist.
    ///
    /// # Errors
    /// `bad-name`, `no-such-dir` without the download folder, `not-writable` for anything in the way.
    pub(in crate::io) fn open(downloads: &Path, target: &str, on_conflict: OnConflict) -> Result<Self, Failure> {
        check_target(target)?;
        let mut folder = open_downloads(downloads)?;
        let (parents, name) = target.rsplit_once('/').unwrap_or(("", target));
        for part in parents.split('/').filter(|p| !p.is_empty()) {
            folder = enter(folder.as_fd(), part)?;
        }
        let (folder_path, name, target) = (downloads.join(parents), name.to_owned(), target.to_owned());
        Ok(Self { folder, folder_path, name, target, on_conflict })
    }

    /// The folder that will hold the file.
    pub(in crate::io) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    /// The file's name in it.
    pub(in crate::io) fn name(&self) -> &str {
        &self.name
    }

    /// Where the file will be, unless the name is taken by then.
    pub(in crate::io) fn path(&self) -> PathBuf {
        self.folder_path.join(&self.name)
    }

    /// Where another file of the same folder is.
    pub(in crate::io) fn beside(&self, name: &str) -> PathBuf {
        self.folder_path.join(name)
    }

    /// Gives the finished file of this name its own name, in one step, and returns where it is.
    pub(in crate::io) fn place(&self, finished: &str) -> Result<PathBuf, Failure> {
        let name = place_in(self.folder.as_fd(), finished, &self.name, self.on_conflict)
            .map_err(|e| not_placed(&self.target, e))?;
        // Without this a power failure could take the new name back.
        rustix::fs::fsync(&self.folder).map_err(|e| {
            Failure::new(ErrorCode::DiskFailed, format!("The disk reported an error: {}.", cause::of_io(&e.into())))
        })?;
        Ok(self.folder_path.join(name))
    }

    /// Whether the file could get its name later.
    ///
    /// # Errors
    /// `exists` where it could not, `not-writable` for anything in the way.
    pub(in crate::io) fn check_conflict(&self) -> Result<(), Failure> {
        let there = match rustix::fs::statat(&self.folder, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => return Ok(()),
            Err(e) => return Err(unwritable(&self.name, e)),
        };
        match self.on_conflict {
            OnConflict::Fail | OnConflict::Overwrite if there == FileType::Directory => {
                Err(folder_in_the_way(&self.target))
            }
            OnConflict::Fail => Err(Failure::exists(&self.target)),
            OnConflict::Overwrite | OnConflict::Rename => Ok(()),
        }
    }
}

/// Gives a finished file in a folder its own name, in one step, and returns that.
pub(in crate::io) fn place_in(
    folder: BorrowedFd<'_>,
    finished: &str,
    name: &str,
    on_conflict: OnConflict,
) -> Result<String, Errno> {
    match on_conflict {
        OnConflict::Fail => rename_new(folder, finished, name).map(|()| name.to_owned()),
        OnConflict::Overwrite => rustix::fs::renameat(folder, finished, folder, name).map(|()| name.to_owned()),
        OnConflict::Rename => {
            for number in 0..=MAX_NUMBER {
                let name = numbered(name, number);
                match rename_new(folder, finished, &name) {
                    Ok(()) => return Ok(name),
                    Err(Errno::EXIST) => {}
                    Err(e) => return Err(e),
                }
            }
            Err(Errno::EXIST)
        }
    }
}

/// Why a finished file did not get its name, which is told as a path below the download folder.
pub(in crate::io) fn not_placed(target: &str, e: Errno) -> Failure {
    match e {
        Errno::EXIST => Failure::exists(target),
        Errno::ISDIR | Errno::NOTEMPTY => folder_in_the_way(target),
        other => unwritable(target, other),
    }
}

/// Renames only if the new name is free; both ways are one step for whoever looks.
fn rename_new(folder: BorrowedFd<'_>, from: &str, to: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            rustix::fs::linkat(folder, from, folder, to, AtFlags::empty())?;
            rustix::fs::unlinkat(folder, from, AtFlags::empty())
        }
        other => other,
    }
}

/// Whether a name can be that of a fetched file: relative, with `/` between its parts, none of
/// them empty, `.`, `..` or longer than 255 bytes, and nothing that hides what it is.
///
/// # Errors
/// `bad-name`, with what is wrong.
pub fn check_target(target: &str) -> Result<(), Failure> {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\\' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}')
    };
    let drive = matches!(target.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let wrong = if target.is_empty() {
        "it is empty"
    } else if target.len() > MAX_PATH || target.split('/').any(|p| p.len() > MAX_PART) {
        "it is too long"
    } else if target.starts_with('/') || drive {
        "it is not relative"
    } else if target.split('/').any(|p| matches!(p, "" | "." | "..")) {
        "it has a part that is empty, `.` or `..`"
    } else if target.contains(hides) {
        "it has a backslash, or a control, bidirectional or invisible character"
    } else {
        return Ok(());
    };
    Err(Failure::new(ErrorCode::BadName, format!("The file's name is not allowed: {wrong}.")))
}

/// The failure if so many bytes more do not fit.
pub(in crate::io) fn missing_room(missing: u64) -> Failure {
    let mib = missing as f64 / f64::from(1 << 20);
    let readable = if mib < 1.0 { String::new() } else { format!(" ({mib:.1} MiB)") };
    let message = format!("There is no room on the disk: {missing} bytes are missing{readable}.");
    Failure::new(ErrorCode::DiskFull, message)
}

/// Opens the download folder; links on the way there are the user's own.
pub(in crate::io) fn open_downloads(downloads: &Path) -> Result<OwnedFd, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(downloads, flags, Mode::empty()).map_err(|e| match e {
        Errno::NOENT => ErrorCode::NoSuchDir.into(),
        Errno::NOTDIR => ErrorCode::NotADir.into(),
        other => unwritable(&downloads.to_string_lossy(), other),
    })
}

/// Opens a subfolder, made first if it does not exist. A link is not followed.
pub(in crate::io) fn enter(folder: BorrowedFd<'_>, part: &str) -> Result<OwnedFd, Failure> {
    match enter_if_there(folder, part)? {
        Some(opened) => Ok(opened),
        None => {
            match rustix::fs::mkdirat(folder, part, Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(unwritable(part, e)),
            }
            enter_if_there(folder, part)?.ok_or_else(|| unwritable(part, Errno::NOENT))
        }
    }
}

/// Opens a subfolder; `None` if there is none. A link is not followed.
pub(in crate::io) fn enter_if_there(folder: BorrowedFd<'_>, part: &str) -> Result<Option<OwnedFd>, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, part, flags, Mode::empty()) {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            Err(Failure::new(ErrorCode::NotWritable, format!("`{part}` is a link or a file, not a folder.")))
        }
        Err(other) => Err(unwritable(part, other)),
    }
}

/// `name (1).ext`; the name itself for 0. The ending starts at the last dot that is not the first
/// character. Cut so that it stays a name.
pub(in crate::io) fn numbered(name: &str, number: u32) -> String {
    if number == 0 {
        return name.to_owned();
    }
    let dot = name.rfind('.').filter(|at| *at > 0 && name.len() - at <= 32).unwrap_or(name.len());
    let (stem, ending) = name.split_at(dot);
    let mark = format!(" ({number})");
    format!("{}{mark}{ending}", cut(stem, MAX_PART - mark.len() - ending.len()))
}

/// As much of a text as fits into so many bytes.
pub(in crate::io) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

pub(in crate::io) fn folder_in_the_way(target: &str) -> Failure {
    Failure::new(ErrorCode::Exists, format!("{target} is a folder.")).hint("Use --to.")
}

/// Why something could not be made or opened for writing.
pub(in crate::io) fn unwritable(what: &str, e: Errno) -> Failure {
    match e {
        Errno::NOSPC | Errno::DQUOT => ErrorCode::DiskFull.into(),
        Errno::NAMETOOLONG => Failure::new(ErrorCode::BadName, "The file system does not take a name that long."),
        Errno::ILSEQ | Errno::INVAL => Failure::new(ErrorCode::BadName, "The file system does not take that name."),
        Errno::IO => Failure::new(ErrorCode::DiskFailed, format!("The disk reported an error for `{what}`.")),
        other => Failure::new(
            ErrorCode::NotWritable,
            format!("`{what}` cannot be written: {}.", cause::of_io(&other.into())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_target_names() {
        for good in ["a", "a b.txt", "é/ü.txt", "..a", "a..", "...", ".hidden", "a/b/c", &"x".repeat(255), "ab:c"] {
            assert!(check_target(good).is_ok(), "{good}");
        }
        let long = format!("{}a", "a/".repeat(2048));
        for bad in [
            "",
            ".",
            "..",
            "/a",
            "a/",
            "a//b",
            "a/./b",
            "a/../b",
            "../a",
            "a/..",
            "a\0b",
            "a\nb",
            "a\u{1b}[0m",
            "C:\\x",
            "C:x",
            "..\\..\\x",
            "a\u{202e}b",
            "a\u{200b}b",
            &"x".repeat(256),
            &"é".repeat(128),
            &long,
        ] {
            let failure = check_target(bad).unwrap_err();
            assert_eq!(failure.code, ErrorCode::BadName, "{bad:?}");
        }
    }

    #[test]
    fn data_numbered_names() {
        assert_eq!(numbered("a.txt", 0), "a.txt");
        assert_eq!(numbered("a.txt", 2), "a (2).txt");
        assert_eq!(numbered(".hidden", 1), ".hidden (1)");
        assert_eq!(numbered("no ending", 10), "no ending (10)");
        let long = numbered(&format!("{}.txt", "é".repeat(125)), 1);
        assert!(long.len() <= MAX_PART && long.ends_with("é (1).txt"), "{long}");
        assert!(numbered(&format!("a.{}", "x".repeat(253)), 1).len() <= MAX_PART);
    }
}
