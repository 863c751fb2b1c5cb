//! Which chunk is fetched from where.
//!
//! A [`Swarm`] knows the state of each chunk of one content and hands out runs of missing ones to
//! *lanes*, the connections over which they come. Runs are contiguous, so that sources read their
//! disks in order, and they get shorter towards the end, so that the lanes finish together. When
//! nothing is missing any more, a lane that has nothing to do takes over what is still on its way
//! from *another* source: the slowest source never decides when a transfer ends.
//!
//! Chunks that an earlier run says it has are *claimed*: they count as there, nobody fetches them,
//! and whoever checks them against the manifest either confirms them with [`Swarm::done`] or gives
//! them up with [`Swarm::disown`].

use std::ops::Range;

/// One connection of the swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Claimed,
    /// On its way over the first lane, and perhaps over a second.
    Flying(Lane, Option<Lane>),
    Done,
}

/// The state of every chunk of one content.
#[derive(Debug)]
pub struct Swarm {
    chunks: Vec<State>,
    /// Every chunk before it is not missing.
    first_missing: usize,
    missing: usize,
    undone: usize,
    /// The source of each lane, in the order of joining; `None` once it left.
    lanes: Vec<Option<u32>>,
    doubles: bool,
}

impl Swarm {
    /// All of `count` chunks, of which none is there. With `doubles` a chunk may be on its way over
    /// two lanes at the end; that is for chunks that are verified before they are written.
    pub fn new(count: u32, doubles: bool) -> Self {
        let chunks = vec![State::Missing; count as usize];
        Self { missing: chunks.len(), undone: chunks.len(), chunks, first_missing: 0, lanes: Vec::new(), doubles }
    }

    /// Says that a missing chunk may be there already, from an earlier run.
    pub fn claim(&mut self, chunk: u32) {
        if let Some(state @ State::Missing) = self.chunks.get_mut(chunk as usize) {
            *state = State::Claimed;
            self.missing -= 1;
        }
    }

    /// The next claimed chunk from `from` on.
    pub fn next_claimed(&self, from: u32) -> Option<u32> {
        let rest = self.chunks.get(from as usize..)?;
        rest.iter().position(|s| *s == State::Claimed).map(|i| i as u32 + from)
    }

    /// A claimed chunk turned out wrong: it is missing.
    pub fn disown(&mut self, chunk: u32) {
        if self.chunks.get(chunk as usize) == Some(&State::Claimed) {
            self.miss(chunk as usize);
        }
    }

    /// A new connection to the source with this number.
    pub fn join(&mut self, source: u32) -> Lane {
        self.lanes.push(Some(source));
        Lane(self.lanes.len() as u32 - 1)
    }

    /// Up to `max` chunks for this lane to fetch next, in a row; `None` if there is nothing for it
    /// now. More may come while [`Swarm::is_complete`] is false.
    pub fn next(&mut self, lane: Lane, max: u32) -> Option<Range<u32>> {
        let source = self.source(lane)?;
        if self.missing == 0 {
            return self.take_over(lane, source);
        }
        let start = self.first_missing + self.chunks[self.first_missing..].iter().position(|s| *s == State::Missing)?;
        // A quarter of a fair share each time: large at first, single chunks at the end.
        let lanes = self.lanes.iter().flatten().count();
        let most = (self.missing / (4 * lanes)).clamp(1, max.max(1) as usize);
        let run = self.chunks[start..].iter().take(most).take_while(|s| **s == State::Missing).count();
        self.chunks[start..start + run].fill(State::Flying(lane, None));
        self.missing -= run;
        self.first_missing = start + run;
        Some(start as u32..(start + run) as u32)
    }

    /// The first chunk that only another source is sending.
    fn take_over(&mut self, lane: Lane, source: u32) -> Option<Range<u32>> {
        if !self.doubles {
            return None;
        }
        let lanes = &self.lanes;
        let elsewhere = |other: Lane| lanes[other.0 as usize] != Some(source);
        let index = self.chunks.iter().position(|s| matches!(s, State::Flying(other, None) if elsewhere(*other)))?;
        if let State::Flying(_, second) = &mut self.chunks[index] {
            *second = Some(lane);
        }
        Some(index as u32..index as u32 + 1)
    }

    /// Whether a chunk is there and verified.
    pub fn has(&self, chunk: u32) -> bool {
        self.chunks.get(chunk as usize) == Some(&State::Done)
    }

    /// A chunk is there and verified. False if it was already, or if there is no such chunk.
    pub fn done(&mut self, chunk: u32) -> bool {
        let Some(state) = self.chunks.get_mut(chunk as usize) else { return false };
        match std::mem::replace(state, State::Done) {
            State::Done => return false,
            State::Missing => self.missing -= 1,
            State::Claimed | State::Flying(..) => {}
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
        self.lanes[lane.0 as usize] = None;
        for index in 0..self.chunks.len() {
            match self.chunks[index] {
                State::Flying(first, None) if first == lane => self.miss(index),
                State::Flying(first, Some(second)) if first == lane => self.chunks[index] = State::Flying(second, None),
                State::Flying(first, Some(second)) if second == lane => {
                    self.chunks[index] = State::Flying(first, None);
                }
                State::Flying(..) | State::Missing | State::Claimed | State::Done => {}
            }
        }
    }

    /// Whether there is a chunk that nobody has and nobody is fetching.
    pub fn is_wanting(&self) -> bool {
        self.missing > 0
    }

    /// Whether every chunk is there and verified.
    pub fn is_complete(&self) -> bool {
        self.undone == 0
    }

    fn source(&self, lane: Lane) -> Option<u32> {
        self.lanes.get(lane.0 as usize).copied().flatten()
    }

    fn miss(&mut self, index: usize) {
        self.chunks[index] = State::Missing;
        self.missing += 1;
        self.first_missing = self.first_missing.min(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn runs_shrink_and_what_a_lost_lane_had_is_given_to_others() {
        let mut swarm = Swarm::new(32, true);
        let (a, b) = (swarm.join(0), swarm.join(1));
        assert_eq!(swarm.next(a, 16), Some(0..4));
        assert_eq!(swarm.next(b, 2), Some(4..6));
        assert!(swarm.done(1) && !swarm.done(1));
        swarm.leave(a);
        assert_eq!(swarm.next(a, 16), None);
        assert_eq!(swarm.next(b, 16), Some(0..1), "chunk 1 is done");
        assert_eq!(swarm.next(b, 16), Some(2..4));
        assert!(swarm.is_wanting());
    }

    #[test]
    fn the_last_chunks_of_a_slow_source_are_taken_over_by_another_but_not_by_itself() {
        let mut swarm = Swarm::new(1, true);
        let (slow, same, other, late) = (swarm.join(0), swarm.join(0), swarm.join(1), swarm.join(2));
        assert_eq!(swarm.next(slow, 4), Some(0..1));
        assert_eq!(swarm.next(same, 4), None);
        assert_eq!(swarm.next(other, 4), Some(0..1));
        assert_eq!(swarm.next(late, 4), None, "two are enough");
        swarm.leave(slow);
        assert!(!swarm.is_complete() && swarm.done(0) && swarm.is_complete());
        let mut swarm = Swarm::new(1, false);
        let (slow, other) = (swarm.join(0), swarm.join(1));
        assert_eq!((swarm.next(slow, 4), swarm.next(other, 4)), (Some(0..1), None));
    }

    #[test]
    fn claims_are_confirmed_or_given_up() {
        let mut swarm = Swarm::new(3, true);
        swarm.claim(0);
        swarm.claim(2);
        swarm.claim(9);
        let lane = swarm.join(0);
        assert_eq!((swarm.next(lane, 9), swarm.next(lane, 9)), (Some(1..2), None));
        assert_eq!((swarm.next_claimed(0), swarm.next_claimed(1), swarm.next_claimed(3)), (Some(0), Some(2), None));
        assert_eq!(swarm.next_claimed(99), None);
        swarm.disown(0);
        assert!(swarm.done(2));
        assert_eq!(swarm.next(lane, 9), Some(0..1));
    }

    /// What the counters must say about the chunks.
    fn check(swarm: &Swarm) {
        let count = |f: fn(&State) -> bool| swarm.chunks.iter().filter(|s| f(s)).count();
        assert_eq!(swarm.missing, count(|s| *s == State::Missing));
        assert_eq!(swarm.undone, count(|s| *s != State::Done));
        assert!(swarm.chunks[..swarm.first_missing].iter().all(|s| *s != State::Missing));
        for state in &swarm.chunks {
            if let State::Flying(first, second) = state {
                assert!(swarm.source(*first).is_some(), "held by a lane that left");
                assert!(second.is_none_or(|s| s != *first && swarm.source(s).is_some()));
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_a_faithful_lane_completes_it(
            count in 0..200u32,
            doubles: bool,
            claimed in proptest::collection::vec(0..200u32, 0..50),
            steps in proptest::collection::vec((0..5u8, 0..6u32, 0..200u32), 0..100),
        ) {
            let mut swarm = Swarm::new(count, doubles);
            claimed.iter().for_each(|c| swarm.claim(*c));
            let mut lanes = vec![swarm.join(0)];
            for (what, which, chunk) in steps {
                let lane = lanes[which as usize % lanes.len()];
                match what {
                    0 => lanes.push(swarm.join(which)),
                    1 => swarm.leave(lane),
                    2 => { swarm.done(chunk); }
                    3 => swarm.disown(chunk),
                    _ => {
                        let free = swarm.missing;
                        if let Some(run) = swarm.next(lane, chunk) {
                            prop_assert!(!run.is_empty() && run.len() as u32 <= chunk.max(1));
                            prop_assert!(run.end <= count && run.clone().all(|c| !swarm.has(c)));
                            prop_assert!(doubles || free >= run.len());
                        }
                    }
                }
                check(&swarm);
            }
            lanes.iter().for_each(|l| swarm.leave(*l));
            while let Some(chunk) = swarm.next_claimed(0) {
                swarm.disown(chunk);
            }
            let lane = swarm.join(9);
            while let Some(run) = swarm.next(lane, 7) {
                run.for_each(|c| assert!(swarm.done(c)));
                check(&swarm);
            }
            prop_assert!(swarm.is_complete());
        }
    }
}
