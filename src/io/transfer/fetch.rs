//! Getting what a plan says: what it takes, what comes out, and what is looked at before anything is fetched.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use super::control::Control;
use super::driver::Driver;
use super::fetcher::Fetcher;
use super::run::run;
use crate::core::fetch::{FetchPlan, Found, Start, TransferNote};
use crate::io::content::{Downloads, Look, common_folder, look, no_room};
use crate::protocol::data::{MAX_WHOLE, check_token};
use crate::protocol::{Failure, types};

/// What has been got.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// Where it is: the file, hidden if it is not complete, or the folder that holds all files.
    pub path: PathBuf,
    /// Whether all of it is there; some chunks may not have been wanted.
    pub complete: bool,
    /// The bytes that came from each source, those without any left out. Their sum is less than the size if an earlier
    /// attempt had got some.
    pub from: Vec<types::Source>,
}

/// Gets what a plan says from its sources, verifies every byte, and puts it in place. What is in place already, byte for
/// byte, is not fetched again. It blocks until that is done, has failed, or is cancelled. What was got of an incomplete
/// file stays in a hidden file beside the target, from which the next attempt goes on. What is in place is on disk when
/// this returns, unless a folder was given up.
///
/// # Errors
/// `bad-name`, `no-such-dir`, `exists`, `not-writable`, `disk-full`, `disk-failed` of the target; `bad-request` if none
/// of the wanted chunks is in the content; `interrupted` if cancelled; otherwise why the last source was dropped:
/// `peer-unreachable`, `peer-key-changed`, `peer-refused`, `peer-broke`, `bad-chunk`, `source-changed`, `source-gone`,
/// `source-too-slow`. If only some files of a folder could not be had, the code of the first one's failure and how many
/// there are.
pub fn fetch(
    plan: Arc<FetchPlan>,
    fetcher: &Fetcher<'_>,
    notify: &dyn Fn(TransferNote),
    control: &Control,
) -> Result<Fetched, Failure> {
    check_token(&fetcher.token)?;
    let mut start = Start {
        seed: fetcher.seed,
        cores: thread::available_parallelism().map_or(1, usize::from),
        trial: fetcher.local.trial,
        limited: fetcher.local.rates.down.is_some(),
        found: Vec::new(),
        path: String::new(),
    };
    let mut downloads = None;
    if plan.is_folder() {
        let folder = Downloads::open(fetcher.folder)?;
        start.found = find(&plan, fetcher, &folder, control)?;
        start.path = fetcher.folder.join(common_folder(&plan)).to_string_lossy().into_owned();
        check_room(&plan, &folder, &start.found)?;
        downloads = Some(folder);
    }
    let driver = Driver::new(plan, fetcher, downloads.as_ref(), start);
    let got = run(&driver, notify, control)?;
    Ok(Fetched { path: got.path.into(), complete: got.complete, from: got.from })
}

/// What is in place already of a folder; it can be served from now on, if the plan shares.
fn find(
    plan: &FetchPlan,
    fetcher: &Fetcher<'_>,
    downloads: &Downloads,
    control: &Control,
) -> Result<Vec<Result<Found, Failure>>, Failure> {
    let looked = look(plan, fetcher.folder, downloads, control.flag())?;
    let found = looked.into_iter().zip(&plan.files).map(|(looked, file)| {
        Ok(match looked? {
            Look::There(path, hashed) => {
                let chunking = hashed.chunking;
                if plan.share {
                    fetcher.store.keep(&file.file, path, hashed);
                }
                Found::Here(chunking)
            }
            Look::Missing => Found::Missing,
        })
    });
    Ok(found.collect())
}

/// Makes sure of room for all that is missing, before anything is fetched. Files that an earlier attempt began have
/// their room already.
fn check_room(plan: &FetchPlan, downloads: &Downloads, found: &[Result<Found, Failure>]) -> Result<(), Failure> {
    let missing = plan.files.iter().zip(found).filter(|(_, found)| matches!(found, Ok(Found::Missing)));
    let needed = missing
        .map(|(file, _)| file)
        .filter(|file| file.chunking.size() <= MAX_WHOLE || !downloads.has_partial(&file.target, file.hash))
        .fold(0_u64, |sum, file| sum.saturating_add(file.chunking.size()));
    no_room(needed, downloads.free()).map_or(Ok(()), Err)
}
