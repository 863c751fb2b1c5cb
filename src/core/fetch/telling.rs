//! What the user is told while it goes on, and how often.

use std::time::Duration;

use super::content::STARVED;
use super::news::TransferNote;
use crate::core::time::Time;
use crate::protocol::wire::Had;
use crate::protocol::{ChunkSet, Chunking, ContentHash, Route};

/// How often progress is told at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How often it is told at most what can be served.
const HAVE_EVERY: Duration = Duration::from_millis(500);

/// After how long it is told that a transfer waits for somebody who has what is missing: they may be there in a moment.
const STALLED: Duration = Duration::from_secs(2);

/// How long the beginning of a transfer is not told because no source is connected: with the first one it is known which
/// way it takes.
const BEGINS: Duration = Duration::from_secs(1);

/// What was told, and what is to be told.
#[derive(Debug)]
pub(super) struct Telling {
    /// The bytes that were told, and when.
    progress: (u64, Time),
    /// When it was told last what can be served.
    had: Time,
    /// Files of which all is there.
    files: Vec<Had>,
    /// Chunks of the file that is fetched alone.
    chunks: ChunkSet,
    /// Since when it waits for somebody who has what is missing, and whether that was told.
    stalled: Option<(Time, bool)>,
    /// Until it was told that it begins: the path, the bytes that are there, and since when.
    start: Option<(String, u64, Time)>,
    /// The way that was told.
    way: Option<Route>,
}

impl Telling {
    pub(super) fn new(now: Time) -> Self {
        Self {
            progress: (0, now),
            had: now,
            files: Vec::new(),
            chunks: ChunkSet::default(),
            stalled: None,
            start: None,
            way: None,
        }
    }

    /// It begins, and so many bytes are there. That is told with the first connection, or somewhat later.
    pub(super) fn begin(&mut self, now: Time, path: String, resumed: u64) {
        self.progress = (resumed, now);
        self.start = Some((path, resumed, now));
    }

    /// That it begins, if that was not told and is due: once its way is known, and at the latest when anything else is to
    /// be told, as `must` says.
    pub(super) fn started(&mut self, now: Time, must: bool, route: Option<Route>) -> Option<TransferNote> {
        let due = |(_, _, since): &mut (String, u64, Time)| must || route.is_some() || now - *since >= BEGINS;
        let (path, resumed, _) = self.start.take_if(due)?;
        self.way = route;
        Some(TransferNote::Started { path, resumed, route })
    }

    /// The way that it takes, if that is new.
    pub(super) fn way(&mut self, route: Option<Route>) -> Option<TransferNote> {
        let route = route.filter(|route| self.way != Some(*route))?;
        self.way = Some(route);
        Some(TransferNote::Way(route))
    }

    pub(super) fn has_file(&mut self, hash: ContentHash, chunking: Chunking) {
        self.files.push(had(hash, chunking, ChunkSet::all(chunking.count())));
    }

    pub(super) fn has_chunk(&mut self, chunk: u32) {
        self.chunks.insert(chunk);
    }

    /// What can be served since it was told last, if that is due; at the end it always is.
    pub(super) fn have(&mut self, now: Time, end: bool, file: Option<(ContentHash, Chunking)>) -> Option<TransferNote> {
        if (self.files.is_empty() && self.chunks.is_empty()) || !(end || now - self.had >= HAVE_EVERY) {
            return None;
        }
        self.had = now;
        let mut have = std::mem::take(&mut self.files);
        let chunks = std::mem::take(&mut self.chunks);
        have.extend(file.filter(|_| !chunks.is_empty()).map(|(hash, chunking)| had(hash, chunking, chunks)));
        Some(TransferNote::Have(have))
    }

    /// That so many bytes are there, if that is new and due.
    pub(super) fn progress(&mut self, now: Time, end: bool, bytes: u64) -> Option<TransferNote> {
        let (told, at) = self.progress;
        if bytes == told || !(end || now - at >= PROGRESS_EVERY) {
            return None;
        }
        self.progress = (bytes, now);
        Some(TransferNote::Progress(bytes))
    }

    /// That it waits for somebody who has what is missing, once that has taken long enough to be told.
    pub(super) fn stalled(&mut self, now: Time, waits: bool) -> Option<TransferNote> {
        if !waits {
            self.stalled = None;
            return None;
        }
        let (since, told) = self.stalled.get_or_insert((now, false));
        if *told || now - *since < STALLED {
            return None;
        }
        *told = true;
        let left = (*since + STARVED - now).as_millis() as u64;
        Some(TransferNote::Stalled { left })
    }

    /// When something of it is due.
    pub(super) fn timers(&self, bytes: u64) -> impl Iterator<Item = Time> {
        let have = (!self.files.is_empty() || !self.chunks.is_empty()).then(|| self.had + HAVE_EVERY);
        let progress = (bytes != self.progress.0).then(|| self.progress.1 + PROGRESS_EVERY);
        let stalled = self.stalled.filter(|(_, told)| !told).map(|(since, _)| since + STALLED);
        let start = self.start.as_ref().map(|(_, _, since)| *since + BEGINS);
        have.into_iter().chain(progress).chain(stalled).chain(start)
    }
}

pub(super) fn had(hash: ContentHash, chunking: Chunking, chunks: ChunkSet) -> Had {
    Had { hash, size: chunking.size(), chunk_size: chunking.chunk_size(), chunks }
}
