//! Getting one content: what is asked for, what is told, and the order of it all. The threads that
//! do the work stand in `run`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::control::Control;
use super::here::same;
use super::partial::Partial;
use super::run::Run;
use super::shelf::Shelf;
use super::target::Target;
use crate::io::content::hash::{Fingerprint, Hashed};
use crate::io::data::LocalPeer;
use crate::io::os::cancel::Cancel;
use crate::protocol::data::check_token;
use crate::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, Failure, OnConflict, PublicKey, Timestamp};

/// Who has the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which it is told about.
    pub name: String,
    /// Where its data server listens.
    pub address: SocketAddr,
    /// The key that it must prove to hold.
    pub key: PublicKey,
    /// Which chunks it has; `None` for all.
    pub has: Option<ChunkSet>,
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
    /// Which chunks are wanted; `None` for all. What is not in the content is left out.
    pub chunks: Option<ChunkSet>,
    /// Who has it, the preferred first. At least one.
    pub sources: Vec<Source>,
    /// The download folder. It must exist.
    pub folder: PathBuf,
    /// The name to be, relative to the folder; see [`check_target`](super::check_target).
    pub target: String,
    /// What to do if that name is taken.
    pub on_conflict: OnConflict,
    /// When the finished file says that it was modified; `None` for when it is finished.
    pub modified: Option<Timestamp>,
    /// From this follows with which chunk it begins; with 0 it is the first.
    pub seed: u64,
    /// Whether others may fetch from us what we have got of it.
    pub share: bool,
}

/// How a transfer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchNote {
    /// The target is ready to be filled.
    Started {
        /// Where the file will be, unless the name is taken by then.
        path: PathBuf,
        /// The bytes that an earlier attempt left; they are checked meanwhile. Of chunks that are not wanted nothing
        /// is counted.
        resumed: u64,
    },
    /// It is in place already, cut like this; nothing is fetched.
    Here(Chunking),
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
    /// These chunks can be served by now: what was verified since the last such note; at most twice a second, and
    /// once at the end, however that comes.
    Have(ChunkSet),
    /// Nobody who is there has what is missing; it waits so long for somebody who has.
    Stalled(Duration),
    /// A source is not used any more.
    SourceDropped {
        /// The source's name.
        name: String,
        /// Why.
        failure: Failure,
    },
}

/// What has been got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where the file is; the hidden partial file if it is not complete.
    pub path: PathBuf,
    /// Whether all chunks are there; some may not have been wanted.
    pub complete: bool,
    /// The content's size in bytes.
    pub size: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// How long it took.
    pub elapsed: Duration,
    /// The bytes that came from each source, those without any left out. Their sum is less than
    /// the size if an earlier attempt had got some.
    pub from: Vec<(String, u64)>,
}

/// Gets a content, or the wanted chunks of it, from its sources, verifies every byte, and puts it in place once all of
/// it is there. If it is in place already, byte for byte, that is all. It blocks until that is done, has failed, or is cancelled. What was got of an incomplete one stays in a
/// hidden file beside the target, from which the next attempt goes on.
///
/// What is verified is on the shelf from then on, for other receivers, until [`Shelf::forget`]; unless it is not to be
/// shared.
///
/// # Errors
/// `bad-name`, `no-such-dir`, `exists`, `not-writable`, `disk-full`, `disk-failed` of the target; `bad-request` if none
/// of the wanted chunks is in the content; `interrupted` if cancelled; otherwise why the last source was dropped:
/// `peer-unreachable`, `peer-key-changed`, `peer-refused`, `peer-broke`, `bad-chunk`, `source-changed`, `source-gone`.
pub fn fetch(
    job: &FetchJob,
    identity: &LocalPeer,
    shelf: &Shelf,
    notify: &(dyn Fn(FetchNote) + Send + Sync),
    control: &Control,
) -> Result<Fetched, Failure> {
    let started = Instant::now();
    check_token(&job.token)?;
    if job.sources.is_empty() {
        return Err(Failure::new(ErrorCode::SourceGone, "Nobody has the file."));
    }
    let wanted = wanted(job)?;
    let target = Target::open(&job.folder, &job.target, job.on_conflict)?;
    let here = same(target.folder(), target.name(), (job.hash, job.chunking), control.flag());
    match here {
        Some(here) if job.share => return Ok(keep(job, shelf, notify, (target.path(), here), started)),
        // Whoever gives it to us alone is to learn that we have it: it comes once more, and is not kept twice.
        Some(_) => {}
        None if control.is_cancelled() => return Err(ErrorCode::Interrupted.into()),
        None => target.check_conflict()?,
    }
    let (partial, claimed) = Partial::open(&target, job.hash, job.chunking, wanted.is_none())?;
    let (claimed, others) = to_check(wanted.as_ref(), claimed, job.chunking.count());
    let hidden = target.beside(partial.name());
    let run = Run::new(job, wanted, identity, shelf, notify, (partial, hidden), &claimed);
    notify(FetchNote::Started { path: target.path(), resumed: run.lock().present });
    let got = run.all(!claimed.is_empty(), control);
    if got.is_err() && run.lock().present == 0 && !others {
        run.partial.discard();
    }
    let placed = got.and_then(|()| place(&run, &target));
    run.settle(placed.as_ref().ok().map(|(path, _, finished)| (path, *finished)));
    let (path, complete, _) = placed?;
    let (size, hash) = (job.chunking.size(), job.hash);
    Ok(Fetched { path, complete, size, hash, elapsed: started.elapsed(), from: run.shares() })
}

/// It is here already, and can be served to others.
fn keep(
    job: &FetchJob,
    shelf: &Shelf,
    notify: &(dyn Fn(FetchNote) + Send + Sync),
    (path, hashed): (PathBuf, Hashed),
    started: Instant,
) -> Fetched {
    let chunking = hashed.chunking;
    shelf.keep(job.file.clone(), path.clone(), hashed);
    notify(FetchNote::Here(chunking));
    Fetched {
        path,
        complete: true,
        size: chunking.size(),
        hash: job.hash,
        elapsed: started.elapsed(),
        from: Vec::new(),
    }
}

/// The wanted chunks; `None` for all.
fn wanted(job: &FetchJob) -> Result<Option<ChunkSet>, Failure> {
    let Some(chunks) = &job.chunks else { return Ok(None) };
    let count = job.chunking.count();
    let inside: ChunkSet = chunks.iter().filter(|chunk| *chunk < count).collect();
    if inside.len() == count {
        return Ok(None);
    }
    if inside.is_empty() {
        let message = format!("The file has none of these chunks; it has {count}, counted from 0.");
        return Err(Failure::new(ErrorCode::BadRequest, message));
    }
    Ok(Some(inside))
}

/// Which of the chunks that an earlier attempt left are checked: those that are wanted, or all if that may complete the
/// file. Tells also whether others are left alone.
fn to_check(wanted: Option<&ChunkSet>, claimed: Vec<u32>, count: u32) -> (Vec<u32>, bool) {
    let Some(wanted) = wanted else { return (claimed, false) };
    let mut both = wanted.clone();
    both.extend(claimed.iter().copied());
    if both.len() == count {
        return (claimed, false);
    }
    let (inside, others): (Vec<u32>, Vec<u32>) = claimed.into_iter().partition(|chunk| wanted.contains(*chunk));
    (inside, !others.is_empty())
}

/// Gives the file its name if it is complete, and makes sure that what there is stays otherwise. Tells also what the file
/// was before anybody else knew its name.
fn place(run: &Run<'_>, target: &Target) -> Result<(PathBuf, bool, Fingerprint), Failure> {
    if !run.lock().swarm.is_whole() {
        run.partial.keep()?;
        return Ok((run.hidden.clone(), false, run.partial.fingerprint()?));
    }
    run.partial.finish(run.job.modified)?;
    let finished = run.partial.fingerprint()?;
    let placed = match target.place(run.partial.name()) {
        Err(failure) if failure.code == ErrorCode::Exists => {
            let wanted = (run.job.hash, run.job.chunking);
            let here = same(target.folder(), target.name(), wanted, &Cancel::default()).ok_or(failure)?;
            run.partial.discard();
            return Ok((target.path(), true, here.fingerprint));
        }
        placed => placed?,
    };
    Ok((placed, true, finished))
}
