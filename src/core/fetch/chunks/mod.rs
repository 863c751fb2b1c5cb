//! Which chunk is fetched from where.
//!
//! [`Chunks`] knows the state of each chunk of one content and hands out runs of missing ones to *lanes*, the
//! connections over which they come. A lane belongs to a *source*, which has all chunks or only some; it may get
//! more, and new sources may come at any time.
//!
//! What a lane gets next is the *rarest* of the missing chunks that its source has: the one that the fewest sources
//! have. Among equals it is the first behind the lane's last run, and at the beginning behind a position that the seed
//! gives, around the end. Receivers that start together at one source so fetch different parts of it, and can trade;
//! where one comes upon what another has got already, it goes on from a new position. Runs are contiguous, so that
//! sources read their disks in order, and they get shorter towards the end, so that the lanes finish together. When
//! nothing is missing any more, a lane that has nothing to do takes over what is still on its way from *another*
//! source, the last of it first: the slowest source never decides when a transfer ends.
//!
//! Chunks that an earlier run says it has are *claimed*: they count as there, nobody fetches them, and whoever
//! checks them against the manifest either confirms them with [`Chunks::done`] or gives them up with
//! [`Chunks::disown`].
//!
//! What always holds stands in [`invariants`].

mod holders;
pub mod invariants;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use super::Lane;
use crate::core::time::Rng;
use crate::protocol::ChunkSet;
use holders::Holders;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkState {
    /// Not there, and nobody wants it.
    Unwanted,
    Missing,
    Claimed,
    /// On its way over the first lane, and perhaps over a second.
    Flying(Lane, Option<Lane>),
    /// It came over this lane, which is writing it; nobody else gets it any more.
    Writing(Lane),
    Done,
}

/// The state of every chunk of one content.
#[derive(Debug)]
pub struct Chunks {
    chunks: Vec<ChunkState>,
    /// `None` if every chunk is wanted.
    wanted: Option<ChunkSet>,
    /// Where lanes begin.
    start: u32,
    rng: Rng,
    missing: usize,
    flying: usize,
    undone: usize,
    holders: Holders,
    /// Those that have joined and not left.
    lanes: BTreeMap<Lane, LaneState>,
    doubles: bool,
    /// Counts what may give a lane something to do.
    changes: u64,
}

#[derive(Debug, Clone, Copy)]
struct LaneState {
    source: u32,
    /// Behind its last run.
    next: u32,
    /// After so many changes there was nothing for it.
    idle_at: Option<u64>,
}

impl Chunks {
    /// A content of `count` chunks of which none is there, and of which these are `wanted`; `None` means all. With
    /// `doubles` a chunk may be on its way over two lanes at the end; that is for chunks that are verified before
    /// they are written. The position from which chunks are fetched follows from the seed; with 0 it is the start.
    pub fn new(count: u32, wanted: Option<ChunkSet>, doubles: bool, seed: u64) -> Self {
        let is_wanted = |chunk| wanted.as_ref().is_none_or(|wanted| wanted.contains(chunk));
        let state = |chunk| if is_wanted(chunk) { ChunkState::Missing } else { ChunkState::Unwanted };
        let chunks: Vec<ChunkState> = (0..count).map(state).collect();
        let missing = chunks.iter().filter(|state| **state == ChunkState::Missing).count();
        Self {
            chunks,
            wanted,
            start: seed.checked_rem(count.into()).unwrap_or(0) as u32,
            rng: Rng(seed),
            missing,
            flying: 0,
            undone: missing,
            holders: Holders::new(count),
            lanes: BTreeMap::new(),
            doubles,
            changes: 0,
        }
    }

    /// How many chunks the content has.
    pub fn count(&self) -> usize {
        self.chunks.len()
    }

    /// Says that a chunk may be there already, from an earlier run, and is to be checked; also one that is not
    /// wanted.
    pub fn claim(&mut self, chunk: u32) {
        let Some(state) = self.chunks.get_mut(chunk as usize) else { return };
        match state {
            ChunkState::Missing => self.missing -= 1,
            ChunkState::Unwanted => self.undone += 1,
            ChunkState::Claimed | ChunkState::Flying(..) | ChunkState::Writing(_) | ChunkState::Done => return,
        }
        *state = ChunkState::Claimed;
    }

    /// The next claimed chunk from `from` on.
    pub fn next_claimed(&self, from: u32) -> Option<u32> {
        let rest = self.chunks.get(from as usize..)?;
        rest.iter().position(|s| *s == ChunkState::Claimed).map(|i| i as u32 + from)
    }

    /// Whether a chunk is said to be there, and is to be checked.
    pub fn is_claimed(&self, chunk: u32) -> bool {
        self.chunks.get(chunk as usize) == Some(&ChunkState::Claimed)
    }

    /// A claimed chunk turned out wrong: it is missing, or not wanted.
    pub fn disown(&mut self, chunk: u32) {
        if self.chunks.get(chunk as usize) != Some(&ChunkState::Claimed) {
            return;
        }
        if self.wants(chunk) {
            self.miss(chunk);
        } else {
            self.chunks[chunk as usize] = ChunkState::Unwanted;
            self.undone -= 1;
        }
    }

    /// A new connection to a source. It gets nothing if that was dropped.
    pub fn join(&mut self, lane: Lane, source: u32) {
        self.changes += 1;
        if self.holders.is_there(source) {
            self.lanes.insert(lane, LaneState { source, next: self.start, idle_at: None });
        }
    }

    /// Up to `max` chunks for this lane to fetch next, in a row; `None` if there is nothing for it
    /// now. More may come while [`Chunks::is_complete`] is false.
    pub fn next(&mut self, lane: Lane, max: u32) -> Option<Range<u32>> {
        let state = *self.lanes.get(&lane)?;
        if state.idle_at == Some(self.changes) {
            return None;
        }
        let run = match self.missing {
            0 => self.take_over(lane, state.source),
            _ => self.rarest(state).map(|chunk| self.take(lane, state.source, chunk, max)),
        };
        let state = match &run {
            Some(run) => {
                self.changes += 1;
                LaneState { next: run.end % self.chunks.len() as u32, ..state }
            }
            None => LaneState { idle_at: Some(self.changes), ..state },
        };
        self.lanes.insert(lane, state);
        run
    }

    /// Which of the missing chunks that its source has a lane fetches first.
    fn rarest(&mut self, lane: LaneState) -> Option<u32> {
        let (holders, chunk) = self.rarest_from(lane.next, lane.source, self.holders.least_holders(lane.source))?;
        if chunk == lane.next || !self.holders.any_part() {
            return Some(chunk);
        }
        // What lies there has been got by somebody, who will have got what lies behind it soon.
        let anywhere = self.rng.below(self.chunks.len() as u64) as u32;
        self.rarest_from(anywhere, lane.source, holders).map(|(_, chunk)| chunk)
    }

    /// The first from there on, around the end, that the fewest have, and how many those are; `least` is as few as
    /// it can be.
    fn rarest_from(&self, start: u32, source: u32, least: u32) -> Option<(u32, u32)> {
        let mut best = None;
        for chunk in (start..self.chunks.len() as u32).chain(0..start) {
            if self.chunks[chunk as usize] == ChunkState::Missing && self.holders.has(source, chunk) {
                let holders = self.holders.holders(chunk);
                if holders <= least {
                    return Some((holders, chunk));
                }
                if best.is_none_or(|(fewest, _)| holders < fewest) {
                    best = Some((holders, chunk));
                }
            }
        }
        best
    }

    /// A run that begins with this chunk, of chunks that are as rare.
    fn take(&mut self, lane: Lane, source: u32, chunk: u32, max: u32) -> Range<u32> {
        // A quarter of a fair share each time: large at first, single chunks at the end.
        let lanes = self.lanes.len();
        let most = (self.missing / (4 * lanes)).clamp(1, max.max(1) as usize);
        let holders = self.holders.holders(chunk);
        let (states, sources) = (&self.chunks, &self.holders);
        let same = |c: &u32| {
            states[*c as usize] == ChunkState::Missing && sources.has(source, *c) && sources.holders(*c) == holders
        };
        let run = chunk..chunk + (chunk..states.len() as u32).take(most).take_while(same).count() as u32;
        self.chunks[run.start as usize..run.end as usize].fill(ChunkState::Flying(lane, None));
        self.missing -= run.len();
        self.flying += run.len();
        run
    }

    /// The last chunk that only another source is sending.
    fn take_over(&mut self, lane: Lane, source: u32) -> Option<Range<u32>> {
        if self.flying == 0 {
            return None;
        }
        let (start, count) = (self.start, self.chunks.len() as u32);
        let chunk = (start..count).chain(0..start).rev().find(|chunk| self.can_take_over(source, *chunk))?;
        if let ChunkState::Flying(_, second) = &mut self.chunks[chunk as usize] {
            *second = Some(lane);
        }
        Some(chunk..chunk + 1)
    }

    /// Whether only another source is sending a chunk that this one has too.
    fn can_take_over(&self, source: u32, chunk: u32) -> bool {
        match self.chunks[chunk as usize] {
            ChunkState::Flying(other, None) => {
                self.doubles && self.source(other) != Some(source) && self.holders.has(source, chunk)
            }
            ChunkState::Flying(_, Some(_))
            | ChunkState::Writing(_)
            | ChunkState::Unwanted
            | ChunkState::Missing
            | ChunkState::Claimed
            | ChunkState::Done => false,
        }
    }

    /// Whether a chunk is there and verified.
    pub fn has(&self, chunk: u32) -> bool {
        self.chunks.get(chunk as usize) == Some(&ChunkState::Done)
    }

    /// A chunk has come over this lane, whole and right. True if the lane is to write it: nobody else is then, until it
    /// has or leaves.
    pub fn begin_write(&mut self, lane: Lane, chunk: u32) -> bool {
        let Some(state) = self.chunks.get_mut(chunk as usize) else { return false };
        let comes = matches!(*state, ChunkState::Flying(first, second) if self.lanes.contains_key(&lane) && (first == lane || second == Some(lane)));
        if comes {
            *state = ChunkState::Writing(lane);
        }
        comes
    }

    /// A chunk is there and verified. False if it was already, or if there is no such chunk.
    pub fn done(&mut self, chunk: u32) -> bool {
        let Some(state) = self.chunks.get_mut(chunk as usize) else { return false };
        match std::mem::replace(state, ChunkState::Done) {
            ChunkState::Done => return false,
            ChunkState::Unwanted => return true,
            ChunkState::Missing => {
                self.missing -= 1;
                self.changes += 1;
            }
            ChunkState::Flying(..) | ChunkState::Writing(_) => self.flying -= 1,
            ChunkState::Claimed => {}
        }
        self.undone -= 1;
        true
    }

    /// A lane is gone: what was on its way over it is missing again, unless it also comes over
    /// another one.
    pub fn leave(&mut self, lane: Lane) {
        if self.source(lane).is_none() {
            return;
        }
        self.lanes.remove(&lane);
        self.changes += 1;
        for chunk in 0..self.chunks.len() as u32 {
            let left = match self.chunks[chunk as usize] {
                ChunkState::Flying(first, second) if first == lane => second,
                ChunkState::Flying(first, Some(second)) if second == lane => Some(first),
                ChunkState::Writing(writer) if writer == lane => None,
                ChunkState::Flying(..)
                | ChunkState::Writing(_)
                | ChunkState::Unwanted
                | ChunkState::Missing
                | ChunkState::Claimed
                | ChunkState::Done => continue,
            };
            match left {
                Some(other) => self.chunks[chunk as usize] = ChunkState::Flying(other, None),
                None => {
                    self.flying -= 1;
                    self.miss(chunk);
                }
            }
        }
    }

    /// Whether there is a chunk that is wanted and that nobody is fetching.
    pub fn is_wanting(&self) -> bool {
        self.missing > 0
    }

    /// Whether a source, which may have no lane yet, has something to give to a lane.
    pub fn is_useful(&self, source: u32) -> bool {
        let gives = |(chunk, state): (u32, &ChunkState)| match self.missing {
            0 => self.can_take_over(source, chunk),
            _ => *state == ChunkState::Missing && self.holders.has(source, chunk),
        };
        !self.is_complete() && self.holders.is_there(source) && (0..).zip(&self.chunks).any(gives)
    }

    /// Whether a source has this chunk.
    pub fn can_give(&self, source: u32, chunk: u32) -> bool {
        self.holders.has(source, chunk)
    }

    /// Whether nothing comes, and nobody has what is missing.
    pub fn is_starved(&self) -> bool {
        let nowhere =
            |(chunk, state): (u32, &ChunkState)| *state != ChunkState::Missing || self.holders.holders(chunk) == 0;
        self.missing > 0 && self.flying == 0 && !self.holders.any_whole() && (0..).zip(&self.chunks).all(nowhere)
    }

    /// Whether every chunk that is wanted or claimed is there and verified.
    pub fn is_complete(&self) -> bool {
        self.undone == 0
    }

    /// Whether every chunk of the content is there and verified.
    pub fn is_whole(&self) -> bool {
        self.chunks.iter().all(|state| *state == ChunkState::Done)
    }

    /// Counts what may give a lane something to do: while it stays the same, asking again is in vain.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn wants(&self, chunk: u32) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.contains(chunk))
    }

    fn source(&self, lane: Lane) -> Option<u32> {
        self.lanes.get(&lane).map(|lane| lane.source)
    }

    fn miss(&mut self, chunk: u32) {
        self.changes += 1;
        self.chunks[chunk as usize] = ChunkState::Missing;
        self.missing += 1;
    }
}
