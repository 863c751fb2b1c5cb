//! Finds the places in a sorted list of names where a text may occur, without looking at every name.
//!
//! The list is divided into blocks of some hundred neighbouring names. For each block, a set of [`BITS`] bits records
//! which sequences of three and of four bytes occur in its names, in lower case; the sequences are hashed to bits. A
//! block that lacks one of the text's sequences cannot contain the text. So a search skips most blocks at the cost of a
//! few bit tests, and finds the matches in the order of the list, from any place on. Three bytes alone would not
//! distinguish numbered files, because most blocks contain all of those. The index takes a dozen bytes of memory for
//! each name.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

/// The number of rows of a new block. A block with twice as many is divided.
const BLOCK: usize = 256;

/// The bits for sequences of three bytes. Some hundred similar names contain some hundred to two thousand different
/// ones.
const THREES: usize = 8_192;
/// The bits for sequences of four bytes, of which there are more.
const FOURS: usize = 16_384;
/// The bits of a block.
const BITS: usize = THREES + FOURS;

/// The blocks, each by the first name that it can contain.
pub(in crate::core::hub) struct SearchIndex(BTreeMap<String, Block>);

/// Neighbouring names.
struct Block {
    /// How many rows may still be added or removed until the block is built again.
    changes: usize,
    has: Runs,
}

/// The set of sequences of three and of four bytes.
struct Runs(Box<[u64; BITS / 64]>);

impl Runs {
    fn none() -> Self {
        Self(Box::new([0; BITS / 64]))
    }

    fn add(&mut self, name: &str) {
        for bit in bits(&name.to_lowercase()) {
            if let Some(word) = self.0.get_mut(bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }
}

/// The bits of a lower-case text.
fn bits(text: &str) -> impl Iterator<Item = usize> {
    let bit = |run: &[u8], bits: usize| {
        let number = run.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
        // Multiplicative hashing (Knuth, TAOCP 6.4): the upper bits are well mixed.
        (number.wrapping_mul(0x9e37_79b1) >> (32 - bits.trailing_zeros())) as usize
    };
    let threes = text.as_bytes().windows(3).map(move |three| bit(three, THREES));
    // The rarer sequences first, so that a missing one is found sooner.
    text.as_bytes().windows(4).map(move |four| THREES + bit(four, FOURS)).chain(threes)
}

impl Default for SearchIndex {
    fn default() -> Self {
        Self(BTreeMap::from([(String::new(), Block { changes: 2 * BLOCK, has: Runs::none() })]))
    }
}

impl SearchIndex {
    /// A row with this name was added to the list.
    pub(in crate::core::hub) fn add(&mut self, name: &str) {
        if let Some((_, block)) = self.0.range_mut::<str, _>((Unbounded, Included(name))).next_back() {
            block.has.add(name);
            block.changes = block.changes.saturating_sub(1);
        }
    }

    /// A row with this name was removed from the list.
    pub(in crate::core::hub) fn remove(&mut self, name: &str) {
        if let Some((_, block)) = self.0.range_mut::<str, _>((Unbounded, Included(name))).next_back() {
            block.changes = block.changes.saturating_sub(1);
        }
    }

    /// The range of the block of this name, from its first name up to the next block's, if it must be built again.
    pub(in crate::core::hub) fn due(&self, name: &str) -> Option<(String, Option<String>)> {
        let (start, _) =
            self.0.range::<str, _>((Unbounded, Included(name))).next_back().filter(|(_, block)| block.changes == 0)?;
        let next = self.0.range::<str, _>((std::ops::Bound::Excluded(start.as_str()), Unbounded)).next();
        Some((start.clone(), next.map(|(next, _)| next.clone())))
    }

    /// Builds a block again from the names of all its rows, in order; divides it if it has become too large.
    pub(in crate::core::hub) fn renew<'a>(&mut self, start: String, rows: impl Iterator<Item = &'a str>) {
        let (mut start, mut block, mut count) = (start, Runs::none(), 0);
        let mut last: Option<&str> = None;
        for name in rows {
            // Rows with the same name stay in one block, however many there are.
            if last != Some(name) {
                if count >= BLOCK {
                    let changes = count.max(BLOCK);
                    let has = std::mem::replace(&mut block, Runs::none());
                    self.0.insert(std::mem::replace(&mut start, name.to_owned()), Block { changes, has });
                    count = 0;
                }
                block.add(name);
                last = Some(name);
            }
            count += 1;
        }
        self.0.insert(start, Block { changes: count.max(BLOCK), has: block });
    }

    /// The ranges of names, from `from` on, that may contain this lower-case text: start, and end if there is one.
    pub(in crate::core::hub) fn places<'a>(
        &'a self,
        from: &str,
        text: &str,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let bits: Vec<usize> = bits(text).collect();
        let first = self.0.range::<str, _>((Unbounded, Included(from))).next_back().map_or("", |(start, _)| start);
        let blocks = self.0.range::<str, _>((Included(first), Unbounded));
        let nexts = blocks.clone().skip(1).map(|(start, _)| Some(start.as_str())).chain([None]);
        let places = blocks.zip(nexts).filter(move |((_, block), _)| bits.iter().all(|bit| block.has.has(*bit)));
        places.map(|((start, _), next)| (start.as_str(), next))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::core::Rng;

    #[test]
    fn no_name_is_missed_and_few_are_looked_at() {
        let (mut rng, mut names, mut list) = (Rng(1), SearchIndex::default(), BTreeSet::new());
        let renew = |names: &mut SearchIndex, list: &BTreeSet<String>, name: &str| {
            if let Some((start, next)) = names.due(name) {
                let rows = list.range(start.clone()..).take_while(|row| next.as_ref().is_none_or(|next| *row < next));
                names.renew(start, rows.map(String::as_str));
            }
        };
        for _ in 0..20_000 {
            let name = format!("Albums/{:03}/Song-{:05}.ogg", rng.below(500), rng.below(100_000));
            if list.insert(name.clone()) {
                names.add(&name);
                renew(&mut names, &list, &name);
            }
            if rng.below(3) == 0 {
                let gone = list.range(format!("Albums/{:03}", rng.below(500))..).next().cloned();
                if let Some(gone) = gone.filter(|gone| list.remove(gone)) {
                    names.remove(&gone);
                    renew(&mut names, &list, &gone);
                }
            }
        }
        let from = "Albums/100/";
        for text in ["song-12345", "/499/", "777.o", "0", "og", "nothing", ""] {
            let there = |row: &&String| row.as_str() >= from && row.to_lowercase().contains(text);
            let wanted: Vec<&String> = list.iter().filter(there).collect();
            let (mut found, mut looked) = (Vec::new(), 0);
            for (start, next) in names.places(from, text) {
                let rows = list.range(start.max(from).to_owned()..);
                for row in rows.take_while(|row| next.is_none_or(|next| row.as_str() < next)) {
                    looked += 1;
                    found.extend(there(&row).then_some(row));
                }
            }
            assert_eq!(found, wanted, "{text}");
            if text.len() > 8 || text == "nothing" {
                assert!(looked < list.len() / 4, "{text}: {looked} of {}", list.len());
            }
        }
    }
}
