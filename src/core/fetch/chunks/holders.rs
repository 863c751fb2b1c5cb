//! Who has which chunks.

use crate::protocol::ChunkSet;

/// All sources of a content, by their numbers.
#[derive(Debug)]
pub(super) struct Holders {
    count: u32,
    all: Vec<Holder>,
    /// How many sources have each chunk, those that have all chunks left out: they change nothing in the order.
    holders: Vec<u32>,
    whole: usize,
    parts: usize,
    changes: u64,
}

#[derive(Debug, PartialEq)]
pub(super) enum Holder {
    Whole,
    Part(ChunkSet),
    Gone,
}

impl Holders {
    pub(super) fn new(count: u32) -> Self {
        Self { count, all: Vec::new(), holders: vec![0; count as usize], whole: 0, parts: 0, changes: 0 }
    }

    pub(super) fn add(&mut self, has: Option<&ChunkSet>) -> u32 {
        let number = self.all.len() as u32;
        self.all.push(Holder::Part(ChunkSet::default()));
        self.parts += 1;
        self.has_more(number, has);
        number
    }

    pub(super) fn has_more(&mut self, source: u32, more: Option<&ChunkSet>) {
        self.changes += 1;
        let Some(Holder::Part(has)) = self.all.get_mut(source as usize) else { return };
        match more {
            Some(more) => {
                for chunk in more.iter().filter(|chunk| *chunk < self.count) {
                    if has.insert(chunk) {
                        self.holders[chunk as usize] += 1;
                    }
                }
            }
            None => {
                self.drop(source);
                self.whole += 1;
                self.all[source as usize] = Holder::Whole;
            }
        }
    }

    /// Leaves the source's place empty.
    pub(super) fn drop(&mut self, source: u32) {
        self.changes += 1;
        let Some(left) = self.all.get_mut(source as usize) else { return };
        match std::mem::replace(left, Holder::Gone) {
            Holder::Whole => self.whole -= 1,
            Holder::Part(has) => {
                self.parts -= 1;
                has.iter().for_each(|chunk| self.holders[chunk as usize] -= 1);
            }
            Holder::Gone => {}
        }
    }

    /// Somebody is in the place again that [`Holders::drop`] has left empty.
    pub(super) fn back(&mut self, source: u32, has: Option<&ChunkSet>) {
        let Some(place) = self.all.get_mut(source as usize).filter(|source| **source == Holder::Gone) else { return };
        *place = Holder::Part(ChunkSet::default());
        self.parts += 1;
        self.has_more(source, has);
    }

    pub(super) fn is_there(&self, source: u32) -> bool {
        self.all.get(source as usize).is_some_and(|source| *source != Holder::Gone)
    }

    pub(super) fn has(&self, source: u32, chunk: u32) -> bool {
        match self.all.get(source as usize) {
            Some(Holder::Whole) => true,
            Some(Holder::Part(has)) => has.contains(chunk),
            Some(Holder::Gone) | None => false,
        }
    }

    /// How many have a chunk, beside those that have all.
    pub(super) fn holders(&self, chunk: u32) -> u32 {
        self.holders[chunk as usize]
    }

    /// No chunk that this source has can be rarer.
    pub(super) fn least_holders(&self, source: u32) -> u32 {
        u32::from(self.all.get(source as usize) != Some(&Holder::Whole))
    }

    pub(super) fn any_whole(&self) -> bool {
        self.whole > 0
    }

    pub(super) fn any_part(&self) -> bool {
        self.parts > 0
    }

    /// How often anything of this was changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn all(&self) -> &[Holder] {
        &self.all
    }
}
