//! A set of chunk numbers: which chunks of a content somebody has, or wants.
//!
//! It is part of events (`chunks`, `located`) and of what clients tell the hub, and the fetch machine computes with it.

use std::ops::Range;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::transfer::MAX_CHUNKS;

/// A set of chunks by number, as a bitmap. All numbers are below [`MAX_CHUNKS`], so a set takes at most 2 KiB of
/// memory. In JSON it is a list of ascending ranges `[start, end]`, where `end` is exclusive: `[[0,5],[7,8]]` are the
/// chunks 0 to 4 and 7.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct ChunkSet {
    /// 64 chunks a word. The last word is never 0, so that equal sets have equal words.
    words: Vec<u64>,
}

impl ChunkSet {
    /// The chunks `0..count`: everything, for a content of `count` chunks.
    pub fn all(count: u32) -> Self {
        let mut set = Self::default();
        set.extend(0..count);
        set
    }

    /// Adds a chunk. False if it was in the set already, or if its number is too high for any content.
    pub fn insert(&mut self, chunk: u32) -> bool {
        if chunk >= MAX_CHUNKS {
            return false;
        }
        let (word, bit) = (chunk as usize / 64, 1 << (chunk % 64));
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        fresh
    }

    /// Removes a chunk. False if it was not in the set.
    pub fn remove(&mut self, chunk: u32) -> bool {
        let there = self.contains(chunk);
        if there {
            self.words[chunk as usize / 64] &= !(1 << (chunk % 64));
            while self.words.last() == Some(&0) {
                self.words.pop();
            }
        }
        there
    }

    /// Whether the set has this chunk.
    pub fn contains(&self, chunk: u32) -> bool {
        self.words.get(chunk as usize / 64).is_some_and(|word| word & (1 << (chunk % 64)) != 0)
    }

    /// The number of chunks in the set.
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether the set has no chunks.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// One more than the highest chunk number; 0 for an empty set.
    pub fn end(&self) -> u32 {
        self.words.last().map_or(0, |last| self.words.len() as u32 * 64 - last.leading_zeros())
    }

    /// Adds all chunks of `other`.
    pub fn add(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// The chunk numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flatten()
    }

    /// The chunks as ranges, ascending and never adjacent.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = (at..self.end()).find(|chunk| self.contains(*chunk))?;
            let end = (start..self.end()).find(|chunk| !self.contains(*chunk)).unwrap_or(self.end());
            at = end;
            Some(start..end)
        })
    }
}

impl Extend<u32> for ChunkSet {
    fn extend<T: IntoIterator<Item = u32>>(&mut self, chunks: T) {
        for chunk in chunks {
            self.insert(chunk);
        }
    }
}

impl FromIterator<u32> for ChunkSet {
    fn from_iter<T: IntoIterator<Item = u32>>(chunks: T) -> Self {
        let mut set = Self::default();
        set.extend(chunks);
        set
    }
}

impl Serialize for ChunkSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.ranges().map(|range| [range.start, range.end]))
    }
}

impl<'de> Deserialize<'de> for ChunkSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The length of the text was bounded before this. The set is bounded too, because ranges must ascend.
        let ranges: Vec<[u32; 2]> = Vec::deserialize(deserializer)?;
        let mut set = Self::default();
        let mut after = 0;
        for [start, end] in ranges {
            if start < after || end <= start || end > MAX_CHUNKS {
                return Err(D::Error::custom(format!("[{start},{end}] is not the next range of chunks")));
            }
            set.extend(start..end);
            after = end;
        }
        Ok(set)
    }
}

impl JsonSchema for ChunkSet {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChunkSet".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "items": {
                "type": "array",
                "items": { "type": "integer", "minimum": 0, "maximum": MAX_CHUNKS },
                "minItems": 2,
                "maxItems": 2
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_that_make_no_set_are_refused() {
        let read = |text: &str| serde_json::from_str::<ChunkSet>(text);
        assert_eq!(read("[[0,5],[7,8]]").unwrap(), [0, 1, 2, 3, 4, 7].into_iter().collect());
        assert_eq!(read("[[0,16384]]").unwrap(), ChunkSet::all(MAX_CHUNKS));
        for wrong in ["[[5,5]]", "[[5,4]]", "[[0,16385]]", "[[3,4],[0,1]]", "[[0,2],[1,3]]", "[[-1,2]]", "[[1]]", "[1]"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(!ChunkSet::default().insert(MAX_CHUNKS));
    }

    proptest! {
        #[test]
        fn it_is_a_set(chunks in proptest::collection::vec(0..300u32, 0..200), gone in proptest::collection::vec(0..300u32, 0..100)) {
            let mut set: ChunkSet = chunks.iter().copied().collect();
            let mut model: BTreeSet<u32> = chunks.into_iter().collect();
            for chunk in gone {
                prop_assert_eq!(set.remove(chunk), model.remove(&chunk));
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((set.len() as usize, set.is_empty()), (model.len(), model.is_empty()));
            prop_assert_eq!(set.end(), model.last().map_or(0, |last| last + 1));
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(serde_json::from_str::<ChunkSet>(&text).unwrap(), set.clone());
            let mut both = set.clone();
            both.add(&[1, 299].into_iter().collect());
            prop_assert!(both.contains(1) && both.contains(299) && set.iter().all(|chunk| both.contains(chunk)));
        }
    }
}
