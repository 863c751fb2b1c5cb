//! Offers files: hashes them, adds them to the content store, and watches them from then on.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ready::Ready;
use super::walk::{Found, FoundFile, find, place_at};
use crate::core::session::{FilesChanged, Hashed, Offering};
use crate::io::content::hash::{self, Fingerprint};
use crate::io::content::hash_cache::HashCache;
use crate::io::content::hash_many::{Meter, Progress, TOGETHER, hash_or_remember, hash_some};
use crate::io::content::store::ContentStore;
use crate::io::fs::check_dir;
use crate::io::fs::open::Opener;
use crate::io::offers::watch::{WatchIntervals, Watcher};
use crate::io::os::cancel::Cancel;
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::types::{SkipReason, Skipped};
use crate::protocol::{Content, ErrorCode, Failure};

/// The offers of this client. Clones share them; watching ends with the last one.
#[derive(Debug, Clone)]
pub struct Offers {
    cache: Arc<HashCache>,
    watcher: Arc<Watcher>,
}

/// The files of a request that can be offered.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) files: Vec<Ready>,
    skipped: Vec<Skipped>,
    /// The prefixes of the folders that the request names.
    folders: Vec<String>,
}

impl Offers {
    /// Offers whose contents `store` serves. Hashes are cached in the folder `home`. `changed` is called on another
    /// thread after changes, when the store has them already; it may block, and dropping the offers does not wait for
    /// it.
    pub fn new(contents: ContentStore, home: Option<&Path>, changed: impl Fn(FilesChanged) + Send + 'static) -> Self {
        Self::with_intervals(contents, home, WatchIntervals::default(), changed)
    }

    pub(crate) fn with_intervals(
        contents: ContentStore,
        home: Option<&Path>,
        intervals: WatchIntervals,
        changed: impl Fn(FilesChanged) + Send + 'static,
    ) -> Self {
        let cache = Arc::new(HashCache::new(home));
        let watcher = Arc::new(Watcher::new(contents, Arc::clone(&cache), intervals, Box::new(changed)));
        Self { cache, watcher }
    }

    /// Hashes files and folders on all cores, and adds them to the content store: all of them, or none. From then on
    /// they are watched. `progress` is called at most ten times a second, if hashing takes longer than a moment.
    ///
    /// # Errors
    /// The mistake in something that the request names, with its place; `empty-dir`; `too-many`; `source-changed` if a
    /// file keeps changing; `interrupted` if `cancel` was raised.
    pub fn offer(&self, offering: &Offering, progress: &mut Progress<'_>, cancel: &Cancel) -> Result<Hashed, Failure> {
        let prepared = prepare(offering, &self.cache, progress, cancel)?;
        let contents = prepared.files.iter().map(Ready::content).collect();
        let folders = if offering.watch { prepared.folders } else { Vec::new() };
        self.watcher.add(offering, prepared.files, folders);
        Ok(Hashed { contents, skipped: prepared.skipped })
    }

    /// Removes files from the content store and stops watching them. A name that ends in `/` means everything that is
    /// offered below it, and ends the watch for new files there; `./` means everything that was offered as `.`.
    pub fn withdraw(&self, names: &[String]) {
        self.watcher.forget(names);
    }

    /// Checks a file that was found changed while it was being served.
    #[cfg(test)]
    pub fn suspect(&self, name: &str) {
        self.watcher.suspect(name);
    }

    /// Hashes one regular file, relative to `dir` or else to the current folder. Returns its content, named by the last
    /// part of its name, and its path. It is neither offered nor watched.
    ///
    /// # Errors
    /// `no-such-file`, `not-a-file` (also for a link), `not-readable`, or `bad-name`, at `/file`; `source-changed`;
    /// `interrupted`.
    pub fn hash_one(
        &self,
        dir: Option<&str>,
        file: &str,
        cancel: &Cancel,
    ) -> Result<(Content, PathBuf, hash::Hashed), Failure> {
        let (ready, path) = self.one(dir, file, cancel).map_err(|failure| failure.at(pointer_at("/file")))?;
        Ok((ready.content(), path, ready.hashed))
    }

    /// The hashes that are remembered.
    pub(super) fn cache(&self) -> &HashCache {
        &self.cache
    }

    #[cfg(test)]
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    fn one(&self, dir: Option<&str>, file: &str, cancel: &Cancel) -> Result<(Ready, PathBuf), Failure> {
        let path = Path::new(dir.unwrap_or(".")).join(file);
        let not_a_file = || Failure::new(ErrorCode::NotAFile, format!("{file} is not a regular file."));
        let no_file = || Failure::new(ErrorCode::NoSuchFile, format!("There is no file {file}."));
        // A path that ends in `/` is that of a folder, even if the system's functions are lenient.
        let name = path.file_name().filter(|_| !file.ends_with('/')).ok_or_else(not_a_file)?;
        let name = name.to_str().ok_or_else(|| Failure::from(ErrorCode::BadName))?;
        check_file(name)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let parent = check_dir(parent).map_err(|failure| {
            let is = |code| failure.code == code;
            if is(ErrorCode::NoSuchDir) {
                no_file()
            } else if is(ErrorCode::NotADir) {
                not_a_file()
            } else {
                failure
            }
        })?;
        let opened = Opener::new(&parent)
            .open(name)
            .map_err(|failure| if failure.code == ErrorCode::NoSuchFile { no_file() } else { failure })?;
        let fingerprint = Fingerprint::of(&opened)?;
        let files = [(name, fingerprint)];
        let hashed = hash_or_remember(&parent, &files, None, &self.cache, &mut |_| (), cancel).pop();
        let hashed = hashed.unwrap_or_else(|| Err(ErrorCode::Interrupted.into()))?;
        Ok((Ready { name: name.into(), hashed }, parent.join(name)))
    }
}

/// Finds and hashes the files of a request.
pub(super) fn prepare(
    offering: &Offering,
    cache: &HashCache,
    progress: &mut Progress<'_>,
    cancel: &Cancel,
) -> Result<Prepared, Failure> {
    let dir = Path::new(&offering.dir);
    let found = find(dir, &offering.files, offering.hidden, cancel)?;
    let size = found.files.iter().map(|file| file.fingerprint.size).sum();
    let meter = Meter::new(found.files.len() as u64, size, progress);
    let Found { files: to_hash, mut skipped, named, .. } = found;
    let mut files = Vec::with_capacity(to_hash.len());
    let mut to_hash = to_hash.into_iter();
    // Hashed in groups, so that the memory for it does not grow with the folder.
    while let some @ [_, ..] = &*to_hash.by_ref().take(TOGETHER).collect::<Vec<FoundFile>>() {
        let jobs: Vec<_> = some.iter().map(|file| (&*file.name, file.fingerprint)).collect();
        let results = hash_some(dir, &jobs, offering.chunks, cache, &meter, cancel);
        sort_out(some, results, &mut files, &mut skipped)?;
    }
    if !offering.watch {
        refuse_empty(&named, &files)?;
    }
    Ok(Prepared { files, skipped, folders: named.into_iter().map(|(_, prefix)| prefix).collect() })
}

/// Separates the files that can be offered from those that turned out to be unreadable.
fn sort_out(
    found: &[FoundFile],
    results: Vec<Result<hash::Hashed, Failure>>,
    files: &mut Vec<Ready>,
    skipped: &mut Vec<Skipped>,
) -> Result<(), Failure> {
    for (file, result) in found.iter().zip(results) {
        let failure = match result {
            Ok(hashed) => {
                files.push(Ready { name: file.name.clone(), hashed });
                continue;
            }
            Err(failure) => failure,
        };
        let of_folder = |code| !file.is_named && failure.code == code;
        // It went while we looked.
        if of_folder(ErrorCode::NoSuchFile) {
            continue;
        }
        let reason = if of_folder(ErrorCode::NotAFile) {
            SkipReason::Special
        } else if of_folder(ErrorCode::NotReadable) {
            SkipReason::Unreadable
        } else if failure.code == ErrorCode::Interrupted {
            return Err(failure);
        } else {
            return Err(failure.at(place_at(file.place)));
        };
        skipped.push(Skipped { file: file.name.to_string(), reason });
    }
    Ok(())
}

/// Refuses a folder in which there is nothing to offer.
fn refuse_empty(named: &[(usize, String)], files: &[Ready]) -> Result<(), Failure> {
    let names: BTreeSet<&str> = files.iter().map(|file| &*file.name).collect();
    for (place, prefix) in named {
        let mut from = names.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        if !from.next().is_some_and(|name| name.starts_with(prefix.as_str())) {
            let shown = if prefix.is_empty() { "the folder" } else { prefix };
            let message = format!("There is nothing in {shown} to offer.");
            return Err(Failure::new(ErrorCode::EmptyDir, message).at(place_at(*place)));
        }
    }
    Ok(())
}
