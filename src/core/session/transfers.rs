//! Transfers under way, both directions.

use super::requests::Pending;
use super::{Event, Failure, FetchPlan, Output, Session, TransferNote, UploadNote};
use crate::core::time::Time;
use crate::protocol::types::Source;
use crate::protocol::{ContentHash, Direction, ErrorCode, Transfer, event, request};

/// A transfer under way.
pub(super) struct Running {
    /// The request that wants it; uploads have none.
    pending: Option<Pending>,
    direction: Direction,
    file: String,
    peer: String,
    size: u64,
    hash: ContentHash,
    bytes: u64,
    resumed: u64,
    started: Time,
}

impl Running {
    /// Whether a request waits for it.
    pub(super) fn is_asked_for(&self) -> bool {
        self.pending.is_some()
    }

    pub(super) fn show(&self, transfer: u64) -> Transfer {
        Transfer {
            transfer,
            direction: self.direction,
            file: self.file.clone(),
            peer: self.peer.clone(),
            bytes: self.bytes,
            size: self.size,
        }
    }

    fn started(&self, transfer: u64, path: Option<String>) -> Event {
        let Running { direction, size, hash, resumed, .. } = *self;
        let (file, peer) = (self.file.clone(), self.peer.clone());
        event::TransferStarted { transfer, direction, file, peer, size, hash, resumed, path }.into()
    }

    fn progress(&self, transfer: u64, now: Time) -> Event {
        let micros = (now - self.started).as_micros().max(1);
        let moved = u128::from(self.bytes.saturating_sub(self.resumed));
        let rate = u64::try_from(moved * 1_000_000 / micros).unwrap_or(u64::MAX);
        event::TransferProgress { transfer, bytes: self.bytes, size: self.size, rate }.into()
    }

    fn completed(&self, transfer: u64, now: Time, path: Option<String>, sources: Vec<Source>) -> Event {
        let Running { direction, size, hash, .. } = *self;
        let (file, peer) = (self.file.clone(), self.peer.clone());
        let elapsed = (now - self.started).as_millis() as u64;
        event::TransferCompleted { transfer, direction, file, peer, path, size, hash, elapsed, sources }.into()
    }

    fn failed(&self, transfer: u64, failure: &Failure) -> Event {
        event::TransferFailed {
            transfer,
            direction: self.direction,
            file: self.file.clone(),
            peer: self.peer.clone(),
            bytes: self.bytes,
            size: self.size,
            code: failure.code,
            message: failure.message.clone().into_owned(),
            retry: failure.code.retry(),
        }
        .into()
    }
}

impl Session {
    /// The hub has said where the content is.
    pub(super) fn start_fetch(&mut self, now: Time, pending: Pending, get: request::Get, located: event::Located) {
        let Some(first) = located.sources.first() else {
            return self.refuse(now, pending.id, ErrorCode::NotOffered.into());
        };
        let transfer = self.next_transfer;
        self.next_transfer += 1;
        let running = Running {
            direction: Direction::Down,
            file: get.file.clone(),
            peer: first.offer.owner.clone(),
            size: first.offer.size,
            hash: first.offer.hash,
            bytes: 0,
            resumed: 0,
            started: now,
            pending: Some(pending),
        };
        self.running.insert(transfer, running);
        self.out.push_back(Output::Fetch(FetchPlan {
            transfer,
            sources: located.sources,
            target: get.to.unwrap_or(get.file),
            on_conflict: get.on_conflict.unwrap_or(self.config.on_conflict),
        }));
    }

    pub(super) fn transfer_note(&mut self, now: Time, transfer: u64, note: TransferNote) {
        // What was given up meanwhile is not told any more.
        let Some(running) = self.running.get_mut(&transfer) else { return };
        let id = running.pending.as_ref().and_then(|pending| pending.id.clone());
        let event = match note {
            TransferNote::Started { path, resumed } => {
                (running.bytes, running.resumed, running.started) = (resumed, resumed, now);
                running.started(transfer, Some(path))
            }
            TransferNote::Progress(bytes) => {
                running.bytes = bytes;
                running.progress(transfer, now)
            }
            TransferNote::Dropped { peer, failure } => {
                let message = failure.message.into_owned();
                event::SourceDropped { transfer, peer, code: failure.code, message }.into()
            }
            TransferNote::Completed { path, sources } => {
                let event = running.completed(transfer, now, Some(path), sources);
                self.running.remove(&transfer);
                return self.finish(now, id, event);
            }
            TransferNote::Failed(failure) => {
                let event = running.failed(transfer, &failure);
                self.running.remove(&transfer);
                self.tell_for(now, id.clone(), false, event);
                return self.refuse(now, id, failure);
            }
        };
        self.tell_for(now, id, false, event);
    }

    pub(super) fn upload_note(&mut self, now: Time, upload: u64, note: UploadNote) {
        if let UploadNote::Started { peer, file, size, hash } = note {
            let transfer = self.next_transfer;
            self.next_transfer += 1;
            let running = Running {
                pending: None,
                direction: Direction::Up,
                file,
                peer,
                size,
                hash,
                bytes: 0,
                resumed: 0,
                started: now,
            };
            self.uploads.insert(upload, transfer);
            self.tell(now, running.started(transfer, None));
            self.running.insert(transfer, running);
            return;
        }
        let Some(&transfer) = self.uploads.get(&upload) else { return };
        let Some(running) = self.running.get_mut(&transfer) else { return };
        let (event, over) = match note {
            UploadNote::Started { .. } => return,
            UploadNote::Progress(bytes) => {
                running.bytes = bytes;
                (running.progress(transfer, now), false)
            }
            UploadNote::Completed(bytes) => {
                running.bytes = bytes;
                (running.completed(transfer, now, None, Vec::new()), true)
            }
            UploadNote::Failed(failure) => (running.failed(transfer, &failure), true),
        };
        if over {
            self.running.remove(&transfer);
            self.uploads.remove(&upload);
        }
        self.tell(now, event);
    }

    pub(super) fn cancel(&mut self, request: &request::Cancel) -> Result<Event, Failure> {
        let transfer = request.transfer;
        match self.running.get(&transfer) {
            Some(running) if running.direction == Direction::Down => {
                self.out.push_back(Output::CancelFetch(transfer));
                Ok(event::Cancelled { transfer }.into())
            }
            _ => Err(ErrorCode::NoSuchTransfer.into()),
        }
    }

    /// Breaks off all transfers, and says so.
    pub(super) fn abandon_transfers(&mut self, now: Time, failure: &Failure) {
        for (transfer, running) in std::mem::take(&mut self.running) {
            self.out.push_back(Output::CancelFetch(transfer));
            let event = running.failed(transfer, failure);
            match running.pending {
                Some(pending) => {
                    self.tell_for(now, pending.id.clone(), false, event);
                    self.finish(now, pending.id, event::Error::from(failure.clone()));
                }
                None => self.tell(now, event),
            }
        }
        self.uploads.clear();
    }
}
