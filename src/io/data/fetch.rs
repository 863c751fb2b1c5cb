//! Getting one content: what is asked for, what is told, and the order of it all. The threads that
//! do the work stand in `run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::partial::Partial;
use super::run::Run;
use super::target::Target;
use crate::io::cancel::Cancel;
use crate::io::identity::Identity;
use crate::protocol::data::is_token;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey};

/// Who has the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which it is told about.
    pub name: String,
    /// Where its data server listens.
    pub address: SocketAddr,
    /// The key that it must prove to hold.
    pub key: PublicKey,
}

/// What to get, from whom, and where to put it.
#[derive(Debug, Clone)]
pub struct FetchJob {
    /// 16 lower-case hex digits, new for each transfer; by it a source knows which of our
    /// connections belong together.
    pub token: String,
    /// The name under which it is offered.
    pub file: String,
    /// The content.
    pub hash: ContentHash,
    /// How it is cut. Sources that cut it otherwise serve it too, but not its manifest.
    pub chunking: Chunking,
    /// Who has it, the preferred first. At least one.
    pub sources: Vec<Source>,
    /// The download folder. It must exist.
    pub folder: PathBuf,
    /// The name to be, relative to the folder; see [`check_target`](super::check_target).
    pub target: String,
    /// What to do if that name is taken.
    pub on_conflict: OnConflict,
}

/// How a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchNote {
    /// The target is ready to be filled.
    Started {
        /// Where the file will be, unless the name is taken by then.
        path: PathBuf,
        /// The bytes that an earlier attempt left; they are checked meanwhile.
        resumed: u64,
    },
    /// The first connection to a source is made.
    Connected {
        /// The source's name.
        source: String,
    },
    /// So much is there by now; at most ten times a second.
    Progress {
        /// The bytes that are there, those of earlier attempts included. It shrinks if some of
        /// those turn out wrong.
        bytes: u64,
    },
    /// A source is not used any more.
    SourceDropped {
        /// The source's name.
        name: String,
        /// Why.
        failure: Failure,
    },
}

/// A content that has been got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where the file is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// How long it took.
    pub elapsed: Duration,
    /// The bytes that came from each source, those without any left out. Their sum is less than
    /// the size if an earlier attempt had got some.
    pub from: Vec<(String, u64)>,
}

/// Gets a content from its sources, verifies every byte, and puts it in place. It blocks until
/// that is done, has failed, or `cancel` is raised. What was got stays in a hidden file beside the
/// target, from which the next attempt goes on.
///
/// # Errors
/// `bad-name`, `no-such-dir`, `exists`, `not-writable`, `disk-full`, `disk-failed` of the target;
/// `interrupted` if cancelled; otherwise why the last source was dropped: `peer-unreachable`,
/// `peer-key-changed`, `peer-refused`, `peer-broke`, `bad-chunk`, `source-changed`, `source-gone`.
pub fn fetch(
    job: &FetchJob,
    identity: &Identity,
    notify: &(dyn Fn(FetchNote) + Send + Sync),
    cancel: &Cancel,
) -> Result<Fetched, Failure> {
    let started = Instant::now();
    if !is_token(&job.token) {
        return Err(Failure::new(ErrorCode::BadRequest, "The transfer's token is not 16 hex digits."));
    }
    if job.sources.is_empty() {
        return Err(Failure::new(ErrorCode::SourceGone, "Nobody has the file."));
    }
    let target = Target::open(&job.folder, &job.target, job.on_conflict)?;
    let (partial, claimed) = Partial::open(&target, job.hash, job.chunking)?;
    let run = Run::new(job, identity, notify, partial, &claimed);
    notify(FetchNote::Started { path: target.path(), resumed: run.lock().present });
    if let Err(failure) = run.all(!claimed.is_empty(), cancel) {
        if run.lock().present == 0 {
            run.partial.discard();
        }
        return Err(failure);
    }
    let path = target.place(run.partial.finish()?)?;
    let state = run.lock();
    let named = job.sources.iter().zip(&state.sources).map(|(source, s)| (source.name.clone(), s.bytes));
    let from = named.filter(|(_, bytes)| *bytes > 0).collect();
    Ok(Fetched { path, size: job.chunking.size(), hash: job.hash, elapsed: started.elapsed(), from })
}
