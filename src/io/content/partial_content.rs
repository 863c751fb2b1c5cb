//! A file that is served while it is being fetched: only those of its chunks that were verified.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::hash::Fingerprint;
use crate::protocol::{ChunkSet, Chunking, ErrorCode, Failure};

/// The partial file of a fetch, and what is in it.
#[derive(Debug)]
pub(in crate::io) struct PartialContent {
    file: Arc<File>,
    /// A bit for each chunk: set once it was verified and written, so that nothing is locked for a chunk.
    have: Box<[AtomicU64]>,
    /// What the file was when the fetch ended; nothing if it is of no use any more.
    end: OnceLock<Option<Fingerprint>>,
}

impl PartialContent {
    /// A file of so many chunks, of which these were verified earlier.
    pub(in crate::io) fn new(file: Arc<File>, count: u32, have: &ChunkSet) -> Self {
        let content =
            Self { file, have: (0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), end: OnceLock::new() };
        have.iter().for_each(|chunk| content.insert(chunk));
        content
    }

    /// A chunk was verified and is in the file.
    pub(in crate::io) fn insert(&self, chunk: u32) {
        if let Some(word) = self.have.get(chunk as usize / 64) {
            word.fetch_or(1 << (chunk % 64), Ordering::Release);
        }
    }

    /// A chunk turned out not to be in the file.
    pub(in crate::io) fn remove(&self, chunk: u32) {
        if let Some(word) = self.have.get(chunk as usize / 64) {
            word.fetch_and(!(1 << (chunk % 64)), Ordering::Release);
        }
    }

    pub(in crate::io) fn has(&self, mut chunks: Range<u32>) -> bool {
        let word = |chunk: u32| self.have.get(chunk as usize / 64).map_or(0, |word| word.load(Ordering::Acquire));
        chunks.all(|chunk| word(chunk) & (1 << (chunk % 64)) != 0)
    }

    pub(in crate::io) fn all(&self, chunking: Chunking) -> ChunkSet {
        (0..chunking.count()).filter(|chunk| self.has(*chunk..*chunk + 1)).collect()
    }

    /// The fetch is over. Whoever is reading reads on as long as the file stays what it is.
    pub(in crate::io) fn end(&self, fingerprint: Option<Fingerprint>) {
        let _ = self.end.set(fingerprint);
    }

    pub(in crate::io) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), Failure> {
        let read = self.file.read_exact_at(out, at);
        match self.end.get() {
            None => {}
            Some(Some(fingerprint)) if Fingerprint::of(&self.file).is_ok_and(|now| now == *fingerprint) => {}
            Some(_) => return Err(ErrorCode::SourceGone.into()),
        }
        read.map_err(|_| ErrorCode::SourceGone.into())
    }
}
