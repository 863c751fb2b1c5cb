//! What an earlier attempt left: checked chunk by chunk against the manifest, while the lanes fetch
//! the rest.

use super::run::Run;
use super::sources::Plan;
use crate::io::content::hash::{ChunkHasher, Manifest};
use crate::protocol::data::MAX_SEGMENT;

/// Confirms or gives up each claimed chunk.
pub(super) fn check_claims(run: &Run<'_>) {
    let manifest = loop {
        let state = run.lock();
        if let Plan::Known(manifest) = &state.plan {
            break manifest.clone();
        }
        if run.stop.is_cancelled() {
            return;
        }
        drop(run.wait(state));
    };
    let mut buffer = vec![0; MAX_SEGMENT];
    let mut next = run.lock().swarm.next_claimed(0);
    while let Some(chunk) = next {
        if run.stop.is_cancelled() {
            return;
        }
        if is_right(run, chunk, &manifest, &mut buffer) {
            run.chunk_done(chunk, None);
        } else {
            disown(run, chunk);
        }
        next = run.lock().swarm.next_claimed(chunk + 1);
    }
}

fn is_right(run: &Run<'_>, chunk: u32, manifest: &Manifest, buffer: &mut [u8]) -> bool {
    let mut hasher = ChunkHasher::new(run.job.chunking, chunk);
    let mut range = run.job.chunking.range(chunk);
    while !range.is_empty() {
        let piece = &mut buffer[..(range.end - range.start).min(MAX_SEGMENT as u64) as usize];
        if run.stop.is_cancelled() || run.partial.read(range.start, piece).is_err() {
            return false;
        }
        hasher.update(piece);
        range.start += piece.len() as u64;
    }
    hasher.finish() == manifest[chunk as usize]
}

fn disown(run: &Run<'_>, chunk: u32) {
    if run.stop.is_cancelled() {
        return;
    }
    // The mark is a hint; if it cannot be changed, the next attempt finds out again.
    let _ = run.partial.mark(chunk, false);
    run.growing.remove(chunk);
    let range = run.job.chunking.range(chunk);
    let mut state = run.lock();
    state.swarm.disown(chunk);
    state.present -= range.end - range.start;
    drop(state);
    run.wake();
}

/// Gives up all that an earlier attempt left.
pub(super) fn disown_all(run: &Run<'_>) {
    let mut next = run.lock().swarm.next_claimed(0);
    while let Some(chunk) = next {
        disown(run, chunk);
        next = run.lock().swarm.next_claimed(chunk + 1);
    }
}
