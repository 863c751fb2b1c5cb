//! Direct connections from the user's side: the requests about them, and the events that tell of them.

mod events;
mod ping;
mod unwritten;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::Output;
use super::asks::Origin;
use super::context::Context;
use super::inbox::Inbox;
use super::pending::{Pending, RequestId, Waiting};
use super::replica::Replica;
use crate::core::link::LinkConfig;
use crate::core::peers::{PeerInput, Peers, Person, not_read};
use crate::core::time::Time;
use crate::protocol::limits::{PRIVATE_EACH, PRIVATE_UNDER_WAY};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::request::{Direct, Starts};
use crate::protocol::text::check_text;
use crate::protocol::{Client, ErrorCode, Failure, Presence, Request, Timestamp, event, request};
use unwritten::Unwritten;

/// The direct connections, and what the user knows of them.
pub(super) struct Privates {
    peers: Peers,
    /// The requests under way, by their tickets.
    pending: BTreeMap<u64, Pending>,
    /// What the hub has answered to the `ping`s among them.
    pongs: BTreeMap<u64, event::Pong>,
    /// People who want a connection, are not in our roster, and were asked for at the hub.
    asked_for: BTreeSet<NameKey>,
    /// The people with whom a connection is open, as the user was told.
    announced: BTreeSet<NameKey>,
    /// Messages that were told and are not written to the user yet, in the order in which they were told.
    unwritten: VecDeque<Unwritten>,
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

    /// Takes out all requests; what becomes of them is not told any more.
    pub(super) fn abandon(&mut self) -> Vec<Pending> {
        self.pongs.clear();
        std::mem::take(&mut self.pending).into_values().collect()
    }

    /// The hub lets us in under this name and number.
    pub(super) fn enter(&mut self, welcome: &event::Welcome) {
        self.peers.enter(&welcome.name, welcome.number);
    }

    /// The hub was restarted and numbers everybody anew.
    pub(super) fn forget_numbers(&mut self) {
        self.peers.forget_numbers();
    }

    /// The next output about a direct connection.
    pub(super) fn poll(&mut self, now: Time) -> Option<Output> {
        self.peers.poll(now).map(Output::Peer)
    }

    /// When a timer of theirs is due.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.peers.next_timeout()
    }

    /// That a direct connection with this person is open.
    fn opened_event(&self, peer: &str, by: &str) -> event::PrivateOpened {
        let route = self.peers.route(&NameKey::of(peer)).unwrap_or_default();
        event::PrivateOpened { peer: peer.to_owned(), by: by.to_owned(), route }
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

impl Privates {
    /// Whether the requests under way let this begin. What opens or closes a connection, or ends them all, waits for
    /// the messages on it.
    pub(super) fn permit(&self, cx: &Context, head: &Waiting) -> bool {
        // While the hub is asked where somebody is, later requests about them wait.
        if let Waiting::Request(Pending { request, .. }) = head
            && let Some(to) = request.peer().map(NameKey::of)
            && cx.uplink.asks().origins().any(|origin| origin.asks_for(&to))
        {
            return false;
        }
        let under_way = self.pending.len();
        if under_way == 0 {
            return true;
        }
        match head {
            Waiting::Bad(..) => true,
            Waiting::EndOfInput => false,
            // With `fail_fast`, what comes after a failure must not have been asked already.
            Waiting::Request(_) if cx.config.fail_fast => false,
            Waiting::Request(pending) if pending.request.rules().starts == Starts::Last => false,
            Waiting::Request(pending) => {
                let to = pending.request.peer().unwrap_or_default();
                match pending.request.rules().direct {
                    Direct::Uses => {
                        // A message to somebody who reads nothing does not wait: it is refused.
                        let room = self.under_way_with(to) < PRIVATE_EACH;
                        (room && under_way < PRIVATE_UNDER_WAY) || self.peers.is_stalled(&NameKey::of(to))
                    }
                    Direct::Changes => self.under_way_with(to) == 0,
                    Direct::EndsAll => false,
                    Direct::No => true,
                }
            }
        }
    }

    /// Whether requests about direct connections are under way.
    pub(super) fn are_under_way(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether this is about a direct connection that is open.
    pub(super) fn go_past_the_hub(&self, cx: &Context, head: &Waiting) -> bool {
        let Waiting::Request(Pending { request, .. }) = head else { return false };
        request.peer().is_some_and(|to| self.peers.is_open(&NameKey::of(to))) && cx.registration.is_in()
    }

    /// Starts `private` or `private-open`. If the person is not in our roster, they may be on their way, or only the
    /// hub may know them: it is asked for them, unless `sure` says that it was. It never learns the text.
    pub(super) fn start(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        pending: Pending,
        sure: bool,
    ) {
        let person = match self.check(cx, replica, &pending.request) {
            // Without the whole roster, we may have an old address of them.
            Ok(person) if !sure && !replica.follows_roster() && !self.peers.is_open(&NameKey::of(&person.name)) => {
                return Self::ask_for(now, cx, pending);
            }
            Ok(person) => person,
            Err(failure) if !sure && matches!(failure.code, ErrorCode::NoSuchPerson | ErrorCode::NotOnline) => {
                return Self::ask_for(now, cx, pending);
            }
            Err(failure) => return cx.refuse(now, pending.id, failure),
        };
        let open = self.peers.is_open(&NameKey::of(&person.name));
        if open && !self.announced.contains(&NameKey::of(&person.name)) {
            // They opened it while we blocked them, so the user was not told.
            self.announced.insert(NameKey::of(&person.name));
            let opened = self.opened_event(&person.name, &person.name);
            if let Request::PrivateOpen(_) = &pending.request {
                return cx.finish(now, pending.id, opened);
            }
            cx.tell_for(now, pending.id.clone(), false, opened);
        }
        if self.under_way_with(&person.name) >= PRIVATE_EACH {
            return cx.refuse(now, pending.id, not_read(&person.name, false));
        }
        let started = if let Request::Private(request) = &pending.request {
            self.peers.send(now, person, request.text.clone())
        } else if open {
            let message = format!("There is a direct connection to {} already.", person.name);
            Err(Failure::new(ErrorCode::AlreadyOpen, message).at(pointer_at("/to")))
        } else {
            self.peers.open(now, person)
        };
        match started {
            Ok(ticket) => drop(self.pending.insert(ticket, pending)),
            Err(failure) => cx.refuse(now, pending.id, failure),
        }
        self.tell_events(now, cx, inbox);
    }

    /// Asks the hub for the person whom a request is about.
    fn ask_for(now: Time, cx: &mut Context, pending: Pending) {
        let to = pending.request.peer().unwrap_or_default().to_owned();
        cx.ask(now, request::PrivateOpen { to }.into(), Origin::User(Box::new(pending)));
    }

    /// The person whom a request is about.
    ///
    /// # Errors
    /// Why nothing can be sent to them.
    fn check(&self, cx: &Context, replica: &Replica, request: &Request) -> Result<Person, Failure> {
        if let Request::Private(request::Private { text, .. }) = request {
            check_text(text)?;
        }
        let to = request.peer().ok_or(ErrorCode::Internal)?;
        let Some(me) = cx.registration.name() else { return Err(ErrorCode::NotRegistered.into()) };
        if NameKey::of(me) == NameKey::of(to) {
            return Err(Failure::from(ErrorCode::Yourself).at(pointer_at("/to")));
        }
        let client = replica.find(to);
        // An open connection is used, even if the hub takes them for gone.
        let open = self.peers.is_open(&NameKey::of(to));
        let (code, message) = match client {
            Some(client) if open || client.state == Presence::Online => return Ok(person(client)),
            Some(client) => (ErrorCode::NotOnline, format!("{} does not answer the hub.", client.name)),
            None if replica.has_left(to) => (ErrorCode::NotOnline, format!("{to} has left.")),
            None => (ErrorCode::NoSuchPerson, format!("Nobody called {to} is here.")),
        };
        Err(Failure::new(code, message).at(pointer_at("/to")))
    }

    /// Answers `private-close`.
    pub(super) fn close(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        id: RequestId,
        to: &str,
    ) {
        let name = NameKey::of(to);
        // The answer takes the place of the event.
        if !self.announced.remove(&name) || !self.peers.close(now, &name) {
            let failure = Failure::new(ErrorCode::NotOpen, format!("There is no direct connection to {to}."));
            return cx.refuse(now, id, failure.at(pointer_at("/to")));
        }
        let me = cx.registration.name().unwrap_or_default().to_owned();
        let peer = replica.find(to).map_or_else(|| to.to_owned(), |client| client.name.clone());
        cx.finish(now, id, event::PrivateClosed { peer, reason: format!("closed by {me}") });
        // A pending connection of the same person may have become the link now.
        self.tell_events(now, cx, inbox);
    }

    /// Takes an input about a direct connection.
    pub(super) fn handle(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        input: PeerInput<'_>,
    ) {
        self.peers.handle(now, input, &|name| replica.find_key(name).map(person));
        self.tell_events(now, cx, inbox);
        self.ask_who_that_is(now, cx, replica);
    }

    /// The hub was asked where somebody is whom we could not reach, and has told us what it knows.
    pub(super) fn sought(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox, replica: &Replica, name: &NameKey) {
        self.peers.found(now, name, replica.find_key(name).map(person));
        self.tell_events(now, cx, inbox);
    }

    /// If we do not follow the roster, asks the hub once for each person who wants a direct connection and is not
    /// known. They are few at a time.
    fn ask_who_that_is(&mut self, now: Time, cx: &mut Context, replica: &Replica) {
        if replica.follows_roster() || !cx.registration.is_in() || !cx.uplink.takes_requests() {
            return;
        }
        let unknown: BTreeSet<NameKey> = self.peers.unknown().cloned().collect();
        let known = std::mem::replace(&mut self.asked_for, unknown.clone());
        for to in unknown.difference(&known) {
            cx.ask(now, request::PrivateOpen { to: to.to_string() }.into(), Origin::Forgotten);
        }
    }

    pub(super) fn tick(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox) {
        self.peers.tick(now);
        self.tell_events(now, cx, inbox);
    }

    /// The roster has changed: some of these people may have left.
    pub(super) fn roster_changed(
        &mut self,
        now: Time,
        cx: &mut Context,
        inbox: &mut Inbox,
        replica: &Replica,
        changed: &[Client],
    ) {
        for client in changed.iter().filter(|client| client.state == Presence::Offline) {
            self.peers.left(now, &client.name);
        }
        self.peers.roster_changed(now, &|name| replica.find_key(name).map(person));
        self.tell_events(now, cx, inbox);
    }

    /// Closes every direct connection, because we leave the roster or end.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context, inbox: &mut Inbox) {
        self.peers.leave(now);
        self.tell_events(now, cx, inbox);
        while let Some(output) = self.peers.poll(now) {
            cx.output(Output::Peer(output));
        }
    }
}
