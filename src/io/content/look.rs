//! What is in place already: the same content under the target's name.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::downloads::{Downloads, split};
use super::hash::Hashed;
use super::here::same;
use super::target::{MAX_NUMBER, check_target, folder_in_the_way, numbered, unwritable};
use super::writer::sweep;
use crate::core::fetch::{FetchPlan, PlannedFile};
use crate::io::os::cancel::Cancel;
use crate::protocol::{ErrorCode, Failure, OnConflict};

/// More threads than this only wait for the disk.
const MAX_THREADS: usize = 8;
/// How many files a thread takes at a time, so that it stays in a folder.
const RUN: usize = 64;

/// The longest name under which a file is asked for, in bytes: as long as a path.
const MAX_NAME: usize = 4096;

/// What was found of one file.
pub(in crate::io) enum Look {
    /// It is there, with this content.
    There(PathBuf, Hashed),
    /// It is to be fetched.
    Missing,
}

struct Looker<'a> {
    plan: &'a FetchPlan,
    /// The download folder.
    folder: &'a Path,
    downloads: &'a Downloads,
    cancel: &'a Cancel,
    next: AtomicUsize,
    /// The folders in which leftovers were looked for.
    swept: Mutex<HashSet<&'a str>>,
}

/// Looks for each file, in order; an error is why it cannot be fetched at all.
///
/// # Errors
/// `interrupted` if `cancel` was raised.
pub(in crate::io) fn look(
    plan: &FetchPlan,
    folder: &Path,
    downloads: &Downloads,
    cancel: &Cancel,
) -> Result<Vec<Result<Look, Failure>>, Failure> {
    let looker = Looker { plan, folder, downloads, cancel, next: AtomicUsize::new(0), swept: Mutex::default() };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let useful = cores.min(MAX_THREADS).min(plan.files.len() / RUN);
    let mut found = thread::scope(|scope| {
        // A thread that cannot be had is not needed: the others take its share.
        let spawn = |_| thread::Builder::new().name("data-look".into()).spawn_scoped(scope, || looker.runs()).ok();
        let helpers: Vec<_> = (1..useful).map_while(spawn).collect();
        let mut found = looker.runs();
        found.extend(helpers.into_iter().flat_map(|h| h.join().expect("looking does not panic")));
        found
    });
    if cancel.is_cancelled() {
        return Err(ErrorCode::Interrupted.into());
    }
    found.sort_unstable_by_key(|(first, _)| *first);
    Ok(found.into_iter().flat_map(|(_, run)| run).collect())
}

/// What was found of the files from this one on.
type Found = (usize, Vec<Result<Look, Failure>>);

impl<'a> Looker<'a> {
    fn runs(&self) -> Vec<Found> {
        let mut found = Vec::new();
        let mut current = None;
        loop {
            let first = self.next.fetch_add(RUN, Ordering::Relaxed);
            let Some(rest) = self.plan.files.get(first..).filter(|rest| !rest.is_empty()) else { return found };
            let files = rest.iter().take(RUN).take_while(|_| !self.cancel.is_cancelled());
            found.push((first, files.map(|file| self.file(file, &mut current)).collect()));
        }
    }

    fn file(&self, file: &'a PlannedFile, current: &mut Option<(&'a str, Option<OwnedFd>)>) -> Result<Look, Failure> {
        check_names(file)?;
        let (parents, name) = split(&file.target);
        let folder = match current.take() {
            Some((same, folder)) if same == parents => folder,
            _ => {
                let folder = self.downloads.find(parents)?;
                if let Some(folder) = &folder
                    && self.swept.lock().unwrap_or_else(PoisonError::into_inner).insert(parents)
                {
                    sweep(folder.as_fd());
                }
                folder
            }
        };
        let (_, folder) = current.insert((parents, folder));
        folder.as_ref().map_or(Ok(Look::Missing), |folder| self.name(file, folder, name))
    }

    /// Under the target's own name or, where another content has that and `rename` is wanted, under
    /// the numbered ones: there an earlier attempt may have put it.
    fn name(&self, file: &PlannedFile, folder: &OwnedFd, name: &str) -> Result<Look, Failure> {
        let last = if self.plan.on_conflict == OnConflict::Rename { MAX_NUMBER } else { 0 };
        for number in 0..=last {
            let numbered = numbered(name, number);
            let there = match rustix::fs::statat(folder, &numbered, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => return Ok(Look::Missing),
                Err(e) => return Err(unwritable(name, e)),
            };
            if let Some(hashed) = same(folder.as_fd(), &numbered, (file.hash, file.chunking), self.cancel) {
                return Ok(Look::There(path_of(self.folder, &file.target, &numbered), hashed));
            }
            match self.plan.on_conflict {
                OnConflict::Fail | OnConflict::Overwrite if there == FileType::Directory => {
                    return Err(folder_in_the_way(&file.target));
                }
                OnConflict::Fail => return Err(Failure::exists(&file.target)),
                OnConflict::Overwrite => return Ok(Look::Missing),
                OnConflict::Rename => {}
            }
        }
        Err(Failure::exists(&file.target))
    }
}

/// Whether the names of a file can be used at all; the first thing that is asked of it.
fn check_names(file: &PlannedFile) -> Result<(), Failure> {
    if file.file.len() > MAX_NAME {
        return Err(Failure::new(ErrorCode::BadName, "The file's name is not allowed: it is too long."));
    }
    check_target(&file.target)
}

/// The folder, relative to the download folder, in which all targets are.
pub(in crate::io) fn common_folder(plan: &FetchPlan) -> &str {
    let parents = |file: &'_ PlannedFile| file.target.rfind('/').unwrap_or(0);
    let good = || plan.files.iter().filter(|file| check_target(&file.target).is_ok());
    let Some(first) = good().next() else { return "" };
    let mut common = &first.target[..parents(first)];
    for file in good() {
        while !common.is_empty() && file.target.strip_prefix(common).is_none_or(|rest| !rest.starts_with('/')) {
            common = &common[..common.rfind('/').unwrap_or(0)];
        }
    }
    common
}

/// Where a file in a folder of targets is.
pub(in crate::io) fn path_of(folder: &Path, target: &str, name: &str) -> PathBuf {
    let (parents, _) = split(target);
    let mut path = PathBuf::with_capacity(folder.as_os_str().len() + parents.len() + name.len() + 2);
    [folder, Path::new(parents), Path::new(name)].into_iter().for_each(|part| path.push(part));
    path
}
