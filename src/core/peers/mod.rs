//! Direct connections between clients: who may have one, and what is said on them.
//!
//! There is at most one link with each person. Whoever wants it dials; the other side listens. The dialling side says
//! hello, the other looks for that name and key in its roster and answers: from then on the link is open at both
//! ends, and carries frames as the link to the hub does. Nothing is resumed: a link ends with its connection.
//!
//! When two people dial each other at once, the connection that the smaller name dialled becomes the link, and texts
//! that wait for the other connection go over it. When somebody connects with whom a link is open already, their
//! connection waits until that link has ended: they may have lost it before we notice.
//!
//! The machine does not know whom our user blocks, so that it cannot give that away: it acknowledges everybody's texts
//! alike. The session decides what the user is told.

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
use crate::protocol::{ErrorCode, Failure, PublicKey, Timestamp};
pub use events::PeerEvent;
use link_end::LinkEnd;
use links::{LinkStage, PeerLink, QueuedText};
use pending::PendingConnection;
pub use receipts::not_read;
use timers::Timer;

/// How much longer the opening of a connection may take than the acknowledgement of a message: a handshake is several
/// round trips, and where UDP does not pass, TCP is tried after a while.
const OPENING: Duration = Duration::from_millis(500);

/// A connection to or from another client. The machine numbers the connections that it dials, the driver those that it
/// accepts; no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerConn {
    /// A connection that we made.
    Dialled(u64),
    /// A connection that the other side made.
    Accepted(u64),
}

/// Somebody in the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their number in the roster. It changes with each run of their program.
    pub number: u64,
    /// The key that they must prove to hold.
    pub key: PublicKey,
    /// Where they take direct connections.
    pub address: SocketAddr,
}

/// Finds somebody in the roster by the key of their name.
pub type Roster<'a> = &'a dyn Fn(&NameKey) -> Option<Person>;

/// What the machine is told of connections.
#[derive(Debug)]
pub enum PeerInput<'a> {
    /// Somebody has connected, and proved to hold a key.
    Accepted(u64, PublicKey),
    /// The dialled person answers, and has proved to hold the key that was asked for.
    Dialled(u64),
    /// The dial has failed: nobody answers, or somebody with another key.
    DialFailed(u64, Failure),
    /// The answer to [`PeerOutput::Pin`]: whether this is the key that is known for the name.
    Pinned(u64, Result<(), Failure>),
    /// A line arrived, without its line feed.
    Line(PeerConn, &'a [u8]),
    /// A connection broke.
    Broken(PeerConn, String),
}

/// What the machine wants done with connections.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerOutput {
    /// Connect to somebody, provided that their key is the one that is known for their name. Whoever answers must prove
    /// to hold that key.
    Dial(u64, Person),
    /// Look whether this is the key that is known for this name. If no key is known for it, this one becomes known.
    Pin(u64, String, PublicKey),
    /// Send a line that is not a frame, without its line feed.
    Say(PeerConn, String),
    /// Send a frame.
    Send(PeerConn, Frame),
    /// Close a connection once everything before has been sent, or stop dialling. No input about it is wanted any more.
    Close(PeerConn),
}

/// Our name as it is written, its key, and our running number.
#[derive(Debug, Clone)]
struct Name {
    name: String,
    name_key: NameKey,
    number: u64,
}

/// All direct connections of one client.
pub struct Peers {
    config: LinkConfig,
    epoch: Timestamp,
    /// Our own name while we are in the roster.
    me: Option<Name>,
    /// The links, by the key of the other side's name.
    links: BTreeMap<NameKey, PeerLink>,
    /// With whom the link is that a connection carries.
    conns: BTreeMap<PeerConn, NameKey>,
    pending: BTreeMap<u64, PendingConnection>,
    /// Links that may have frames to send.
    talking: BTreeSet<NameKey>,
    timers: Timers<Timer>,
    next_dial: u64,
    next_ticket: u64,
    next_link: u64,
    out: VecDeque<PeerOutput>,
    events: VecDeque<PeerEvent>,
}

impl Peers {
    /// A machine without connections. `epoch` is the calendar's time at time 0.
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

    /// Takes an input; what follows comes out of [`Peers::poll`] and [`Peers::next_event`].
    pub fn handle(&mut self, now: Time, input: PeerInput<'_>, roster: Roster<'_>) {
        match input {
            PeerInput::Accepted(conn, key) => self.accepted(now, conn, key),
            PeerInput::Dialled(number) => self.dialled(number),
            PeerInput::DialFailed(number, failure) => self.dial_failed(now, number, failure),
            PeerInput::Pinned(conn, result) => self.pinned(now, conn, result),
            PeerInput::Line(PeerConn::Accepted(conn), line) if self.pending.contains_key(&conn) => {
                self.pending_line(now, conn, line, roster);
            }
            PeerInput::Line(conn, line) => self.link_line(now, conn, line),
            PeerInput::Broken(conn, reason) => self.broken(now, conn, reason),
        }
    }

    /// We are in the roster under this name and number from now on.
    pub fn enter(&mut self, name: &str, number: u64) {
        self.me = Some(Name { name: name.to_owned(), name_key: NameKey::of(name), number });
    }

    /// We are not in the roster any more: every connection is closed, and the other ends of links are told.
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

    /// The roster has changed: pending connections may be of somebody who is in it now, and a name that we have a link
    /// with may belong to another run of their program, or to somebody else.
    pub fn roster_changed(&mut self, now: Time, roster: Roster<'_>) {
        let waiting: Vec<u64> = self.pending.keys().copied().collect();
        for conn in waiting {
            self.recognise(now, conn, roster);
        }
        let names: Vec<NameKey> = self.links.keys().cloned().collect();
        for name in names {
            let (Some(link), Some(person)) = (self.links.get_mut(&name), roster(&name)) else { continue };
            let number = *link.number.get_or_insert(person.number);
            if person.number > number || person.key != link.person.key {
                self.end_link(now, &name, LinkEnd::Left);
            }
        }
    }

    /// Somebody has left the hub.
    pub fn left(&mut self, now: Time, name: &str) {
        self.end_link(now, &NameKey::of(name), LinkEnd::Left);
    }

    /// The hub was restarted and numbers everybody anew: the next number of each person is taken as it comes.
    pub fn forget_numbers(&mut self) {
        self.links.values_mut().for_each(|link| link.number = None);
    }

    /// Whether there is an open link with somebody, by the key of their name.
    pub fn is_open(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(PeerLink::is_open)
    }

    /// Whether somebody, by the key of their name, has read nothing for a while of what they have been sent.
    pub fn is_stalled(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(|link| link.receipts.is_stalled())
    }

    /// Our user has read what somebody, by the key of their name, has said on this link, up to this message.
    pub fn had(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.receipts.has(number);
        self.pump(now, name);
    }

    /// What somebody, by the key of their name, has said on this link up to this message is held back from our user.
    pub fn held(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.receipts.holds(number);
        self.pump(now, name);
    }

    /// A message that somebody, by the key of their name, has said on this link cannot be shown: the link ends.
    pub fn unheard(&mut self, now: Time, name: &NameKey, on: u64) {
        if self.links.get(name).is_some_and(|link| link.id == on) {
            self.end_link(now, name, LinkEnd::Broken("more was said than can be shown".into()));
        }
    }

    /// Opens a link, unless there is one; [`PeerEvent::Opened`] or [`PeerEvent::Failed`] follows, with the ticket that
    /// this gives.
    ///
    /// # Errors
    /// `too-many`.
    pub fn open(&mut self, now: Time, person: Person) -> Result<u64, Failure> {
        self.want(now, person, None)
    }

    /// Sends a text, over a link that is opened if there is none; [`PeerEvent::Acked`] or [`PeerEvent::Failed`]
    /// follows.
    ///
    /// # Errors
    /// `too-many`.
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

    fn dial(&mut self, now: Time, name: &NameKey, person: Person) {
        let number = self.next_dial;
        self.next_dial += 1;
        let conn = PeerConn::Dialled(number);
        self.out.push_back(PeerOutput::Dial(number, person.clone()));
        let until = now + self.config.ack_timeout + OPENING;
        self.conns.insert(conn, name.to_owned());
        self.links.insert(name.to_owned(), PeerLink::new(person, conn, LinkStage::Dialling { until }));
        self.set_timers(name);
    }

    /// Closes the link with somebody, by the key of their name, and tells the other side. Returns whether it was open.
    pub fn close(&mut self, now: Time, name: &NameKey) -> bool {
        let open = self.is_open(name);
        if open {
            self.end_link(now, name, LinkEnd::Ours);
        }
        open
    }

    /// The next thing to be done with a connection.
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
