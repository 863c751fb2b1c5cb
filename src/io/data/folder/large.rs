//! The files of a folder that are too large to come whole: fetched as single files are.

use std::path::PathBuf;

use super::FolderNote;
use super::run::Run;
use crate::io::data::fetch::{FetchJob, FetchNote, Fetched, fetch};
use crate::protocol::data::TOKEN_DIGITS;
use crate::protocol::{ErrorCode, Failure};

/// Fetches a larger file, and returns where it is.
pub(super) fn fetch_large(run: &Run<'_>, index: u32) -> Result<PathBuf, Failure> {
    let file = &run.job.files[index as usize];
    let sources: Vec<u32> = {
        let state = run.lock();
        let usable = |s: &u32| state.sources.get(*s as usize).is_some_and(|s| !s.dropped && !s.skipped);
        file.sources.iter().copied().filter(usable).collect()
    };
    let fetched = fetch_from(run, index, &sources)?;
    for (name, bytes) in &fetched.from {
        if let Some(source) = sources.iter().find(|s| run.job.sources[**s as usize].name == *name) {
            run.lock().sources[*source as usize].bytes += bytes;
        }
    }
    Ok(fetched.path)
}

fn fetch_from(run: &Run<'_>, index: u32, sources: &[u32]) -> Result<Fetched, Failure> {
    let file = &run.job.files[index as usize];
    let job = FetchJob {
        token: token_of(&run.job.token, index),
        file: file.file.clone(),
        hash: file.hash,
        chunking: file.chunking,
        sources: sources.iter().map(|s| run.job.sources[*s as usize].clone()).collect(),
        folder: run.job.folder.clone(),
        target: file.target.clone(),
        on_conflict: run.job.on_conflict,
        chunks: None,
        modified: file.modified,
        seed: run.job.seed,
        share: true,
    };
    fetch(&job, run.identity, run.shelf, &|note| take_note(run, sources, note), &run.stop.clone().into())
}

fn take_note(run: &Run<'_>, sources: &[u32], note: FetchNote) {
    let find = |name: &str| sources.iter().copied().find(|s| run.job.sources[*s as usize].name == name);
    match note {
        FetchNote::Started { resumed: bytes, .. } | FetchNote::Progress { bytes } => run.lock().under_way = bytes,
        FetchNote::Connected { source } => {
            let fresh =
                find(&source).is_some_and(|s| !std::mem::replace(&mut run.lock().sources[s as usize].connected, true));
            if fresh {
                (run.notify)(FolderNote::Connected { source });
            }
        }
        // It is told of as a whole, with the others that have arrived.
        FetchNote::Have(_) | FetchNote::Here(_) | FetchNote::Stalled(_) => {}
        FetchNote::SourceDropped { name, failure } => {
            let Some(source) = find(&name) else { return };
            match failure.code {
                // Of this file only; and whoever has no room for one more connection has some later.
                ErrorCode::SourceGone | ErrorCode::SourceChanged | ErrorCode::PeerRefused => {}
                ErrorCode::BadChunk => run.drop_source(source, failure),
                _ => {
                    run.lock().sources[source as usize].skipped = true;
                    run.tell_dropped(source, failure);
                }
            }
        }
    }
}

/// A token for one file, so that its upload is not the folder's: each ends for itself.
fn token_of(folder: &str, index: u32) -> String {
    let hash = blake3::hash(format!("{folder} {index}").as_bytes()).to_hex();
    hash[..TOKEN_DIGITS].to_owned()
}
