//! How a lane comes by the manifest, before a byte of content is asked for.

use std::time::{Duration, Instant};

use super::lane::{KEEP, Loss, read_answer, unexpected};
use super::run::Run;
use super::sources::Plan;
use super::stream::ClientStream;
use crate::io::content::hash::{Manifest, verify_manifest};
use crate::protocol::Chunking;
use crate::protocol::data::{DataAnswer, DataRequest, to_line};

/// How long another lane waits for who asks for the manifest, until it asks its own source.
const MANIFEST: Duration = Duration::from_secs(1);

/// The manifest: asked for over the first connection that is ready, and checked. A source that cuts the file otherwise
/// waits until another has given it.
pub(super) fn manifest(run: &Run<'_>, stream: &mut ClientStream, source: u32) -> Result<Manifest, Loss> {
    let mut kept = Instant::now();
    let mut state = run.lock();
    loop {
        match &state.plan {
            Plan::Known(manifest) => return Ok(manifest.clone()),
            _ if run.stop.is_cancelled() || state.sources[source as usize].stop.is_cancelled() => {
                return Err(Loss::Stopped);
            }
            _ if state.sources[source as usize].cuts_otherwise => {
                if let Some(other) = state.swap_for_manifest(source) {
                    drop(state);
                    // It gave all that was wanted of it.
                    stream.send(&to_line(&DataRequest::Done { transfer: run.job.token.clone() }))?;
                    return Err(Loss::Swapped(other));
                }
                if !state.may_get_manifest() {
                    return Err(Loss::broke("The other client cuts the file in another way.".into()));
                }
                state = run.wait(state);
            }
            Plan::Asked(since) if since.elapsed() < MANIFEST => state = run.wait(state),
            Plan::Asked(_) | Plan::Unknown => {
                state.plan = Plan::Asked(Instant::now());
                drop(state);
                if let Some(manifest) = ask(run, stream, source)? {
                    return Ok(manifest);
                }
                state = run.lock();
            }
        }
        if kept.elapsed() >= KEEP {
            kept = Instant::now();
            drop(state);
            stream.send(&to_line(&DataRequest::Wait { transfer: run.job.token.clone() }))?;
            state = run.lock();
        }
    }
}

/// Asks the source, unless it cuts the file otherwise, and tells the other lanes.
fn ask(run: &Run<'_>, stream: &mut ClientStream, source: u32) -> Result<Option<Manifest>, Loss> {
    let asked = receive(run, stream);
    let mut state = run.lock();
    state.sources[source as usize].cuts_otherwise = matches!(asked, Ok(None));
    match &asked {
        _ if matches!(state.plan, Plan::Known(_)) => {}
        Ok(Some(manifest)) => {
            drop(state);
            run.plan_known(manifest);
        }
        Ok(None) | Err(_) => {
            state.plan = Plan::Unknown;
            drop(state);
            run.wake();
        }
    }
    asked
}

fn receive(run: &Run<'_>, stream: &mut ClientStream) -> Result<Option<Manifest>, Loss> {
    let (hash, chunking) = (run.job.hash, run.job.chunking);
    let (transfer, file) = (run.job.token.clone(), run.job.file.clone());
    stream.send(&to_line(&DataRequest::Manifest { transfer, hash, file }))?;
    let other = match read_answer(stream)? {
        DataAnswer::Manifest { size, chunk_size, chunks } => {
            let other = Chunking::checked(size, chunk_size, chunks).filter(|other| other.size() == chunking.size());
            other.ok_or_else(|| Loss::broke("The other client's list of chunks is not the file's.".into()))?
        }
        other => return Err(unexpected(other)),
    };
    if other != chunking {
        skip(stream, u64::from(other.count()) * 32)?;
        return Ok(None);
    }
    // Only what we know already decides how much memory this takes.
    let mut bytes = vec![0; chunking.count() as usize * 32];
    stream.read_exact(&mut bytes)?;
    let (manifest, _) = bytes.as_chunks::<32>();
    if !verify_manifest(hash, chunking, manifest) {
        return Err(Loss::lied("The source sent a list of chunks that is not the file's.".into()));
    }
    Ok(Some(manifest.into()))
}

/// Takes in what is of no use.
fn skip(stream: &mut ClientStream, mut bytes: u64) -> Result<(), Loss> {
    let mut buffer = [0; 4 << 10];
    while bytes > 0 {
        let piece = bytes.min(buffer.len() as u64);
        stream.read_exact(&mut buffer[..piece as usize])?;
        bytes -= piece;
    }
    Ok(())
}
