//! One who fetches: its swarm, its sources, and its connections.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Answer, CHUNK, Reason};
use crate::core::swarm::invariants::Witness;
use crate::core::swarm::{Lane, Swarm, ahead};
use crate::core::time::Time;
use crate::protocol::ChunkSet;

/// As many connections as the real thing has.
const MAX_LANES: usize = 8;
/// The most that is asked for in one request, in bytes.
const RUN: u64 = 16 << 20;
/// How long a source may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How long to wait for somebody who has what is missing.
const STARVED: Duration = Duration::from_secs(30);

/// What a receiver wants done.
pub(super) enum Act {
    /// Make this connection, to this peer.
    Dial(u64, usize),
    /// Ask this peer for a chunk.
    Ask(u64, usize, u32),
    /// Tell everybody what is there.
    Tell(ChunkSet),
    /// Note that this peer was dropped.
    Dropped(usize, Reason),
    /// Note that it has ended.
    Over,
}

/// What a receiver knows of a source.
pub(super) struct Known {
    pub(super) peer: usize,
    told: Option<ChunkSet>,
    lanes: u32,
    dropped: bool,
    pub(super) good: u32,
    pub(super) bad: u32,
}

/// A connection.
struct Wire {
    source: u32,
    /// `None` until it is made.
    lane: Option<Lane>,
    asked: VecDeque<u32>,
    got: u64,
    since: Time,
    heard: Time,
}

pub(super) struct Receiver {
    swarm: Swarm,
    witness: Witness,
    wanted: Option<ChunkSet>,
    pub(super) got: Vec<Option<u64>>,
    pub(super) known: Vec<Known>,
    reserve: VecDeque<u32>,
    wires: BTreeMap<u64, Wire>,
    next_wire: u64,
    told_of: usize,
    starved_since: Option<Time>,
    broken: Option<String>,
    pub(super) outcome: Option<Result<(), Reason>>,
}

impl Receiver {
    pub(super) fn new(count: u32, wanted: Option<ChunkSet>, seed: u64) -> Self {
        Self {
            swarm: Swarm::new(count, wanted.clone(), true, seed),
            witness: Witness::default(),
            wanted,
            got: vec![None; count as usize],
            known: Vec::new(),
            reserve: VecDeque::new(),
            wires: BTreeMap::new(),
            next_wire: 1,
            told_of: 0,
            starved_since: None,
            broken: None,
            outcome: None,
        }
    }

    /// A source that is known before it begins.
    pub(super) fn knows(&mut self, peer: usize, has: Option<&ChunkSet>) {
        let number = self.swarm.add_source(has);
        self.known.push(Known { peer, told: has.cloned(), lanes: 0, dropped: false, good: 0, bad: 0 });
        self.reserve.push_back(number);
    }

    pub(super) fn begin(&mut self, now: Time, acts: &mut Vec<Act>) {
        for _ in 0..MAX_LANES {
            if let Some(source) = self.reserve.pop_front() {
                self.dial(now, source, acts);
            }
        }
        if self.known.len() == 1 {
            self.dial(now, 0, acts);
        }
        self.look_for_end(Reason::Gone, acts);
    }

    fn dial(&mut self, now: Time, source: u32, acts: &mut Vec<Act>) {
        let wire = Wire { source, lane: None, asked: VecDeque::new(), got: 0, since: now, heard: now };
        self.known[source as usize].lanes += 1;
        acts.push(Act::Dial(self.next_wire, self.known[source as usize].peer));
        self.wires.insert(self.next_wire, wire);
        self.next_wire += 1;
    }

    pub(super) fn dialled(&mut self, now: Time, wire: u64, reached: bool, acts: &mut Vec<Act>) {
        let Some(found) = self.wires.get_mut(&wire) else { return };
        if !reached {
            return self.lost(now, wire, Reason::Broke, acts);
        }
        found.lane = Some(self.swarm.join(found.source));
        (found.since, found.heard) = (now, now);
        self.ask(now, wire, acts);
    }

    /// A peer has these chunks by now, or all.
    pub(super) fn told(&mut self, now: Time, peer: usize, has: Option<&ChunkSet>, acts: &mut Vec<Act>) {
        match self.known.iter().position(|known| known.peer == peer) {
            Some(source) => {
                self.swarm.has_more(source as u32, has);
                self.known[source].told = has.cloned();
            }
            None => self.knows(peer, has),
        }
        while self.wires.len() < MAX_LANES
            && let Some(source) = self.reserve.pop_front()
        {
            self.dial(now, source, acts);
        }
        self.ask_all(now, acts);
    }

    fn ask_all(&mut self, now: Time, acts: &mut Vec<Act>) {
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        wires.into_iter().for_each(|wire| self.ask(now, wire, acts));
    }

    /// Asks for more over a connection, or gives its place to a source that can help.
    fn ask(&mut self, now: Time, wire: u64, acts: &mut Vec<Act>) {
        let Some(found) = self.wires.get_mut(&wire) else { return };
        let Some(lane) = found.lane else { return };
        let seconds = (now - found.since).as_secs_f64().max(0.01);
        let enough = ahead((found.got as f64 / seconds) as u64, CHUNK);
        let most = (RUN.min(enough / 2) / CHUNK).max(1) as u32;
        while (found.asked.len() as u64) * CHUNK < enough {
            let Some(run) = self.swarm.next(lane, most) else { break };
            if let Err(wrong) = self.witness.check_run(&self.swarm, lane, &run, most) {
                self.broken = Some(wrong);
            }
            if found.asked.is_empty() {
                found.heard = now;
            }
            let peer = self.known[found.source as usize].peer;
            acts.extend(run.clone().map(|chunk| Act::Ask(wire, peer, chunk)));
            found.asked.extend(run);
        }
        if found.asked.is_empty() {
            let source = found.source;
            if let Some(other) = self.reserve.iter().position(|source| self.swarm.is_useful(*source)) {
                self.close(wire);
                self.reserve.push_back(source);
                if let Some(other) = self.reserve.remove(other) {
                    self.dial(now, other, acts);
                }
            }
        }
    }

    /// An answer to the oldest request of a connection.
    pub(super) fn arrives(
        &mut self,
        now: Time,
        wire: u64,
        (chunk, answer): (u32, Answer),
        right: bool,
        acts: &mut Vec<Act>,
    ) {
        let Some(found) = self.wires.get_mut(&wire) else { return };
        found.heard = now;
        let source = found.source;
        match answer {
            Answer::Refused(reason) => self.lost(now, wire, reason, acts),
            Answer::Chunk(_) if !right => {
                self.known[source as usize].bad += 1;
                self.lost(now, wire, Reason::BadChunk, acts);
            }
            Answer::Chunk(content) => {
                if found.asked.pop_front() != Some(chunk) {
                    self.broken = Some(format!("chunk {chunk} was not the next that was asked for"));
                }
                found.got += CHUNK;
                if self.swarm.done(chunk) {
                    self.known[source as usize].good += 1;
                    self.got[chunk as usize] = Some(content);
                }
                self.look_for_end(Reason::Gone, acts);
                self.ask(now, wire, acts);
            }
        }
    }

    /// A connection is of no more use. Who lied is not asked over any other.
    pub(super) fn lost(&mut self, now: Time, wire: u64, reason: Reason, acts: &mut Vec<Act>) {
        let Some(source) = self.close(wire) else { return };
        let known = &mut self.known[source as usize];
        if known.lanes == 0 || reason == Reason::BadChunk {
            known.dropped = true;
            acts.push(Act::Dropped(known.peer, reason));
            let others: Vec<u64> = self.wires.iter().filter(|(_, w)| w.source == source).map(|(n, _)| *n).collect();
            for other in others {
                self.close(other);
            }
            self.swarm.drop_source(source);
        }
        let next = self.reserve.iter().position(|source| self.swarm.is_useful(*source)).unwrap_or(0);
        if let Some(next) = self.reserve.remove(next) {
            self.dial(now, next, acts);
        }
        self.look_for_end(reason, acts);
        self.ask_all(now, acts);
    }

    fn close(&mut self, wire: u64) -> Option<u32> {
        let closed = self.wires.remove(&wire)?;
        self.known[closed.source as usize].lanes -= 1;
        closed.lane.into_iter().for_each(|lane| self.swarm.leave(lane));
        Some(closed.source)
    }

    fn look_for_end(&mut self, reason: Reason, acts: &mut Vec<Act>) {
        let outcome = match self.swarm.is_complete() {
            true => Ok(()),
            false if self.wires.is_empty() => Err(reason),
            false => return,
        };
        self.end(outcome, acts);
    }

    fn end(&mut self, outcome: Result<(), Reason>, acts: &mut Vec<Act>) {
        if self.outcome.is_none() {
            self.outcome = Some(outcome);
            if outcome.is_ok() {
                acts.push(Act::Tell(self.have()));
            }
            acts.push(Act::Over);
        }
        let wires: Vec<u64> = self.wires.keys().copied().collect();
        for wire in wires {
            self.close(wire);
        }
        self.reserve.clear();
    }

    pub(super) fn tick(&mut self, now: Time, acts: &mut Vec<Act>) {
        if self.got_count() != self.told_of {
            self.told_of = self.got_count();
            acts.push(Act::Tell(self.have()));
        }
        let silent = |wire: &Wire| !wire.asked.is_empty() && now - wire.heard > SILENCE;
        let lost: Vec<u64> = self.wires.iter().filter(|(_, wire)| silent(wire)).map(|(number, _)| *number).collect();
        lost.into_iter().for_each(|wire| self.lost(now, wire, Reason::Silent, acts));
        if !self.swarm.is_starved() {
            self.starved_since = None;
        } else if now - *self.starved_since.get_or_insert(now) >= STARVED {
            self.end(Err(Reason::Starved), acts);
        }
    }

    /// Looks whether everything holds.
    pub(super) fn check(&mut self) -> Result<(), String> {
        self.broken.take().map_or(Ok(()), Err)?;
        self.witness.check(&self.swarm)
    }

    fn have(&self) -> ChunkSet {
        (0..).zip(&self.got).filter(|(_, got)| got.is_some()).map(|(chunk, _)| chunk).collect()
    }

    pub(super) fn got_count(&self) -> usize {
        self.got.iter().flatten().count()
    }

    /// What is wanted and not there.
    pub(super) fn missing(&self) -> Vec<u32> {
        let wanted = |chunk: &u32| self.wanted.as_ref().is_none_or(|wanted| wanted.contains(*chunk));
        (0..self.got.len() as u32).filter(|chunk| wanted(chunk) && self.got[*chunk as usize].is_none()).collect()
    }

    /// Whether a source has told that it has a chunk.
    pub(super) fn was_told(&self, source: &Known, chunk: u32) -> bool {
        source.told.as_ref().is_none_or(|told| told.contains(chunk))
    }

    pub(super) fn source_of(&self, wire: u64) -> Option<usize> {
        self.wires.get(&wire).map(|wire| self.known[wire.source as usize].peer)
    }

    pub(super) fn lanes_to(&self, peer: usize) -> Vec<u64> {
        let to = |wire: &Wire| self.known[wire.source as usize].peer == peer;
        self.wires.iter().filter(|(_, wire)| to(wire)).map(|(number, _)| *number).collect()
    }
}
