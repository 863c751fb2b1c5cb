//! Which address of a hub is tried when, over which transport: "Happy Eyeballs" (RFC 8305) with two transports, for
//! several hosts at once.
//!
//! - All hosts are tried at once, each as soon as its name is resolved; none waits for another.
//! - The addresses of one host are tried in the system's order, with IPv4 and IPv6 in turn, beginning with the family that
//!   the system puts first. Addresses of this machine come before all others. The next one starts [`ADDRESS_DELAY`] after
//!   the last, or at once when all that was tried at one address has failed.
//! - At each address QUIC starts first. TCP follows when QUIC has failed there, and everywhere once the race is
//!   [`QUIC_HEAD_START`] old: where UDP does not pass, that is waited for once and not at each address.
//! - The first connection wins, and nothing is tried after it. A host where somebody else answers (another key, another
//!   protocol) is tried no further; the others are.
//!
//! The drain contract is that of [`crate::core`]. The driver resolves the names, and dials.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::time::Time;
use crate::protocol::{TransportChoice, TransportKind};

/// How long an address is tried alone before the next one is tried as well (RFC 8305, section 5).
pub const ADDRESS_DELAY: Duration = Duration::from_millis(250);

/// How long only QUIC is tried.
pub const QUIC_HEAD_START: Duration = Duration::from_millis(400);

/// The same towards another client: it is over before other ways than its own address are tried, so that where UDP does
/// not pass, TCP gets there first.
pub const PEER_HEAD_START: Duration = Duration::from_millis(100);

/// The most addresses of one host that are tried. With more, the deadline of connecting would end first.
pub const MOST_ADDRESSES: usize = 16;

/// A connection to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The host, by its place among the hosts.
    pub host: usize,
    /// One of its addresses.
    pub address: SocketAddr,
    /// The transport.
    pub transport: TransportKind,
}

/// An input of a race. Attempts are named by the numbers that [`Output::Dial`] gave them.
#[derive(Debug)]
pub enum Input {
    /// A host has these addresses, in the system's order; none if its name is not known.
    Resolved(usize, Vec<SocketAddr>),
    /// An attempt has reached nobody.
    Missed(usize),
    /// An attempt has reached somebody else.
    Refused(usize),
    /// An attempt has reached the hub.
    Connected(usize),
    /// A timer is due.
    Tick,
}

/// An output of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Start the attempt of this number.
    Dial(usize, Attempt),
    /// This attempt has won: cancel all others. It is the last output.
    Won(usize),
    /// All has failed. It is the last output.
    Lost,
}

/// A host and what of it is still to be tried.
#[derive(Debug, Clone, Default)]
struct Host {
    is_resolved: bool,
    waiting: VecDeque<SocketAddr>,
    /// When the next address starts.
    next_at: Time,
    is_refused: bool,
}

/// An address that is being tried.
#[derive(Debug)]
struct Dialled {
    host: usize,
    address: SocketAddr,
    /// The attempts that run.
    running: Vec<usize>,
    /// Whether TCP is still to start.
    tcp_waits: bool,
}

/// A race for one hub. See the [module](self).
#[derive(Debug)]
pub struct Race {
    choice: TransportChoice,
    /// How long only QUIC is tried.
    head_start: Duration,
    hosts: Vec<Host>,
    dialled: Vec<Dialled>,
    /// The addresses that were seen, so that two names of one address are one.
    seen: BTreeSet<SocketAddr>,
    /// When the first attempt started.
    began: Option<Time>,
    attempts: usize,
    outputs: VecDeque<Output>,
    is_over: bool,
}

impl Race {
    /// A race among this many hosts, whose names are being resolved.
    pub fn new(hosts: usize, choice: TransportChoice) -> Self {
        Self {
            choice,
            head_start: QUIC_HEAD_START,
            hosts: vec![Host::default(); hosts],
            dialled: Vec::new(),
            seen: BTreeSet::new(),
            began: None,
            attempts: 0,
            outputs: VecDeque::new(),
            is_over: false,
        }
    }

    /// A race to another client, which has one address.
    pub fn to_peer(choice: TransportChoice) -> Self {
        Self { head_start: PEER_HEAD_START, ..Self::new(1, choice) }
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input) {
        if self.is_over {
            return;
        }
        match input {
            Input::Resolved(host, addresses) => self.resolved(now, host, addresses),
            Input::Missed(attempt) => self.missed(now, attempt),
            Input::Refused(attempt) => self.refused(attempt),
            Input::Connected(attempt) => return self.end(Output::Won(attempt)),
            Input::Tick => {}
        }
        self.start_due(now);
        if self.hosts.iter().enumerate().all(|(at, host)| self.is_done(at, host)) {
            self.end(Output::Lost);
        }
    }

    /// The next output for the driver.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let addresses = self.hosts.iter().filter(|host| !host.waiting.is_empty()).map(|host| host.next_at);
        let tcp = self.dialled.iter().any(|dialled| dialled.tcp_waits).then(|| self.tcp_at()).flatten();
        addresses.chain(tcp).min()
    }

    /// When TCP starts everywhere.
    fn tcp_at(&self) -> Option<Time> {
        self.began.map(|began| began + self.head_start)
    }

    fn is_done(&self, at: usize, host: &Host) -> bool {
        let is_tried = || self.dialled.iter().any(|d| d.host == at && (d.tcp_waits || !d.running.is_empty()));
        host.is_refused || (host.is_resolved && host.waiting.is_empty() && !is_tried())
    }

    fn end(&mut self, last: Output) {
        self.is_over = true;
        self.outputs.clear();
        self.outputs.push_back(last);
    }

    fn resolved(&mut self, now: Time, at: usize, addresses: Vec<SocketAddr>) {
        let Some(host) = self.hosts.get_mut(at).filter(|host| !host.is_resolved) else { return };
        host.is_resolved = true;
        let new = in_turn(addresses).into_iter().filter(|address| self.seen.insert(*address));
        host.waiting = new.take(MOST_ADDRESSES).collect();
        host.next_at = now;
    }

    fn missed(&mut self, now: Time, attempt: usize) {
        let Some(at) = self.dialled.iter().position(|dialled| dialled.running.contains(&attempt)) else { return };
        let Some(dialled) = self.dialled.get_mut(at) else { return };
        dialled.running.retain(|running| *running != attempt);
        if !dialled.running.is_empty() {
            return;
        }
        let host = dialled.host;
        if dialled.tcp_waits {
            self.dial(at, TransportKind::Tcp);
        } else if let Some(host) = self.hosts.get_mut(host) {
            host.next_at = now;
        }
    }

    fn refused(&mut self, attempt: usize) {
        let Some(at) = self.dialled.iter().find(|dialled| dialled.running.contains(&attempt)).map(|d| d.host) else {
            return;
        };
        if let Some(host) = self.hosts.get_mut(at) {
            host.is_refused = true;
            host.waiting.clear();
        }
        self.dialled.iter_mut().filter(|dialled| dialled.host == at).for_each(|dialled| dialled.tcp_waits = false);
    }

    /// Starts the attempts whose time has come.
    fn start_due(&mut self, now: Time) {
        if self.tcp_at().is_some_and(|at| at <= now) {
            for at in 0..self.dialled.len() {
                if self.dialled.get(at).is_some_and(|dialled| dialled.tcp_waits) {
                    self.dial(at, TransportKind::Tcp);
                }
            }
        }
        for at in 0..self.hosts.len() {
            let Some(host) = self.hosts.get_mut(at).filter(|host| host.next_at <= now) else { continue };
            if let Some(address) = host.waiting.pop_front() {
                host.next_at = now + ADDRESS_DELAY;
                self.start(now, at, address);
            }
        }
    }

    /// Starts to try an address.
    fn start(&mut self, now: Time, host: usize, address: SocketAddr) {
        let began = *self.began.get_or_insert(now);
        let (quic, tcp) = match self.choice {
            TransportChoice::Auto => (true, true),
            TransportChoice::Quic => (true, false),
            TransportChoice::Tcp => (false, true),
        };
        self.dialled.push(Dialled { host, address, running: Vec::new(), tcp_waits: tcp });
        let at = self.dialled.len() - 1;
        if quic {
            self.dial(at, TransportKind::Quic);
        }
        if tcp && (!quic || began + self.head_start <= now) {
            self.dial(at, TransportKind::Tcp);
        }
    }

    fn dial(&mut self, at: usize, transport: TransportKind) {
        let Some(dialled) = self.dialled.get_mut(at) else { return };
        if transport == TransportKind::Tcp {
            dialled.tcp_waits = false;
        }
        dialled.running.push(self.attempts);
        let attempt = Attempt { host: dialled.host, address: dialled.address, transport };
        self.outputs.push_back(Output::Dial(self.attempts, attempt));
        self.attempts += 1;
    }
}

/// The addresses in the order in which they are tried: those of this machine first, then by the system's order with the
/// families in turn (RFC 8305, section 4).
pub fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (ours, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.ip().to_canonical().is_loopback());
    interleaved(ours).chain(interleaved(others)).collect()
}

fn interleaved(addresses: Vec<SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    let first = addresses.first().map(SocketAddr::is_ipv6);
    let (one, other): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| Some(address.is_ipv6()) == first);
    let mut turns = [one, other];
    std::iter::from_fn(move || {
        let [one, other] = &mut turns;
        let next = one.pop_front().or_else(|| other.pop_front());
        turns.swap(0, 1);
        next
    })
}

#[cfg(test)]
mod tests;
