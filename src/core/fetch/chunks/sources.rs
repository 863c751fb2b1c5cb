//! The sources of a content: who comes, has more, is away for a while, or is gone.

use super::{Chunks, Lane};
use crate::protocol::ChunkSet;

impl Chunks {
    /// A new source that has these chunks, or all; gives its number. The numbers count from 0.
    pub fn add_source(&mut self, has: Option<&ChunkSet>) -> u32 {
        self.changes += 1;
        self.holders.add(has)
    }

    /// A source has these chunks as well, or all.
    pub fn has_more(&mut self, source: u32, more: Option<&ChunkSet>) {
        self.changes += 1;
        self.holders.has_more(source, more);
    }

    /// A source is gone, with all its lanes and what is on its way over them.
    pub fn drop_source(&mut self, source: u32) {
        self.holders.drop(source);
        self.leave_all(source);
    }

    /// A source is not there now, and nor are its lanes. It keeps its place, and what it has.
    pub fn source_away(&mut self, source: u32) {
        self.holders.away(source);
        self.leave_all(source);
    }

    /// A source that was away is there again.
    pub fn source_here(&mut self, source: u32) {
        self.changes += 1;
        self.holders.here(source);
    }

    fn leave_all(&mut self, source: u32) {
        let of_source = self.lanes.iter().filter(|(_, lane)| lane.source == source);
        let lanes: Vec<Lane> = of_source.map(|(lane, _)| *lane).collect();
        lanes.into_iter().for_each(|lane| self.leave(lane));
    }

    /// A source that was dropped is there again, and has these chunks, or all.
    pub fn source_back(&mut self, source: u32, has: Option<&ChunkSet>) {
        self.changes += 1;
        self.holders.back(source, has);
    }
}
