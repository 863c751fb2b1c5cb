//! How a file is cut into chunks, and what to do when its name is taken.

use std::ops::Range;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The smallest chunk, in bytes: the unit of BLAKE3's own tree, below which there are no subtrees.
pub const MIN_CHUNK: u64 = 1 << 10;
/// The chunk size unless the file is too large for it, in bytes.
pub const DEFAULT_CHUNK: u64 = 1 << 20;
/// The most chunks of one file. It keeps a manifest at 512 KiB, whatever the file's size.
pub const MAX_CHUNKS: u32 = 16_384;
/// The largest file, in bytes: every count up to it is exact as a JSON number.
pub const MAX_SIZE: u64 = 1 << 53;

/// How a file is cut: into pieces of one power of two, the last one shorter. An empty file has no
/// chunk at all. Whoever holds a value may rely on its bounds: [`MIN_CHUNK`] and [`MAX_CHUNKS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunking {
    size: u64,
    chunk_size: u64,
}

impl Chunking {
    /// The chunks of a file of `size` bytes. Without a wish they are [`DEFAULT_CHUNK`] long, or
    /// the next power of two that needs no more than [`MAX_CHUNKS`]. With `at_most` they are as
    /// small as that many chunks allow (0 counts as 1).
    pub fn for_size(size: u64, at_most: Option<u32>) -> Self {
        let (smallest, chunks) = match at_most {
            None => (DEFAULT_CHUNK, MAX_CHUNKS),
            Some(n) => (MIN_CHUNK, n.clamp(1, MAX_CHUNKS)),
        };
        let needed = size.div_ceil(u64::from(chunks)).checked_next_power_of_two().unwrap_or(1 << 63);
        Self { size, chunk_size: needed.max(smallest) }
    }

    /// What somebody else claims, if it can be true: a chunk size that is a power of two of at
    /// least [`MIN_CHUNK`], the number of chunks that follows from it and is at most
    /// [`MAX_CHUNKS`], and a size of at most [`MAX_SIZE`].
    pub fn checked(size: u64, chunk_size: u64, chunks: u64) -> Option<Self> {
        let sound = size <= MAX_SIZE
            && (MIN_CHUNK..=MAX_SIZE).contains(&chunk_size)
            && chunk_size.is_power_of_two()
            && chunks <= u64::from(MAX_CHUNKS)
            && size.div_ceil(chunk_size) == chunks;
        sound.then_some(Self { size, chunk_size })
    }

    /// The file's size in bytes.
    pub fn size(self) -> u64 {
        self.size
    }

    /// The size of every chunk but the last, in bytes.
    pub fn chunk_size(self) -> u64 {
        self.chunk_size
    }

    /// How many chunks there are; 0 for an empty file.
    pub fn count(self) -> u32 {
        // Every way to make a value bounds the count by MAX_CHUNKS, far below u32::MAX.
        self.size.div_ceil(self.chunk_size) as u32
    }

    /// Where a chunk lies, in bytes from the start; empty at the end of the file for an index that
    /// is too large.
    pub fn range(self, index: u32) -> Range<u64> {
        let edge = |i: u64| i.saturating_mul(self.chunk_size).min(self.size);
        edge(u64::from(index))..edge(u64::from(index) + 1)
    }

    /// Where a run of chunks lies, in bytes from the start.
    pub fn span(self, run: Range<u32>) -> Range<u64> {
        self.range(run.start).start..self.range(run.end).start
    }
}

/// What happens when a file of the wanted name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Refuse, and leave the old file as it is.
    #[default]
    Fail,
    /// Keep both: the new one becomes `name (1).ext`, or the next number that is free.
    Rename,
    /// Replace the old file, once the new one is complete.
    Overwrite,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_at_the_edges() {
        let count = |size| Chunking::for_size(size, None).count();
        assert_eq!((count(0), count(1), count(DEFAULT_CHUNK), count(DEFAULT_CHUNK + 1)), (0, 1, 1, 2));
        assert_eq!(Chunking::for_size(16 << 30, None).chunk_size(), DEFAULT_CHUNK);
        assert_eq!(Chunking::for_size((16 << 30) + 1, None).chunk_size(), 2 * DEFAULT_CHUNK);
        assert_eq!(Chunking::for_size(100 << 10, Some(10)).chunk_size(), 16 << 10);
        assert_eq!(Chunking::for_size(5, Some(0)).count(), 1);
        assert_eq!(Chunking::for_size(u64::MAX, Some(1)).chunk_size(), 1 << 63);
        assert_eq!(Chunking::for_size(10, None).range(7), 10..10);
    }

    #[test]
    fn claims_that_cannot_be_true_are_refused() {
        let mib = 1 << 20;
        assert!(Chunking::checked(0, mib, 0).is_some());
        assert!(Chunking::checked(mib + 1, mib, 2).is_some());
        for (size, chunk, chunks) in [
            (mib, mib, 2),
            (mib, mib, 0),
            (mib, 3 << 10, 342),
            (mib, 512, 2048),
            (mib, 0, 0),
            (MAX_SIZE, MIN_CHUNK, MAX_SIZE / MIN_CHUNK),
            (u64::MAX, 1 << 63, 2),
            (1, u64::MAX, 1),
            (1, 1 << 63, 1),
        ] {
            assert_eq!(Chunking::checked(size, chunk, chunks), None, "{size} {chunk} {chunks}");
        }
    }

    proptest! {
        #[test]
        fn chunks_cover_the_file_in_order(size in 0..=MAX_SIZE, at_most in proptest::option::of(0..40_000u32)) {
            let chunking = Chunking::for_size(size, at_most);
            prop_assert!(chunking.count() <= at_most.map_or(MAX_CHUNKS, |n| n.clamp(1, MAX_CHUNKS)));
            prop_assert_eq!(Chunking::checked(size, chunking.chunk_size(), chunking.count().into()), Some(chunking));
            let mut at = 0;
            for i in 0..chunking.count() {
                let range = chunking.range(i);
                prop_assert_eq!(range.start, at);
                prop_assert!(range.end > at && range.end - at <= chunking.chunk_size());
                at = range.end;
            }
            prop_assert_eq!(at, size);
            prop_assert_eq!(chunking.span(0..chunking.count()), 0..size);
        }

        #[test]
        fn no_claim_panics(size: u64, chunk_size: u64, chunks: u64) {
            if let Some(chunking) = Chunking::checked(size, chunk_size, chunks) {
                prop_assert_eq!(u64::from(chunking.count()), chunks);
            }
        }
    }
}
