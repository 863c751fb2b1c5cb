//! Connections, sessions and their comings and goings.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::contest::Challenge;
use super::exchange::Exchange;
use super::feed::Feed;
use super::following::Following;
use super::invites::ShownInvite;
use super::proposing::Recall;
use super::rates::Pace;
use super::roster::Registered;
use super::timers::Timer;
use super::{ConnId, Hub, Output, PeerId};
use crate::core::link::{Link, LinkFault};
use crate::core::time::Time;
use crate::protocol::types::Content;
use crate::protocol::wire::{ClientHello, Farewell, FrameIn, HubHello, LINK_PROTOCOL};
use crate::protocol::{ErrorCode, Failure, Id, Presence, PublicKey, cause, log, to_json};

/// A session.
pub(super) struct Peer {
    pub(super) key: PublicKey,
    /// What it has shown to come in, until that is spent.
    pub(super) invite: Option<ShownInvite>,
    pub(super) address: SocketAddr,
    pub(super) port: u16,
    pub(super) link_port: u16,
    pub(super) link: Link,
    pub(super) conn: Option<ConnId>,
    /// Since when there is no connection.
    away_since: Option<Time>,
    /// Its name and number, if it is registered.
    pub(super) name: Option<Registered>,
    pub(super) offers: BTreeMap<Arc<str>, Arc<Content>>,
    pub(super) following: Following,
    /// Questions that are answered when it has everything up to a revision.
    pub(super) syncs: VecDeque<(u64, Option<Id>)>,
    /// Somebody with the same key wants its name; it must show that it lives.
    pub(super) challenge: Option<Challenge>,
    /// What it is fed, once it has said where it stands.
    pub(super) feed: Option<Feed>,
    /// The random name of its program.
    pub(super) instance: String,
    /// It was here in a session that is lost: what was said to everybody meanwhile is for it, too.
    pub(super) returns: bool,
    /// Its requests up to this number were asked before, in a session that is lost.
    pub(super) asked_before: i64,
    /// Its newest request that said something.
    pub(super) last_said: i64,
    pub(super) exchange: Exchange,
    pub(super) recall: Recall,
    pub(super) requests: Pace,
    pub(super) messages: Pace,
    /// Somebody else cannot reach it, and it has not been heard here since.
    pub(super) doubted: bool,
}

impl Hub {
    pub(super) fn line(&mut self, now: Time, conn: ConnId, line: &[u8]) {
        if let Some(stranger) = self.strangers.get(conn) {
            let (key, address, waits) = (stranger.key, stranger.address, stranger.hello.is_some());
            let taken = match waits {
                true => Err(Failure::new(ErrorCode::WrongProtocol, "a frame before the hello was answered")),
                false => self.hello(now, conn, key, address, line),
            };
            return taken.unwrap_or_else(|failure| self.turn_away(conn, failure));
        }
        // A line that was on its way when its connection was closed.
        let Some(&id) = self.conns.get(&conn) else { return };
        if let Err(failure) = self.frame(now, id, line) {
            self.expel(now, id, failure);
        }
    }

    fn hello(
        &mut self,
        now: Time,
        conn: ConnId,
        key: PublicKey,
        address: SocketAddr,
        line: &[u8],
    ) -> Result<(), Failure> {
        let wrong = |e: serde_json::Error| cause::not_understood("That is no greeting of a client", &e);
        let hello: ClientHello = serde_json::from_slice(line).map_err(wrong)?;
        if hello.hello != LINK_PROTOCOL {
            return Err(ErrorCode::WrongProtocol.into());
        }
        let resumed = self.resumed(hello.session.as_deref(), key)?;
        let id = match resumed {
            Some(id) => id,
            None if self.wants_invite(&key) => return self.look_up_invite(conn, key, hello),
            None => self.admit(now, key, address.ip(), &hello, None)?,
        };
        self.attach(now, id, conn, address, &hello, resumed.is_some())
    }

    /// Makes a session for a hello that may come in.
    pub(super) fn admit(
        &mut self,
        now: Time,
        key: PublicKey,
        address: IpAddr,
        hello: &ClientHello,
        invite: Option<ShownInvite>,
    ) -> Result<PeerId, Failure> {
        self.make_room(now, key, address)?;
        let id = self.next_peer;
        self.next_peer += 1;
        let peer = Peer {
            key,
            invite,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            port: hello.port,
            link_port: hello.link_port,
            link: Link::new(self.config.link),
            conn: None,
            away_since: None,
            name: None,
            offers: BTreeMap::new(),
            following: Following::new(hello.follow),
            syncs: VecDeque::new(),
            challenge: None,
            feed: None,
            instance: hello.instance.chars().take(16).collect(),
            returns: hello.session.is_some(),
            asked_before: if hello.session.is_some() { hello.asked } else { 0 },
            last_said: 0,
            exchange: Exchange::default(),
            recall: Recall::default(),
            requests: Pace::default(),
            messages: Pace::default(),
            doubted: false,
        };
        self.peers.insert(id, peer);
        self.places.enter(now, id, key, address);
        Ok(id)
    }

    pub(super) fn attach(
        &mut self,
        now: Time,
        id: PeerId,
        conn: ConnId,
        address: SocketAddr,
        hello: &ClientHello,
        resumed: bool,
    ) -> Result<(), Failure> {
        let run = self.config.run;
        let Some(peer) = self.peers.get_mut(&id) else { return Err(ErrorCode::Internal.into()) };
        let received = if resumed { hello.received } else { 0 };
        // Until here it is a stranger, who can be turned away.
        peer.link.attach(now, received).map_err(fault)?;
        self.strangers.remove(conn);
        let before = peer.conn.replace(conn);
        self.places.connected(id);
        let (moved, away) = (peer.address.ip() != address.ip(), peer.away_since.take());
        peer.address = address;
        self.places.moved(id, address.ip());
        let session = format!("{run:016x}-{id}");
        let answer = HubHello { hello: LINK_PROTOCOL.into(), session, resumed, received: peer.link.received() };
        self.conns.insert(conn, id);
        if let Some(old) = before {
            self.conns.remove(&old);
            self.out.push_back(Output::Close(old));
        }
        self.out.push_back(Output::Say(conn, to_json(&answer)));
        self.talking.insert(id);
        if moved {
            self.moved(now, id);
        }
        let name = self.peers.get(&id).and_then(|peer| peer.name.clone());
        if let (Some(since), Some(name)) = (away, name) {
            let away = (now - since).as_millis() as u64;
            self.log(log::ClientBack { name: name.name, number: name.number, away });
            self.set_presence(now, id, Presence::Online);
        }
        self.tell_changes(now, id);
        Ok(())
    }

    fn frame(&mut self, now: Time, id: PeerId, line: &[u8]) -> Result<(), Failure> {
        let wrong = |e: serde_json::Error| cause::not_understood("That is no line of a client", &e);
        let frame: FrameIn<'_> = serde_json::from_slice(line).map_err(wrong)?;
        if frame.n.is_some() != frame.body.is_some() {
            return Err(Failure::new(ErrorCode::WrongProtocol, "a body and its number belong together"));
        }
        let Some(peer) = self.peers.get_mut(&id) else { return Err(ErrorCode::Internal.into()) };
        let new = peer.link.receive(now, frame.n, frame.ack, frame.probe).map_err(fault)?;
        peer.doubted = false;
        self.talking.insert(id);
        self.probed(now, id, frame.n.is_none() && !frame.probe);
        self.answer_challenge(now, id);
        if let (true, Some(body)) = (new, frame.body) {
            self.ask(now, id, body.get());
        }
        // What it has acknowledged may have made room.
        self.go_on(now, id);
        self.tell_changes(now, id);
        Ok(())
    }

    pub(super) fn disconnected(&mut self, now: Time, conn: ConnId, reason: String) {
        self.strangers.remove(conn);
        if let Some(&id) = self.conns.get(&conn) {
            self.lose(now, id, reason);
        }
    }

    /// A session has no connection any more: it keeps its place for the grace.
    pub(super) fn lose(&mut self, now: Time, id: PeerId, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.link.detach();
        peer.away_since = Some(now);
        self.places.disconnected(id);
        if let Some(conn) = peer.conn.take() {
            self.conns.remove(&conn);
            self.out.push_back(Output::Close(conn));
        }
        self.probes_fail(now, id);
        if self.pass_to_challenger(now, id) {
            return;
        }
        match self.peers.get(&id).and_then(|peer| peer.name.clone()) {
            Some(name) => {
                self.log(log::ClientAway { name: name.name, number: name.number, reason });
                self.set_presence(now, id, Presence::Away);
                self.schedule(id);
            }
            // Nobody sees it, so there is nothing to keep, but for a `dereg` that wants to come back.
            None if self.places.is_new(id) && self.underway.name(id).is_none() => self.end(now, id, "gone"),
            None => self.schedule(id),
        }
    }

    /// Ends a session: its name and its offers leave, its place is free.
    pub(super) fn end(&mut self, now: Time, id: PeerId, reason: &str) {
        self.leave(now, id, reason);
        self.probes_fail(now, id);
        let Some(peer) = self.peers.remove(&id) else { return };
        self.places.leave(id);
        self.talking.remove(&id);
        self.timers.stop(Timer::Session(id));
        if let Some(conn) = peer.conn {
            self.conns.remove(&conn);
            self.out.push_back(Output::Close(conn));
        }
        if let Some(challenge) = peer.challenge {
            self.challenge_won(now, id, challenge);
        }
    }

    /// Turns a connection without a session away.
    pub(super) fn turn_away(&mut self, conn: ConnId, failure: Failure) {
        let Some(stranger) = self.strangers.remove(conn) else { return };
        self.log(log::ClientRefused {
            connection: conn,
            address: stranger.address.to_string(),
            code: failure.code,
            message: failure.message.clone().into_owned(),
        });
        self.out.push_back(Output::Say(conn, to_json(&Farewell { farewell: failure.into() })));
        self.out.push_back(Output::Close(conn));
    }

    /// Ends the session of a client that breaks the protocol or is too slow.
    pub(super) fn expel(&mut self, now: Time, id: PeerId, failure: Failure) {
        let Some(peer) = self.peers.get(&id) else { return };
        let (conn, address) = (peer.conn, peer.address.to_string());
        if let Some(connection) = conn {
            let (code, message) = (failure.code, failure.message.clone().into_owned());
            self.log(log::ClientRefused { connection, address, code, message });
            self.out.push_back(Output::Say(connection, to_json(&Farewell { farewell: failure.clone().into() })));
        }
        self.end(now, id, failure.code.name());
    }

    /// A session's timer has fired.
    pub(super) fn session_due(&mut self, now: Time, id: PeerId) {
        let (grace, patience) = (self.config.grace, self.config.link.patience());
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.away_since.is_some_and(|since| since + grace <= now) {
            return self.end(now, id, "gone");
        }
        if peer.link.tick(now).is_err() {
            return self.lose(now, id, format!("no answer for {} ms", patience.as_millis()));
        }
        if self.challenge_tick(now, id) {
            return;
        }
        self.talking.insert(id);
    }

    /// Sets a peer's timer to when it next needs one. A timer that fires too early is set again.
    pub(super) fn schedule(&mut self, id: PeerId) {
        let grace = self.config.grace;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let due = peer.link.next_timeout().or(peer.away_since.map(|since| since + grace));
        let Some(due) = due.into_iter().chain(peer.challenge.as_ref().map(Challenge::due)).min() else { return };
        if self.timers.at(Timer::Session(id)).is_none_or(|set| set > due) {
            self.timers.set(Timer::Session(id), due);
        }
    }
}

pub(super) fn fault(fault: LinkFault) -> Failure {
    let code = match fault {
        LinkFault::Overflow => ErrorCode::TooSlow,
        LinkFault::Missing(_) | LinkFault::NeverSent(_) => ErrorCode::WrongProtocol,
    };
    Failure::new(code, fault.to_string())
}
