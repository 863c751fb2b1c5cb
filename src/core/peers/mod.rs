//! Direct connections between clients: who may have one, and what is sent over it.
//!
//! There is at most one link with each person. The side that wants it dials, and sends a hello with its name. The other
//! side looks that name up in its roster, compares the key with the one that the connection has proven, and answers.
//! Then the link is open at both ends. It carries numbered frames like the link to the hub, with acknowledgements and
//! probes, but a broken connection ends it: it is never resumed over another one.
//!
//! When two people dial each other at once, the connection dialled by the smaller name becomes the link, and texts that
//! wait for the other connection go over it. If a person connects who already has an open link with us, they may have
//! lost that link before we notice. So the old link is probed, and the new connection waits until the old link has
//! ended, at most 2 s.
//!
//! The machine does not know whom our user blocks, so it cannot reveal that. It sends receipts for everybody's texts
//! alike, when the session reports them as written ([`Peers::had`]) or held back ([`Peers::held`]).
//!
//! [`Session`](super::Session) owns the machine. The driver's connections and lines go in as [`PeerInput`], the user's
//! requests as calls; [`PeerOutput`] comes out for the driver, and [`PeerEvent`] for the session. Each person is looked
//! up in the roster that the caller passes.

mod dialling;
mod events;
mod link_end;
mod links;
mod pending;
mod receipts;
mod round_trip;
mod timers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::link::LinkConfig;
use super::time::Time;
use super::timers::Timers;
use crate::protocol::limits::PRIVATE_LINKS;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Frame;
use crate::protocol::{ErrorCode, Failure, PublicKey, Route, Timestamp};
pub use events::PeerEvent;
use link_end::LinkEnd;
use links::{PeerLink, QueuedText};
use pending::PendingConnection;
pub use receipts::not_read;
use timers::Timer;

/// The same, where the hub must bring both sides together first.
const MEETING: Duration = Duration::from_secs(8);

/// A connection with another client. This machine numbers the connections that it dials, the driver those that it
/// accepts. A number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerConn {
    /// A connection that we dialled.
    Dialled(u64),
    /// A connection that we accepted.
    Accepted(u64),
}

/// A person in the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name of the person.
    pub name: String,
    /// The number in the roster. It differs from one run of their client to the next.
    pub number: u64,
    /// The key that they must prove.
    pub key: PublicKey,
    /// The address on which they accept direct connections.
    pub address: SocketAddr,
}

/// Looks somebody up in the roster, by name.
pub type RosterLookup<'a> = &'a dyn Fn(&NameKey) -> Option<Person>;

/// The inputs of the machine.
#[derive(Debug)]
pub enum PeerInput<'a> {
    /// Somebody has connected, by this way, and proven this key.
    Accepted(u64, PublicKey, Route),
    /// A connection that was dialled is open, by this way, and the other side has proven the expected key.
    Dialled(u64, Route),
    /// The other side could not simply be dialled, and a meeting is under way: opening takes longer.
    Meeting(u64),
    /// Dialling failed: nobody answered, or not the owner of the key.
    DialFailed(u64, Failure),
    /// The answer to [`PeerOutput::Pin`]: whether this key agrees with the pinned one.
    Pinned(u64, Result<(), Failure>),
    /// A line has arrived, without its line feed.
    Line(PeerConn, &'a [u8]),
    /// A connection broke, with the reason.
    Broken(PeerConn, String),
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerOutput {
    /// Dial a person, if their key agrees with the one pinned for their name. The other side must prove that key.
    Dial(u64, Person),
    /// Compare this key with the one pinned for this name. If none is pinned, pin it.
    Pin(u64, String, PublicKey),
    /// Send a line that is not a frame, without its line feed.
    Say(PeerConn, String),
    /// Send a frame.
    Send(PeerConn, Frame),
    /// Close a connection after everything before has been sent, or stop dialling. The driver must not report anything
    /// about it afterwards.
    Close(PeerConn),
}

/// Our own name, as written and as a key, and our number in the roster.
#[derive(Debug, Clone)]
struct Name {
    name: String,
    name_key: NameKey,
    number: u64,
}

/// The machine for all direct connections of one client.
pub struct Peers {
    config: LinkConfig,
    epoch: Timestamp,
    /// Our own name, while we are in the roster.
    me: Option<Name>,
    /// The links, by the other person's name.
    links: BTreeMap<NameKey, PeerLink>,
    /// The person whose link a connection carries.
    conns: BTreeMap<PeerConn, NameKey>,
    pending: BTreeMap<u64, PendingConnection>,
    /// The people whose links may have frames to send; [`Peers::poll`] asks each of them.
    talking: BTreeSet<NameKey>,
    timers: Timers<Timer>,
    next_dial: u64,
    next_ticket: u64,
    next_link: u64,
    out: VecDeque<PeerOutput>,
    events: VecDeque<PeerEvent>,
}

impl Peers {
    /// A machine without connections. `epoch` is the calendar time at time 0.
    pub fn new(config: LinkConfig, epoch: Timestamp) -> Self {
        Self {
            config,
            epoch,
            me: None,
            links: BTreeMap::new(),
            conns: BTreeMap::new(),
            pending: BTreeMap::new(),
            talking: BTreeSet::new(),
            timers: Timers::default(),
            next_dial: 1,
            next_ticket: 1,
            next_link: 1,
            out: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Handles an input. What follows comes out of [`Peers::poll`] and [`Peers::next_event`].
    pub fn handle(&mut self, now: Time, input: PeerInput<'_>, roster: RosterLookup<'_>) {
        match input {
            PeerInput::Accepted(conn, key, route) => self.accepted(now, conn, key, route),
            PeerInput::Dialled(number, route) => self.dialled(number, route),
            PeerInput::Meeting(number) => self.meeting(now, number),
            PeerInput::DialFailed(number, failure) => self.dial_failed(now, number, failure),
            PeerInput::Pinned(conn, result) => self.pinned(now, conn, result),
            PeerInput::Line(PeerConn::Accepted(conn), line) if self.pending.contains_key(&conn) => {
                self.pending_line(now, conn, line, roster);
            }
            PeerInput::Line(conn, line) => self.link_line(now, conn, line),
            PeerInput::Broken(conn, reason) => self.broken(now, conn, reason),
        }
    }

    /// The hub has registered us: we are in the roster under this name and number. From now on connections are
    /// accepted.
    pub fn enter(&mut self, name: &str, number: u64) {
        self.me = Some(Name { name: name.to_owned(), name_key: NameKey::of(name), number });
    }

    /// We have left the roster: all links end, and the other sides are told.
    pub fn leave(&mut self, now: Time) {
        for (conn, _) in std::mem::take(&mut self.pending) {
            self.timers.stop(Timer::Pending(conn));
            self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
        }
        let names: Vec<NameKey> = self.links.keys().cloned().collect();
        for name in names {
            self.end_link(now, &name, LinkEnd::Ours);
        }
        self.me = None;
    }

    /// Handles a change of the roster. Pending connections whose names are in it now are recognised. Who is being dialled
    /// and turns out to be somewhere else is dialled there. An open link ends if the
    /// other person's name now belongs to another key, or to a newer run of their client (a larger roster number).
    pub fn roster_changed(&mut self, now: Time, roster: RosterLookup<'_>) {
        let waiting: Vec<u64> = self.pending.keys().copied().collect();
        for conn in waiting {
            self.recognise(now, conn, roster);
        }
        let names: Vec<NameKey> = self.links.keys().cloned().collect();
        for name in names {
            let (Some(link), Some(person)) = (self.links.get_mut(&name), roster(&name)) else { continue };
            if !link.is_open() {
                self.is_at(now, &name, person);
                continue;
            }
            let number = *link.number.get_or_insert(person.number);
            if person.number > number || person.key != link.person.key {
                self.end_link(now, &name, LinkEnd::Left);
            }
        }
    }

    /// Ends the link with somebody who has left the hub, if there is one.
    pub fn left(&mut self, now: Time, name: &str) {
        self.end_link(now, &NameKey::of(name), LinkEnd::Left);
    }

    /// Forgets the roster number of each linked person, because a restarted hub numbers the roster anew. The next
    /// number of each person is accepted, even if it is smaller.
    pub fn forget_numbers(&mut self) {
        self.links.values_mut().for_each(|link| link.number = None);
    }

    /// Whether there is an open link with this person.
    pub fn is_open(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(PeerLink::is_open)
    }

    /// The way that the open link with this person takes.
    pub fn route(&self, name: &NameKey) -> Option<Route> {
        self.links.get(name).filter(|link| link.is_open()).map(|link| link.route)
    }

    /// Whether this person has unread messages from us and has read none for 5 s. Further messages to them are refused.
    pub fn is_stalled(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(|link| link.receipts.is_stalled())
    }

    /// Our user has read all messages up to `number` of this person, so the person is sent a read receipt. `on` is the
    /// number of the link on which they came; nothing happens if that link has ended.
    pub fn had(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.receipts.has(number);
        self.pump(now, name);
    }

    /// Messages up to `number` of this person are held back from our user, who is in `focus`; the person is told that.
    /// `on` is the number of the link, as for [`Peers::had`].
    pub fn held(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.receipts.holds(number);
        self.pump(now, name);
    }

    /// A message of this person was dropped, because our user reads too slowly. The link with the number `on` ends, so
    /// that the sender does not take the message for delivered.
    pub fn unheard(&mut self, now: Time, name: &NameKey, on: u64) {
        if self.links.get(name).is_some_and(|link| link.id == on) {
            self.end_link(now, name, LinkEnd::Broken("more was said than can be shown".into()));
        }
    }

    /// Opens a link, if there is none. [`PeerEvent::Opened`] or [`PeerEvent::Failed`] follows, with the returned
    /// ticket.
    ///
    /// # Errors
    /// `too-many`: there are [`PRIVATE_LINKS`] links already.
    pub fn open(&mut self, now: Time, person: Person) -> Result<u64, Failure> {
        self.want(now, person, None)
    }

    /// Sends a text, and opens a link first if there is none. [`PeerEvent::Acked`] or [`PeerEvent::Failed`] follows,
    /// with the returned ticket.
    ///
    /// # Errors
    /// `too-many`: there are [`PRIVATE_LINKS`] links already.
    pub fn send(&mut self, now: Time, person: Person, text: String) -> Result<u64, Failure> {
        self.want(now, person, Some(text))
    }

    fn want(&mut self, now: Time, person: Person, text: Option<String>) -> Result<u64, Failure> {
        let name = NameKey::of(&person.name);
        if !self.links.contains_key(&name) {
            if self.links.len() >= PRIVATE_LINKS {
                let message = format!("You have {PRIVATE_LINKS} direct connections, which is all that there may be.");
                return Err(Failure::new(ErrorCode::TooMany, message).hint("`private-close NAME` closes one."));
            }
            self.dial(now, &name, person);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(link) = self.links.get_mut(&name) {
            link.queue.push_back(QueuedText { ticket, text, since: now });
        }
        self.pump(now, &name);
        Ok(ticket)
    }

    /// Closes the link with this person, and tells them. Returns whether it was open.
    pub fn close(&mut self, now: Time, name: &NameKey) -> bool {
        let open = self.is_open(name);
        if open {
            self.end_link(now, name, LinkEnd::Ours);
        }
        open
    }

    /// The next thing for the driver to do.
    pub fn poll(&mut self, now: Time) -> Option<PeerOutput> {
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            let name = self.talking.first()?;
            if let Some(output) = self.links.get_mut(name).and_then(|link| link.poll(now)) {
                return Some(output);
            }
            if let Some(name) = self.talking.pop_first() {
                self.set_timers(&name);
            }
        }
    }

    /// The next event for the session.
    pub fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.epoch.0 + (now.0 / 1_000) as i64)
    }
}

#[cfg(test)]
mod tests;
