//! Connections and sessions: the hello, frames, the loss of a connection, and the end of a session.

use std::net::{IpAddr, SocketAddr};

use super::entrance::invites::ShownInvite;
use super::handovers::Handovers;
use super::journal::queries::PendingQuery;
use super::sessions::exchange::Exchange;
use super::sessions::following::Following;
use super::sessions::pending::PendingConnection;
use super::sessions::rates::Rates;
use super::sessions::{Peer, Whereabouts};
use super::state::decide;
use super::timers::Timer;
use super::{ConnId, HELLO_TIMEOUT, Hub, Output, PeerId, pings, roster};
use crate::core::hub::sessions::past::Past;
use crate::core::link::{Link, LinkFault};
use crate::core::time::Time;
use crate::protocol::invite::{INVITE_BYTES, InviteDigest, InviteRecord};
use crate::protocol::record::Query;
use crate::protocol::wire::{ClientHello, Farewell, FrameIn, HubHello, LINK_PROTOCOL};
use crate::protocol::{ErrorCode, Failure, Network, Presence, PublicKey, cause, log, to_json};

impl Hub {
    /// A connection was made: it waits for its hello, unless the hub is stopping or too many connections wait already.
    pub(super) fn connected(
        &mut self,
        now: Time,
        conn: ConnId,
        (key, exporter): (PublicKey, Option<[u8; 32]>),
        address: SocketAddr,
        transport: &str,
    ) {
        self.base.log(log::ClientConnected {
            connection: conn,
            address: address.to_string(),
            transport: transport.to_owned(),
            key,
        });
        let deadline = now + HELLO_TIMEOUT;
        self.pending.insert(conn, PendingConnection { key, address, exporter, deadline, hello: None });
        if self.stopping {
            self.turn_away(conn, ErrorCode::HubStopping.into());
        } else if let Some(crowding) =
            self.pending.crowding(conn, Network::of(address.ip()), self.base.config.limits.pending_connections)
        {
            self.turn_away(crowding, Failure::from(ErrorCode::HubFull).wait(1_000));
        }
    }

    /// A line came: the hello of a pending connection, or a frame of a session.
    pub(super) fn line(&mut self, now: Time, conn: ConnId, line: &[u8]) {
        if let Some(pending) = self.pending.get(conn) {
            let (key, address, waits) = (pending.key, pending.address, pending.hello.is_some());
            let taken = match waits {
                true => Err(Failure::new(ErrorCode::WrongProtocol, "a frame before the hello was answered")),
                false if self.entrance.codes.is_for(conn, line) => {
                    self.entrance.codes.line(&mut self.base.at(now), conn, pending, line)
                }
                false if Handovers::is_sought(line) => self.seek(now, conn, address.ip(), line),
                false => self.hello(now, conn, key, address, line),
            };
            return taken.unwrap_or_else(|failure| self.turn_away(conn, failure));
        }
        // The line was on its way when its connection was closed.
        let Some(id) = self.base.sessions.of_conn(conn) else { return };
        if let Err(failure) = self.frame(now, id, line) {
            self.expel(now, id, failure);
        }
    }

    /// Answers a hello: resumes the client's session, makes a new one, or has its invite looked up first.
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
        let resumed = self.resumed(hello.session.as_deref(), key)?.filter(|id| self.is_guest(*id) == hello.guest);
        let id = match resumed {
            Some(id) => id,
            None if hello.guest => self.admit(now, key, address.ip(), &hello, None)?,
            None if decide::wants_invite(&self.base.journal.state, &self.base.config.access, &key) => {
                return self.look_up_invite(now, conn, key, hello);
            }
            None => {
                decide::may_connect(&self.base.config.access, &key)?;
                self.admit(now, key, address.ip(), &hello, None)?
            }
        };
        self.attach(now, id, conn, address, &hello, resumed.is_some())
    }

    /// The session that a client wants to resume: `None` if it names none that is still here and has its key. A
    /// session's identifier names the hub's run, so one of an earlier run is never found.
    ///
    /// # Errors
    /// `access-revoked` if the keeper has ended that session.
    pub(super) fn resumed(&self, session: Option<&str>, key: PublicKey) -> Result<Option<PeerId>, Failure> {
        let number = |session: &str| {
            let (run, id) = session.split_once('-')?;
            id.parse().ok().filter(|_| run == format!("{:016x}", self.base.config.run))
        };
        let Some(id): Option<PeerId> = session.and_then(number) else { return Ok(None) };
        if self.entrance.credentials.was_ended(id) {
            return Err(ErrorCode::AccessRevoked.into());
        }
        Ok(self.base.sessions.get(id).is_some_and(|peer| peer.key == key).then_some(id))
    }

    fn is_guest(&self, id: PeerId) -> bool {
        self.base.sessions.get(id).is_some_and(|peer| peer.guest)
    }

    /// Asks the store for the invite in a hello. The connection stays pending meanwhile, with the same deadline.
    ///
    /// # Errors
    /// `access-denied` if the hello has no plausible invite.
    pub(super) fn look_up_invite(
        &mut self,
        now: Time,
        conn: ConnId,
        key: PublicKey,
        hello: ClientHello,
    ) -> Result<(), Failure> {
        let secret = hello.invite.as_deref().filter(|secret| (1..=INVITE_BYTES).contains(&secret.len()));
        let digest = InviteDigest::of(secret.ok_or(ErrorCode::AccessDenied)?);
        if let Some(pending) = self.pending.get_mut(conn) {
            pending.hello = Some(Box::new(hello));
            self.base.at(now).query(Query::Invite { digest, key }, PendingQuery::Invite(conn));
        }
        Ok(())
    }

    /// The store has looked up a connection's invite: the client is admitted, or turned away.
    pub(super) fn invite_found(&mut self, now: Time, conn: ConnId, found: Option<(InviteRecord, bool)>) {
        let Some(pending) = self.pending.get_mut(conn) else { return };
        let Some(hello) = pending.hello.take() else { return };
        let (key, address) = (pending.key, pending.address);
        let today = self.base.config.today(now);
        let shown = found.map(|(record, counted)| ShownInvite { record, counted });
        let checked = match &shown {
            Some(shown) => shown.check(&self.base.journal.state, key, today),
            // The same answer as for an invalid invite, so that nobody can find out which invites existed.
            None => Err(ErrorCode::AccessDenied.into()),
        };
        let admitted = checked.and_then(|()| self.admit(now, key, address.ip(), &hello, shown));
        if let Err(failure) = admitted.and_then(|id| self.attach(now, id, conn, address, &hello, false)) {
            self.turn_away(conn, failure);
        }
    }

    /// Makes a session for a client that may come in. Until it is attached to a connection, its address is unspecified.
    ///
    /// # Errors
    /// `hub-full`
    pub(super) fn admit(
        &mut self,
        now: Time,
        key: PublicKey,
        address: IpAddr,
        hello: &ClientHello,
        invite: Option<ShownInvite>,
    ) -> Result<PeerId, Failure> {
        self.make_room(now, key, address)?;
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let peer = Peer {
            key,
            invite,
            at: Whereabouts { address: unknown, port: hello.port, link_port: hello.link_port, doubted: false },
            link: Link::new(self.base.config.link),
            conn: None,
            away_since: None,
            name: None,
            following: Following::new(hello.follow),
            challenge: None,
            feed: None,
            exchange: Exchange::default(),
            past: Past::of(hello),
            rates: Rates::default(),
            guest: hello.guest,
        };
        let id = self.base.sessions.add(peer);
        self.places.enter(now, id, key, address);
        Ok(id)
    }

    /// Gives a session its connection, closes the one that it had, and answers the hello. A `resumed` session continues
    /// its link after what the client has received.
    ///
    /// # Errors
    /// A fault of the link, if the client claims frames that were never sent or are not kept any more. The connection
    /// then stays pending.
    pub(super) fn attach(
        &mut self,
        now: Time,
        id: PeerId,
        conn: ConnId,
        address: SocketAddr,
        hello: &ClientHello,
        resumed: bool,
    ) -> Result<(), Failure> {
        let run = self.base.config.run;
        let Some(peer) = self.base.sessions.get_mut(id) else { return Err(ErrorCode::Internal.into()) };
        let received = if resumed { hello.received } else { 0 };
        // From here on nothing can fail, so the connection stops being pending.
        peer.link.attach(now, received).map_err(fault)?;
        self.pending.remove(conn);
        self.places.connected(id);
        let (moved, away) = (peer.at.address.ip() != address.ip(), peer.away_since.take());
        peer.at.address = address;
        self.places.moved(id, address.ip());
        let session = format!("{run:016x}-{id}");
        let answer = HubHello { hello: LINK_PROTOCOL.into(), session, resumed, received: peer.link.received() };
        if let Some(old) = self.base.sessions.connect(id, conn) {
            self.base.out.push_back(Output::Close(old));
        }
        self.base.out.push_back(Output::Say(conn, to_json(&answer)));
        if moved {
            self.files.moved(&mut self.base.at(now), id);
        }
        let name = self.base.sessions.get(id).and_then(|peer| peer.name.clone());
        if let Some(name) = &name {
            self.base.at(now).hold_name(name.name_key.clone(), id);
        }
        if let (Some(since), Some(name)) = (away, name) {
            let away = (now - since).as_millis() as u64;
            self.base.log(log::ClientBack { name: name.name, number: name.number, away });
            roster::set_presence(&mut self.base.at(now), id, Presence::Online);
        }
        self.base.at(now).tell_changes(id);
        Ok(())
    }

    /// Handles a frame of a session: acknowledgements, probes, and at most one body.
    ///
    /// # Errors
    /// `wrong-protocol`, or a fault of the link: the client is expelled.
    fn frame(&mut self, now: Time, id: PeerId, line: &[u8]) -> Result<(), Failure> {
        let wrong = |e: serde_json::Error| cause::not_understood("That is no line of a client", &e);
        let frame: FrameIn<'_> = serde_json::from_slice(line).map_err(wrong)?;
        if frame.n.is_some() != frame.body.is_some() {
            return Err(Failure::new(ErrorCode::WrongProtocol, "a body and its number belong together"));
        }
        let Some(peer) = self.base.sessions.get_mut(id) else { return Err(ErrorCode::Internal.into()) };
        let new = peer.link.receive(now, frame.n, frame.ack, frame.probe).map_err(fault)?;
        peer.at.doubted = false;
        let guest = peer.guest;
        self.base.sessions.talks(id);
        pings::probed(&mut self.base.at(now), id, frame.n.is_none() && !frame.probe);
        self.answer_challenge(now, id);
        if let (true, Some(body)) = (new, frame.body) {
            self.ask(now, id, body.get(), guest);
        }
        // The frame's acknowledgement may have made room for more answers.
        self.go_on(now, id);
        self.base.at(now).tell_changes(id);
        Ok(())
    }

    /// A connection broke.
    pub(super) fn disconnected(&mut self, now: Time, conn: ConnId, reason: String) {
        self.pending.remove(conn);
        if let Some(id) = self.base.sessions.of_conn(conn) {
            self.lose(now, id, reason);
        }
    }

    /// A session has lost its connection. It keeps its name and offers for the grace; one that never had a name, and is
    /// not about to have one, ends at once.
    pub(super) fn lose(&mut self, now: Time, id: PeerId, reason: String) {
        let Some(peer) = self.base.sessions.get_mut(id) else { return };
        peer.link.detach();
        peer.away_since = Some(now);
        self.places.disconnected(id);
        if let Some(conn) = self.base.sessions.disconnect(id) {
            self.base.out.push_back(Output::Close(conn));
        }
        pings::probes_fail(&mut self.base.at(now), id);
        if self.pass_to_challenger(now, id) {
            return;
        }
        match self.base.sessions.get(id).and_then(|peer| peer.name.clone()) {
            Some(name) => {
                self.base.log(log::ClientAway { name: name.name, number: name.number, reason });
                roster::set_presence(&mut self.base.at(now), id, Presence::Away);
                self.schedule(id);
            }
            // Nobody else has seen a session that never had a name, so nothing of it has to be kept.
            None if self.places.is_new(id) && !self.has_something(id) => self.end(now, id, "gone"),
            None => self.schedule(id),
        }
    }

    /// Whether a session without a name is about to have one, or sends or receives a parcel.
    fn has_something(&self, id: PeerId) -> bool {
        self.entrance.underway.name(id).is_some() || self.handovers.has(id)
    }

    /// Ends a session: its name and its offers go, and its place becomes free.
    pub(super) fn end(&mut self, now: Time, id: PeerId, reason: &str) {
        self.leave(now, id, reason);
        pings::probes_fail(&mut self.base.at(now), id);
        if let Some(conn) = self.base.sessions.disconnect(id) {
            self.base.out.push_back(Output::Close(conn));
        }
        self.meetings.left(&mut self.base.at(now), id);
        self.handovers.left(&mut self.base.at(now), id);
        let Some(peer) = self.base.sessions.remove(id) else { return };
        self.places.leave(id);
        self.timers.stop(Timer::Session(id));
        if let Some(challenge) = peer.challenge {
            self.challenge_won(now, id, challenge);
        }
    }

    /// Makes room for one more session of this key, from this address: by ending the oldest session without a name, or
    /// a session of the same key that has no connection.
    ///
    /// # Errors
    /// `hub-full`
    pub(super) fn make_room(&mut self, now: Time, key: PublicKey, address: IpAddr) -> Result<(), Failure> {
        // `Places::room_for` checks five limits, and each session that ends takes the newcomer below one of them.
        for _ in 0..5 {
            match self.places.room_for(now, key, address, &self.base.config.limits) {
                Ok(None) => return Ok(()),
                Ok(Some(oldest)) => self.expel(now, oldest, ErrorCode::NoNameInTime.into()),
                Err(full) => {
                    // Most likely the client's process was killed, and this is its successor.
                    let Some(own) = self.places.away(key) else { return Err(full) };
                    self.end(now, own, "replaced");
                    // `end` may return early; without its place the loop makes progress in any case.
                    self.places.leave(own);
                }
            }
        }
        Err(ErrorCode::HubFull.into())
    }

    /// Ends the sessions that have been without a name for too long.
    pub(super) fn end_nameless(&mut self, now: Time) {
        while let Some(id) = self.places.due(now) {
            self.expel(now, id, ErrorCode::NoNameInTime.into());
            // `expel` may return early; without its place the loop makes progress in any case.
            self.places.leave(id);
        }
    }

    /// Sends a farewell to a pending connection and closes it.
    pub(super) fn turn_away(&mut self, conn: ConnId, failure: Failure) {
        let Some(pending) = self.pending.remove(conn) else { return };
        self.base.log(log::ClientRefused {
            connection: conn,
            address: pending.address.to_string(),
            code: failure.code,
            message: failure.message.clone().into_owned(),
        });
        self.base.out.push_back(Output::Say(conn, to_json(&Farewell { farewell: failure.into() })));
        self.base.out.push_back(Output::Close(conn));
    }

    /// Sends a farewell to a session's client and ends the session.
    pub(super) fn expel(&mut self, now: Time, id: PeerId, failure: Failure) {
        let Some(peer) = self.base.sessions.get(id) else { return };
        let (conn, address) = (peer.conn, peer.at.address.to_string());
        if let Some(connection) = conn {
            let (code, message) = (failure.code, failure.message.clone().into_owned());
            self.base.log(log::ClientRefused { connection, address, code, message });
            self.base.out.push_back(Output::Say(connection, to_json(&Farewell { farewell: failure.clone().into() })));
        }
        self.end(now, id, failure.code.name());
    }

    /// Expels the sessions that were marked with `Sessions::doom` while the hub was doing something else.
    pub(super) fn expel_doomed(&mut self, now: Time) {
        while let Some((id, failure)) = self.base.sessions.next_doomed() {
            self.expel(now, id, failure);
        }
    }
}

/// The failure that a client gets for a fault of its link.
pub(super) fn fault(fault: LinkFault) -> Failure {
    let code = match fault {
        LinkFault::Overflow => ErrorCode::TooSlow,
        LinkFault::Missing(_) | LinkFault::NeverSent(_) => ErrorCode::WrongProtocol,
    };
    Failure::new(code, fault.to_string())
}
