//! Meetings: two clients that want a connection with each other, and cannot simply dial. The hub shows each from where
//! the other one's connections come, and joins them if it relays. See [`wire::Meet`] for the words.
//!
//! A meeting begins with `meet`, and each side gets two tokens: one for the connection that may be joined, its *half*,
//! and one for a connection over the other family of addresses, which only shows where it comes from. The driver
//! reports a connection that has shown a token ([`Input::Half`](crate::core::hub::Input::Half)). The first use of a
//! token counts; what comes with any other token is dropped. When both halves are there, they are joined
//! ([`Output::Join`]).
//!
//! What has not been joined within [`MEETING_TIME`] is dropped, and the meeting is over. A joined one lasts until the
//! driver says that its stream has ended. It is cut when one of its sessions leaves: whoever has no access to the hub
//! any more has nothing relayed by it.
//!
//! The hub itself may want a connection with a client, too: it *calls* it ([`Input::Call`](crate::core::hub::Input::Call)),
//! and gets the client's half ([`Output::Called`]).
//!
//! The two sides of a parcel's handover may meet although they have no names, for as long as they hand it over. What is
//! relayed for a guest is counted to whoever sends.
//!
//! If the asked side blocks the asker, it hears nothing. The asker is told the same as otherwise, and its half waits in
//! vain.

mod calls;
mod meeting;
mod person;
mod rates;
mod shares;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::cx::Cx;
use super::handovers::Partner;
use super::{HalfId, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{MEETING_TIME, MEETINGS_AT_ONCE};
use crate::protocol::log::RequestRefused;
use crate::protocol::name::HUB;
use crate::protocol::wire::{Meet, MeetAt, Purpose};
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey, event, log};
use calls::Calls;
use meeting::{Joined, Meeting, Side};
use person::{Person, member, partner_of, payer, person};
use rates::Rates;
use shares::Shares;
use tokens::{Seat, Token};

#[cfg(doc)]
use crate::protocol::wire;

/// The meetings of clients.
#[derive(Default)]
pub(super) struct Meetings {
    /// The number of the newest meeting.
    last: u64,
    open: BTreeMap<u64, Meeting>,
    /// The tokens that nobody has shown yet.
    seats: BTreeMap<Token, Seat>,
    /// The meetings that still wait for connections, in the order of their deadlines.
    waiting: BTreeSet<u64>,
    /// The meetings of each session.
    of: BTreeMap<PeerId, BTreeSet<u64>>,
    calls: Calls,
    rates: Rates,
    shares: Shares,
}

impl Meetings {
    /// Handles `meet`: tells both of a meeting, or the asker why there is none.
    ///
    /// A `partner` is the other side of a parcel's handover; the two may meet although one or both have no name.
    pub(super) fn meet(&mut self, cx: &mut Cx<'_>, id: PeerId, meet: Meet, partner: Option<Partner>) {
        let ask = meet.ask;
        let partner = partner.filter(|_| matches!(meet.purpose, Purpose::Content(_)));
        if let Err(failure) = self.begin(cx, id, meet, partner) {
            let name = cx.sessions.me(id).map(|me| me.name).unwrap_or_default();
            let (code, message) = (failure.code, failure.message.clone().into_owned());
            let line = RequestRefused { name, request: "meet".into(), code, message: message.clone(), more: None };
            cx.log_refusal(id, line);
            cx.tell(id, event::MeetingRefused { ask, code, message, wait: failure.wait });
        }
    }

    /// Begins a meeting.
    ///
    /// # Errors
    /// `not-registered`, `yourself`; `not-online` if no registered client with that key is connected; `slow-down`.
    fn begin(&mut self, cx: &mut Cx<'_>, id: PeerId, meet: Meet, partner: Option<Partner>) -> Result<(), Failure> {
        cx.spend_request(id)?;
        let (me, asked) = match partner {
            Some(partner) => (person(cx, id), partner_of(cx, partner)),
            None => {
                (member(cx, id), cx.sessions.here_with(&meet.meet, meet.name.as_deref()).and_then(|id| member(cx, id)))
            }
        };
        let me = me.ok_or(ErrorCode::NotRegistered)?;
        if me.key == meet.meet && partner.is_none() {
            return Err(ErrorCode::Yourself.into());
        }
        let asked = asked.ok_or_else(|| Failure::new(ErrorCode::NotOnline, "That client is not there."))?;
        self.may_begin(cx, &me, &asked)?;
        let names = asked.registered.as_ref().zip(me.registered.as_ref()).filter(|_| partner.is_none());
        let hidden = names.is_some_and(|(asked, me)| cx.journal.state.blocks().has(asked, me));
        // A guest is nobody to whom anything could be counted: its sender pays.
        let pays = partner.filter(|_| cx.sessions.get(id).is_some_and(|peer| peer.guest)).map(|partner| partner.sender);
        let payer = payer(cx, pays.unwrap_or(id));
        let relay = self.shares.begin(cx.today(), cx.config.meetings.relay.as_ref(), &payer);
        self.last += 1;
        let (number, purpose) = (self.last, meet.purpose);
        log_beginning(cx, number, &me, &asked, purpose, relay.is_ok());
        let told = [(true, &me, &asked, Some(meet.ask)), (false, &asked, &me, None)];
        for (asker, whom, other, ask) in told {
            self.of.entry(whom.id).or_default().insert(number);
            if asker || !hidden {
                let [token, second_token] = self.seats_of(cx, number, asker);
                let (name, no_relay) = (other.name.clone(), relay.err());
                let (meeting, peer, relays) = (number, other.key, relay.is_ok());
                let told = event::Meeting { meeting, ask, peer, name, purpose, token, second_token, relays, no_relay };
                cx.tell(whom.id, told);
            }
        }
        let (asker, asked) = (Side::new(me.id, me.name), Side::new(asked.id, asked.name));
        let (since, of_parcel) = (cx.now, partner.is_some());
        let meeting = Meeting { since, hidden, of_parcel, relay, payer, asker, asked, joined: None };
        self.open.insert(number, meeting);
        self.waiting.insert(number);
        Ok(())
    }

    /// Counts a meeting of two clients.
    ///
    /// # Errors
    /// `slow-down`: they or all together have too many.
    fn may_begin(&mut self, cx: &Cx<'_>, me: &Person, asked: &Person) -> Result<(), Failure> {
        // Nobody uses up somebody else's share by asking for them.
        let waits = |number: &&u64| {
            self.waiting.contains(number) && self.open.get(number).is_some_and(|it| it.asker.id == me.id)
        };
        let own = self.of.get(&me.id).into_iter().flatten().filter(waits).count();
        if own >= MEETINGS_AT_ONCE || self.waiting.len() >= cx.config.meetings.at_once {
            let oldest = self.due().unwrap_or(cx.now);
            let wait = (oldest - cx.now).as_millis() as u64 + 1;
            let failure = Failure::new(ErrorCode::SlowDown, "Too many meetings wait for their connections.");
            return Err(failure.wait(wait));
        }
        self.rates.spend(cx.now, me.key, asked.key).map_err(|wait| {
            Failure::new(ErrorCode::SlowDown, "There were too many meetings within a minute.").wait(wait)
        })
    }

    /// The driver wants a connection with the holder of a key, to fetch a content from it: calls its client, if that is
    /// there and not too much waits already.
    pub(super) fn call(&mut self, cx: &mut Cx<'_>, call: u64, key: PublicKey, content: ContentHash) {
        let most = cx.config.meetings.at_once;
        let room = self.calls.len() < most && self.waiting.len() < most;
        let called = cx.sessions.here_with(&key, None).filter(|_| room);
        let Some((id, hub)) = called.zip(cx.config.files.as_ref().map(|files| files.key)) else {
            return cx.out.push_back(Output::Called(call, None));
        };
        self.last += 1;
        self.calls.begin(cx.now, self.last, call, id);
        let [token, second_token] = self.seats_of(cx, self.last, false);
        let (meeting, purpose, name) = (self.last, Purpose::Content(content), HUB.to_owned());
        let (ask, peer, relays, no_relay) = (None, hub, true, None);
        cx.tell(id, event::Meeting { meeting, ask, peer, name, purpose, token, second_token, relays, no_relay });
    }

    /// Ends the calls that are over: those of a client that has `left`, or else those whose time is over.
    fn end_calls(&mut self, cx: &mut Cx<'_>, left: Option<PeerId>) {
        for number in self.calls.over(cx.now, left) {
            self.forget_seats(cx, number);
            let call = self.calls.take(number);
            cx.out.extend(call.map(|call| Output::Called(call, None)));
        }
    }

    /// Makes the tokens of one side good, and returns them as text: the one of its half, and the second one.
    fn seats_of(&mut self, cx: &Cx<'_>, meeting: u64, asker: bool) -> [String; 2] {
        [false, true].map(|observes| {
            let seat = Seat { meeting, asker, observes };
            let token = Token::of(&cx.config.meetings.secret, seat);
            self.seats.insert(token, seat);
            token.to_string()
        })
    }

    /// Handles `meet_at`: tells the other side where this one is. What is said of a meeting that the client has no part
    /// in is ignored.
    pub(super) fn meet_at(&mut self, cx: &mut Cx<'_>, id: PeerId, at: MeetAt) {
        let Some(meeting) = self.open.get_mut(&at.meet_at) else { return };
        let Some(asker) = meeting.is_asker(id) else { return };
        if meeting.side_mut(asker).is_at(at.inner) {
            tell_places(cx, at.meet_at, meeting, asker);
        }
    }

    /// A connection has shown a token: it takes its seat, or is dropped.
    pub(super) fn half(&mut self, cx: &mut Cx<'_>, half: HalfId, token: &str, address: SocketAddr) {
        let seat = Token::parse(token).and_then(|token| self.seats.remove(&token));
        let called = seat.filter(|seat| !seat.observes).and_then(|seat| self.calls.take(seat.meeting));
        if let Some((seat, call)) = seat.zip(called) {
            self.forget_seats(cx, seat.meeting);
            return cx.out.push_back(Output::Called(call, Some(half)));
        }
        let Some((seat, meeting)) = seat.and_then(|seat| Some((seat, self.open.get_mut(&seat.meeting)?))) else {
            return cx.out.push_back(Output::DropHalf(half));
        };
        let side = meeting.side_mut(seat.asker);
        match seat.observes {
            true => side.observed = Some(half),
            false => side.half = Some(half),
        }
        let (before, news) = (side.has_come(), side.came_from(address));
        if news && meeting.both_came() {
            tell_places(cx, seat.meeting, meeting, seat.asker);
            if !before {
                // Both at once: two who dial each other at the same moment pass routers that refuse the unexpected.
                tell_places(cx, seat.meeting, meeting, !seat.asker);
            }
        }
        if let Some((halves, payer)) = meeting.can_join() {
            meeting.joined = Some(Joined { since: cx.now, bytes: 0, cut: false });
            cx.out.push_back(Output::Join { meeting: seat.meeting, halves, payer });
        }
    }

    /// A joined meeting has carried so many bytes since it was joined. One that has used up what its payer may have
    /// relayed in a day is cut.
    pub(super) fn relayed(&mut self, cx: &mut Cx<'_>, number: u64, bytes: u64) {
        let Some(meeting) = self.open.get_mut(&number) else { return };
        let Some(joined) = &mut meeting.joined else { return };
        let more = bytes.saturating_sub(joined.bytes);
        joined.bytes += more;
        let goes_on = self.shares.relayed(cx.today(), cx.config.meetings.relay.as_ref(), &meeting.payer, more);
        if !goes_on {
            cut(cx, number, joined);
        }
    }

    /// The relayed stream of a meeting has ended: the meeting is over.
    pub(super) fn relay_ended(&mut self, cx: &mut Cx<'_>, number: u64, bytes: u64, why: String) {
        self.relayed(cx, number, bytes);
        let Some(meeting) = self.open.get_mut(&number) else { return };
        if let Some(line) = meeting.relay_ended(number, cx.now, why) {
            // Those that found a better way have sent nothing through it.
            if line.bytes > 0 {
                cx.log(line);
            }
            meeting.joined = None;
            (meeting.asker.half, meeting.asked.half) = (None, None);
            self.over(cx, number);
        }
    }

    /// A client has left the hub: its meetings are over.
    pub(super) fn left(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        for number in self.of.remove(&id).unwrap_or_default() {
            self.over(cx, number);
        }
        self.end_calls(cx, Some(id));
    }

    /// Two clients hand over no parcel any more: their meetings for it are over.
    pub(super) fn part(&mut self, cx: &mut Cx<'_>, [one, other]: [PeerId; 2]) {
        let of = |id| self.of.get(&id).into_iter().flatten().copied().collect::<BTreeSet<_>>();
        let both: Vec<u64> = of(one).intersection(&of(other)).copied().collect();
        for number in both {
            if self.open.get(&number).is_some_and(|meeting| meeting.of_parcel) {
                self.over(cx, number);
            }
        }
    }

    /// When something of a meeting or of the counts is due.
    pub(super) fn due(&self) -> Option<Time> {
        let deadline = self.waiting.first().and_then(|number| self.open.get(number));
        let deadline = deadline.map(|meeting| meeting.since + MEETING_TIME);
        deadline.into_iter().chain(self.calls.due()).chain(self.rates.due()).min()
    }

    /// Ends the waiting of meetings whose time is over, and forgets counts.
    pub(super) fn go_on(&mut self, cx: &mut Cx<'_>) {
        self.rates.forget(cx.now);
        self.end_calls(cx, None);
        while let Some(&number) = self.waiting.first() {
            let Some(meeting) = self.open.get(&number) else { return };
            if meeting.since + MEETING_TIME > cx.now {
                return;
            }
            match meeting.joined {
                Some(_) => self.stop_waiting(cx, number),
                None => self.over(cx, number),
            }
        }
    }

    /// Ends a meeting. A joined one is cut, and forgotten when the driver says that its stream has ended.
    fn over(&mut self, cx: &mut Cx<'_>, number: u64) {
        self.stop_waiting(cx, number);
        let Some(meeting) = self.open.get_mut(&number) else { return };
        for id in [meeting.asker.id, meeting.asked.id] {
            if let Some(of) = self.of.get_mut(&id) {
                of.remove(&number);
                if of.is_empty() {
                    self.of.remove(&id);
                }
            }
        }
        if let Some(joined) = &mut meeting.joined {
            return cut(cx, number, joined);
        }
        if meeting.relay.is_ok() {
            self.shares.end(&meeting.payer);
        }
        self.open.remove(&number);
    }

    /// No more connections are awaited: the tokens are void, and what is not joined is dropped.
    fn stop_waiting(&mut self, cx: &mut Cx<'_>, number: u64) {
        self.waiting.remove(&number);
        self.forget_seats(cx, number);
        let halves = self.open.get_mut(&number).map(Meeting::take_unjoined).unwrap_or_default();
        cx.out.extend(halves.into_iter().map(Output::DropHalf));
    }

    /// Makes the tokens of a meeting void.
    fn forget_seats(&mut self, cx: &Cx<'_>, number: u64) {
        for (asker, observes) in [(true, true), (true, false), (false, true), (false, false)] {
            let seat = Seat { meeting: number, asker, observes };
            self.seats.remove(&Token::of(&cx.config.meetings.secret, seat));
        }
    }

    /// What is relayed, for a client that is on the hub's own machine; `None` if there was nothing today.
    pub(super) fn figures(&mut self, cx: &Cx<'_>, id: PeerId) -> Option<event::RelayFigures> {
        cx.sessions.get(id).filter(|peer| peer.at.address.ip().is_loopback())?;
        let (bytes, refused) = self.shares.of_today(cx.today());
        let streams = self.open.values().filter(|meeting| meeting.joined.is_some()).count() as u64;
        (streams + bytes + refused > 0).then_some(event::RelayFigures { streams, bytes, refused })
    }

    /// The sizes of all collections, for `Hub::counts`.
    pub(super) fn counts(&self) -> [(&'static str, usize); 6] {
        [
            ("meetings", self.open.len()),
            ("tokens", self.seats.len()),
            ("calls", self.calls.len()),
            ("meetings of sessions", self.of.len()),
            ("counted meetings", self.rates.len()),
            ("relayed streams", self.shares.streams()),
        ]
    }
}

/// Tells one side where the other one is, if it may know: as the hub sees it only when both have come.
fn tell_places(cx: &mut Cx<'_>, number: u64, meeting: &mut Meeting, asker: bool) {
    if meeting.hidden {
        return;
    }
    let both = meeting.both_came();
    let (outer, inner) = meeting.side_mut(asker).places();
    let outer = if both { outer } else { Vec::new() };
    let other = meeting.side_mut(!asker).id;
    cx.tell(other, event::MeetingPlaces { meeting: number, outer, inner });
}

/// Has the driver end a relayed stream, once.
fn cut(cx: &mut Cx<'_>, number: u64, joined: &mut Joined) {
    if !std::mem::replace(&mut joined.cut, true) {
        cx.out.push_back(Output::Cut(number));
    }
}

fn log_beginning(cx: &mut Cx<'_>, meeting: u64, me: &Person, asked: &Person, purpose: Purpose, relays: bool) {
    let (by, with) = (me.name.clone(), asked.name.clone());
    let content = match purpose {
        Purpose::Content(hash) => Some(hash),
        Purpose::Private => None,
    };
    cx.log(log::MeetingBegun { meeting, by, with, content, relays });
}
