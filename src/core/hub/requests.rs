//! What clients ask: each request is paced, put in its turn, and passed to the part that answers it.

use super::cx::Cx;
use super::feeds::proposing;
use super::files::pages;
use super::state::Proposal;
use super::{Hub, PeerId, guests, people, pings, pushes, rooms, roster};
use crate::core::link::LinkFault;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::request::{self, HubRequest};
use crate::protocol::wire::{Ask, Knock};
use crate::protocol::{ErrorCode, Event, Failure, Id, Network, Request, Timestamp, event};

/// Number of people or rooms that a handler may go through for the price of one simple request.
const FOR_ONE: usize = 100;

/// Price of a request that makes the store read or check a password, in simple requests.
const STORE: u32 = 5;

impl Hub {
    /// Handles the body of a client's frame: begins what it asks, or puts it aside until its turn comes. A guest may ask few
    /// things.
    pub(super) fn ask(&mut self, now: Time, id: PeerId, body: &str, guest: bool) {
        let ask = match Ask::parse(body) {
            Ok(ask) => ask,
            Err(bad) => return self.base.at(now).refuse(id, bad.id, "", bad.failure),
        };
        let asked = if guest { guests::checked(&mut self.base.at(now), id, ask) } else { Some(ask) };
        let Some(ask) = asked else { return };
        if ask.turn().is_some() && self.set_aside(now, id, &ask, body) {
            return;
        }
        self.carry_out(now, id, ask);
    }

    /// Carries out what a client asks, and answers it unless the answer comes later.
    pub(super) fn carry_out(&mut self, now: Time, id: PeerId, ask: Ask) {
        let request_id = ask.id();
        if let Some(turn) = ask.turn() {
            self.base.at(now).begin(id, &request_id, turn.holds_up());
        }
        let (name, result) = match ask {
            Ask::Received(received) => return self.feeds.received(&mut self.base.at(now), id, received),
            // A client above its rate is ignored here: `have` has no answer.
            Ask::Have(have) if self.base.at(now).spend_request(id).is_ok() => {
                return self.files.have(&mut self.base.at(now), id, have);
            }
            Ask::Have(_) => return,
            Ask::Settled(settled) => return self.files.holders.settle(id, &settled.settled),
            Ask::TakeBack(push) => return pushes::take_back(&mut self.base.at(now), id, push.take_back),
            Ask::NotTaken(push) => return pushes::not_taken(&mut self.base.at(now), id, push.not_taken),
            Ask::Meet(meet) => {
                let partner = self.handovers.partner(id, &meet.meet);
                return self.meetings.meet(&mut self.base.at(now), id, meet, partner);
            }
            // A client above its rate is ignored here: `meet_at` has no answer.
            Ask::MeetAt(at) if self.base.at(now).spend_request(id).is_ok() => {
                return self.meetings.meet_at(&mut self.base.at(now), id, at);
            }
            Ask::MeetAt(_) => return,
            Ask::OpenCode(open) => return self.handovers.open_code(&mut self.base.at(now), id, &open),
            Ask::CloseCode(close) => return self.handovers.close_code(&mut self.base.at(now), id, &close),
            Ask::Knock(knock) => return self.knock(now, id, knock),
            Ask::Say(say) => return self.handovers.say(&mut self.base.at(now), id, say),
            Ask::Admit(admit) => return self.handovers.admit(&mut self.base.at(now), id, admit),
            Ask::HangUp(hang_up) => return self.handovers.hang_up(&mut self.base.at(now), id, hang_up),
            Ask::Folder(folder) => ("get", pages::folder_page(&mut self.base.at(now), id, &folder).map(Some)),
            Ask::Unreachable(doubt) => return roster::doubt(&mut self.base.at(now), id, &doubt.unreachable),
            Ask::Gone(gone) => ("withdraw", self.files.gone(&mut self.base.at(now), id, gone.gone).map(Some)),
            Ask::Push(push) => ("push", pushes::push_file(&mut self.base.at(now), id, push).map(Some)),
            Ask::Request(line) => (line.request.name(), self.paced(now, id, &request_id, line.request)),
            Ask::Publish(publish) => ("offer", self.files.publish(&mut self.base.at(now), id, publish).map(Some)),
        };
        match result {
            Ok(Some(answer)) => self.base.at(now).answer(id, request_id, answer),
            Ok(None) => {}
            Err(failure) => self.base.at(now).refuse(id, request_id, name, failure),
        }
    }

    /// Passes a knock on, with what is known of its network.
    fn knock(&mut self, now: Time, id: PeerId, knock: Knock) {
        let Some(address) = self.base.sessions.get(id).map(|peer| peer.at.address.ip()) else { return };
        let may_guess = self.entrance.codes.may_guess(now, Network::of(address));
        self.handovers.knock(&mut self.base.at(now), id, knock, may_guess);
    }

    /// Takes the price of a request from its client's token bucket, checks that the client may ask this at all, and
    /// carries it out.
    fn paced(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: Request,
    ) -> Result<Option<Event>, Failure> {
        let leaves = matches!(request, Request::Quit(_));
        let may_ask = self.entrance.may_ask(&self.base.at(now), id, &request);
        let request = request.for_hub();
        // Leaving is always allowed, whatever was asked before.
        if !leaves {
            let cost = request.as_ref().map_or(1, |request| self.cost(request));
            self.base.at(now).spend(id, cost)?;
        }
        may_ask?;
        let not_ours = || Failure::new(ErrorCode::UnknownRequest, "that is for the client to answer, not for the hub");
        self.request(now, id, request_id, request.ok_or_else(not_ours)?)
    }

    /// Carries out a request. `Ok(None)` means that its answer comes later.
    fn request(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: HubRequest,
    ) -> Result<Option<Event>, Failure> {
        let cx = &mut self.base.at(now);
        let later = |done: Result<(), Failure>| done.map(|()| None);
        match request {
            HubRequest::Register(request) => later(self.register(now, id, request_id, request)),
            HubRequest::Login(request) => later(self.entrance.login(cx, id, request_id, request)),
            HubRequest::Dereg(_) => self.dereg(now, id).map(Some),
            HubRequest::Status(_) => Ok(Some(people::status(cx, self.meetings.figures(cx, id)))),
            HubRequest::Who(request) if request.since.is_some() => {
                Ok(request.since.map(|seconds| people::here_since(cx, seconds)))
            }
            HubRequest::List(request) => match cx.follows_table(id) {
                true => later(cx.sync(id, request_id)),
                false => pages::table_page(cx, id, &request).map(Some),
            },
            HubRequest::Who(request) => match cx.follows_roster(id) {
                true => later(cx.sync(id, request_id)),
                false => Ok(Some(pages::roster_page(cx, id, request.after))),
            },
            HubRequest::Whois(request) => whois(cx, id, &request).map(Some),
            HubRequest::Withdraw(request) => self.files.withdraw(cx, id, request).map(Some),
            HubRequest::Get(request) if request.file.ends_with('/') => {
                self.files.locate_folder(cx, id, request_id, request)
            }
            HubRequest::Get(request) => self.files.locate(cx, id, &request).map(Some),
            HubRequest::Search(request) => self.files.search(cx, id, &request).map(Some),
            HubRequest::Chunks(request) => self.files.chunks(cx, id, &request).map(Some),
            HubRequest::Accept(request) => pushes::accept(cx, id, request.push).map(Some),
            HubRequest::Decline(request) => pushes::decline(cx, id, request.push).map(Some),
            HubRequest::Message(request) => self.feeds.propose(cx, id, request_id, Proposal::Message(request)),
            HubRequest::Broadcast(request) => self.feeds.propose(cx, id, request_id, Proposal::Broadcast(request.text)),
            HubRequest::Say(request) => self.feeds.propose(cx, id, request_id, Proposal::Say(request)),
            HubRequest::Block(request) => self.feeds.propose(cx, id, request_id, Proposal::Block(request)),
            HubRequest::Unblock(request) => self.feeds.propose(cx, id, request_id, Proposal::Unblock(request)),
            HubRequest::RoomCreate(request) => self.feeds.propose(cx, id, request_id, Proposal::RoomCreate(request)),
            HubRequest::RoomJoin(request) => self.feeds.propose(cx, id, request_id, Proposal::RoomJoin(request)),
            HubRequest::RoomInvite(request) => self.feeds.propose(cx, id, request_id, Proposal::RoomInvite(request)),
            HubRequest::RoomLeave(request) => self.feeds.propose(cx, id, request_id, Proposal::RoomLeave(request)),
            HubRequest::Blocks(_) => people::blocked_by(cx, id).map(|blocks| cx.when_kept(id, request_id, blocks)),
            HubRequest::Rooms(_) => rooms::list_rooms(cx, id).map(|rooms| cx.when_kept(id, request_id, rooms)),
            HubRequest::Members(it) => rooms::list_members(cx, id, &it).map(|all| cx.when_kept(id, request_id, all)),
            HubRequest::History(request) => later(people::history(cx, id, request_id, &request)),
            HubRequest::Focus(request) => rooms::focus(cx, id, &request).map(Some),
            HubRequest::PrivateOpen(request) => later(pings::vouch(cx, id, request_id, &request)),
            HubRequest::Ping(request) => later(pings::ping(cx, id, request_id, &request)),
            HubRequest::InviteAdd(request) => later(self.entrance.codes.add(cx, id, request_id, &request)),
            HubRequest::InviteList(_) => later(self.entrance.codes.look_up(cx, id, request_id, None)),
            HubRequest::InviteRevoke(it) => later(self.entrance.codes.look_up(cx, id, request_id, Some(it.invite))),
            HubRequest::Quit(_) => {
                self.quit(now, id, request_id);
                Ok(None)
            }
        }
    }

    /// The price of a request, in simple requests. What goes through many people or rooms, or reads from the store,
    /// costs the hub's time, and so delays others.
    fn cost(&self, request: &HubRequest) -> u32 {
        let many = |count: usize| u32::try_from(1 + count / FOR_ONE).unwrap_or(u32::MAX);
        match request {
            HubRequest::Status(_) => many(self.base.sessions.visits.len()),
            HubRequest::Whois(_) => {
                many(self.base.sessions.visits.departed_len() + self.base.journal.state.visits().len())
            }
            HubRequest::Who(who) if who.since.is_some() => {
                let state = &self.base.journal.state;
                many(state.roster().len() + self.base.sessions.visits.departed_len() + state.visits().len())
            }
            HubRequest::Broadcast(_) => many(self.base.sessions.names()),
            HubRequest::Say(say) => many(rooms::size_of(&self.base, &say.room)),
            HubRequest::Members(members) => many(rooms::size_of(&self.base, &members.room)),
            HubRequest::RoomJoin(join) => many(rooms::size_of(&self.base, &join.room)),
            HubRequest::RoomCreate(create) => many(create.members.len()),
            HubRequest::RoomInvite(invite) => many(invite.members.len() + rooms::size_of(&self.base, &invite.room)),
            HubRequest::Rooms(_) => many(self.base.journal.state.rooms().len()),
            HubRequest::History(_) | HubRequest::Login(_) => STORE,
            HubRequest::InviteAdd(_) | HubRequest::InviteList(_) | HubRequest::InviteRevoke(_) => STORE,
            // These spend from the token bucket themselves, by what they go through.
            HubRequest::Search(_) | HubRequest::Get(_) | HubRequest::Withdraw(_) => 1,
            HubRequest::Register(_) | HubRequest::Dereg(_) | HubRequest::Quit(_) => 1,
            HubRequest::Who(_) | HubRequest::List(_) | HubRequest::Chunks(_) => 1,
            HubRequest::Accept(_) | HubRequest::Decline(_) | HubRequest::Message(_) => 1,
            HubRequest::Ping(_) => 1,
            HubRequest::PrivateOpen(_) | HubRequest::Block(_) | HubRequest::Unblock(_) | HubRequest::Blocks(_) => 1,
            HubRequest::RoomLeave(_) | HubRequest::Focus(_) => 1,
        }
    }

    /// Puts a request aside if it cannot begin yet; returns whether it did. A client that has more aside than the
    /// protocol allows is expelled.
    pub(super) fn set_aside(&mut self, now: Time, id: PeerId, ask: &Ask, body: &str) -> bool {
        let leaves = matches!(ask, Ask::Request(line) if matches!(line.request, Request::Quit(_)));
        let Some(peer) = self.base.sessions.get(id) else { return true };
        // A client that leaves does not wait for the answers to its earlier requests.
        if leaves
            || (peer.exchange.is_idle()
                && self.may_begin(id)
                && !proposing::must_recall(&mut self.base.at(now), id, ask))
        {
            return false;
        }
        let taken = self.base.sessions.get_mut(id).is_some_and(|peer| peer.exchange.put_aside(body));
        if !taken {
            // A client that keeps to the protocol never has so many requests under way.
            self.expel(now, id, super::connections::fault(LinkFault::Overflow));
        }
        true
    }

    /// Begins the requests that were put aside, until the session has no more room for answers. Called whenever room
    /// may have appeared.
    pub(super) fn go_on(&mut self, now: Time, id: PeerId) {
        while self.may_begin(id) {
            let Some(body) = self.base.sessions.get_mut(id).and_then(|peer| peer.exchange.take_aside()) else { return };
            let Ok(ask) = Ask::parse(&body) else { continue };
            if proposing::must_recall(&mut self.base.at(now), id, &ask) {
                if let Some(peer) = self.base.sessions.get_mut(id) {
                    peer.exchange.put_back(body);
                }
                return;
            }
            self.carry_out(now, id, ask);
            self.base.at(now).tell_changes(id);
        }
    }

    /// Whether a session may begin one more request: no query about its past answers is under way, and its answers fit
    /// the link.
    fn may_begin(&self, id: PeerId) -> bool {
        let Some(peer) = self.base.sessions.get(id) else { return false };
        !peer.past.is_being_recalled() && peer.exchange.has_room(peer.link.unacked_bytes())
    }
}

/// Handles `whois`: the roster line of one person, or their last one if they have left. Without a name it is the client's
/// own.
///
/// # Errors
/// `not-registered`, `no-such-person`; `not-online` if the person has never been here
fn whois(cx: &Cx<'_>, id: PeerId, request: &request::Whois) -> Result<Event, Failure> {
    let (me, state) = (cx.sessions.me(id)?.name_key, &cx.journal.state);
    let other = request.name.as_deref().filter(|name| NameKey::of(name) != me);
    let key = other.map_or_else(|| Ok(me.clone()), |name| state.other(&me, name, "/name"))?;
    let name = state.names().shown(&key);
    let gone = || cx.sessions.visits.departed_since(Timestamp(i64::MIN), state.visits().iter()).remove(&key);
    let Some(client) = state.roster().get(&name).cloned().or_else(gone) else {
        return Err(Failure::new(ErrorCode::NotOnline, format!("{name} is not there.")).at(pointer_at("/name")));
    };
    Ok(event::Roster { revision: state.revision(), clients: vec![client], next: None }.into())
}
