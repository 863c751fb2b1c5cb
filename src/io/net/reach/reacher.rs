//! The handle by which connections to peers are had.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::answering::answer;
use super::asking::race;
use super::surroundings::look_around;
use super::{Proving, Reached};
use crate::core::Rng;
use crate::core::Time;
use crate::core::reach::{Met, Places};
use crate::core::session::MeetingNews;
use crate::io::os::clock::Clock;
use crate::protocol::wire::{Meet, MeetAt, Purpose};
use crate::protocol::{Failure, PublicKey, Route, event};

/// The meetings that others have asked for and that we come to at a time.
const ANSWERING: usize = 64;
/// Those of one peer.
const ANSWERING_EACH: usize = 8;
/// What the hub may say of one meeting before it is taken in.
const HEARD: usize = 8;
/// How long it is remembered that a peer cannot be dialled.
const HARD: Duration = Duration::from_secs(600);
/// Of how many peers that is remembered.
const HARD_PEERS: usize = 4_096;

/// Serves a connection, which takes this way, to the holder of this key, and to nobody else.
pub type Serve = dyn Fn(TcpStream, PublicKey, Route) + Send + Sync;

/// What is to be told to the hub.
#[derive(Debug)]
pub enum ToHub {
    /// A meeting is wanted.
    Meet(Meet),
    /// Where we are at a meeting.
    MeetAt(MeetAt),
}

/// What the hub says to one race.
#[derive(Debug)]
pub(super) enum FromHub {
    Met(Result<Met, Failure>),
    Places(Places),
}

/// Who is wanted, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The key that they must prove.
    pub peer: PublicKey,
    /// Their own address, unless it is known to be of no use.
    pub direct: Option<SocketAddr>,
    /// Whether the hub may be asked for a meeting.
    pub meets: bool,
    /// What for.
    pub purpose: Purpose,
}

/// Gives connections to peers, over all transfers and talks of one client. Clones are the same.
#[derive(Clone)]
pub struct Reacher(Arc<Shared>);

struct Shared {
    runtime: Handle,
    clock: Clock,
    to_hub: mpsc::Sender<ToHub>,
    state: Mutex<State>,
}

struct State {
    /// Where the hub takes TCP connections.
    hub: Option<SocketAddr>,
    rng: Rng,
    next_ask: u64,
    asks: HashMap<u64, mpsc::Sender<FromHub>>,
    /// The asks of the meetings that have begun.
    meetings: HashMap<u64, u64>,
    /// The meetings that we were asked for, and by whom.
    answering: HashMap<u64, (PublicKey, mpsc::Sender<FromHub>)>,
    /// Peers that were reached only with the hub's help, and when.
    hard: BTreeMap<PublicKey, Time>,
}

impl Reacher {
    /// One whose words for the hub come out of the receiver. Must be called inside a tokio runtime.
    pub fn new(seed: u64) -> (Self, mpsc::Receiver<ToHub>) {
        let (to_hub, said) = mpsc::channel(HEARD);
        let state = State {
            hub: None,
            rng: Rng(seed),
            next_ask: 1,
            asks: HashMap::new(),
            meetings: HashMap::new(),
            answering: HashMap::new(),
            hard: BTreeMap::new(),
        };
        let shared = Shared { runtime: Handle::current(), clock: Clock::start(), to_hub, state: Mutex::new(state) };
        (Self(Arc::new(shared)), said)
    }

    /// Where the hub is now.
    pub fn set_hub(&self, address: SocketAddr) {
        self.state().hub = Some(address);
    }

    /// Who is wanted: their own address is dialled only if it can be theirs, as seen from the hub.
    pub fn target(&self, peer: PublicKey, address: SocketAddr, purpose: Purpose) -> Target {
        let hub = self.hub();
        let may = look_around(hub.map(|hub| hub.ip())).may_dial_direct(&address);
        // Where the hub is on this machine, everybody can simply be dialled.
        let meets = hub.is_some_and(|hub| !hub.ip().is_loopback());
        Target { peer, direct: Some(address).filter(|_| may), meets, purpose }
    }

    /// Begins a race. The receiver gets a stream, or why there is none, and later perhaps a better stream; if it is
    /// dropped, the race ends.
    pub fn reach<P: Proving>(&self, target: Target, proving: Arc<P>) -> mpsc::Receiver<Reached<P::Stream>> {
        let (out, reached) = mpsc::channel(2);
        self.0.runtime.spawn(race(self.clone(), target, proving, out));
        reached
    }

    /// Passes on what the hub says of a meeting. If another client has asked for it, `serve` serves it, unless that is
    /// `None`.
    pub fn hear(&self, news: MeetingNews, serve: Option<Arc<Serve>>) {
        match news {
            MeetingNews::Met(met) => self.met(met, serve),
            MeetingNews::Places(event::MeetingPlaces { meeting, outer, inner }) => {
                let state = self.state();
                let ask = state.meetings.get(&meeting).and_then(|ask| state.asks.get(ask));
                let to = ask.or_else(|| state.answering.get(&meeting).map(|(_, to)| to));
                // What does not fit is no word of an honest hub.
                let _ = to.map(|to| to.try_send(FromHub::Places(Places { outer, inner })));
            }
            MeetingNews::Refused(event::MeetingRefused { ask, code, message, .. }) => {
                let refused = Err(Failure::new(code, message));
                let _ = self.state().asks.get(&ask).map(|to| to.try_send(FromHub::Met(refused)));
            }
        }
    }

    fn met(&self, event: event::Meeting, serve: Option<Arc<Serve>>) {
        let (meeting, token, relays, no_relay) = (event.meeting, event.token, event.relays, event.no_relay);
        let met = Met { meeting, token, relays, no_relay };
        let mut state = self.state();
        match event.ask {
            Some(ask) => {
                let Some(to) = state.asks.get(&ask).cloned() else { return };
                state.meetings.insert(event.meeting, ask);
                let _ = to.try_send(FromHub::Met(Ok(met)));
            }
            None => {
                let Some(serve) = serve else { return };
                let of_peer = state.answering.values().filter(|(peer, _)| *peer == event.peer).count();
                if state.answering.len() >= ANSWERING || of_peer >= ANSWERING_EACH {
                    tracing::debug!(peer = %event.peer, "too many meetings at a time");
                    return;
                }
                let (to, from_hub) = mpsc::channel(HEARD);
                state.answering.insert(event.meeting, (event.peer, to));
                let (reacher, peer, meeting) = (self.clone(), event.peer, event.meeting);
                self.0.runtime.spawn(async move {
                    answer(reacher.clone(), met, peer, serve, from_hub).await;
                    reacher.state().answering.remove(&meeting);
                });
            }
        }
    }

    /// Remembers how a peer was reached.
    pub(super) fn reached(&self, peer: PublicKey, route: Route) {
        let now = self.0.clock.now();
        let mut state = self.state();
        if route == Route::Direct {
            state.hard.remove(&peer);
            return;
        }
        state.hard.retain(|_, since| now - *since < HARD);
        if state.hard.len() < HARD_PEERS {
            state.hard.insert(peer, now);
        }
    }

    /// Whether a peer was reached of late, and not at its own address.
    pub(super) fn is_hard_to_reach(&self, peer: &PublicKey) -> bool {
        let now = self.0.clock.now();
        self.state().hard.get(peer).is_some_and(|since| now - *since < HARD)
    }

    pub(super) fn begin_asking(&self) -> (u64, mpsc::Receiver<FromHub>) {
        let (to, from_hub) = mpsc::channel(HEARD);
        let mut state = self.state();
        let ask = state.next_ask;
        state.next_ask += 1;
        state.asks.insert(ask, to);
        (ask, from_hub)
    }

    pub(super) fn end_asking(&self, ask: u64) {
        let mut state = self.state();
        state.asks.remove(&ask);
        state.meetings.retain(|_, of| *of != ask);
    }

    pub(super) async fn tell_hub(&self, said: ToHub) {
        let _ = self.0.to_hub.send(said).await;
    }

    pub(super) fn hub(&self) -> Option<SocketAddr> {
        self.state().hub
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn seed(&self) -> u64 {
        self.state().rng.next_u64()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
