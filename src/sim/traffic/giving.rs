//! Those who give: whom a client reaches, what it gets there, and what their users learn of it.

use super::{HUB, Job, Step, Wire, upload_of};
use crate::core::fetch::{Input, Lane, LaneError, PlannedFile};
use crate::core::session::UploadNote;
use crate::protocol::{ErrorCode, Failure, PublicKey};
use crate::sim::done::Done;
use crate::sim::shelf::HUB_KEY;
use crate::sim::{Happening, Sim};

impl Sim {
    /// Who has this key, if a client can fetch anything there.
    fn reach(&self, client: usize, key: PublicKey) -> Result<usize, Failure> {
        if key == HUB_KEY {
            return Ok(HUB);
        }
        let source = self.actors.iter().position(|actor| actor.key == key && actor.ended.is_none());
        let source = source.ok_or(ErrorCode::PeerUnreachable)?;
        self.actors[source].peers.get(&self.actors[client].key).ok_or(ErrorCode::PeerRefused)?;
        Ok(source)
    }

    /// Whether somebody gives a content to a client, or this chunk of it.
    fn gives(&self, source: usize, client: usize, file: &PlannedFile, chunk: Option<u32>) -> bool {
        if source == HUB {
            return self.shelf.serves(&file.hash);
        }
        let actor = &self.actors[source];
        let peer = actor.peers.get(&self.actors[client].key);
        let offers = peer.is_some_and(|peer| actor.disk.serves(&file.hash, peer));
        offers || (peer.is_some() && actor.traffic.has(&file.hash, file.chunking.chunk_size(), chunk))
    }

    pub(super) fn dialled(&mut self, client: usize, transfer: u64, lane: Lane) -> Option<Input> {
        let key = self.fetching(client, transfer)?.lanes.get(&lane)?.key;
        let reached = self.reach(client, key);
        let fetching = self.fetching(client, transfer)?;
        match reached {
            Ok(source) => {
                fetching.lanes.get_mut(&lane)?.source = Some(source);
                Some(Input::Connected(lane))
            }
            Err(failure) => {
                fetching.lanes.remove(&lane);
                Some(Input::Ended(lane, Err(LaneError::Broke(failure))))
            }
        }
    }

    /// A source is asked for the manifest, or for a chunk or a file.
    pub(super) fn asked(&mut self, client: usize, transfer: u64, lane: Lane, piece: Option<u32>) -> Option<Input> {
        let fetching = self.fetching(client, transfer)?;
        let Wire { job, key, source } = fetching.lanes.get(&lane)?;
        let (job, key, source) = (*job, *key, (*source)?);
        let (plan, small) = (fetching.plan.clone(), fetching.machine.small());
        let (file, chunk) = match (job, piece) {
            (Job::Chunks(file), chunk) => (&plan.files[file as usize], chunk),
            (Job::Files, piece) => (&plan.files[small[piece? as usize] as usize], None),
        };
        let gone = match self.reach(client, key) {
            Ok(_) if self.gives(source, client, file, chunk) => None,
            Ok(_) => Some(Failure::from(ErrorCode::SourceGone)),
            Err(_) => Some(ErrorCode::PeerBroke.into()),
        };
        match (gone, job, piece) {
            (None, _, None) => {
                self.send(client, transfer, (source, job), 0);
                Some(Input::Manifest { lane, fits: true })
            }
            (None, _, Some(piece)) => {
                let bytes = match job {
                    Job::Chunks(_) => file.chunking.range(piece).end - file.chunking.range(piece).start,
                    Job::Files => file.chunking.size(),
                };
                self.send(client, transfer, (source, job), bytes);
                Some(Input::Arrived { lane, piece, bytes })
            }
            (Some(failure), Job::Files, Some(piece)) if failure.code == ErrorCode::SourceGone => {
                Some(Input::Refused { lane, piece, failure })
            }
            (Some(failure), _, _) => {
                self.fetching(client, transfer)?.lanes.remove(&lane);
                self.upload_fails(client, transfer, (source, job), failure.code);
                Some(Input::Ended(lane, Err(LaneError::Broke(failure))))
            }
        }
    }

    /// A source sends so many bytes; its user is told when it begins.
    fn send(&mut self, client: usize, transfer: u64, (source, job): (usize, Job), bytes: u64) {
        let of = (source, upload_of(job));
        let Some(fetching) = self.fetching(client, transfer).filter(|_| source != HUB) else { return };
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
        let traffic = &mut self.actors[source].traffic;
        traffic.uploads += 1;
        let upload = traffic.uploads;
        traffic.sending.insert(upload, (client, transfer));
        let peer = self.actors[source].peers.get(&self.actors[client].key).cloned().unwrap_or_default();
        if let Some(fetching) = self.fetching(client, transfer) {
            fetching.uploads.insert(of, (upload, bytes));
        }
        self.tell_upload(source, upload, UploadNote::Started { peer, file, size, hash });
    }

    fn tell_upload(&mut self, source: usize, upload: u64, note: UploadNote) {
        self.later(self.now, Happening::Local(source, Done::Upload(upload, note)));
    }

    pub(super) fn upload_fails(&mut self, client: usize, transfer: u64, (source, job): (usize, Job), code: ErrorCode) {
        let Some(fetching) = self.fetching(client, transfer) else { return };
        let Some((upload, bytes)) = fetching.uploads.remove(&(source, upload_of(job))) else { return };
        self.tell_upload(source, upload, UploadNote::Progress(bytes));
        self.tell_upload(source, upload, UploadNote::Failed(code.into()));
    }

    /// A connection is told to end; its source takes that for a success if all is well.
    pub(super) fn end_lane(&mut self, client: usize, transfer: u64, lane: Lane, well: bool) {
        let Some(fetching) = self.fetching(client, transfer) else { return };
        if let Some(Wire { job, source: Some(source), .. }) = fetching.lanes.remove(&lane) {
            let same = |wire: &Wire| wire.source == Some(source) && wire.job == job;
            let last = !fetching.lanes.values().any(same);
            if well && let Some((upload, bytes)) = fetching.uploads.remove(&(source, upload_of(job))) {
                self.tell_upload(source, upload, UploadNote::Completed(bytes));
            } else if last {
                self.upload_fails(client, transfer, (source, job), ErrorCode::PeerBroke);
            }
        }
        self.step_later(1, client, transfer, Step::Tell(Input::Ended(lane, Ok(()))));
    }

    /// The program of whoever fetches has ended: those who send notice.
    pub(super) fn abandon(&mut self, client: usize, transfer: u64) {
        let Some(fetching) = self.actors[client].traffic.fetching.remove(&transfer) else { return };
        for ((source, _), (upload, bytes)) in fetching.uploads {
            self.tell_upload(source, upload, UploadNote::Progress(bytes));
            self.tell_upload(source, upload, UploadNote::Failed(ErrorCode::PeerBroke.into()));
        }
    }

    /// A client does not send any more: whoever fetches that must do without.
    pub(in crate::sim) fn cancel_upload(&mut self, client: usize, upload: u64) {
        let Some((fetcher, transfer)) = self.actors[client].traffic.sending.get(&upload).copied() else { return };
        self.tell_upload(client, upload, UploadNote::Failed(ErrorCode::Interrupted.into()));
        let Some(fetching) = self.fetching(fetcher, transfer) else { return };
        let Some(of) = fetching.uploads.iter().find(|(of, sent)| of.0 == client && sent.0 == upload) else { return };
        let of = *of.0;
        fetching.uploads.remove(&of);
        let sends = |wire: &Wire| wire.source == Some(client) && upload_of(wire.job) == of.1;
        let lanes: Vec<Lane> = fetching.lanes.iter().filter(|(_, wire)| sends(wire)).map(|(lane, _)| *lane).collect();
        fetching.lanes.retain(|lane, _| !lanes.contains(lane));
        for lane in lanes {
            let broke = LaneError::Broke(ErrorCode::PeerBroke.into());
            self.step_later(1, fetcher, transfer, Step::Tell(Input::Ended(lane, Err(broke))));
        }
    }
}
