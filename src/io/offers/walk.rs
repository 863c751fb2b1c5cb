//! Finds the files that a request to offer names, and all files in the folders that it names.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use crate::io::content::hash::Fingerprint;
use crate::io::content::partial_file::is_partial;
use crate::io::fs::open::{Opener, open_folder, open_within, refusal};
use crate::io::os::cancel::Cancel;
use crate::protocol::limits::{TREE_DEPTH, TREE_ENTRIES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{At, ErrorCode, Failure};

/// A file that was found.
pub(crate) struct FoundFile {
    /// The name by which it will be offered.
    pub(crate) name: Arc<str>,
    /// The state of the file when it was found.
    pub(crate) fingerprint: Fingerprint,
    /// The index in the request of the file, or of the folder that it is in.
    pub(super) place: usize,
    /// Whether the request names the file itself.
    pub(super) is_named: bool,
}

/// Everything that a request names.
#[derive(Default)]
pub(crate) struct Found {
    /// The files, each once.
    pub(crate) files: Vec<FoundFile>,
    /// What the folders contain that cannot be offered.
    pub(crate) skipped: Vec<Skipped>,
    /// The prefix of each folder, subfolders included: `""`, or a name that ends in `/`.
    pub(crate) folders: Vec<String>,
    /// The prefixes of the folders that the request names, each with its index in the request.
    pub(super) named: Vec<(usize, String)>,
}

/// Finds everything that a request names, without opening a file.
///
/// # Errors
/// What is wrong with a file or folder that the request names, with its place; `too-many` for too large a
/// tree; `interrupted`.
pub(super) fn find(dir: &Path, names: &[String], hidden: bool, cancel: &Cancel) -> Result<Found, Failure> {
    let mut walker = Walker::new(hidden, cancel);
    let mut opener = Opener::new(dir);
    for (place, name) in names.iter().enumerate() {
        walker.place = place;
        walker.named(dir, &mut opener, name).map_err(|failure| failure.at(place_at(place)))?;
    }
    let mut found = walker.found;
    if names.len() > 1 {
        // A file that is named counts as such, even if its folder is named before it.
        found.files.sort_by_key(|file| !file.is_named);
        let mut seen = HashSet::new();
        found.files.retain(|file| seen.insert(file.name.clone()));
        found.files.sort_by_key(|file| file.place);
    }
    Ok(found)
}

/// Finds everything in a folder that is `depth` levels below the offered one. If that is too much, only a part is
/// found.
pub(crate) fn find_in(dir: &Path, prefix: &str, depth: usize, hidden: bool, cancel: &Cancel) -> Found {
    let mut walker = Walker::new(hidden, cancel);
    let folder = open_folder(dir, prefix).map_err(|errno| refusal(prefix, errno));
    if let Err(failure) = folder.and_then(|folder| walker.folder(&folder, prefix, depth)) {
        tracing::debug!("looking for files in {prefix}: {failure}");
    }
    walker.found
}

/// The place in the request of the entry with this index.
pub(super) fn place_at(place: usize) -> At {
    pointer_at(&format!("/files/{place}"))
}

/// Whether the last part of a name starts with a dot.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

struct Walker<'a> {
    hidden: bool,
    cancel: &'a Cancel,
    place: usize,
    /// How many entries were found so far.
    entries: usize,
    found: Found,
}

impl<'a> Walker<'a> {
    fn new(hidden: bool, cancel: &'a Cancel) -> Self {
        Self { hidden, cancel, place: 0, entries: 0, found: Found::default() }
    }

    /// Adds a file or folder that the request names.
    fn named(&mut self, dir: &Path, opener: &mut Opener<'_>, name: &str) -> Result<(), Failure> {
        let bare = name.trim_end_matches('/');
        if bare == "." {
            let folder = open_folder(dir, "").map_err(|errno| refusal(name, errno))?;
            self.found.named.push((self.place, String::new()));
            return self.folder(&folder, "", 0);
        }
        check_file(bare)?;
        let stat = opener.stat(bare)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let folder = open_folder(dir, bare).map_err(|errno| refusal(bare, errno))?;
            let prefix = format!("{bare}/");
            self.found.named.push((self.place, prefix.clone()));
            return self.folder(&folder, &prefix, 0);
        }
        if is_partial(bare.rsplit('/').next().unwrap_or(bare)) {
            let message = format!("{bare} is a file that is being fetched, and is not complete.");
            return Err(Failure::new(ErrorCode::NotAFile, message));
        }
        if bare != name {
            return Err(Failure::new(ErrorCode::NotADir, format!("{bare} is not a folder.")));
        }
        // It is opened once, so that an unreadable file is reported before the others are hashed.
        let fingerprint = Fingerprint::of(&opener.open(bare)?)?;
        let name = bare.into();
        self.found.files.push(FoundFile { name, fingerprint, place: self.place, is_named: true });
        Ok(())
    }

    fn folder(&mut self, folder: &OwnedFd, prefix: &str, depth: usize) -> Result<(), Failure> {
        if self.cancel.is_cancelled() {
            return Err(ErrorCode::Interrupted.into());
        }
        if depth > TREE_DEPTH {
            let message = format!("{prefix} is too deep: folders may be nested {TREE_DEPTH} levels.");
            return Err(Failure::new(ErrorCode::TooMany, message));
        }
        self.found.folders.push(prefix.to_owned());
        let Some(names) = self.names(folder)? else {
            self.skip(prefix.trim_end_matches('/').to_owned(), SkipReason::Unreadable);
            return Ok(());
        };
        for name in names {
            match name.into_string() {
                Ok(name) => self.entry(folder, prefix, &name, depth)?,
                Err(name) => self.skip(format!("{prefix}{}", name.to_string_lossy()), SkipReason::Name),
            }
        }
        Ok(())
    }

    /// The sorted names in a folder; `None` if it cannot be read.
    fn names(&mut self, folder: &OwnedFd) -> Result<Option<Vec<OsString>>, Failure> {
        let Ok(entries) = Dir::read_from(folder) else { return Ok(None) };
        let mut names = Vec::new();
        for entry in entries {
            let Ok(entry) = entry else { return Ok(None) };
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || (!self.hidden && name.starts_with(b".")) {
                continue;
            }
            self.entries += 1;
            if self.entries > TREE_ENTRIES {
                let message = format!("There are more than {TREE_ENTRIES} files and folders in there.");
                return Err(Failure::new(ErrorCode::TooMany, message).hint("Offer its folders one by one."));
            }
            names.push(OsString::from_vec(name.to_vec()));
        }
        names.sort_unstable();
        Ok(Some(names))
    }

    fn entry(&mut self, folder: &OwnedFd, prefix: &str, name: &str, depth: usize) -> Result<(), Failure> {
        // It was removed after the folder was read.
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
        let full = format!("{prefix}{name}");
        let kind = FileType::from_raw_mode(stat.st_mode);
        let reason = match kind {
            FileType::RegularFile if is_partial(name) => return Ok(()),
            FileType::Symlink => Some(SkipReason::Link),
            FileType::RegularFile | FileType::Directory if check_file(&full).is_err() => Some(SkipReason::Name),
            FileType::RegularFile | FileType::Directory => None,
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice => {
                Some(SkipReason::Special)
            }
            FileType::Unknown => Some(SkipReason::Special),
        };
        if let Some(reason) = reason {
            self.skip(full, reason);
        } else if kind == FileType::Directory {
            match open_within(folder, name) {
                Ok(inner) => self.folder(&inner, &format!("{full}/"), depth + 1)?,
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                Err(_) => self.skip(full, SkipReason::Unreadable),
            }
        } else {
            let fingerprint = Fingerprint::of_stat(&stat);
            self.found.files.push(FoundFile { name: full.into(), fingerprint, place: self.place, is_named: false });
        }
        Ok(())
    }

    fn skip(&mut self, file: String, reason: SkipReason) {
        self.found.skipped.push(Skipped { file, reason });
    }
}
