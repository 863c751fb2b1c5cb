//! What clients ask, one handler for each request.

use std::time::Duration;

use super::exchange::Ping;
use super::state::Proposal;
use super::{Hub, PeerId};
use crate::core::link::LinkFault;
use crate::core::time::Time;
use crate::protocol::limits::{LINK_FRAMES, PINGS};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::request::HubRequest;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Event, Failure, Id, Presence, Request, event, log, request};

/// How long the probe of a `ping` may take while the other side keeps sending other frames.
const PING_PATIENCE: Duration = Duration::from_secs(2);

/// How much is gone through for the price of one request.
const FOR_ONE: usize = 100;

/// What the store is asked costs the disk's time.
const STORE: u32 = 5;

impl Hub {
    pub(super) fn ask(&mut self, now: Time, id: PeerId, body: &str) {
        let ask = match Ask::parse(body) {
            Ok(ask) => ask,
            Err(bad) => return self.refuse(now, id, bad.id, "", bad.failure),
        };
        if ask.turn().is_some() && self.set_aside(now, id, &ask, body) {
            return;
        }
        self.carry_out(now, id, ask);
    }

    /// Does what is asked, which must not wait any more.
    pub(super) fn carry_out(&mut self, now: Time, id: PeerId, ask: Ask) {
        let request_id = ask.id();
        if let Some(turn) = ask.turn() {
            self.begin(id, &request_id, turn.holds_up());
        }
        let (name, result) = match ask {
            Ask::Received(received) => return self.received(now, id, received),
            // Whoever says more than they may ask is not heard.
            Ask::Have(have) if self.spend_request(now, id).is_ok() => return self.have(now, id, have),
            Ask::Have(_) => return,
            Ask::Settled(settled) => return self.holders.settle(id, &settled.settled),
            Ask::TakeBack(push) => return self.take_back(now, id, push.take_back),
            Ask::NotTaken(push) => return self.not_taken(now, id, push.not_taken),
            Ask::Folder(folder) => ("get", self.folder_page(now, id, &folder).map(Some)),
            Ask::Unreachable(doubt) => return self.doubt(now, id, &doubt.unreachable),
            Ask::Gone(gone) => ("withdraw", self.gone(now, id, gone.gone).map(Some)),
            Ask::Push(push) => ("push", self.push_file(now, id, push).map(Some)),
            Ask::Request(line) => (line.request.name(), self.paced(now, id, &request_id, line.request)),
            Ask::Publish(publish) => ("offer", self.publish(now, id, publish).map(Some)),
        };
        match result {
            Ok(Some(answer)) => self.answer(now, id, request_id, answer),
            Ok(None) => {}
            Err(failure) => self.refuse(now, id, request_id, name, failure),
        }
    }

    fn paced(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: Request,
    ) -> Result<Option<Event>, Failure> {
        let leaves = matches!(request, Request::Quit(_));
        let may_ask = self.may_ask(id, &request);
        let request = request.for_hub();
        // Leaving is never too much.
        if !leaves {
            let cost = request.as_ref().map_or(1, |request| self.cost(request));
            self.spend(now, id, cost)?;
        }
        may_ask?;
        let not_ours = || Failure::new(ErrorCode::UnknownRequest, "that is for the client to answer, not for the hub");
        self.request(now, id, request_id, request.ok_or_else(not_ours)?)
    }

    /// Carries out a request; no answer now means that it comes later.
    fn request(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: HubRequest,
    ) -> Result<Option<Event>, Failure> {
        let later = |done: Result<(), Failure>| done.map(|()| None);
        match request {
            HubRequest::Register(request) => later(self.register(now, id, request_id, request)),
            HubRequest::Login(request) => later(self.login(now, id, request_id, request)),
            HubRequest::Dereg(_) => self.dereg(now, id).map(Some),
            HubRequest::Status(_) => Ok(Some(self.status())),
            HubRequest::Who(request) if request.since.is_some() => {
                Ok(request.since.map(|seconds| self.here_since(now, seconds)))
            }
            HubRequest::List(request) => match self.follows_table(id) {
                true => later(self.sync(now, id, request_id)),
                false => self.table_page(now, id, &request).map(Some),
            },
            HubRequest::Who(request) => match self.follows_roster(id) {
                true => later(self.sync(now, id, request_id)),
                false => Ok(Some(self.roster_page(now, id, request.after))),
            },
            HubRequest::Withdraw(request) => self.withdraw(now, id, request).map(Some),
            HubRequest::Get(request) if request.file.ends_with('/') => self.locate_folder(now, id, request_id, request),
            HubRequest::Get(request) => self.locate(now, id, &request).map(Some),
            HubRequest::Search(request) => self.search(now, id, &request).map(Some),
            HubRequest::Chunks(request) => self.chunks(id, &request).map(Some),
            HubRequest::Accept(request) => self.accept(now, id, request.push).map(Some),
            HubRequest::Decline(request) => self.decline(now, id, request.push).map(Some),
            HubRequest::Message(request) => self.propose(now, id, request_id, Proposal::Message(request)),
            HubRequest::Broadcast(request) => self.propose(now, id, request_id, Proposal::Broadcast(request.text)),
            HubRequest::Say(request) => self.propose(now, id, request_id, Proposal::Say(request)),
            HubRequest::Block(request) => self.propose(now, id, request_id, Proposal::Block(request)),
            HubRequest::Unblock(request) => self.propose(now, id, request_id, Proposal::Unblock(request)),
            HubRequest::RoomCreate(request) => self.propose(now, id, request_id, Proposal::RoomCreate(request)),
            HubRequest::RoomJoin(request) => self.propose(now, id, request_id, Proposal::RoomJoin(request)),
            HubRequest::RoomInvite(request) => self.propose(now, id, request_id, Proposal::RoomInvite(request)),
            HubRequest::RoomLeave(request) => self.propose(now, id, request_id, Proposal::RoomLeave(request)),
            HubRequest::Blocks(_) => self.blocked_by(id).map(|blocks| self.when_kept(id, request_id, blocks)),
            HubRequest::Rooms(_) => self.list_rooms(id).map(|rooms| self.when_kept(id, request_id, rooms)),
            HubRequest::Members(request) => {
                self.list_members(id, &request).map(|members| self.when_kept(id, request_id, members))
            }
            HubRequest::History(request) => later(self.history(now, id, request_id, &request)),
            HubRequest::Focus(request) => self.focus(id, &request).map(Some),
            HubRequest::PrivateOpen(request) => later(self.vouch(now, id, request_id, &request)),
            HubRequest::Ping(request) => later(self.ping(now, id, request_id, &request)),
            HubRequest::Quit(_) => {
                self.quit(now, id, request_id);
                Ok(None)
            }
        }
    }

    /// What a request costs, in simple ones: whatever goes through many people or rooms, or asks the disk, takes the
    /// others' time.
    fn cost(&self, request: &HubRequest) -> u32 {
        let many = |count: usize| u32::try_from(1 + count / FOR_ONE).unwrap_or(u32::MAX);
        match request {
            HubRequest::Status(_) => many(self.visits.len()),
            HubRequest::Who(who) if who.since.is_some() => many(self.state.roster().len() + self.visits.departed().len()),
            HubRequest::Broadcast(_) => many(self.online.len()),
            HubRequest::Say(say) => many(self.size_of(&say.room)),
            HubRequest::Members(members) => many(self.size_of(&members.room)),
            HubRequest::RoomJoin(join) => many(self.size_of(&join.room)),
            HubRequest::RoomCreate(create) => many(create.members.len()),
            HubRequest::RoomInvite(invite) => many(invite.members.len() + self.size_of(&invite.room)),
            HubRequest::Rooms(_) => many(self.state.rooms().len()),
            HubRequest::History(_) | HubRequest::Login(_) => STORE,
            // These pay for what they go through while they do.
            HubRequest::Search(_) | HubRequest::Get(_) | HubRequest::Withdraw(_) => 1,
            HubRequest::Register(_) | HubRequest::Dereg(_) | HubRequest::Quit(_) => 1,
            HubRequest::Who(_) | HubRequest::List(_) | HubRequest::Chunks(_) => 1,
            HubRequest::Accept(_) | HubRequest::Decline(_) | HubRequest::Message(_) => 1,
            HubRequest::Ping(_) => 1,
            HubRequest::PrivateOpen(_) | HubRequest::Block(_) | HubRequest::Unblock(_) | HubRequest::Blocks(_) => 1,
            HubRequest::RoomLeave(_) | HubRequest::Focus(_) => 1,
        }
    }

    pub(super) fn refuse(&mut self, now: Time, id: PeerId, request_id: Option<Id>, request: &str, failure: Failure) {
        let name = self.peers.get(&id).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone());
        let line = log::RequestRefused {
            name: name.unwrap_or_default(),
            request: request.to_owned(),
            code: failure.code,
            message: failure.message.clone().into_owned(),
            more: None,
        };
        self.log_refusal(now, id, line);
        self.answer(now, id, request_id, event::Error::from(failure));
    }

    /// Somebody wants a direct connection to one whom they have not been told of: they are here, or that is all that we
    /// have to say.
    fn vouch(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::PrivateOpen,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let name = self.state.names().shown(&self.state.other(&me.name_key, &request.to, "/to")?);
        if self.presence(&name) != Presence::Online {
            let failure = Failure::new(ErrorCode::NotOnline, format!("{name} is not there."));
            return Err(failure.at(pointer_at("/to")));
        }
        let other = self.online.get(&NameKey::of(&name)).copied();
        if let Some(other) = other {
            self.introduce(now, id, other);
            self.introduce(now, other, id);
        }
        self.sync(now, id, request_id)
    }

    /// Answers when a client has all that it follows, up to the newest revision.
    pub(super) fn sync(&mut self, now: Time, id: PeerId, request_id: &Option<Id>) -> Result<(), Failure> {
        let revision = self.state.revision();
        self.look_on(now, id);
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        // They wait while the client takes no updates, so they are bounded as its link is.
        if peer.syncs.len() >= LINK_FRAMES {
            self.expel(now, id, super::clients::fault(LinkFault::Overflow));
            return Ok(());
        }
        peer.syncs.push_back((revision, request_id.clone()));
        Ok(())
    }

    fn status(&self) -> Event {
        event::Status { clients: self.visits.shown(), total: self.visits.count(), store: self.health.told() }.into()
    }

    /// Probes somebody for a client, and tells both where the other one is, for the direct way.
    pub(super) fn ping(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: &request::Ping,
    ) -> Result<(), Failure> {
        let me = self.me(id)?;
        let key = self.state.other(&me.name_key, &request.to, "/to")?;
        let name = self.state.names().shown(&key);
        let away = || Failure::new(ErrorCode::NotOnline, format!("{name} is not there.")).at(pointer_at("/to"));
        let other = self.online.get(&key).copied().filter(|_| self.presence(&name) == Presence::Online);
        let other = other.ok_or_else(away)?;
        // Whose registration is on its way may have lost the connection meanwhile.
        let here = self.peers.get_mut(&other).filter(|peer| peer.conn.is_some());
        let Some(peer) = here else { return Err(away()) };
        if peer.exchange.pings.len() >= PINGS {
            let message = format!("{name} is measured by {PINGS} others at this moment.");
            return Err(Failure::new(ErrorCode::SlowDown, message).wait(1_000));
        }
        peer.link.probe(now);
        let number = peer.link.last_sent();
        peer.exchange.pings.push_back(Ping { by: id, request_id: request_id.clone(), since: now, number });
        self.talking.insert(other);
        self.introduce(now, id, other);
        self.introduce(now, other, id);
        Ok(())
    }

    /// A frame has come from a client, which carries nothing and asks nothing if it `answers` a probe.
    pub(super) fn probed(&mut self, now: Time, id: PeerId, answers: bool) {
        while let Some(peer) = self.peers.get_mut(&id) {
            let acknowledged = peer.link.acknowledged();
            let late = |ping: &Ping| now - ping.since > PING_PATIENCE;
            let over = |ping: &mut Ping| (answers && ping.number <= acknowledged) || late(ping);
            let Some(ping) = peer.exchange.pings.pop_front_if(over) else { return };
            let failed = late(&ping).then(|| "their connection to the hub is too busy to measure it".to_owned());
            self.answer_ping(now, id, ping, failed);
        }
    }

    /// A client is not there any more: whoever measured the way to it is told so.
    pub(super) fn probes_fail(&mut self, now: Time, id: PeerId) {
        while let Some(ping) = self.peers.get_mut(&id).and_then(|peer| peer.exchange.pings.pop_front()) {
            self.answer_ping(now, id, ping, Some("they have stopped answering the hub".to_owned()));
        }
    }

    fn answer_ping(&mut self, now: Time, id: PeerId, ping: Ping, failed: Option<String>) {
        let name = self.peers.get(&id).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone());
        let (peer, hub_failed) = (name.unwrap_or_default(), failed);
        let pong = event::Pong { peer, hub_us: None, hub_failed, direct_us: None, direct_failed: None };
        self.answer(now, ping.by, ping.request_id, pong);
    }
}
