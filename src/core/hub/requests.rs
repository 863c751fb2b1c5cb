//! What clients ask, one handler for each request.

use super::{Hub, PeerId};
use crate::core::link::LinkFault;
use crate::core::time::Time;
use crate::protocol::limits::LINK_FRAMES;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Event, Failure, Id, Presence, Request, event, log, request};

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
        match request {
            // Leaving is never too much.
            Request::Quit(_) => {}
            ref asked => {
                let cost = self.cost(asked);
                self.spend(now, id, cost)?;
            }
        }
        self.may_ask(id, &request)?;
        self.request(now, id, request_id, request)
    }

    /// Carries out a request; no answer now means that it comes later.
    fn request(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: Request,
    ) -> Result<Option<Event>, Failure> {
        let later = |done: Result<(), Failure>| done.map(|()| None);
        match request {
            Request::Register(request) => later(self.register(now, id, request_id, request)),
            Request::Login(request) => later(self.login(now, id, request_id, request)),
            Request::Dereg(_) => self.dereg(now, id).map(Some),
            Request::Status(_) => Ok(Some(self.status())),
            Request::Who(request) if request.since.is_some() => {
                Ok(request.since.map(|seconds| self.here_since(now, seconds)))
            }
            Request::List(request) => match self.follows_table(id) {
                true => later(self.sync(now, id, request_id)),
                false => self.table_page(now, id, &request).map(Some),
            },
            Request::Who(request) => match self.follows_roster(id) {
                true => later(self.sync(now, id, request_id)),
                false => Ok(Some(self.roster_page(now, id, request.after))),
            },
            Request::Withdraw(request) => self.withdraw(now, id, request).map(Some),
            Request::Get(request) if request.file.ends_with('/') => self.locate_folder(now, id, request_id, request),
            Request::Get(request) => self.locate(now, id, &request).map(Some),
            Request::Search(request) => self.search(now, id, &request).map(Some),
            Request::Chunks(request) => self.chunks(id, &request).map(Some),
            Request::Accept(request) => self.accept(now, id, request.push).map(Some),
            Request::Decline(request) => self.decline(now, id, request.push).map(Some),
            Request::Message(request) => self.message(now, id, request_id, request),
            Request::Broadcast(request) => self.broadcast(now, id, request_id, request.text),
            Request::Say(request) => self.say(now, id, request_id, request),
            Request::Block(request) => later(self.block(id, request_id, &request.name)),
            Request::Unblock(request) => later(self.unblock(now, id, request_id, &request.name)),
            Request::Blocks(_) => self.blocked_by(id).map(|blocks| Some(blocks.into())),
            Request::History(request) => later(self.history(now, id, request_id, &request)),
            Request::RoomCreate(request) => later(self.room_create(now, id, request_id, request)),
            Request::Rooms(_) => self.list_rooms(id).map(Some),
            Request::RoomJoin(request) => later(self.room_join(now, id, request_id, &request)),
            Request::RoomInvite(request) => later(self.room_invite(id, request_id, &request)),
            Request::RoomLeave(request) => later(self.room_leave(now, id, request_id, &request)),
            Request::Members(request) => self.list_members(id, &request).map(Some),
            Request::Focus(request) => self.focus(id, &request).map(Some),
            Request::PrivateOpen(request) => later(self.vouch(now, id, request_id, &request)),
            Request::Quit(_) => {
                self.quit(now, id, request_id);
                Ok(None)
            }
            Request::Rereg(_)
            | Request::Setdir(_)
            | Request::Offer(_)
            | Request::Push(_)
            | Request::Transfers(_)
            | Request::Cancel(_)
            | Request::Private(_)
            | Request::PrivateClose(_)
            | Request::Unfocus(_)
            | Request::Wait(_)
            | Request::Help(_) => {
                Err(Failure::new(ErrorCode::UnknownRequest, "that is for the client to answer, not for the hub"))
            }
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
        let name = self.name_of(&self.other(&me, &request.to, "/to")?);
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
        let revision = self.revision;
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
        let clients = self.visits.iter().map(|visit| event::Visit {
            name: visit.name.clone(),
            number: visit.number,
            address: visit.address.to_string(),
            state: visit.state,
            opened: visit.opened,
            closed: visit.closed,
            messages: visit.messages,
        });
        event::Status { clients: clients.collect(), total: self.visitors, store: self.health.told() }.into()
    }
}
