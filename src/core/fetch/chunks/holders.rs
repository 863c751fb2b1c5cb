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
    /// It will be back with what it had: these chunks, or all.
    Away(Option<ChunkSet>),
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
        let has = match self.all.get_mut(source as usize) {
            Some(Holder::Part(has)) => has,
            Some(Holder::Away(had)) => {
                match (had.as_mut(), more) {
                    (Some(had), Some(more)) => had.add(more),
                    _ => *had = None,
                }
                return;
            }
            Some(Holder::Whole | Holder::Gone) | None => return,
        };
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
            Holder::Away(_) | Holder::Gone => {}
        }
    }

    /// A source is not there now, and what it has is remembered.
    pub(super) fn away(&mut self, source: u32) {
        let had = match self.all.get(source as usize) {
            Some(Holder::Whole) => None,
            Some(Holder::Part(has)) => Some(has.clone()),
            Some(Holder::Away(_) | Holder::Gone) | None => return,
        };
        self.drop(source);
        self.all[source as usize] = Holder::Away(had);
    }

    /// A source that was away is there, with what it had and what was heard of it since.
    pub(super) fn here(&mut self, source: u32) {
        let Some(Holder::Away(had)) = self.all.get_mut(source as usize) else { return };
        let had = had.take();
        self.drop(source);
        self.back(source, had.as_ref());
    }

    /// Somebody is in the place again that [`Holders::drop`] has left empty.
    pub(super) fn back(&mut self, source: u32, has: Option<&ChunkSet>) {
        let Some(place) = self.all.get_mut(source as usize).filter(|source| **source == Holder::Gone) else { return };
        *place = Holder::Part(ChunkSet::default());
        self.parts += 1;
        self.has_more(source, has);
    }

    pub(super) fn is_there(&self, source: u32) -> bool {
        matches!(self.all.get(source as usize), Some(Holder::Whole | Holder::Part(_)))
    }

    pub(super) fn has(&self, source: u32, chunk: u32) -> bool {
        match self.all.get(source as usize) {
            Some(Holder::Whole) => true,
            Some(Holder::Part(has)) => has.contains(chunk),
            Some(Holder::Away(_) | Holder::Gone) | None => false,
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
