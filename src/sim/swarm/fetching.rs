//! A receiver of the swarm: the real fetch machine, and the world around it.

mod ways;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, CHUNK};
use crate::core::fetch::invariants::Witness;
use crate::core::fetch::{Fetch, FetchPlan, Input, Lane, LaneError, Opened, Output, PlannedFile, Source, Start};
use crate::core::flow::TRIAL;
use crate::core::time::Time;
use crate::protocol::{ChunkSet, Chunking, ContentHash, ErrorCode, OnConflict, PublicKey, Route};

/// A source as its receivers see it, at its present place.
pub(super) fn source_of(peer: usize, has: Option<ChunkSet>, place: u16) -> Source {
    let [high, low] = (peer as u16).to_be_bytes();
    let mut key = [0; 32];
    key[..2].copy_from_slice(&[high, low]);
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, high, low)), place);
    Source { name: peer.to_string(), address, key: PublicKey(key), has }
}

fn peer_of(key: PublicKey) -> usize {
    usize::from(u16::from_be_bytes([key.0[0], key.0[1]]))
}

/// What has arrived over a connection and is taken in one by one.
#[derive(Debug)]
struct Wire {
    peer: usize,
    /// The chunk that is being written. What arrives meanwhile waits.
    writing: Option<(u32, u64)>,
    came: VecDeque<(u32, Answer)>,
    /// Whether the machine has ended the connection.
    ends: bool,
    /// When the last chunk that arrived was taken in.
    free_at: Time,
    /// Where it was dialled.
    place: u16,
    /// One of its ends is elsewhere by now: nothing passes.
    silent: bool,
}

/// A task that the world must do for a receiver.
pub(super) enum Act {
    Dial(Lane, usize),
    AskManifest(Lane, usize),
    Ask(Lane, usize, u32),
    /// Close the connection as the machine wants, so that its source forgets it.
    End(Lane, usize),
    Write(Lane),
    Check(u32),
    Place,
    /// Tell everybody which chunks the receiver has.
    Tell(ChunkSet),
    /// Note that the machine has dropped a peer.
    Dropped(usize, ErrorCode),
}

/// What was seen of a receiver, for whoever plays it.
#[derive(Default)]
pub(super) struct Seen {
    /// When each connection was made.
    pub(super) dialled: Vec<Time>,
    /// When each chunk was written.
    pub(super) written_at: Vec<Time>,
    /// How many chunks have come, written or not.
    pub(super) came: usize,
    /// The ways of which the machine has told.
    pub(super) routes: Vec<Route>,
}

/// A receiver.
pub(super) struct Fetching {
    machine: Fetch,
    witness: Witness,
    pub(super) got: Vec<Option<u64>>,
    /// The chunks that an earlier attempt left, and whether each is right.
    left: BTreeMap<u32, bool>,
    /// The chunks that each peer is known to have; `None` for all.
    pub(super) told: BTreeMap<usize, Option<ChunkSet>>,
    wires: BTreeMap<Lane, Wire>,
    /// How many right and wrong chunks came from each peer.
    pub(super) came_from: BTreeMap<usize, (u32, u32)>,
    /// The chunks that others were told we have.
    had: ChunkSet,
    pub(super) seen: Seen,
    /// When the receiver's own line is free again.
    pub(super) down_free_at: Time,
    pub(super) outcome: Option<Result<(), ErrorCode>>,
    pub(super) tick: Option<Time>,
}

impl Fetching {
    pub(super) fn new(
        now: Time,
        count: u32,
        wanted: Option<ChunkSet>,
        left: BTreeMap<u32, bool>,
        sources: Vec<Source>,
        (seed, cores): (u64, usize),
    ) -> Self {
        let chunking = Chunking::for_size(u64::from(count) * CHUNK, None);
        let hash = ContentHash([9; 32]);
        let file = PlannedFile {
            file: "file".into(),
            target: "file".into(),
            hash,
            chunking,
            modified: None,
            sources: Vec::new(),
        };
        let told = (sources.iter()).map(|source| (peer_of(source.key), source.has.clone())).collect();
        let plan = FetchPlan {
            name: "file".into(),
            hash,
            files: vec![file],
            sources,
            from: None,
            chunks: wanted,
            on_conflict: OnConflict::Fail,
            share: true,
            by_key: false,
            apart: false,
        };
        let start = Start { seed, cores, trial: TRIAL, limited: false, found: Vec::new(), path: String::new() };
        Self {
            machine: Fetch::new(now, Arc::new(plan), start),
            witness: Witness::default(),
            got: vec![None; count as usize],
            left,
            told,
            wires: BTreeMap::new(),
            came_from: BTreeMap::new(),
            had: ChunkSet::default(),
            seen: Seen::default(),
            down_free_at: now,
            outcome: None,
            tick: None,
        }
    }

    /// Gives the machine an input, and collects the tasks that it wants done.
    fn handle(&mut self, now: Time, input: Input, acts: &mut Vec<Act>) -> Result<(), String> {
        self.machine.handle(now, input);
        self.drain(now, acts)
    }

    pub(super) fn drain(&mut self, now: Time, acts: &mut Vec<Act>) -> Result<(), String> {
        self.witness.check(&self.machine)?;
        while let Some(output) = self.machine.poll() {
            match output {
                Output::Open(file) => {
                    let claimed = self.left.keys().copied().collect();
                    let ready = Opened::Ready { path: "file".into(), claimed, manifest: false };
                    self.machine.handle(now, Input::Opened(file, Ok(ready)));
                    self.witness.check(&self.machine)?;
                }
                Output::Dial { lane, key, address, .. } => {
                    let (peer, place) = (peer_of(key), address.port());
                    let (came, writing) = (VecDeque::new(), None);
                    let wire = Wire { peer, writing, came, ends: false, free_at: now, place, silent: false };
                    self.wires.insert(lane, wire);
                    self.seen.dialled.push(now);
                    acts.push(Act::Dial(lane, peer));
                }
                Output::AskManifest(lane) => acts.extend(self.peer(lane).map(|peer| Act::AskManifest(lane, peer))),
                Output::AskChunks(lane, run) => {
                    let peer = self.peer(lane);
                    acts.extend(peer.into_iter().flat_map(|peer| run.clone().map(move |c| Act::Ask(lane, peer, c))));
                }
                Output::Write(lane, chunk) => {
                    let Some(Wire { writing: Some((writing, _)), .. }) = self.wires.get(&lane) else {
                        return Err(format!("{lane:?} has nothing to write"));
                    };
                    if *writing != chunk {
                        return Err(format!("{lane:?} has chunk {writing}, and is to write {chunk}"));
                    }
                    acts.push(Act::Write(lane));
                }
                Output::Close(lane) | Output::Cut(lane) => {
                    if let Some(wire) = self.wires.get_mut(&lane) {
                        wire.ends = true;
                        acts.push(Act::End(lane, wire.peer));
                    }
                }
                Output::Check(chunk) => acts.push(Act::Check(chunk)),
                Output::Place { .. } | Output::Leave { .. } => acts.push(Act::Place),
                Output::Note(note) => self.told(note, acts),
                Output::KeepAlive(_) => {}
                Output::AskFiles(..) | Output::Make(_) => return Err(format!("it is a file: {output:?}")),
            }
        }
        self.outcome = self.machine.outcome().map(|outcome| outcome.map(drop).map_err(|failure| failure.code));
        if self.outcome.is_some() && !self.wires.is_empty() {
            return Err("it is over, and has connections".into());
        }
        Ok(())
    }

    fn told(&mut self, note: crate::core::fetch::TransferNote, acts: &mut Vec<Act>) {
        use crate::core::fetch::TransferNote as Note;
        match note {
            Note::Have(have) => {
                have.iter().for_each(|had| self.had.add(&had.chunks));
                acts.push(Act::Tell(self.had.clone()));
            }
            Note::Dropped { peer, failure } => {
                acts.extend(peer.parse().ok().map(|peer| Act::Dropped(peer, failure.code)));
            }
            Note::Way(route) => self.seen.routes.push(route),
            Note::Started { route, .. } => self.seen.routes.extend(route),
            Note::FileFailed { .. }
            | Note::Here(_)
            | Note::Progress(_)
            | Note::Stalled { .. }
            | Note::Completed { .. }
            | Note::Failed(_) => {}
        }
    }

    /// A dial has come to its end: it is connected this way, or nobody is there.
    pub(super) fn dialled(
        &mut self,
        now: Time,
        lane: Lane,
        route: Option<Route>,
        acts: &mut Vec<Act>,
    ) -> Result<(), String> {
        match (self.wires.get(&lane), route) {
            (Some(wire), Some(route)) if !wire.ends => self.handle(now, Input::Connected(lane, route), acts),
            (Some(wire), None) if !wire.ends => self.breaks(now, lane, ErrorCode::PeerUnreachable, acts),
            (Some(_) | None, _) => Ok(()),
        }
    }

    pub(super) fn manifest(&mut self, now: Time, lane: Lane, acts: &mut Vec<Act>) -> Result<(), String> {
        match self.wires.get(&lane) {
            Some(wire) if !wire.ends && !wire.silent => self.handle(now, Input::Manifest { lane, fits: true }, acts),
            Some(_) | None => Ok(()),
        }
    }

    /// When everything that is on its way can have been taken in: over this connection, and over the receiver's line.
    pub(super) fn takes_until(
        &mut self,
        arrives: Time,
        lane: Lane,
        (lane_rate, down): (Option<u64>, Option<u64>),
    ) -> Time {
        let span = |rate: u64| Duration::from_micros(CHUNK * 1_000_000 / rate);
        let Some(wire) = self.wires.get_mut(&lane) else { return arrives };
        let mut at = arrives;
        if let Some(rate) = lane_rate {
            wire.free_at = wire.free_at.max(at) + span(rate);
            at = wire.free_at;
        }
        if let Some(rate) = down {
            self.down_free_at = self.down_free_at.max(at) + span(rate);
            at = self.down_free_at;
        }
        at
    }

    /// The answer to the oldest request of a connection arrives.
    pub(super) fn arrives(
        &mut self,
        now: Time,
        lane: Lane,
        came: (u32, Answer),
        truth: &[u64],
        acts: &mut Vec<Act>,
    ) -> Result<(), String> {
        let Some(wire) = self.wires.get_mut(&lane).filter(|wire| !wire.ends && !wire.silent) else { return Ok(()) };
        wire.came.push_back(came);
        self.seen.came += 1;
        self.take_in(now, lane, truth, acts)
    }

    /// Takes in what has arrived, until something must be written.
    fn take_in(&mut self, now: Time, lane: Lane, truth: &[u64], acts: &mut Vec<Act>) -> Result<(), String> {
        while let Some(wire) = self.wires.get_mut(&lane).filter(|wire| !wire.ends && wire.writing.is_none()) {
            let Some((chunk, answer)) = wire.came.pop_front() else { break };
            let peer = wire.peer;
            match answer {
                Answer::Refused(code) => return self.breaks(now, lane, code, acts),
                Answer::Chunk(content) if content != truth[chunk as usize] => {
                    self.came_from.entry(peer).or_default().1 += 1;
                    self.wires.remove(&lane);
                    let lied = LaneError::Lied(ErrorCode::BadChunk.into());
                    return self.handle(now, Input::Ended(lane, Err(lied)), acts);
                }
                Answer::Chunk(content) => {
                    wire.writing = Some((chunk, content));
                    let before = acts.len();
                    self.handle(now, Input::Arrived { lane, piece: chunk, bytes: CHUNK }, acts)?;
                    let writes = acts[before..].iter().any(|act| matches!(act, Act::Write(of) if *of == lane));
                    if let Some(wire) = self.wires.get_mut(&lane).filter(|_| !writes) {
                        wire.writing = None;
                    }
                }
            }
        }
        Ok(())
    }

    /// A chunk has been written.
    pub(super) fn written(&mut self, now: Time, lane: Lane, truth: &[u64], acts: &mut Vec<Act>) -> Result<(), String> {
        let Some(wire) = self.wires.get_mut(&lane) else { return Ok(()) };
        let Some((chunk, content)) = wire.writing.take() else { return Ok(()) };
        if self.got[chunk as usize].replace(content).is_some() {
            return Err(format!("chunk {chunk} is written twice"));
        }
        self.came_from.entry(wire.peer).or_default().0 += 1;
        self.seen.written_at.push(now);
        self.handle(now, Input::Written { lane, piece: chunk, result: Ok(()) }, acts)?;
        self.take_in(now, lane, truth, acts)
    }

    /// A connection has closed as the machine wanted; somewhat later if a chunk is being written.
    pub(super) fn ended(&mut self, now: Time, lane: Lane, acts: &mut Vec<Act>) -> Result<bool, String> {
        if self.wires.get(&lane).is_some_and(|wire| wire.writing.is_some()) {
            return Ok(false);
        }
        if self.wires.remove(&lane).is_some() {
            self.handle(now, Input::Ended(lane, Ok(())), acts)?;
        }
        Ok(true)
    }

    /// A connection has broken.
    pub(super) fn breaks(&mut self, now: Time, lane: Lane, code: ErrorCode, acts: &mut Vec<Act>) -> Result<(), String> {
        match self.wires.get(&lane) {
            Some(wire) if !wire.ends && wire.writing.is_none() => {}
            // A chunk that is being written is written first.
            Some(wire) if !wire.ends => {
                let wire = self.wires.get_mut(&lane).ok_or("it was there")?;
                wire.came.clear();
                wire.came.push_back((0, Answer::Refused(code)));
                return Ok(());
            }
            Some(_) | None => return Ok(()),
        }
        self.wires.remove(&lane);
        let error = match code {
            ErrorCode::PeerBroke | ErrorCode::PeerUnreachable => LaneError::Lost(code.into()),
            code => LaneError::Broke(code.into()),
        };
        self.handle(now, Input::Ended(lane, Err(error)), acts)
    }

    pub(super) fn checked(&mut self, now: Time, chunk: u32, truth: u64, acts: &mut Vec<Act>) -> Result<(), String> {
        let right = self.left.get(&chunk) == Some(&true);
        if right {
            self.got[chunk as usize] = Some(truth);
        }
        self.handle(now, Input::Checked { chunk, right }, acts)
    }

    pub(super) fn placed(&mut self, now: Time, acts: &mut Vec<Act>) -> Result<(), String> {
        self.handle(now, Input::Placed { file: 0, result: Ok(("file".into(), true)) }, acts)
    }

    pub(super) fn ticks(&mut self, now: Time, acts: &mut Vec<Act>) -> Result<(), String> {
        self.handle(now, Input::Tick, acts)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.machine.next_timeout()
    }

    pub(super) fn got_count(&self) -> usize {
        self.got.iter().flatten().count()
    }

    /// The chunks that it can serve.
    pub(super) fn have(&self) -> ChunkSet {
        (0..).zip(&self.got).filter(|(_, got)| got.is_some()).map(|(chunk, _)| chunk).collect()
    }

    /// The peer at the other end of a connection over which something passes.
    pub(super) fn peer(&self, lane: Lane) -> Option<usize> {
        self.wires.get(&lane).filter(|wire| !wire.silent).map(|wire| wire.peer)
    }

    /// The connections to a peer, or all.
    pub(super) fn lanes_to(&self, peer: Option<usize>) -> Vec<Lane> {
        self.wires.iter().filter(|(_, wire)| peer.is_none_or(|peer| wire.peer == peer)).map(|(lane, _)| *lane).collect()
    }

    pub(super) fn lanes(&self) -> usize {
        self.wires.len()
    }
}
