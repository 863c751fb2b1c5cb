//! What clients propose: judged by the state, and told when it is on disk.
//!
//! A proposal that comes of a request is told from all others by the name of its program and its number there. Whoever
//! asks again, because the hub or the connection died before the answer came, is answered as before: the store knows.

use std::collections::HashMap;

use super::commits::AwaitingCommit;
use super::feed::Awaiting;
use super::state::{Author, Decision, Notice, Outcome, Proposal, Terms};
use super::{Hub, PeerId, PendingQuery};
use crate::core::time::Time;
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::record::{AnswerRecord, Destination, IdempotencyKey, PastAnswer, Query, StoredMessage};
use crate::protocol::to_json;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Id, Network, Record, RequestLine, Timestamp, event, log};

/// What came of requests that a client asks again, because we, or an earlier run of ours, did not answer.
#[derive(Default)]
pub(super) enum Recall {
    /// It has not asked anything again.
    #[default]
    Nothing,
    /// The store is being asked; what the client asks meanwhile is put aside.
    Asking,
    /// What is on disk, by its numbers of the requests.
    Known(HashMap<i64, PastAnswer>),
}

impl Hub {
    /// Applies a record and has it written down.
    pub(super) fn record(&mut self, record: Record) {
        self.state.apply(&record);
        if let Record::RoomGone { room } = &record {
            self.room_news.remove(room);
        }
        let is_shown = is_shown(&record);
        match record {
            // The store has told of these, or has never had it.
            Record::Account(_) | Record::NameGone { .. } | Record::MessageAbandoned(_) => {}
            other => self.persist(other),
        }
        if is_shown {
            self.commits.newest_is_shown();
        }
    }

    /// The same for records that belong together: after a crash all of them are on disk or none.
    fn record_together(&mut self, records: impl Iterator<Item = Record>) {
        self.commits.begin_decision();
        for record in records {
            self.record(record);
        }
        self.commits.end_decision();
    }

    /// Whoever is registered, as who proposes something.
    fn author(&self, id: PeerId, request_id: &Option<Id>) -> Result<Author, Failure> {
        let peer = self.peers.get(&id).ok_or(ErrorCode::NotRegistered)?;
        let name = peer.name.as_ref().ok_or(ErrorCode::NotRegistered)?;
        let (name, name_key) = (name.name.clone(), name.name_key.clone());
        let (key, network) = (peer.key, Network::of(peer.address.ip()));
        Ok(Author { name, name_key, key, network, idempotency_key: self.idempotency_key(id, request_id) })
    }

    /// Judges what a client asks. No answer now means that it comes when it is on disk.
    pub(super) fn propose(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        proposal: Proposal,
    ) -> Result<Option<Event>, Failure> {
        let author = self.author(id, request_id)?;
        if let Some(past) = self.past_answer(id, request_id).cloned() {
            return self.answer_again(&author, &proposal, past).map(Some);
        }
        if matches!(proposal, Proposal::Unblock(_)) {
            // What was withheld until now stays so.
            self.settle(now, id);
            self.flush_received();
        }
        let online = &self.online;
        let is_here = |name: &NameKey| online.contains_key(name);
        let terms = Terms { today: self.calendar(now), limits: &self.config.limits, is_here: &is_here };
        let decision = self.state.decide(&terms, &author, proposal)?;
        match decision {
            Decision { records, outcome: Outcome::Answer(answer) } if records.is_empty() => Ok(Some(*answer)),
            decision => {
                self.can_keep()?;
                if matches!(decision.outcome, Outcome::Said) {
                    self.spend_message(now, id)?;
                }
                self.carry(id, request_id, &author, decision);
                Ok(None)
            }
        }
    }

    /// Has the records of a decision written down; the answer follows when they are on disk.
    fn carry(&mut self, id: PeerId, request_id: &Option<Id>, author: &Author, decision: Decision) {
        let (answer, notice) = match decision.outcome {
            Outcome::Said => {
                for record in decision.records {
                    self.say(id, request_id, record);
                }
                return;
            }
            Outcome::Answer(answer) => (*answer, None),
            Outcome::Room(change) => {
                self.log(change.log);
                (change.answer, Some(change.notice))
            }
        };
        let answered = answered(author, &answer);
        self.record_together(decision.records.into_iter().chain(answered));
        self.hold_answer(id, request_id, answer, notice);
    }

    /// Answers when everything that was persisted until now is on disk.
    pub(super) fn hold_answer(
        &mut self,
        peer: PeerId,
        request_id: &Option<Id>,
        answer: impl Into<Event>,
        notice: Option<Notice>,
    ) {
        let (request_id, answer) = (request_id.clone(), Box::new(answer.into()));
        self.commits.hold(AwaitingCommit::Done { peer, request_id, answer, notice });
    }

    fn say(&mut self, peer: PeerId, request_id: &Option<Id>, record: Record) {
        let Record::Message(message) = &record else { return };
        let message = message.clone();
        let room = match &message.destination {
            Destination::Room(room) => Some(self.state.room_name(*room)),
            Destination::Lobby | Destination::Person { .. } => None,
        };
        if let Some(peer) = self.peers.get_mut(&peer)
            && !message.idempotency_key.instance.is_empty()
        {
            peer.last_said = message.idempotency_key.ask;
        }
        if let Some(number) = self.peers.get(&peer).and_then(|peer| peer.name.as_ref()).map(|name| name.number) {
            self.visits.count_message(number);
        }
        self.record(record);
        let request_id = request_id.clone();
        self.commits.hold(AwaitingCommit::Said { message: Box::new(message), room, peer, request_id });
    }

    /// By what a request is told from all others. A client that does not number its requests, or not in order, could
    /// have one taken for another: each of those is new.
    fn idempotency_key(&self, id: PeerId, request_id: &Option<Id>) -> IdempotencyKey {
        match (self.peers.get(&id), request_id) {
            (Some(peer), Some(Id::Number(number))) if !peer.instance.is_empty() && *number > peer.last_said => {
                IdempotencyKey { instance: peer.instance.clone(), ask: *number }
            }
            _ => IdempotencyKey { instance: String::new(), ask: (self.state.mail().last() + 1) as i64 },
        }
    }

    /// Whether a client asks this again: it had asked before it came to us, and got no answer.
    fn is_repeated(&self, id: PeerId, request_id: &Option<Id>) -> bool {
        let before = self.peers.get(&id).map_or(0, |peer| peer.asked_before);
        matches!(request_id, Some(Id::Number(number)) if *number <= before)
    }

    /// Whether the store has to be asked first what is known of a request. What comes after the first of them keeps its
    /// place.
    pub(super) fn must_recall(&mut self, id: PeerId, ask: &Ask) -> bool {
        let Ask::Request(RequestLine { id: request_id, request }) = ask else { return false };
        if !request.rules().keeps_outcome || !self.is_repeated(id, request_id) {
            return false;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        match (&peer.recall, &peer.name) {
            (Recall::Nothing, Some(name)) => {
                let query = Query::PastAnswers { instance: peer.instance.clone(), name_key: name.name_key.clone() };
                peer.recall = Recall::Asking;
                self.query(query, PendingQuery::PastAnswers(id));
                true
            }
            (Recall::Nothing | Recall::Asking | Recall::Known(_), _) => false,
        }
    }

    /// The store knows what a client was answered before.
    pub(super) fn recall(&mut self, now: Time, id: PeerId, past: Vec<(i64, PastAnswer)>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.recall = Recall::Known(past.into_iter().collect());
        self.go_on(now, id);
    }

    fn past_answer(&self, id: PeerId, request_id: &Option<Id>) -> Option<&PastAnswer> {
        let Some(Id::Number(number)) = request_id else { return None };
        match &self.peers.get(&id)?.recall {
            Recall::Known(known) => known.get(number),
            Recall::Nothing | Recall::Asking => None,
        }
    }

    fn answer_again(&self, author: &Author, proposal: &Proposal, past: PastAnswer) -> Result<Event, Failure> {
        let (number, sent) = match past {
            PastAnswer::Said { number, sent } => (number, sent),
            PastAnswer::Answer(line) => {
                let line = EventLine::parse(&line).ok().flatten();
                return line.map(|line| line.event).ok_or_else(|| ErrorCode::Internal.into());
            }
        };
        match proposal {
            Proposal::Message(message) => {
                let to = self.state.other(&author.name_key, &message.to, "/to")?;
                let delivered = u64::from(self.state.mail().received(&to) >= number);
                let to = Some(self.state.names().shown(&to));
                Ok(event::MessageAcked { number, sent, to, room: None, stored: true, delivered, blocked: None }.into())
            }
            Proposal::Say(say) if !is_lobby(&say.room) => {
                let room = self.state.own_room(&author.name_key, &say.room)?;
                Ok(self.acked_to_many(&author.name_key, number, sent, &Destination::Room(room), None))
            }
            Proposal::Say(_) | Proposal::Broadcast(_) => {
                Ok(self.acked_to_many(&author.name_key, number, sent, &Destination::Lobby, None))
            }
            // Its number was that of a message before: no client of ours does that.
            Proposal::Block(_)
            | Proposal::Unblock(_)
            | Proposal::RoomCreate(_)
            | Proposal::RoomJoin(_)
            | Proposal::RoomInvite(_)
            | Proposal::RoomLeave(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// A message is on disk: it goes to whom it is for, and its sender is answered.
    pub(super) fn said(
        &mut self,
        now: Time,
        message: &StoredMessage,
        room: Option<String>,
        peer: PeerId,
        request_id: Option<Id>,
    ) {
        let fed = self.post(now, message, room.clone());
        let (number, sent) = (message.number, message.sent);
        if let Destination::Person { name, .. } = &message.destination {
            return self.said_to_one(now, message, name.clone(), fed, (peer, request_id));
        }
        let acked = self.acked_to_many(&message.from_key, number, sent, &message.destination, room);
        self.log_message(message, &acked);
        self.answer(now, peer, request_id, acked);
    }

    fn said_to_one(
        &mut self,
        now: Time,
        message: &StoredMessage,
        to: String,
        fed: bool,
        (peer, request_id): (PeerId, Option<Id>),
    ) {
        let (number, sent, bytes) = (message.number, message.sent, message.text.len() as u64);
        let (from, delivered) = (message.from.clone(), u64::from(fed));
        self.log(log::MessageStored { number, from, to: Some(to.clone()), room: None, bytes, delivered });
        let deadline = now + self.config.link.ack_timeout;
        let awaiting = Awaiting { peer, request_id, to, sent, deadline };
        if fed {
            let request_id = awaiting.request_id.clone();
            self.awaiting.insert(number, awaiting);
            self.let_others_pass(now, peer, &request_id);
        } else {
            self.answer_awaiting(now, number, awaiting, 0);
        }
    }

    fn log_message(&mut self, message: &StoredMessage, acked: &Event) {
        let (number, from, bytes) = (message.number, message.from.clone(), message.text.len() as u64);
        if let Event::MessageAcked(event::MessageAcked { to, room, delivered, .. }) = acked.clone() {
            self.log(log::MessageStored { number, from, to, room, bytes, delivered });
        }
    }

    /// The answer to what was said to everybody or in a room.
    fn acked_to_many(
        &self,
        me: &NameKey,
        number: u64,
        sent: Timestamp,
        destination: &Destination,
        room_name: Option<String>,
    ) -> Event {
        let entered = |name: &NameKey| {
            let peer = self.online.get(name).and_then(|id| self.peers.get(id)).filter(|peer| peer.conn.is_some());
            peer.and_then(|peer| Some(peer.name.as_ref()?.entered))
        };
        // Whoever has come since, when this is asked again, does not get it.
        let (to, room, blocked, delivered) = match destination {
            Destination::Room(room) => {
                let members = self.state.rooms().members(*room).filter(|(_, member)| member.since < number);
                let others = members.filter(|(name, _)| *name != me && entered(name).is_some()).count();
                let name = room_name.unwrap_or_else(|| self.state.room_name(*room));
                (None, Some(name), None, others)
            }
            Destination::Lobby | Destination::Person { .. } => {
                let there = self.online.keys().filter(|name| entered(name).is_some_and(|entered| entered < number));
                let (blocking, hearing): (Vec<&NameKey>, Vec<&NameKey>) =
                    there.filter(|name| *name != me).partition(|name| self.state.blocks().has(name, me));
                (Some("all".to_owned()), None, Some(blocking.len() as u64), hearing.len())
            }
        };
        event::MessageAcked { number, sent, to, room, stored: true, delivered: delivered as u64, blocked }.into()
    }
}

/// An answer as it is written down with what it is about, so that asking again is answered the same.
fn answered(author: &Author, answer: &Event) -> Option<Record> {
    if author.idempotency_key.instance.is_empty() {
        return None;
    }
    let line = EventLine { seq: None, time: None, id: None, last: true, event: answer.clone() };
    let (name_key, idempotency_key) = (author.name_key.clone(), author.idempotency_key.clone());
    Some(Record::Answered(AnswerRecord { name_key, idempotency_key, answer: to_json(&line) }))
}

/// Whether somebody who asks for names, blocks or rooms is shown what a record says.
fn is_shown(record: &Record) -> bool {
    match record {
        Record::Name { .. }
        | Record::KeyForgotten { .. }
        | Record::Block { .. }
        | Record::Unblock { .. }
        | Record::Room { .. }
        | Record::RoomGone { .. }
        | Record::Member { .. }
        | Record::MemberGone { .. } => true,
        Record::Account(_)
        | Record::NameGone { .. }
        | Record::InviteSpent { .. }
        | Record::Message(_)
        | Record::MessageAbandoned(_)
        | Record::Answered(_)
        | Record::Received { .. }
        | Record::There { .. }
        | Record::Visit(_)
        | Record::Failures(_)
        | Record::Copy(_)
        | Record::CopyGone { .. }
        | Record::TrimBefore { .. }
        | Record::TrimTo { .. } => false,
    }
}
