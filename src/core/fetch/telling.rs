//! What the user is told while it goes on, and how often.

use std::time::Duration;

use super::content::STARVED;
use super::news::TransferNote;
use crate::core::time::Time;
use crate::protocol::wire::Had;
use crate::protocol::{ChunkSet, Chunking, ContentHash};

/// How often progress is told at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How often it is told at most what can be served.
const HAVE_EVERY: Duration = Duration::from_millis(500);

/// After how long it is told that a transfer waits for somebody who has what is missing: they may be there in a moment.
const STALLED: Duration = Duration::from_secs(2);

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
}

impl Telling {
    pub(super) fn new(now: Time) -> Self {
        Self { progress: (0, now), had: now, files: Vec::new(), chunks: ChunkSet::default(), stalled: None }
    }

    /// So many bytes are there at the start, which is told otherwise.
    pub(super) fn begin(&mut self, now: Time, bytes: u64) {
        self.progress = (bytes, now);
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
        have.into_iter().chain(progress).chain(stalled)
    }
}

pub(super) fn had(hash: ContentHash, chunking: Chunking, chunks: ChunkSet) -> Had {
    Had { hash, size: chunking.size(), chunk_size: chunking.chunk_size(), chunks }
}
