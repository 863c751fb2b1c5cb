//! Where in a sorted list a text can be found in a name, without looking at every name.
//!
//! The list is cut into blocks of some hundred neighbours. Of each block it is known which three bytes, and which four,
//! occur one after the other anywhere in its names, in lower case: a set of [`BITS`] bits, into which the bytes are
//! hashed. A block that lacks some of the text's cannot have it. So a search passes over most blocks at the cost of some
//! bits each, and the matches come in the order of the list, from any place in it. Three bytes alone would not tell
//! numbered files apart, of which most blocks have all. For each name that costs a dozen bytes of memory.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};

/// Rows of a new block; of twice as many, two are made.
const BLOCK: usize = 256;

/// Bits for runs of three: some hundred similar names have some hundred to two thousand different ones.
const THREES: usize = 8_192;
/// Bits for runs of four, of which there are more.
const FOURS: usize = 16_384;
const BITS: usize = THREES + FOURS;

/// The list's blocks, each by the first name that can be in it.
pub(in crate::core::hub) struct SearchIndex(BTreeMap<String, Block>);

struct Block {
    /// How many rows may come or go until it is made anew.
    changes: usize,
    has: Runs,
}

/// A set of three and of four bytes one after the other.
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

/// The bits of a text in lower case.
fn bits(text: &str) -> impl Iterator<Item = usize> {
    let bit = |run: &[u8], bits: usize| {
        let number = run.iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
        // Multiplicative hashing (Knuth, TAOCP 6.4): the upper bits are well mixed.
        (number.wrapping_mul(0x9e37_79b1) >> (32 - bits.trailing_zeros())) as usize
    };
    let threes = text.as_bytes().windows(3).map(move |three| bit(three, THREES));
    // The rarer ones first: who looks for all of them knows sooner that one is missing.
    text.as_bytes().windows(4).map(move |four| THREES + bit(four, FOURS)).chain(threes)
}

impl Default for SearchIndex {
    fn default() -> Self {
        Self(BTreeMap::from([(String::new(), Block { changes: 2 * BLOCK, has: Runs::none() })]))
    }
}

impl SearchIndex {
    /// A row of this name is in the list now.
    pub(in crate::core::hub) fn add(&mut self, name: &str) {
        if let Some((_, block)) = self.0.range_mut::<str, _>((Unbounded, Included(name))).next_back() {
            block.has.add(name);
            block.changes = block.changes.saturating_sub(1);
        }
    }

    /// A row of this name is not in the list any more.
    pub(in crate::core::hub) fn remove(&mut self, name: &str) {
        if let Some((_, block)) = self.0.range_mut::<str, _>((Unbounded, Included(name))).next_back() {
            block.changes = block.changes.saturating_sub(1);
        }
    }

    /// Whether the block of this name is to be made anew: where it begins, and where the next one does.
    pub(in crate::core::hub) fn due(&self, name: &str) -> Option<(String, Option<String>)> {
        let (start, _) =
            self.0.range::<str, _>((Unbounded, Included(name))).next_back().filter(|(_, block)| block.changes == 0)?;
        let next = self.0.range::<str, _>((std::ops::Bound::Excluded(start.as_str()), Unbounded)).next();
        Some((start.clone(), next.map(|(next, _)| next.clone())))
    }

    /// Makes a block anew of all rows that are in it, by their names in their order: as many blocks as are needed.
    pub(in crate::core::hub) fn renew<'a>(&mut self, start: String, rows: impl Iterator<Item = &'a str>) {
        let (mut start, mut block, mut count) = (start, Runs::none(), 0);
        let mut last: Option<&str> = None;
        for name in rows {
            // Rows of one name stay together, however many there are.
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

    /// Where names can be that contain a text in lower case, from a name on: from where, and up to where.
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
