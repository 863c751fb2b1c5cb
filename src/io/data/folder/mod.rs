//! Getting a folder: what is asked for, what is told, and the order of it all.
//!
//! Small files come whole, many for each request, over one or two connections for each source (see
//! `lane`); which file from whom is the business of [`core::batch`](crate::core::batch). Larger ones
//! are fetched one after another as single files are (see `large`), beside that. What is in place
//! already is not fetched again (see `look`), so an interrupted folder goes on where it was.

mod folders;
mod lane;
mod large;
mod look;
mod run;
mod watch;
mod writer;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::folders::Downloads;
use self::look::{Look, look};
use self::run::{Run, Work};
use super::control::Control;
use super::fetch::Source;
use super::shelf::Shelf;
use super::target::check_target;
use crate::io::content::hash::Hashed;
use crate::io::data::LocalPeer;
use crate::protocol::data::{MAX_WHOLE, check_token};
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, OnConflict, Timestamp};

/// The longest name under which a file is asked for, in bytes: as long as a path.
const MAX_NAME: usize = 4096;

/// What to get, from whom, and where to put it.
#[derive(Debug, Clone)]
pub struct FolderJob {
    /// 16 lower-case hex digits, new for each transfer; by it a source knows which of our
    /// connections belong together.
    pub token: String,
    /// What the sources' users are told that we fetch: a folder's name with a slash at its end.
    pub name: String,
    /// The hash by which the folder is known; only told.
    pub hash: ContentHash,
    /// The files.
    pub files: Vec<FolderFile>,
    /// Who has them.
    pub sources: Vec<Source>,
    /// The download folder. It must exist.
    pub folder: PathBuf,
    /// What to do with each file whose name is taken by another content.
    pub on_conflict: OnConflict,
    /// From this follows with which chunk of a large file it begins; with 0 it is the first.
    pub seed: u64,
}

/// One file of a folder.
#[derive(Debug, Clone)]
pub struct FolderFile {
    /// The name under which it is offered.
    pub file: String,
    /// The name to be, relative to the download folder; see [`check_target`].
    pub target: String,
    /// The content.
    pub hash: ContentHash,
    /// How it is cut.
    pub chunking: Chunking,
    /// When it was last changed, which is what it shall say here, too.
    pub modified: Option<Timestamp>,
    /// Who has it: places in [`FolderJob::sources`].
    pub sources: Vec<u32>,
}

/// How the transfer of a folder goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderNote {
    /// What is in place already has been found and checked; now the rest is fetched.
    Started {
        /// The folder that holds all the files.
        path: PathBuf,
        /// The bytes that are in place.
        resumed: u64,
    },
    /// The first connection to a source is made.
    Connected {
        /// The source's name.
        source: String,
    },
    /// So much is there by now, what was in place included; at most ten times a second.
    Progress {
        /// The bytes.
        bytes: u64,
    },
    /// These are there, verified and under their names; at most twice a second.
    Have(Vec<Arrived>),
    /// A file could not be had; the others go on.
    FileFailed {
        /// The name under which it is offered.
        file: String,
        /// Why.
        failure: Failure,
    },
    /// A source is not used any more. It is told once for each.
    SourceDropped {
        /// The source's name.
        name: String,
        /// Why.
        failure: Failure,
    },
}

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// Its place in [`FolderJob::files`].
    pub file: u32,
    /// Where it is.
    pub path: PathBuf,
    /// All that is needed to serve it to others; of a file that was fetched in chunks it is not known.
    pub hashed: Option<Hashed>,
}

/// A folder that has been got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFetched {
    /// How many files it has.
    pub files: usize,
    /// Their bytes.
    pub size: u64,
    /// The bytes that came from each source, those without any left out. Their sum is less than the
    /// size if some files were in place already.
    pub from: Vec<(String, u64)>,
    /// How long it took.
    pub elapsed: Duration,
    /// The folder that holds all the files.
    pub path: PathBuf,
}

/// Gets the files of a folder from their sources, verifies every byte, and puts them in place. It
/// blocks until that is done, has failed, or is cancelled. What is in place stays, and the
/// next attempt goes on from there. It is on disk when this returns, unless the whole was given up.
///
/// # Errors
/// `no-such-dir`, `not-a-dir`, `not-writable` of the download folder; `disk-full`, `disk-failed`;
/// `interrupted` if cancelled. If only some files could not be had, the code of the first one's
/// failure and how many there are.
pub fn fetch_folder(
    job: &FolderJob,
    identity: &LocalPeer,
    shelf: &Shelf,
    notify: &(dyn Fn(FolderNote) + Send + Sync),
    control: &Control,
) -> Result<FolderFetched, Failure> {
    let cancel = control.flag();
    let started = Instant::now();
    check_token(&job.token)?;
    let downloads = Downloads::open(&job.folder)?;
    let path = job.folder.join(common_folder(job));
    let mut work = Work::default();
    for (index, found) in (0..).zip(look(job, &downloads, cancel)?) {
        let size = job.files[index as usize].chunking.size();
        match found {
            Ok(Look::There(path, hashed)) => {
                work.present += size;
                work.arrived.push(Arrived { file: index, path, hashed: Some(hashed) });
            }
            Ok(Look::Missing) if size == 0 => work.empty.push(index),
            Ok(Look::Missing) if size <= MAX_WHOLE => work.small.push(index),
            Ok(Look::Missing) => work.large.push(index),
            Err(failure) => work.failed.push((index, failure)),
        }
    }
    check_room(job, &downloads, &work)?;
    notify(FolderNote::Started { path: path.clone(), resumed: work.present });
    let from = Run::new(job, (identity, shelf), notify, &downloads, work).all(cancel)?;
    Ok(FolderFetched { files: job.files.len(), size: job.size(), from, elapsed: started.elapsed(), path })
}

impl FolderJob {
    /// The bytes of all files. What is offered is not to be believed, hence the saturation.
    fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.chunking.size()))
    }
}

/// Whether the names of a file can be used at all; the first thing that is asked of it.
fn check_names(file: &FolderFile) -> Result<(), Failure> {
    if file.file.len() > MAX_NAME {
        return Err(Failure::new(ErrorCode::BadName, "The file's name is not allowed: it is too long."));
    }
    check_target(&file.target)
}

/// The folder, relative to the download folder, in which all targets are.
fn common_folder(job: &FolderJob) -> &str {
    let parents = |f: &'_ FolderFile| f.target.rfind('/').unwrap_or(0);
    let good = || job.files.iter().filter(|f| check_target(&f.target).is_ok());
    let Some(first) = good().next() else { return "" };
    let mut common = &first.target[..parents(first)];
    for file in good() {
        while !common.is_empty() && file.target.strip_prefix(common).is_none_or(|rest| !rest.starts_with('/')) {
            common = &common[..common.rfind('/').unwrap_or(0)];
        }
    }
    common
}

/// Makes sure of room for all that is missing, before anything is fetched. Files that an earlier
/// attempt began have their room already.
fn check_room(job: &FolderJob, downloads: &Downloads, work: &Work) -> Result<(), Failure> {
    let begun = |file: &FolderFile| downloads.has_partial(&file.target, file.hash);
    let missing = work.small.iter().chain(&work.large).map(|index| &job.files[*index as usize]);
    let needed: u64 = missing
        .filter(|file| file.chunking.size() <= MAX_WHOLE || !begun(file))
        .fold(0, |sum, file| sum.saturating_add(file.chunking.size()));
    no_room(needed, downloads.free()).map_or(Ok(()), Err)
}

/// The failure if there is not enough room.
fn no_room(needed: u64, free: u64) -> Option<Failure> {
    let missing = needed.checked_sub(free).filter(|missing| *missing > 0)?;
    let message = format!("There is no room on the disk: {missing} bytes are missing.");
    Some(Failure::new(ErrorCode::DiskFull, message))
}

/// Where a file in a folder of targets is.
fn path_of(folder: &Path, target: &str, name: &str) -> PathBuf {
    let parents = target.rsplit_once('/').map_or("", |(parents, _)| parents);
    folder.join(parents).join(name)
}
