//! Direct connections, as the user sees them: the requests, and what is told.

mod unwritten;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::requests::{Mark, Pending, Waiting};
use super::{Ask, Event, Failure, Origin, Output, Session, event};
use crate::core::hub::check_text;
use crate::core::link::LinkConfig;
use crate::core::peers::{News, PeerInput, Peers, Person, not_read};
use crate::core::time::Time;
use crate::protocol::limits::{PRIVATE_EACH, PRIVATE_UNDER_WAY};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::request::{Direct, Starts};
use crate::protocol::wire::Unreachable;
use crate::protocol::{Client, ErrorCode, Presence, Request, Timestamp, request};
use unwritten::Unwritten;

/// The direct connections, and what the user knows of them.
pub(super) struct Privates {
    pub(super) peers: Peers,
    /// Requests under way, by their tickets.
    pub(super) pending: BTreeMap<u64, Pending>,
    /// What the hub has said of the `ping`s among them.
    pub(super) pongs: BTreeMap<u64, event::Pong>,
    /// Who wants one and was not known, so that the hub was asked for them.
    asked_for: BTreeSet<NameKey>,
    /// The open ones that the user has been told of, by the keys of their names.
    announced: BTreeSet<NameKey>,
    /// What others have said and our user does not have yet, in the order in which it is told.
    pub(super) unwritten: VecDeque<Unwritten>,
}

impl Privates {
    pub(super) fn new(link: LinkConfig, epoch: Timestamp) -> Self {
        Self {
            peers: Peers::new(link, epoch),
            pending: BTreeMap::new(),
            pongs: BTreeMap::new(),
            asked_for: BTreeSet::new(),
            announced: BTreeSet::new(),
            unwritten: VecDeque::new(),
        }
    }

    /// Gives up every request; what becomes of them is not told any more.
    pub(super) fn abandon(&mut self) -> Vec<Pending> {
        self.pongs.clear();
        std::mem::take(&mut self.pending).into_values().collect()
    }

    fn under_way_with(&self, to: &str) -> usize {
        let to = NameKey::of(to);
        let with = |pending: &&Pending| pending.request.peer().is_some_and(|other| NameKey::of(other) == to);
        self.pending.values().filter(with).count()
    }
}

fn person(client: &Client) -> Person {
    Person {
        name: client.name.clone(),
        number: client.number,
        key: client.key,
        address: SocketAddr::new(client.address, client.link_port),
    }
}

impl Origin {
    /// Whether the hub is asked where this person is, to be spoken to directly.
    fn asks_for(&self, to: &NameKey) -> bool {
        matches!(self, Self::User(pending) if pending.request.peer().is_some_and(|whom| NameKey::of(whom) == *to))
    }
}

impl Session {
    /// Whether the private messages under way let this start: what opens or closes a connection, or ends them all,
    /// waits for them.
    pub(super) fn privates_permit(&self, head: &Waiting) -> bool {
        // While the hub is asked where somebody is, what is for them waits behind that.
        if let Waiting::Request(Pending { request, .. }) = head
            && let Some(to) = request.peer().map(NameKey::of)
            && self.asks.values().any(|(_, origin)| origin.asks_for(&to))
        {
            return false;
        }
        let under_way = self.privates.pending.len();
        if under_way == 0 {
            return true;
        }
        match head {
            Waiting::Bad(..) => true,
            Waiting::EndOfInput => false,
            // With `fail_fast`, what comes after a failure must not have been asked already.
            Waiting::Request(_) if self.config.fail_fast => false,
            Waiting::Request(pending) if pending.request.rules().starts == Starts::Last => false,
            Waiting::Request(pending) => {
                let to = pending.request.peer().unwrap_or_default();
                match pending.request.rules().direct {
                    Direct::Uses => {
                        // Who reads nothing is not waited for: it is said so.
                        let room = self.privates.under_way_with(to) < PRIVATE_EACH;
                        (room && under_way < PRIVATE_UNDER_WAY) || self.privates.peers.is_stalled(&NameKey::of(to))
                    }
                    Direct::Changes => self.privates.under_way_with(to) == 0,
                    Direct::EndsAll => false,
                    Direct::No => true,
                }
            }
        }
    }

    /// Whether private messages are on their way, or connections.
    pub(super) fn privates_are_under_way(&self) -> bool {
        !self.privates.pending.is_empty()
    }

    /// Whether this is about a direct connection that is open.
    pub(super) fn goes_past_the_hub(&self, head: &Waiting) -> bool {
        let Waiting::Request(Pending { request, .. }) = head else { return false };
        request.peer().is_some_and(|to| self.privates.peers.is_open(&NameKey::of(to))) && self.registered.is_some()
    }

    /// Where nobody can be sent anything more for now, others still can: the next message to one of them, of those that
    /// follow without anything else between.
    pub(super) fn next_private(&self) -> Option<usize> {
        // Each of them is looked at once, however much waits.
        let mut seen = BTreeSet::new();
        for (at, waiting) in self.waiting.iter().enumerate() {
            let Waiting::Request(Pending { request: Request::Private(request::Private { to, .. }), .. }) = waiting
            else {
                return None;
            };
            if seen.insert(to.as_str()) && self.may_start(waiting) {
                return Some(at);
            }
        }
        None
    }

    /// Starts `private` or `private-open`. Who is not there may be on their way, or be known to the hub alone: unless
    /// `sure`, it is asked for them. It never learns what is said.
    pub(super) fn start_private(&mut self, now: Time, pending: Pending, sure: bool) {
        let person = match self.check_private(&pending.request) {
            // Of whom we were told once may be elsewhere by now.
            Ok(person)
                if !sure
                    && !self.replica.follows_roster()
                    && !self.privates.peers.is_open(&NameKey::of(&person.name)) =>
            {
                return self.ask_for(now, pending);
            }
            Ok(person) => person,
            Err(failure) if !sure && matches!(failure.code, ErrorCode::NoSuchPerson | ErrorCode::NotOnline) => {
                return self.ask_for(now, pending);
            }
            Err(failure) => return self.refuse(now, pending.id, failure),
        };
        let open = self.privates.peers.is_open(&NameKey::of(&person.name));
        if open && !self.privates.announced.contains(&NameKey::of(&person.name)) {
            // Somebody whom we block has opened it, or did while we did.
            self.privates.announced.insert(NameKey::of(&person.name));
            let opened = event::PrivateOpened { peer: person.name.clone(), by: person.name.clone() };
            match &pending.request {
                Request::PrivateOpen(_) => return self.finish(now, pending.id, opened),
                _ => self.tell_for(now, pending.id.clone(), false, opened),
            }
        }
        if self.privates.under_way_with(&person.name) >= PRIVATE_EACH {
            return self.refuse(now, pending.id, not_read(&person.name, false));
        }
        let started = match &pending.request {
            Request::Private(request) => self.privates.peers.send(now, person, request.text.clone()),
            _ if open => {
                let message = format!("There is a direct connection to {} already.", person.name);
                Err(Failure::new(ErrorCode::AlreadyOpen, message).at(pointer_at("/to")))
            }
            _ => self.privates.peers.open(now, person),
        };
        match started {
            Ok(ticket) => drop(self.privates.pending.insert(ticket, pending)),
            Err(failure) => self.refuse(now, pending.id, failure),
        }
        self.private_news(now);
    }

    /// Asks the hub for whom a request is for.
    fn ask_for(&mut self, now: Time, pending: Pending) {
        let to = pending.request.peer().unwrap_or_default().to_owned();
        self.ask(now, request::PrivateOpen { to }.into(), Origin::User(Box::new(pending)));
    }

    /// Whom a request is for, if it can be sent to them.
    pub(super) fn check_private(&self, request: &Request) -> Result<Person, Failure> {
        if let Request::Private(request::Private { text, .. }) = request {
            check_text(text)?;
        }
        let to = request.peer().ok_or(ErrorCode::Internal)?;
        let Some(me) = &self.registered else { return Err(ErrorCode::NotRegistered.into()) };
        if NameKey::of(me) == NameKey::of(to) {
            return Err(Failure::from(ErrorCode::Yourself).at(pointer_at("/to")));
        }
        let client = self.replica.find(to);
        // What works is used, whatever the hub sees of them.
        let open = self.privates.peers.is_open(&NameKey::of(to));
        let (code, message) = match client {
            Some(client) if open || client.state == Presence::Online => return Ok(person(client)),
            Some(client) => (ErrorCode::NotOnline, format!("{} does not answer the hub.", client.name)),
            None if self.replica.has_left(to) => (ErrorCode::NotOnline, format!("{to} has left.")),
            None => (ErrorCode::NoSuchPerson, format!("Nobody called {to} is here.")),
        };
        Err(Failure::new(code, message).at(pointer_at("/to")))
    }

    /// Answers `private-close`.
    pub(super) fn private_close(&mut self, now: Time, id: Mark, to: &str) {
        let name = NameKey::of(to);
        // The answer is told in place of the news.
        if !self.privates.announced.remove(&name) || !self.privates.peers.close(now, &name) {
            let failure = Failure::new(ErrorCode::NotOpen, format!("There is no direct connection to {to}."));
            return self.refuse(now, id, failure.at(pointer_at("/to")));
        }
        let me = self.registered.clone().unwrap_or_default();
        let peer = self.replica.find(to).map_or_else(|| to.to_owned(), |client| client.name.clone());
        self.finish(now, id, event::PrivateClosed { peer, reason: format!("closed by {me}") });
        // Another connection may have waited for this one to end: it is opened after it.
        self.private_news(now);
    }

    /// Something of a direct connection.
    pub(super) fn peer_input(&mut self, now: Time, input: PeerInput<'_>) {
        let replica = &self.replica;
        self.privates.peers.handle(now, input, &|name| replica.find_key(name).map(person));
        self.private_news(now);
        self.ask_who_that_is(now);
    }

    /// Who does not follow the roster asks the hub for those who want a direct connection: once for each, and they are
    /// few at a time.
    fn ask_who_that_is(&mut self, now: Time) {
        if self.replica.follows_roster() || self.registered.is_none() || !self.settled {
            return;
        }
        let unknown: BTreeSet<NameKey> = self.privates.peers.unknown().cloned().collect();
        let known = std::mem::replace(&mut self.privates.asked_for, unknown.clone());
        for to in unknown.difference(&known) {
            self.ask(now, request::PrivateOpen { to: to.to_string() }.into(), Origin::Forgotten);
        }
    }

    pub(super) fn private_tick(&mut self, now: Time) {
        if !self.ended {
            self.privates.peers.tick(now);
            self.private_news(now);
        }
    }

    /// The roster has changed.
    pub(super) fn private_roster(&mut self, now: Time, changed: &[Client]) {
        for client in changed.iter().filter(|client| client.state == Presence::Offline) {
            self.privates.peers.left(now, &client.name);
        }
        let replica = &self.replica;
        self.privates.peers.roster_changed(now, &|name| replica.find_key(name).map(person));
        self.private_news(now);
    }

    /// Closes every direct connection: we are not in the roster any more, or end.
    pub(super) fn close_privates(&mut self, now: Time) {
        self.privates.peers.leave(now);
        self.private_news(now);
        while let Some(output) = self.privates.peers.poll(now) {
            self.out.push_back(Output::Peer(output));
        }
    }

    pub(super) fn private_news(&mut self, now: Time) {
        while let Some(news) = self.privates.peers.next_news() {
            if self.ended {
                continue;
            }
            match news {
                News::Opened { peer, theirs, ticket } => self.private_opened(now, peer, theirs, ticket),
                News::Said { peer, link, number, text, sent } => {
                    let (name, withheld) = (NameKey::of(&peer), self.blocked.contains(&NameKey::of(&peer)));
                    self.privates.unwritten.push_back(Unwritten { name: name.clone(), link, number, withheld });
                    self.private_said(now, peer, number, text, sent);
                    if self.focus.is_some() {
                        self.privates.peers.held(now, &name, link, number);
                    }
                }
                News::Acked { ticket, peer, number, sent } => self.private_acked(now, ticket, peer, number, sent, 1),
                News::Held { ticket, peer, number, sent } => self.private_acked(now, ticket, peer, number, sent, 0),
                News::Delivered { peer, number } => {
                    self.tell_unless_held(now, event::MessageDelivered { number, to: peer, private: true }.into());
                }
                News::RoundTrip { ticket, micros } => drop(self.ping_ends(now, ticket, Ok(micros))),
                News::Failed { ticket, failure } if self.ping_ends(now, ticket, Err(failure.clone())) => {}
                News::Failed { ticket, failure } => {
                    if let Some(pending) = self.privates.pending.remove(&ticket) {
                        self.refuse(now, pending.id, failure);
                    }
                }
                News::Closed { peer, reason } => {
                    if self.privates.announced.remove(&NameKey::of(&peer)) {
                        self.tell_private(now, &peer.clone(), event::PrivateClosed { peer, reason });
                    }
                }
                // A hub that has forgotten us finds out by itself.
                News::Doubted(name) if self.registered.is_some() && !self.is_entering() => {
                    self.send(now, Ask::Unreachable(Unreachable { unreachable: name }).to_body());
                }
                News::Doubted(_) => {}
            }
        }
    }

    fn private_acked(&mut self, now: Time, ticket: u64, to: String, number: u64, sent: Timestamp, delivered: u64) {
        let Some(pending) = self.privates.pending.remove(&ticket) else { return };
        let (to, room, stored, blocked) = (Some(to), None, false, None);
        self.finish(now, pending.id, event::MessageAcked { number, sent, to, room, stored, delivered, blocked });
    }

    fn private_opened(&mut self, now: Time, peer: String, theirs: bool, ticket: Option<u64>) {
        let by = if theirs { peer.clone() } else { self.registered.clone().unwrap_or_default() };
        let name = NameKey::of(&peer);
        let opened = event::PrivateOpened { peer: peer.clone(), by };
        let Some((ticket, pending)) = ticket.and_then(|ticket| Some((ticket, self.privates.pending.get(&ticket)?)))
        else {
            if !self.blocked.contains(&name) {
                self.privates.announced.insert(name);
                self.tell_private(now, &peer, opened);
            }
            return;
        };
        let new = self.privates.announced.insert(name);
        let (id, last) = (pending.id.clone(), matches!(pending.request, Request::PrivateOpen(_)));
        let pings = matches!(pending.request, Request::Ping(_));
        if last {
            self.privates.pending.remove(&ticket);
        }
        if pings {
            self.ping_opened(now, &peer, ticket);
        }
        // Several that measure the way may have waited for the same connection.
        if pings && !new {
            return;
        }
        self.tell_for(now, id, last, opened);
    }

    fn private_said(&mut self, now: Time, peer: String, number: u64, text: String, sent: Timestamp) {
        let name = NameKey::of(&peer);
        if !self.blocked.contains(&name) && self.privates.announced.insert(name) {
            // It was opened while we blocked them.
            self.tell_private(now, &peer, event::PrivateOpened { peer: peer.clone(), by: peer.clone() });
        }
        let to = self.registered.clone().unwrap_or_default();
        self.tell_private(now, &peer.clone(), event::PrivateMessage { number, from: peer, to, text, sent });
    }

    /// Tells what another client has caused, unless our user has blocked them.
    fn tell_private(&mut self, now: Time, peer: &str, event: impl Into<Event>) {
        let event = event.into();
        if self.blocked.contains(&NameKey::of(peer)) {
            // It goes the same way as any other, so that who said it cannot tell by the time it takes.
            if let Event::PrivateMessage(_) = event {
                self.tell_unless_held(now, event::Withheld { number: 0 }.into());
            }
            return;
        }
        let ours = matches!(&event, Event::PrivateOpened(opened) if Some(&opened.by) == self.registered.as_ref());
        match ours {
            // Our user has asked for it.
            true => self.tell(now, event),
            false => self.tell_unless_held(now, event),
        }
    }
}
