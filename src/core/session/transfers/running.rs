//! The state of one transfer, and the events that tell of it.

use std::sync::Arc;

use crate::core::fetch::FetchPlan;
use crate::core::rate::RateEstimator;
use crate::core::session::pending::{Pending, RequestId};
use crate::core::time::Time;
use crate::protocol::types::{Source, Stage};
use crate::protocol::{ChunkSet, ContentHash, Direction, Event, Failure, Route, Transfer, event};

/// A transfer that is queued or under way.
pub(super) struct Running {
    /// The request that waits for it; most uploads have none.
    pub(super) pending: Option<Pending>,
    pub(super) direction: Direction,
    pub(super) file: String,
    pub(super) peer: String,
    /// Bytes to transfer: all, or those of the wanted chunks.
    pub(super) size: u64,
    pub(super) hash: ContentHash,
    /// Bytes of the whole content.
    pub(super) whole: u64,
    /// How many files, if it is a folder.
    pub(super) files: Option<u64>,
    /// The wanted chunks, if not all.
    pub(super) chunks: Option<ChunkSet>,
    pub(super) progress: Progress,
    /// What is to be fetched, while it is queued.
    pub(super) queued: Option<Arc<FetchPlan>>,
    /// The hub's number of the push, if it is one.
    pub(super) push: Option<u64>,
    /// The request about the parcel that it fetches, or that is fetched. Its final event is told by `parcels`.
    pub(super) parcel: Option<RequestId>,
}

/// How far a transfer is.
pub(super) struct Progress {
    bytes: u64,
    /// How many bytes were there when it began.
    resumed: u64,
    started: Time,
    rate: RateEstimator,
    /// The best way that a connection of it takes.
    route: Option<Route>,
}

impl Running {
    /// A transfer of which nothing has come.
    pub(super) fn new(now: Time, direction: Direction, what: (String, String), size: u64, hash: ContentHash) -> Self {
        let (file, peer) = what;
        Self {
            pending: None,
            direction,
            file,
            peer,
            size,
            hash,
            whole: size,
            files: None,
            chunks: None,
            progress: Progress { bytes: 0, resumed: 0, started: now, rate: RateEstimator::default(), route: None },
            queued: None,
            push: None,
            parcel: None,
        }
    }

    /// Whether a request waits for it.
    pub(super) fn is_asked_for(&self) -> bool {
        self.pending.is_some() || (self.parcel.is_some() && self.direction == Direction::Down)
    }

    pub(super) fn id(&self) -> RequestId {
        let own = self.pending.as_ref().map(|pending| pending.id.clone());
        own.or_else(|| self.parcel.clone()).unwrap_or_default()
    }

    pub(super) fn show(&self, transfer: u64) -> Transfer {
        Transfer {
            transfer,
            direction: self.direction,
            file: self.file.clone(),
            peer: self.peer.clone(),
            bytes: self.progress.bytes,
            size: self.size,
            state: if self.queued.is_some() { Stage::Queued } else { Stage::Running },
            route: self.progress.route,
        }
    }

    /// A connection of it takes this way, and no other a better one.
    pub(super) fn goes(&mut self, route: Route) {
        self.progress.route = Some(route);
    }

    pub(super) fn started(&self, transfer: u64, path: Option<String>, untold: Option<u64>) -> Event {
        let Running { direction, size, hash, files, .. } = *self;
        let (file, peer) = (self.file.clone(), self.peer.clone());
        let Progress { resumed, route, .. } = self.progress;
        event::TransferStarted { transfer, direction, file, peer, size, hash, files, resumed, path, route, untold }
            .into()
    }

    /// Everything was there before.
    pub(super) fn is_here(&mut self) {
        (self.size, self.progress.bytes, self.progress.resumed) = (self.whole, self.whole, self.whole);
    }

    /// It begins with this many bytes that are there already.
    pub(super) fn begin(&mut self, now: Time, resumed: u64) {
        (self.progress.bytes, self.progress.resumed, self.progress.started) = (resumed, resumed, now);
        // If more is there than was wanted, the file will be complete, and all of it counts.
        if resumed > self.size {
            self.size = self.whole;
        }
        self.progress.rate.sample(now, resumed);
    }

    /// How many bytes are there.
    pub(super) fn bytes(&self) -> u64 {
        self.progress.bytes
    }

    /// An upload is complete after this many bytes.
    pub(super) fn has_sent(&mut self, bytes: u64) {
        self.progress.bytes = bytes;
    }

    pub(super) fn progress(&mut self, transfer: u64, now: Time, bytes: u64) -> Event {
        let progress = &mut self.progress;
        progress.bytes = bytes;
        progress.rate.sample(now, bytes);
        let (rate, left) = (progress.rate.rate(), progress.rate.left(self.size));
        event::TransferProgress { transfer, bytes, size: self.size, rate, left, route: progress.route }.into()
    }

    pub(super) fn completed(
        &self,
        transfer: u64,
        now: Time,
        path: Option<String>,
        sources: Vec<Source>,
    ) -> event::TransferCompleted {
        let Running { direction, size, hash, files, .. } = *self;
        let resumed = self.progress.resumed;
        let (file, peer) = (self.file.clone(), self.peer.clone());
        let elapsed = (now - self.progress.started).as_millis() as u64;
        let chunks = None;
        let bytes = match direction {
            Direction::Down => sources.iter().map(|source| source.bytes).sum(),
            Direction::Up => self.progress.bytes,
        };
        let route = self.progress.route.filter(|_| direction == Direction::Up);
        event::TransferCompleted {
            transfer,
            direction,
            file,
            peer,
            path,
            size,
            hash,
            files,
            chunks,
            elapsed,
            bytes,
            resumed,
            route,
            sources,
        }
    }

    pub(super) fn failed(&self, transfer: u64, failure: &Failure) -> Event {
        event::TransferFailed {
            transfer,
            direction: self.direction,
            file: self.file.clone(),
            peer: self.peer.clone(),
            bytes: self.progress.bytes,
            size: self.size,
            code: failure.code,
            message: failure.message.clone().into_owned(),
            retry: failure.code.retry(),
        }
        .into()
    }
}
