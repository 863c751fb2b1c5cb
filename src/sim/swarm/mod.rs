//! Many clients that exchange one content, under a virtual clock: [`crate::core::swarm`] decides for each of them what
//! it fetches from whom, and here is what happens to it. Sources lie, leave, stall, change their file, or claim what
//! they do not have; receivers become sources of what they have got, and tell of it in batches, as the hub would.

mod receiver;
mod serving;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::time::Duration;

use crate::core::time::{Rng, Time};
use crate::protocol::ChunkSet;
use receiver::{Act, Receiver};

/// The size of each chunk, in bytes.
const CHUNK: u64 = 1 << 20;
/// How often a receiver tells what it has got, and looks after its lanes.
const TICK: Duration = Duration::from_millis(500);

/// What is wrong with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Half of the chunks that it sends from then on are wrong.
    Lies,
    /// It is gone: its connections break, and nobody can make new ones.
    Leaves,
    /// Its file is another one.
    Changes,
    /// It says that it has all chunks, and does not.
    Claims,
    /// Its connections stay, and nothing comes any more.
    Stalls,
}

/// Why a source was dropped, or a transfer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A chunk was wrong.
    BadChunk,
    /// The connection broke, or none could be made.
    Broke,
    /// Nothing came for too long.
    Silent,
    /// It said that its file is another one.
    Changed,
    /// It said that it does not have the chunk.
    Gone,
    /// Nobody is left who has what is missing.
    Starved,
}

/// One of the clients.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// What it has when it comes; `None` for all.
    pub has: Option<ChunkSet>,
    /// Whether it fetches: all, or these chunks.
    pub fetches: Option<Option<ChunkSet>>,
    /// When it comes.
    pub comes: Duration,
    /// How many bytes it sends in a second, to all together.
    pub rate: u64,
    /// How long its way to the middle of the network is.
    pub delay: Duration,
    /// What is wrong with it.
    pub fault: Fault,
    /// From when on.
    pub fault_at: Duration,
    /// Whether it leaves when it has everything.
    pub leaves_when_done: bool,
}

/// What a peer answers to a request for a chunk: its content, which is a number here, or that it cannot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Chunk(u64),
    Refused(Reason),
}

/// One connection, seen from its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Via {
    receiver: usize,
    lane: u64,
}

enum Happens {
    Comes(usize),
    Faults(usize),
    Ticks(usize),
    Dialled(Via),
    Asked(Via, u32),
    /// A peer has sent what it was sending.
    Sent(usize),
    Arrives(Via, u32, Answer),
    Breaks(Via),
    /// A receiver is told what a peer has.
    Told(usize, usize, Option<ChunkSet>),
}

struct Peer {
    config: PeerConfig,
    /// What it can serve; `None` for all.
    has: Option<ChunkSet>,
    /// What everybody may know that it has; `None` while it is not known at all.
    told: Option<Option<ChunkSet>>,
    faulty: bool,
    gone: bool,
    receiver: Option<Receiver>,
    /// What it is sending, and what waits, in turn for each connection.
    sending: Option<(Via, u32)>,
    waiting: VecDeque<(Via, VecDeque<u32>)>,
}

/// A world of clients with one content.
pub struct SwarmSim {
    rng: Rng,
    now: Time,
    /// What each chunk has to be.
    truth: Vec<u64>,
    peers: Vec<Peer>,
    agenda: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happens>,
    next: u64,
}

impl SwarmSim {
    /// A world with a content of so many chunks, and these clients. Everything else follows from the seed.
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
            let (sending, waiting) = (None, VecDeque::new());
            let has = config.has.clone();
            let peer = Peer { config, has, told: None, faulty: false, gone: false, receiver: None, sending, waiting };
            sim.peers.push(peer);
        }
        sim
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The receivers that have come: number, and how it ended if it did.
    pub fn outcomes(&self) -> impl Iterator<Item = (usize, Option<Result<(), Reason>>)> {
        let receivers = self.peers.iter().enumerate().filter(|(_, peer)| !peer.gone || peer.is_done());
        receivers.filter_map(|(index, peer)| Some((index, peer.receiver.as_ref()?.outcome)))
    }

    /// Whether a receiver has exactly the content that it wanted.
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

    /// How many verified chunks a receiver got from each peer, and how many bad ones.
    pub fn came_from(&self, receiver: usize) -> BTreeMap<usize, (u32, u32)> {
        let known = self.peers[receiver].receiver.iter().flat_map(|receiver| &receiver.known);
        known.map(|source| (source.peer, (source.good, source.bad))).collect()
    }

    /// Lets the next thing happen; false if nothing is left that could.
    ///
    /// # Errors
    /// What does not hold: an invariant of the swarm, a sound source that was dropped, a source dropped for something
    /// that it did not do, or a failure while a sound source had what was missing.
    pub fn step(&mut self) -> Result<bool, String> {
        let Some(Reverse((at, number))) = self.agenda.pop() else { return Ok(false) };
        self.now = at;
        match self.happenings.remove(&number) {
            Some(Happens::Comes(index)) => self.comes(index)?,
            Some(Happens::Faults(index)) => self.faults(index),
            Some(Happens::Ticks(index)) => self.ticks(index)?,
            Some(Happens::Dialled(via)) => {
                let reached = self.source_of(via).is_some_and(|peer| !self.peers[peer].gone);
                self.receiver_does(via.receiver, |receiver, now, acts| receiver.dialled(now, via.lane, reached, acts))?;
            }
            Some(Happens::Asked(via, chunk)) => self.asked(via, chunk),
            Some(Happens::Sent(index)) => self.sent(index),
            Some(Happens::Arrives(via, chunk, answer)) => {
                let right = matches!(answer, Answer::Chunk(content) if self.truth[chunk as usize] == content);
                self.receiver_does(via.receiver, |receiver, now, acts| {
                    receiver.arrives(now, via.lane, (chunk, answer), right, acts)
                })?;
            }
            Some(Happens::Breaks(via)) => {
                self.receiver_does(via.receiver, |receiver, now, acts| {
                    receiver.lost(now, via.lane, Reason::Broke, acts);
                })?;
            }
            Some(Happens::Told(receiver, peer, has)) => {
                self.receiver_does(receiver, |receiver, now, acts| receiver.told(now, peer, has.as_ref(), acts))?;
            }
            None => {}
        }
        Ok(true)
    }

    fn comes(&mut self, index: usize) -> Result<(), String> {
        let config = &self.peers[index].config;
        if let Some(wanted) = config.fetches.clone() {
            let seed = self.rng.next_u64();
            let mut receiver = Receiver::new(self.truth.len() as u32, wanted, seed);
            for (peer, told) in self.peers.iter().enumerate().filter(|(_, peer)| !peer.gone) {
                if let Some(has) = &told.told {
                    receiver.knows(peer, has.as_ref());
                }
            }
            let peer = &mut self.peers[index];
            (peer.receiver, peer.has) = (Some(receiver), Some(ChunkSet::default()));
            self.receiver_does(index, |receiver, now, acts| receiver.begin(now, acts))?;
            self.later(TICK, Happens::Ticks(index));
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

    /// A peer's process ends: whoever has a connection to it learns of that.
    fn leaves(&mut self, index: usize) {
        self.peers[index].gone = true;
        for receiver in 0..self.peers.len() {
            let lanes = self.peers[receiver].receiver.as_ref().map(|r| r.lanes_to(index)).unwrap_or_default();
            for lane in lanes {
                let after = self.way(receiver, index);
                self.later(after, Happens::Breaks(Via { receiver, lane }));
            }
        }
    }

    /// A receiver looks after its lanes and tells what it has got.
    fn ticks(&mut self, index: usize) -> Result<(), String> {
        self.receiver_does(index, |receiver, now, acts| receiver.tick(now, acts))?;
        if !self.peers[index].gone && !self.peers[index].is_done() {
            self.later(TICK, Happens::Ticks(index));
        }
        Ok(())
    }

    /// Lets a receiver do something, does what it wants done, and looks whether everything holds.
    fn receiver_does(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Receiver, Time, &mut Vec<Act>),
    ) -> Result<(), String> {
        let peer = &mut self.peers[index];
        let Some(receiver) = peer.receiver.as_mut().filter(|r| !peer.gone && r.outcome.is_none()) else {
            return Ok(());
        };
        let (mut acts, got) = (Vec::new(), receiver.got_count());
        act(receiver, self.now, &mut acts);
        receiver.check()?;
        if receiver.got_count() != got {
            let have = receiver.got.iter().zip(0..).filter(|(got, _)| got.is_some()).map(|(_, chunk)| chunk);
            peer.has = Some(have.collect());
        }
        for act in acts {
            self.perform(index, act)?;
        }
        Ok(())
    }

    fn perform(&mut self, index: usize, act: Act) -> Result<(), String> {
        match act {
            Act::Dial(lane, peer) => {
                let way = self.way(index, peer);
                self.later(way * 2, Happens::Dialled(Via { receiver: index, lane }));
            }
            Act::Ask(lane, peer, chunk) => {
                let way = self.way(index, peer);
                self.later(way, Happens::Asked(Via { receiver: index, lane }, chunk));
            }
            Act::Tell(has) => self.tell_all(index, Some(has)),
            Act::Dropped(peer, reason) => self.check_dropped(peer, reason)?,
            Act::Over => self.over(index)?,
        }
        Ok(())
    }

    fn over(&mut self, index: usize) -> Result<(), String> {
        let receiver = self.peers[index].receiver.as_ref().ok_or("it has no receiver")?;
        if receiver.outcome == Some(Ok(())) {
            if self.peers[index].config.leaves_when_done {
                self.leaves(index);
            }
            return Ok(());
        }
        let missing = receiver.missing();
        let had = |chunk: &u32| {
            receiver.known.iter().any(|source| self.is_sound(source.peer) && receiver.was_told(source, *chunk))
        };
        if missing.iter().all(had) {
            return Err(format!("peer {index} gave up, and sound sources had all of {missing:?}"));
        }
        self.peers[index].has = Some(ChunkSet::default());
        Ok(())
    }

    /// Whether a peer would still serve what it has.
    fn is_sound(&self, index: usize) -> bool {
        let peer = &self.peers[index];
        let failed = peer.receiver.as_ref().is_some_and(|receiver| matches!(receiver.outcome, Some(Err(_))));
        !peer.gone && !failed && matches!(peer.config.fault, Fault::None | Fault::Leaves)
    }

    fn check_dropped(&self, index: usize, reason: Reason) -> Result<(), String> {
        let peer = &self.peers[index];
        let fits = match reason {
            Reason::BadChunk => peer.config.fault == Fault::Lies,
            Reason::Broke => peer.gone,
            Reason::Silent => peer.config.fault == Fault::Stalls,
            Reason::Changed => peer.config.fault == Fault::Changes,
            Reason::Gone => peer.config.fault == Fault::Claims || !self.is_sound(index),
            Reason::Starved => false,
        };
        if fits { Ok(()) } else { Err(format!("peer {index} ({:?}) was dropped: {reason:?}", peer.config.fault)) }
    }

    /// Everybody else learns what a peer has.
    fn tell_all(&mut self, index: usize, has: Option<ChunkSet>) {
        self.peers[index].told = Some(has.clone());
        for other in (0..self.peers.len()).filter(|other| *other != index) {
            let way = self.way(index, other);
            self.later(way, Happens::Told(other, index, has.clone()));
        }
    }

    fn source_of(&self, via: Via) -> Option<usize> {
        self.peers[via.receiver].receiver.as_ref()?.source_of(via.lane)
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
    fn is_done(&self) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| receiver.outcome.is_some())
    }
}
