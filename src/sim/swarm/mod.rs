//! A swarm: many clients that exchange one content under a virtual clock. The real [`crate::core::fetch`] decides for
//! each receiver; this module plays the sources, the network and the disk. Sources may lie, leave, stall, change their
//! file, or claim what they do not have. Receivers become sources of the chunks that they have, and others learn of
//! that in batches, as from the hub.

mod changes;
mod config;
mod fetching;
mod promises;
mod serving;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use crate::core::fetch::Lane;
use crate::core::time::{Rng, Time};
use crate::protocol::{ChunkSet, ErrorCode, Route};
pub use config::{Change, Fault, PeerConfig};
use fetching::{Act, Fetching, source_of};

/// The size of each chunk, in bytes.
const CHUNK: u64 = 1 << 20;

/// How long a disk operation takes.
const MOMENT: Duration = Duration::from_millis(1);

/// A peer's answer to a request for a chunk: the content, which is a number here, or a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Chunk(u64),
    Refused(ErrorCode),
}

/// A connection, as its receiver names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Via {
    receiver: usize,
    lane: Lane,
}

enum Happens {
    Comes(usize),
    Faults(usize),
    Ticks(usize),
    Dialled(Via),
    AskedManifest(Via),
    Manifest(Via),
    Asked(Via, u32),
    /// A peer has sent its current answer.
    Sent(usize),
    Arrives(Via, u32, Answer),
    Breaks(Via),
    Written(Via),
    Ends(Via),
    Checked(usize, u32),
    Placed(usize),
    /// A receiver is told what a peer has.
    Told(usize, usize, Option<ChunkSet>),
    Changes(usize, Change),
    /// A peer that was away can be reached again.
    Back(usize),
    /// Others are told that a peer is elsewhere.
    MovedTold(usize),
}

struct Peer {
    config: PeerConfig,
    /// The chunks that it can serve; `None` for all.
    has: Option<ChunkSet>,
    /// The chunks that others know it has; `None` while they do not know it at all.
    told: Option<Option<ChunkSet>>,
    faulty: bool,
    gone: bool,
    /// How many reasons there are why it cannot be reached now.
    away: u32,
    /// Its port, which is another one whenever it moves.
    place: u16,
    route: Route,
    receiver: Option<Fetching>,
    /// The answer that it is sending, and those that wait, in turn for each connection.
    sending: Option<(Via, u32)>,
    waiting: VecDeque<(Via, VecDeque<u32>)>,
}

/// A swarm of clients with one content.
pub struct SwarmSim {
    rng: Rng,
    now: Time,
    /// The right value of each chunk.
    truth: Vec<u64>,
    peers: Vec<Peer>,
    agenda: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happens>,
    next: u64,
}

impl SwarmSim {
    /// A swarm with these clients and a content of `chunks` chunks. Every random choice follows from the seed.
    pub fn new(seed: u64, chunks: u32, peers: Vec<PeerConfig>) -> Self {
        let mut rng = Rng(seed);
        let truth = (0..chunks).map(|_| rng.next_u64()).collect();
        let (agenda, happenings) = (BinaryHeap::new(), BTreeMap::new());
        let mut sim = Self { rng, now: Time(0), truth, peers: Vec::new(), agenda, happenings, next: 0 };
        for (index, config) in peers.into_iter().enumerate() {
            sim.later(config.comes, Happens::Comes(index));
            if config.fault != Fault::None {
                sim.later(config.fault_at, Happens::Faults(index));
            }
            for (at, change) in &config.changes {
                sim.later(*at, Happens::Changes(index, *change));
            }
            sim.peers.push(Peer::new(config));
        }
        sim
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The receivers that have joined: number and result, if they are done.
    pub fn outcomes(&self) -> impl Iterator<Item = (usize, Option<Result<(), ErrorCode>>)> {
        let receivers = self.peers.iter().enumerate().filter(|(_, peer)| !peer.gone || peer.is_done());
        receivers.filter_map(|(index, peer)| Some((index, peer.receiver.as_ref()?.outcome)))
    }

    /// Whether a receiver has exactly the chunks that it wanted.
    pub fn is_right(&self, receiver: usize) -> bool {
        let peer = &self.peers[receiver];
        let wanted = |chunk: u32| match &peer.config.fetches {
            Some(Some(wanted)) => wanted.contains(chunk),
            Some(None) => true,
            None => false,
        };
        let got = peer.receiver.as_ref().map(|receiver| &receiver.got);
        got.is_some_and(|got| {
            let mut all = (0..).zip(got.iter().zip(&self.truth));
            all.all(|(chunk, (got, truth))| if wanted(chunk) { *got == Some(*truth) } else { got.is_none() })
        })
    }

    /// How many right and wrong chunks a receiver got from each peer.
    pub fn came_from(&self, receiver: usize) -> BTreeMap<usize, (u32, u32)> {
        self.peers[receiver].receiver.iter().flat_map(|receiver| receiver.came_from.clone()).collect()
    }

    /// When a receiver made each of its connections, and how many are open.
    pub fn lanes(&self, receiver: usize) -> (Vec<Time>, usize) {
        self.peers[receiver].receiver.as_ref().map(|of| (of.seen.dialled.clone(), of.lanes())).unwrap_or_default()
    }

    /// Runs the next event; false if there is none.
    ///
    /// # Errors
    /// A broken promise: an invariant of the swarm, a sound source that was dropped, a source dropped for something
    /// that it did not do, or a failure although a sound source had what was missing.
    pub fn step(&mut self) -> Result<bool, String> {
        let Some(Reverse((at, number))) = self.agenda.pop() else { return Ok(false) };
        self.now = at;
        match self.happenings.remove(&number) {
            Some(Happens::Comes(index)) => self.comes(index)?,
            Some(Happens::Faults(index)) => self.faults(index),
            Some(Happens::Ticks(index)) => self.ticks(index)?,
            Some(Happens::Dialled(via)) => self.dialled(via)?,
            Some(Happens::Changes(index, change)) => self.changes(index, change)?,
            Some(Happens::Back(index)) => self.peers[index].away -= 1,
            Some(Happens::MovedTold(index)) => self.moved_told(index)?,
            Some(Happens::AskedManifest(via)) => self.asked_manifest(via),
            Some(Happens::Manifest(via)) => {
                self.receiver_does(via.receiver, |of, now, _, acts| of.manifest(now, via.lane, acts))?;
            }
            Some(Happens::Asked(via, chunk)) => self.asked(via, chunk),
            Some(Happens::Sent(index)) => self.sent(index),
            Some(Happens::Arrives(via, chunk, answer)) => {
                self.receiver_does(via.receiver, |of, now, truth, acts| {
                    of.arrives(now, via.lane, (chunk, answer), truth, acts)
                })?;
            }
            Some(Happens::Breaks(via)) => {
                self.receiver_does(via.receiver, |of, now, _, acts| {
                    of.breaks(now, via.lane, ErrorCode::PeerBroke, acts)
                })?;
            }
            Some(Happens::Written(via)) => {
                self.receiver_does(via.receiver, |of, now, truth, acts| of.written(now, via.lane, truth, acts))?;
            }
            Some(Happens::Ends(via)) => {
                let mut ended = true;
                self.receiver_does(via.receiver, |of, now, _, acts| {
                    ended = of.ended(now, via.lane, acts)?;
                    Ok(())
                })?;
                if !ended {
                    self.later(MOMENT, Happens::Ends(via));
                }
            }
            Some(Happens::Checked(receiver, chunk)) => {
                self.receiver_does(receiver, |of, now, truth, acts| {
                    of.checked(now, chunk, truth[chunk as usize], acts)
                })?;
            }
            Some(Happens::Placed(receiver)) => {
                self.receiver_does(receiver, |of, now, _, acts| of.placed(now, acts))?;
            }
            Some(Happens::Told(receiver, peer, has)) => {
                let of_peer = (peer, self.peers[peer].place);
                self.receiver_does(receiver, |of, now, _, acts| of.hears(now, of_peer, has, acts))?;
            }
            None => {}
        }
        Ok(true)
    }

    fn comes(&mut self, index: usize) -> Result<(), String> {
        let config = &self.peers[index].config;
        if let Some(wanted) = config.fetches.clone() {
            let seed = self.rng.next_u64();
            let told = self.peers.iter().enumerate().filter(|(_, peer)| !peer.gone);
            let sources = told.filter_map(|(peer, of)| Some(source_of(peer, of.told.clone()?, of.place))).collect();
            let (left, of) = (config.left.clone(), (seed, config.cores));
            let receiver = Fetching::new(self.now, self.truth.len() as u32, wanted, left, sources, of);
            let peer = &mut self.peers[index];
            (peer.receiver, peer.has) = (Some(receiver), Some(ChunkSet::default()));
            self.receiver_does(index, |of, now, _, acts| of.drain(now, acts))?;
        } else {
            let has = if config.fault == Fault::Claims { None } else { config.has.clone() };
            self.tell_all(index, has);
        }
        Ok(())
    }

    fn faults(&mut self, index: usize) {
        self.peers[index].faulty = true;
        if self.peers[index].config.fault == Fault::Leaves {
            self.leaves(index);
        }
    }

    /// A peer's process ends, and its connections break.
    fn leaves(&mut self, index: usize) {
        self.peers[index].gone = true;
        for receiver in 0..self.peers.len() {
            let lanes = self.peers[receiver].receiver.as_ref().map(|r| r.lanes_to(Some(index))).unwrap_or_default();
            for lane in lanes {
                let after = self.way(receiver, index);
                self.later(after, Happens::Breaks(Via { receiver, lane }));
            }
        }
    }

    /// A timer of a receiver's machine is due.
    fn ticks(&mut self, index: usize) -> Result<(), String> {
        let now = self.now;
        let due = self.peers[index].receiver.as_mut().is_some_and(|of| of.tick.take_if(|at| *at <= now).is_some());
        if !due {
            return Ok(());
        }
        self.receiver_does(index, |of, now, _, acts| of.ticks(now, acts))
    }

    /// Gives a receiver an input, and does the tasks that follow.
    fn receiver_does(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Fetching, Time, &[u64], &mut Vec<Act>) -> Result<(), String>,
    ) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(receiver) = peer.receiver.as_mut().filter(|of| !peer.gone && of.outcome.is_none()) else {
            return Ok(());
        };
        let (mut acts, got) = (Vec::new(), receiver.got_count());
        act(receiver, self.now, &self.truth, &mut acts)?;
        if receiver.got_count() != got {
            peer.has = Some(receiver.have());
        }
        let timeout = receiver.next_timeout().filter(|at| receiver.tick.is_none_or(|tick| *at < tick));
        let over = receiver.outcome.is_some();
        if let Some(at) = timeout {
            receiver.tick = Some(at);
            self.later(at - self.now, Happens::Ticks(index));
        }
        for act in acts {
            self.perform(index, act)?;
        }
        if over { self.over(index) } else { Ok(()) }
    }

    fn perform(&mut self, index: usize, act: Act) -> Result<(), String> {
        let via = |lane| Via { receiver: index, lane };
        match act {
            Act::Dial(lane, peer) => {
                let way = self.way(index, peer);
                self.later(way * 2, Happens::Dialled(via(lane)));
            }
            Act::AskManifest(lane, peer) => {
                let way = self.way(index, peer);
                self.later(way, Happens::AskedManifest(via(lane)));
            }
            Act::Ask(lane, peer, chunk) => {
                let way = self.way(index, peer);
                self.later(way, Happens::Asked(via(lane), chunk));
            }
            Act::End(lane, peer) => {
                self.forget(peer, via(lane));
                let after = Duration::from_micros(self.rng.below(2_000));
                self.later(after, Happens::Ends(via(lane)));
            }
            Act::Write(lane) => {
                let after = Duration::from_micros(self.rng.below(3_000));
                self.later(after, Happens::Written(via(lane)));
            }
            Act::Check(chunk) => self.later(MOMENT, Happens::Checked(index, chunk)),
            Act::Place => self.later(MOMENT, Happens::Placed(index)),
            Act::Tell(has) => self.tell_all(index, Some(has)),
            Act::Dropped(peer, code) => self.check_dropped(peer, code)?,
        }
        Ok(())
    }

    /// Tells all others what a peer has.
    fn tell_all(&mut self, index: usize, has: Option<ChunkSet>) {
        self.peers[index].told = Some(has.clone());
        for other in (0..self.peers.len()).filter(|other| *other != index) {
            let way = self.way(index, other);
            self.later(way, Happens::Told(other, index, has.clone()));
        }
    }

    fn source_of(&self, via: Via) -> Option<usize> {
        self.peers[via.receiver].receiver.as_ref()?.peer(via.lane)
    }

    fn way(&self, one: usize, other: usize) -> Duration {
        self.peers[one].config.delay + self.peers[other].config.delay
    }

    fn later(&mut self, after: Duration, happens: Happens) {
        self.happenings.insert(self.next, happens);
        self.agenda.push(Reverse((self.now + after, self.next)));
        self.next += 1;
    }
}

impl Peer {
    fn new(config: PeerConfig) -> Self {
        Self {
            has: config.has.clone(),
            config,
            told: None,
            faulty: false,
            gone: false,
            away: 0,
            place: 47_000,
            route: Route::default(),
            receiver: None,
            sending: None,
            waiting: VecDeque::new(),
        }
    }

    /// Whether something has happened to the ways to it, or will.
    fn is_disturbed(&self) -> bool {
        !self.config.changes.is_empty()
    }

    fn is_done(&self) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| receiver.outcome.is_some())
    }
}
