//! How a file is divided into chunks, and what happens if its name is taken.

use std::ops::Range;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The smallest chunk, in bytes: the chunk of BLAKE3's own tree, below which nothing can be verified.
pub const MIN_CHUNK: u64 = 1 << 10;
/// The size of a chunk in bytes, unless that would be more than [`MAX_CHUNKS`].
pub const DEFAULT_CHUNK: u64 = 1 << 20;
/// The most chunks of one file. It limits a manifest to 512 KiB, whatever the size of the file.
pub const MAX_CHUNKS: u32 = 16_384;
/// The largest file, in bytes: a JSON number is exact up to this.
pub const MAX_SIZE: u64 = 1 << 53;

/// How a file is divided: into chunks of one size, a power of two, of which the last may be shorter. An empty file has
/// no chunks. The constructors guarantee that the bounds [`MIN_CHUNK`] and [`MAX_CHUNKS`] hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chunking {
    size: u64,
    chunk_size: u64,
}

impl Chunking {
    /// Divides a file of `size` bytes. Without `at_most`, chunks have [`DEFAULT_CHUNK`] bytes, or the next power of two
    /// that needs no more than [`MAX_CHUNKS`]. With `at_most`, they are as small as this number of chunks allows (0
    /// counts as 1).
    pub fn for_size(size: u64, at_most: Option<u32>) -> Self {
        let (smallest, chunks) = match at_most {
            None => (DEFAULT_CHUNK, MAX_CHUNKS),
            Some(n) => (MIN_CHUNK, n.clamp(1, MAX_CHUNKS)),
        };
        let needed = size.div_ceil(u64::from(chunks)).checked_next_power_of_two().unwrap_or(1 << 63);
        Self { size, chunk_size: needed.max(smallest) }
    }

    /// Checks what another party claims. `None` if it is impossible: the chunk size must be a power of two of at least
    /// [`MIN_CHUNK`], the size at most [`MAX_SIZE`], and the number of chunks must follow from both and be at most
    /// [`MAX_CHUNKS`].
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

    /// The number of chunks; 0 for an empty file.
    pub fn count(self) -> u32 {
        // Every constructor bounds the count by MAX_CHUNKS, far below u32::MAX.
        self.size.div_ceil(self.chunk_size) as u32
    }

    /// The bytes of a chunk, counted from the start of the file. For an index that is too large: an empty range at its
    /// end.
    pub fn range(self, index: u32) -> Range<u64> {
        let edge = |i: u64| i.saturating_mul(self.chunk_size).min(self.size);
        edge(u64::from(index))..edge(u64::from(index) + 1)
    }

    /// The bytes of a run of chunks, counted from the start of the file.
    pub fn span(self, run: Range<u32>) -> Range<u64> {
        self.range(run.start).start..self.range(run.end).start
    }
}

/// What happens if a file of the wanted name exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The request fails; the existing file is not touched.
    #[default]
    Fail,
    /// Keep both: the new one becomes `name (1).ext`, or the next number that is free.
    Rename,
    /// The new file replaces the existing one, once it is complete.
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
