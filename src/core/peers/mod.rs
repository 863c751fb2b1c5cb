//! Direct connections between clients: who may have one, and what is said on them.
//!
//! There is one link for each person at most. Whoever wants it dials; the other side listens. The dialling side says
//! hello, the other looks for that name and key in its roster and answers: from then on the link is open at both
//! ends, and carries frames as the link to the hub does. Nothing is resumed: when the connection is gone, so is the
//! link.
//!
//! When two dial each other at once, the connection that the smaller name dialled is the link, and what waited for
//! the other one goes there. A connection of somebody with whom there is a link already waits until that link has
//! ended: they may have lost it, and we do not know yet.
//!
//! The machine knows nothing of blocking, so that nobody can learn of it here: what it takes and acknowledges is the
//! same for all. What is told is for the session to decide.

mod ends;
mod links;
mod news;
mod pending;
mod reading;
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
use ends::End;
use links::{PeerLink, Stage, Wanted};
pub use news::News;
use pending::PendingConnection;
pub use reading::not_read;
use timers::Timer;

/// What a connection may take longer to be opened than a message to be acknowledged: a handshake is some round
/// trips, and where UDP does not pass, TCP is tried after a while.
const OPENING: Duration = Duration::from_millis(500);

/// A connection to or from another client. The numbers of those that were dialled are the machine's, those of the
/// others are the driver's; neither uses one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerConn {
    /// We made it.
    Dialled(u64),
    /// The other side made it.
    Accepted(u64),
}

/// Somebody, as the roster has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// Their running number: another one is another run of their program.
    pub number: u64,
    /// The key that they must prove to hold.
    pub key: PublicKey,
    /// Where they take direct connections.
    pub address: SocketAddr,
}

/// Finds somebody in the roster by the keys of their names.
pub type Roster<'a> = &'a dyn Fn(&NameKey) -> Option<Person>;

/// What the machine is told of connections.
#[derive(Debug)]
pub enum PeerInput<'a> {
    /// Somebody has connected, and proved to hold a key.
    Accepted(u64, PublicKey),
    /// Who was dialled is there, with the key that was asked for.
    Dialled(u64),
    /// They are not.
    DialFailed(u64, Failure),
    /// Whether an accepted connection has the key that is known for its name.
    Pinned(u64, Result<(), Failure>),
    /// A line arrived, without its line feed.
    Line(PeerConn, &'a [u8]),
    /// A connection broke.
    Broken(PeerConn, String),
}

/// What the machine wants done with connections.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerOutput {
    /// Connect to somebody, if their key is the one that is known for their name, and only to that key.
    Dial(u64, Person),
    /// Say whether this is the key that is known for this name; an unknown one becomes known.
    Pin(u64, String, PublicKey),
    /// Send a line that is not a frame, without its line feed.
    Say(PeerConn, String),
    /// Send a frame.
    Send(PeerConn, Frame),
    /// Close a connection once everything before has been sent, or stop making it. Nothing more is wanted of it.
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
    /// Our own name, while we have one.
    me: Option<Name>,
    /// By the keys of their names.
    links: BTreeMap<NameKey, PeerLink>,
    /// The connections of links.
    conns: BTreeMap<PeerConn, NameKey>,
    pending: BTreeMap<u64, PendingConnection>,
    /// Links that may have frames to send.
    talking: BTreeSet<NameKey>,
    timers: Timers<Timer>,
    next_dial: u64,
    next_ticket: u64,
    next_link: u64,
    out: VecDeque<PeerOutput>,
    news: VecDeque<News>,
}

impl Peers {
    /// Nobody is there. `epoch` is what the calendar said at time 0.
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
            news: VecDeque::new(),
        }
    }

    /// Takes an input; what follows comes out of [`Peers::poll`] and [`Peers::next_news`].
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

    /// We are not in the roster any more: every connection is closed, with a word to those at the other ends of links.
    pub fn leave(&mut self, now: Time) {
        for (conn, _) in std::mem::take(&mut self.pending) {
            self.timers.stop(Timer::Pending(conn));
            self.out.push_back(PeerOutput::Close(PeerConn::Accepted(conn)));
        }
        let names: Vec<NameKey> = self.links.keys().cloned().collect();
        for name in names {
            self.end_link(now, &name, End::Ours);
        }
        self.me = None;
    }

    /// The roster has changed: who waits may be in it, and who had a link may be somebody else now.
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
                self.end_link(now, &name, End::Left);
            }
        }
    }

    /// Somebody has left the hub.
    pub fn left(&mut self, now: Time, name: &str) {
        self.end_link(now, &NameKey::of(name), End::Left);
    }

    /// The hub counts anew: that somebody has another number says nothing, once.
    pub fn forget_numbers(&mut self) {
        self.links.values_mut().for_each(|link| link.number = None);
    }

    /// Whether there is an open link with somebody, by the keys of their names.
    pub fn is_open(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(PeerLink::is_open)
    }

    /// Whether somebody, by the keys of their names, has read nothing for a while of what they have been sent.
    pub fn is_stalled(&self, name: &NameKey) -> bool {
        self.links.get(name).is_some_and(|link| link.reading.is_stalled())
    }

    /// Our user has everything that somebody, by the keys of their names, has said on a link up to a number.
    pub fn had(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.reading.has(number);
        self.pump(now, name);
    }

    /// Everything that somebody, by the keys of their names, has said on a link up to a number is held back, as far as our
    /// user does not have it.
    pub fn held(&mut self, now: Time, name: &NameKey, on: u64, number: u64) {
        let Some(link) = self.links.get_mut(name).filter(|link| link.id == on) else { return };
        link.reading.holds(number);
        self.pump(now, name);
    }

    /// What somebody has said on a link, by the keys of their names, cannot be shown: the link is given up.
    pub fn unheard(&mut self, now: Time, name: &NameKey, on: u64) {
        if self.links.get(name).is_some_and(|link| link.id == on) {
            self.end_link(now, name, End::Broken("more was said than can be shown".into()));
        }
    }

    /// Opens a link, unless there is one; [`News::Opened`] or [`News::Failed`] follows, with the ticket that this gives.
    ///
    /// # Errors
    /// `too-many`.
    pub fn open(&mut self, now: Time, person: Person) -> Result<u64, Failure> {
        self.want(now, person, None)
    }

    /// Sends a text, over a link that is opened if there is none; [`News::Acked`] or [`News::Failed`] follows.
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
            link.queue.push_back(Wanted { ticket, text, since: now });
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
        self.links.insert(name.to_owned(), PeerLink::new(person, conn, Stage::Dialling { until }));
        self.set_timers(name);
    }

    /// Closes the link with somebody, by the keys of their names, and says so there. Says whether there was an open one.
    pub fn close(&mut self, now: Time, name: &NameKey) -> bool {
        let open = self.is_open(name);
        if open {
            self.end_link(now, name, End::Ours);
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

    /// The next thing that has happened.
    pub fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.epoch.0 + (now.0 / 1_000) as i64)
    }
}

#[cfg(test)]
mod tests;
