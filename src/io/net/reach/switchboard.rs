//! Which race or meeting each word of the hub is for, and what all of them know: where the hub is, and who was hard to
//! reach.

use std::collections::{BTreeMap, HashMap};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::lines::Served;
use super::surroundings::look_around;
use crate::core::reach::{Met, Places, Surroundings};
use crate::core::{Rng, Time};
use crate::io::os::clock::Clock;
use crate::protocol::wire::{Meet, MeetAt, Purpose};
use crate::protocol::{Failure, PublicKey, Route};

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
pub type Serve = dyn Fn(TcpStream, PublicKey, Route, Served) + Send + Sync;

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

/// The words of one client's races and meetings for the hub, and of the hub for them.
pub(super) struct Switchboard {
    clock: Clock,
    to_hub: mpsc::Sender<ToHub>,
    state: Mutex<State>,
}

struct State {
    /// Where the hub takes TCP connections: where it was reached, and an address of the other family, if it has any.
    hub: Vec<SocketAddr>,
    /// Where this machine stood when it was first asked since the hub was reached, or since our address changed.
    surroundings: Option<Arc<Surroundings>>,
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

impl Switchboard {
    /// One whose words for the hub come out of the receiver.
    pub(super) fn new(seed: u64) -> (Self, mpsc::Receiver<ToHub>) {
        let (to_hub, said) = mpsc::channel(HEARD);
        let state = State {
            hub: Vec::new(),
            surroundings: None,
            rng: Rng(seed),
            next_ask: 1,
            asks: HashMap::new(),
            meetings: HashMap::new(),
            answering: HashMap::new(),
            hard: BTreeMap::new(),
        };
        (Self { clock: Clock::start(), to_hub, state: Mutex::new(state) }, said)
    }

    /// Where the hub was reached now.
    pub(super) fn set_hub(&self, address: SocketAddr) {
        let mut state = self.state();
        (state.hub, state.surroundings) = (vec![address], None);
    }

    pub(super) fn forget_surroundings(&self) {
        self.state().surroundings = None;
    }

    /// An address of the other family, unless the hub is reached elsewhere by now.
    pub(super) fn hub_is_also_at(&self, address: SocketAddr, other: SocketAddr) {
        let mut state = self.state();
        if state.hub.first() == Some(&address) {
            state.hub = vec![address, other];
        }
    }

    /// The hub's answer to an ask; a meeting that has begun hears from the hub from now on.
    pub(super) fn answered(&self, ask: u64, met: Result<Met, Failure>) {
        let mut state = self.state();
        let Some(to) = state.asks.get(&ask).cloned() else { return };
        if let Ok(met) = &met {
            if state.meetings.values().any(|of| *of == ask) {
                return;
            }
            state.meetings.insert(met.meeting, ask);
        }
        // What does not fit is no word of an honest hub.
        let _ = to.try_send(FromHub::Met(met));
    }

    /// Where the other side of a meeting is.
    pub(super) fn placed(&self, meeting: u64, places: Places) {
        let state = self.state();
        let ask = state.meetings.get(&meeting).and_then(|ask| state.asks.get(ask));
        let to = ask.or_else(|| state.answering.get(&meeting).map(|(_, to)| to));
        let _ = to.map(|to| to.try_send(FromHub::Places(places)));
    }

    /// A meeting that a peer has asked for begins; `None` if there are too many already, or it has begun.
    pub(super) fn begin_answering(&self, meeting: u64, peer: PublicKey) -> Option<mpsc::Receiver<FromHub>> {
        let mut state = self.state();
        let of_peer = state.answering.values().filter(|(other, _)| *other == peer).count();
        if state.answering.contains_key(&meeting) || state.answering.len() >= ANSWERING || of_peer >= ANSWERING_EACH {
            tracing::debug!(%peer, meeting, "too many meetings at a time, or the same again");
            return None;
        }
        let (to, from_hub) = mpsc::channel(HEARD);
        state.answering.insert(meeting, (peer, to));
        Some(from_hub)
    }

    pub(super) fn end_answering(&self, meeting: u64) {
        self.state().answering.remove(&meeting);
    }

    /// Remembers how a peer was reached.
    pub(super) fn reached(&self, peer: PublicKey, route: Route) {
        let now = self.clock.now();
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
        let now = self.clock.now();
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
        let _ = self.to_hub.send(said).await;
    }

    pub(super) fn hub(&self) -> Vec<SocketAddr> {
        self.state().hub.clone()
    }

    /// Where this machine stands. Every connection that is wanted asks, so it is found out once after the hub was reached.
    pub(super) fn surroundings(&self) -> Arc<Surroundings> {
        let mut state = self.state();
        let hub = state.hub.first().map(SocketAddr::ip);
        state.surroundings.get_or_insert_with(|| Arc::new(look_around(hub))).clone()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn seed(&self) -> u64 {
        self.state().rng.next_u64()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::reach::Tokens;

    fn met(meeting: u64) -> Met {
        let tokens = Tokens { half: String::new(), second: String::new() };
        Met { meeting, tokens, relays: false, no_relay: None }
    }

    #[tokio::test]
    async fn a_hub_that_says_the_same_again_and_again_has_us_come_once() {
        let (switchboard, _said) = Switchboard::new(1);
        let peer = PublicKey([7; 32]);
        let mut first = switchboard.begin_answering(1, peer).unwrap();
        assert!(switchboard.begin_answering(1, peer).is_none());
        switchboard.placed(1, Places::default());
        assert!(first.try_recv().is_ok(), "it still hears of its meeting");
        switchboard.end_answering(1);
        assert!(switchboard.begin_answering(1, peer).is_some());

        let (ask, mut from_hub) = switchboard.begin_asking();
        for meeting in 2..50 {
            switchboard.answered(ask, Ok(met(meeting)));
        }
        assert_eq!(switchboard.state().meetings.len(), 1);
        let heard = std::iter::from_fn(|| from_hub.try_recv().ok()).count();
        assert_eq!(heard, 1);
    }
}
