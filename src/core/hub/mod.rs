//! The hub: who is here, and what is offered.
//!
//! A connection says hello and gets a session, new or resumed. A session may register a name, and then is in
//! the roster; its offers are in the table. Both are state with revisions: changes are gathered for a short
//! while, then each client that can take more is told what changed since what it has.

mod clients;
mod requests;
mod roster;
mod telling;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ledger::Ledger;
use super::link::LinkConfig;
use super::time::Time;
use crate::protocol::limits::HubLimits;
use crate::protocol::log::LogEvent;
use crate::protocol::record::{NameRecord, Record};
use crate::protocol::types::Content;
use crate::protocol::wire::Frame;
use crate::protocol::{Client, Failure, PublicKey, Timestamp};
use clients::{Peer, Stranger};
use roster::Visit;
use telling::Updates;

/// How long changes are gathered before they are told. Shorter than what people notice, and long enough
/// that a burst of joins costs each client one update.
const GATHER: Duration = Duration::from_millis(20);

/// How long a connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The driver's number for a connection; never used twice in one run.
pub type ConnId = u64;

/// A session's number in this run.
type PeerId = u64;

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who has the invite, and keys that have been here before.
    Invite(String),
}

/// A hub's settings.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a client that does not answer keeps its place.
    pub grace: Duration,
    /// What is allowed.
    pub limits: HubLimits,
    /// Who may join.
    pub access: Access,
    /// A random number: sessions of another run are not taken for ours.
    pub run: u64,
    /// What the calendar said at time 0.
    pub epoch: Timestamp,
}

/// What a hub is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was made; the other side has proved that it holds the key.
    Connected {
        /// Its number.
        conn: ConnId,
        /// The key.
        key: PublicKey,
        /// Where it comes from.
        address: SocketAddr,
        /// `quic` or `tcp`.
        transport: &'static str,
    },
    /// A line arrived, without its line feed.
    Line {
        /// On which connection.
        conn: ConnId,
        /// The line.
        line: &'a [u8],
    },
    /// A connection broke.
    Disconnected {
        /// Which.
        conn: ConnId,
        /// How.
        reason: String,
    },
    /// Everything up to this commit is on disk.
    Committed(u64),
    /// The store does not work any more.
    StoreFailed(Failure),
    /// The hub shall end.
    Stop(String),
    /// Time has passed.
    Tick,
}

/// What a hub wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send(ConnId, Frame),
    /// Send a line that is not a frame, without its line feed.
    Say(ConnId, String),
    /// Close a connection once everything before has been sent.
    Close(ConnId),
    /// Write a record; `Committed` with this number is wanted when it is on disk.
    Persist(u64, Record),
    /// Write on the log.
    Log(LogEvent),
    /// The hub has ended.
    Stopped,
}

/// The hub's machine.
pub struct Hub {
    config: HubConfig,
    strangers: BTreeMap<ConnId, Stranger>,
    peers: BTreeMap<PeerId, Peer>,
    conns: BTreeMap<ConnId, PeerId>,
    /// Registered names, folded.
    online: HashMap<String, PeerId>,
    /// Names that belong to somebody, folded.
    owners: HashMap<String, NameRecord>,
    /// The newest visits; every registration is one.
    visits: VecDeque<Visit>,
    visitors: u64,
    revision: u64,
    table: Ledger<(String, String), Shelved>,
    roster: Ledger<String, Client>,
    updates: Updates,
    gather_at: Option<Time>,
    timers: BTreeSet<(Time, PeerId)>,
    /// Peers that may have frames to send.
    talking: BTreeSet<PeerId>,
    next_peer: PeerId,
    commit: u64,
    /// What may be said after a commit: a registration.
    held: VecDeque<(u64, PeerId, requests::Entering)>,
    stopping: bool,
    out: VecDeque<Output>,
}

/// An offer in the table. Address and port are its owner's.
struct Shelved {
    owner: PeerId,
    content: Arc<Content>,
}

impl Hub {
    /// A hub that knows these names from before.
    pub fn new(config: HubConfig, names: Vec<NameRecord>) -> Self {
        Self {
            config,
            strangers: BTreeMap::new(),
            peers: BTreeMap::new(),
            conns: BTreeMap::new(),
            online: HashMap::new(),
            owners: names.into_iter().map(|name| (name.fold.clone(), name)).collect(),
            visits: VecDeque::new(),
            visitors: 0,
            revision: 0,
            table: Ledger::default(),
            roster: Ledger::default(),
            updates: Updates::default(),
            gather_at: None,
            timers: BTreeSet::new(),
            talking: BTreeSet::new(),
            next_peer: 1,
            commit: 0,
            held: VecDeque::new(),
            stopping: false,
            out: VecDeque::new(),
        }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Connected { conn, key, address, transport } => self.connected(now, conn, key, address, transport),
            Input::Line { conn, line } => self.line(now, conn, line),
            Input::Disconnected { conn, reason } => self.disconnected(now, conn, reason),
            Input::Committed(commit) => self.committed(now, commit),
            Input::StoreFailed(failure) => self.store_failed(failure),
            Input::Stop(reason) => self.stop(reason),
            Input::Tick => {}
        }
        self.tick(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            let id = *self.talking.first()?;
            let frame = self.peers.get_mut(&id).and_then(|peer| Some((peer.conn?, peer.link.poll(now)?)));
            match frame {
                Some((conn, frame)) => return Some(Output::Send(conn, frame)),
                None => {
                    self.talking.pop_first();
                    self.schedule(id);
                }
            }
        }
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        let hello = self.strangers.values().map(|s| s.deadline).min();
        let peers = self.timers.first().map(|(at, _)| *at);
        [self.gather_at, hello, peers].into_iter().flatten().min()
    }

    /// Clients by name and state, for whoever embeds or tests a hub.
    pub fn roster(&self) -> Vec<Client> {
        self.roster.range_from(&String::new()).map(|(_, client)| client.clone()).collect()
    }

    /// All offers in the order of `list`.
    pub fn offers(&self) -> Vec<crate::protocol::Offer> {
        self.table.range_from(&Default::default()).map(|(_, shelved)| self.offer(shelved)).collect()
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }

    fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.config.epoch.0 + (now.0 / 1_000) as i64)
    }

    fn changed(&mut self, now: Time) -> u64 {
        self.revision += 1;
        self.gather_at.get_or_insert(now + GATHER);
        self.updates.clear();
        self.revision
    }
}

#[cfg(test)]
mod tests;
