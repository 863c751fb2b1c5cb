//! The sources of simulated transfers: which one a client reaches, what it gets there, and what the source's user is
//! told.

use super::{HUB, Job, Step, Wire, sizes, upload_of};
use crate::core::fetch::plan::ended_there;
use crate::core::fetch::{Input, Lane, LaneError, PlannedFile};
use crate::core::session::UploadNote;
use crate::protocol::{ErrorCode, Failure, PublicKey, Route};
use crate::sim::done::Done;
use crate::sim::hub_files::HUB_KEY;
use crate::sim::{Happening, Sim};

/// The owner of this key, if the client can fetch anything there.
fn reach(sim: &Sim, client: usize, key: PublicKey) -> Result<usize, Failure> {
    if key == HUB_KEY {
        return Ok(HUB);
    }
    let source = sim.actors.iter().position(|actor| actor.key == key && actor.ended.is_none());
    let source = source.ok_or(ErrorCode::PeerUnreachable)?;
    name_at(sim, source, client).ok_or(ErrorCode::PeerRefused)?;
    Ok(source)
}

/// What a client is called by a source that lets it fetch something.
fn name_at(sim: &Sim, source: usize, client: usize) -> Option<&str> {
    let (actor, key) = (&sim.actors[source], &sim.actors[client].key);
    actor.peers.get(key).map(String::as_str).or_else(|| actor.disk.parcels.receiver(key))
}

/// Whether a source gives the client a content, or one chunk of it.
fn gives(sim: &Sim, source: usize, client: usize, file: &PlannedFile, chunk: Option<u32>) -> bool {
    if source == HUB {
        return sim.served.serves(&file.hash);
    }
    let actor = &sim.actors[source];
    if actor.disk.parcels.gives(&sim.actors[client].key, &file.hash) {
        return true;
    }
    let peer = actor.peers.get(&sim.actors[client].key);
    let offers = peer.is_some_and(|peer| actor.disk.serves(&file.hash, peer));
    offers || (peer.is_some() && actor.traffic.has(&file.hash, file.chunking.chunk_size(), chunk))
}

/// The source that sends a chunk or file over a lane, and the job that it belongs to. Fails if it is no longer served.
pub(super) fn sends(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, piece: u32) -> Option<(usize, Job)> {
    let fetching = sim.fetching(client, transfer)?;
    let wire = fetching.lanes.get(&lane)?;
    let (job, key, source) = (wire.job, wire.key, wire.source?);
    let (plan, small) = (fetching.plan.clone(), fetching.machine.small());
    let (file, chunk) = match job {
        Job::Chunks(file) => (&plan.files[file as usize], Some(piece)),
        Job::Files => (&plan.files[small[piece as usize] as usize], None),
    };
    (reach(sim, client, key).is_ok() && gives(sim, source, client, file, chunk)).then_some((source, job))
}

pub(super) fn dialled(sim: &mut Sim, client: usize, transfer: u64, lane: Lane) -> Option<Input> {
    let key = sim.fetching(client, transfer)?.lanes.get(&lane)?.key;
    let reached = reach(sim, client, key);
    let fetching = sim.fetching(client, transfer)?;
    match reached {
        Ok(source) => {
            fetching.lanes.get_mut(&lane)?.source = Some(source);
            Some(Input::Connected(lane, Route::Direct))
        }
        Err(failure) => {
            fetching.lanes.remove(&lane);
            Some(Input::Ended(lane, Err(error_of(failure))))
        }
    }
}

/// What the end of a lane means: who does not answer may be back.
fn error_of(failure: Failure) -> LaneError {
    match failure.code {
        ErrorCode::PeerBroke | ErrorCode::PeerUnreachable => LaneError::Lost(failure),
        _ => LaneError::Broke(failure),
    }
}

/// A source is asked for the manifest, or for a chunk or file.
pub(super) fn asked(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, piece: Option<u32>) -> Option<Input> {
    let fetching = sim.fetching(client, transfer)?;
    let wire = fetching.lanes.get_mut(&lane)?;
    let (job, key, source, moved) = (wire.job, wire.key, wire.source?, std::mem::take(&mut wire.moved));
    let (plan, small) = (fetching.plan.clone(), fetching.machine.small());
    let (file, chunk) = match (job, piece) {
        (Job::Chunks(file), chunk) => (&plan.files[file as usize], chunk),
        (Job::Files, piece) => (&plan.files[small[piece? as usize] as usize], None),
    };
    let gone = match reach(sim, client, key) {
        Ok(_) if gives(sim, source, client, file, chunk) => None,
        Ok(_) => Some(Failure::from(ErrorCode::SourceGone)),
        Err(_) => Some(ErrorCode::PeerBroke.into()),
    };
    match (gone, job, piece) {
        (None, _, None) => {
            send(sim, client, transfer, (source, job), 0);
            Some(Input::Manifest { lane, fits: true })
        }
        (None, _, Some(piece)) => {
            let fetching = sim.fetching(client, transfer)?;
            let bytes = sizes(&plan, fetching.machine.small(), job, piece).0 - moved;
            send(sim, client, transfer, (source, job), bytes);
            Some(Input::Arrived { lane, piece, bytes })
        }
        (Some(failure), Job::Files, Some(piece)) if failure.code == ErrorCode::SourceGone => {
            Some(Input::Refused { lane, piece, failure })
        }
        (Some(failure), _, _) => {
            sim.fetching(client, transfer)?.lanes.remove(&lane);
            upload_fails(sim, client, transfer, (source, job), failure.code);
            Some(Input::Ended(lane, Err(error_of(failure))))
        }
    }
}

/// A source sends bytes. At the first bytes its user is told of the upload.
pub(super) fn send(sim: &mut Sim, client: usize, transfer: u64, (source, job): (usize, Job), bytes: u64) {
    let of = (source, upload_of(job));
    let Some(fetching) = sim.fetching(client, transfer).filter(|_| source != HUB) else { return };
    if let Some((_, sent)) = fetching.uploads.get_mut(&of) {
        *sent += bytes;
        return;
    }
    let (plan, small) = (fetching.plan.clone(), fetching.machine.small());
    let (file, size, hash) = match job {
        Job::Chunks(file) => {
            let file = &plan.files[file as usize];
            (file.file.clone(), file.chunking.size(), file.hash)
        }
        Job::Files => {
            let size = small.iter().map(|file| plan.files[*file as usize].chunking.size()).sum();
            (plan.name.clone(), size, plan.hash)
        }
    };
    let traffic = &mut sim.actors[source].traffic;
    traffic.uploads += 1;
    let upload = traffic.uploads;
    traffic.sending.insert(upload, (client, transfer));
    let peer = name_at(sim, source, client).unwrap_or_default().to_owned();
    if let Some(fetching) = sim.fetching(client, transfer) {
        fetching.uploads.insert(of, (upload, bytes));
    }
    tell_upload(sim, source, upload, UploadNote::Started { peer, file, size, hash, route: Route::Direct });
}

fn tell_upload(sim: &mut Sim, source: usize, upload: u64, note: UploadNote) {
    sim.later(sim.now, Happening::Local(source, Done::Upload(upload, note)));
}

/// Tells the source's user how much has been sent.
pub(super) fn tell_progress(sim: &mut Sim, client: usize, transfer: u64, (source, job): (usize, Job)) {
    let Some(fetching) = sim.fetching(client, transfer) else { return };
    if let Some((upload, bytes)) = fetching.uploads.get(&(source, upload_of(job))).copied() {
        tell_upload(sim, source, upload, UploadNote::Progress(bytes));
    }
}

pub(super) fn upload_fails(sim: &mut Sim, client: usize, transfer: u64, (source, job): (usize, Job), code: ErrorCode) {
    let Some(fetching) = sim.fetching(client, transfer) else { return };
    let Some((upload, bytes)) = fetching.uploads.remove(&(source, upload_of(job))) else { return };
    tell_upload(sim, source, upload, UploadNote::Progress(bytes));
    tell_upload(sim, source, upload, UploadNote::Failed(code.into()));
}

/// A connection is closed by its receiver. The source counts the upload as completed if `well` is set.
pub(super) fn end_lane(sim: &mut Sim, client: usize, transfer: u64, lane: Lane, well: bool) {
    let Some(fetching) = sim.fetching(client, transfer) else { return };
    if let Some(Wire { job, source: Some(source), .. }) = fetching.lanes.remove(&lane) {
        let same = |wire: &Wire| wire.source == Some(source) && wire.job == job;
        let last = !fetching.lanes.values().any(same);
        if well && let Some((upload, bytes)) = fetching.uploads.remove(&(source, upload_of(job))) {
            tell_upload(sim, source, upload, UploadNote::Completed(bytes));
        } else if last {
            upload_fails(sim, client, transfer, (source, job), ErrorCode::PeerBroke);
        }
    }
    sim.step_later(1, client, transfer, Step::Tell(Input::Ended(lane, Ok(()))));
}

/// The receiving program has ended, and its sources notice.
pub(super) fn abandon(sim: &mut Sim, client: usize, transfer: u64) {
    let Some(fetching) = sim.actors[client].traffic.fetching.remove(&transfer) else { return };
    for ((source, _), (upload, bytes)) in fetching.uploads {
        tell_upload(sim, source, upload, UploadNote::Progress(bytes));
        tell_upload(sim, source, upload, UploadNote::Failed(ErrorCode::PeerBroke.into()));
    }
}

/// A client cancels an upload, so its receiver loses this source.
pub(super) fn cancel_upload(sim: &mut Sim, client: usize, upload: u64) {
    let Some((fetcher, transfer)) = sim.actors[client].traffic.sending.get(&upload).copied() else { return };
    tell_upload(sim, client, upload, UploadNote::Failed(ErrorCode::Interrupted.into()));
    let Some(fetching) = sim.fetching(fetcher, transfer) else { return };
    let Some(of) = fetching.uploads.iter().find(|(of, sent)| of.0 == client && sent.0 == upload) else { return };
    let of = *of.0;
    fetching.uploads.remove(&of);
    let sends = |wire: &Wire| wire.source == Some(client) && upload_of(wire.job) == of.1;
    let lanes: Vec<Lane> = fetching.lanes.iter().filter(|(_, wire)| sends(wire)).map(|(lane, _)| *lane).collect();
    fetching.lanes.retain(|lane, _| !lanes.contains(lane));
    for lane in lanes {
        // Whoever goes on with it is refused.
        let broke = LaneError::Broke(ended_there());
        sim.step_later(1, fetcher, transfer, Step::Tell(Input::Ended(lane, Err(broke))));
    }
}
