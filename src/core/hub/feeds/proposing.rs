//! Carries out the requests that change the state: messages, blocks and rooms.
//!
//! Each becomes a [`Proposal`], which the state judges at once. If it is accepted, its records are applied and
//! persisted, and the request is answered when they are on disk. The proposal carries a key of the client's process and
//! the request's number. A client that asks again, because the hub or its connection died before the answer came, gets
//! the earlier answer from the store; nothing is done twice.

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::feeds::{Awaiting, Feeds};
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::journal::queries::PendingQuery;
use crate::core::hub::state::{Author, Decision, Outcome, Proposal, Terms};
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::record::{AnswerRecord, Destination, IdempotencyKey, PastAnswer, Query, StoredMessage};
use crate::protocol::wire::Ask;
use crate::protocol::{
    ErrorCode, Event, EventLine, Failure, Id, Network, Record, RequestLine, Timestamp, event, log, to_json,
};

impl Feeds {
    /// Judges what a client asks. `Ok(None)` means that the answer comes when the records are on disk.
    ///
    /// # Errors
    /// Why the state refuses it, or why the store cannot keep it. Nothing has changed then.
    pub(in crate::core::hub) fn propose(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request_id: &Option<Id>,
        proposal: Proposal,
    ) -> Result<Option<Event>, Failure> {
        let author = author(cx, id, request_id)?;
        let past = cx.sessions.get(id).and_then(|peer| peer.past.answer_to(request_id));
        if let Some(past) = past.cloned() {
            return self.answer_again(cx, &author, &proposal, past).map(Some);
        }
        if matches!(proposal, Proposal::Unblock(_)) {
            // Messages that were withheld until now stay withheld, so they count as received before the block ends.
            self.settle(cx, id);
            self.flush_received(cx);
        }
        let sessions = &*cx.sessions;
        let is_here = |name: &NameKey| sessions.named(name).is_some();
        let terms = Terms { today: cx.today(), limits: &cx.config.limits, is_here: &is_here };
        let decision = cx.journal.state.decide(&terms, &author, proposal)?;
        match decision {
            Decision { records, outcome: Outcome::Answer(answer) } if records.is_empty() => Ok(Some(*answer)),
            decision => {
                cx.journal.can_keep()?;
                if matches!(decision.outcome, Outcome::Said) {
                    cx.spend_message(id)?;
                }
                self.carry(cx, id, request_id, &author, decision);
                Ok(None)
            }
        }
    }

    /// Applies and persists the records of a decision. The answer waits until they are on disk.
    fn carry(&mut self, cx: &mut Cx<'_>, id: PeerId, request_id: &Option<Id>, author: &Author, decision: Decision) {
        let (answer, notice) = match decision.outcome {
            Outcome::Said => {
                for record in decision.records {
                    self.say(cx, id, request_id, record);
                }
                return;
            }
            Outcome::Answer(answer) => (*answer, None),
            Outcome::Room(change) => {
                cx.log(change.log);
                (change.answer, Some(change.notice))
            }
        };
        let answered = answered(author, &answer);
        cx.record_together(decision.records.into_iter().chain(answered));
        cx.hold_answer(id, request_id, answer, notice);
    }

    /// Applies and persists a message. It is sent, and its sender answered, when it is on disk.
    fn say(&mut self, cx: &mut Cx<'_>, peer: PeerId, request_id: &Option<Id>, record: Record) {
        let Record::Message(message) = &record else { return };
        let message = message.clone();
        let room = match &message.destination {
            Destination::Room(room) => Some(cx.journal.state.room_name(*room)),
            Destination::Lobby | Destination::Person { .. } => None,
        };
        if let Some(peer) = cx.sessions.get_mut(peer) {
            peer.past.has_said(&message.idempotency_key);
        }
        if let Some(number) = cx.sessions.get(peer).and_then(|peer| peer.name.as_ref()).map(|name| name.number) {
            cx.sessions.visits.count_message(number);
        }
        cx.record(record);
        let request_id = request_id.clone();
        cx.journal.commits.hold(AwaitingCommit::Said { message: Box::new(message), room, peer, request_id });
    }

    /// The answer to a repeated request, from what the store knows of its first time.
    fn answer_again(
        &self,
        cx: &Cx<'_>,
        author: &Author,
        proposal: &Proposal,
        past: PastAnswer,
    ) -> Result<Event, Failure> {
        let (number, sent) = match past {
            PastAnswer::Said { number, sent } => (number, sent),
            PastAnswer::Answer(line) => {
                let line = EventLine::parse(&line).ok().flatten();
                return line.map(|line| line.event).ok_or_else(|| ErrorCode::Internal.into());
            }
        };
        match proposal {
            Proposal::Message(message) => {
                let to = cx.journal.state.other(&author.name_key, &message.to, "/to")?;
                let delivered = u64::from(cx.journal.state.mail().received(&to) >= number);
                let to = Some(cx.journal.state.names().shown(&to));
                Ok(event::MessageAcked { number, sent, to, room: None, stored: true, delivered, blocked: None }.into())
            }
            Proposal::Say(say) if !is_lobby(&say.room) => {
                let room = cx.journal.state.own_room(&author.name_key, &say.room)?;
                Ok(acked_to_many(cx, &author.name_key, number, sent, &Destination::Room(room), None))
            }
            Proposal::Say(_) | Proposal::Broadcast(_) => {
                Ok(acked_to_many(cx, &author.name_key, number, sent, &Destination::Lobby, None))
            }
            // The request has the number of an earlier message, which no client of ours does.
            Proposal::Block(_)
            | Proposal::Unblock(_)
            | Proposal::RoomCreate(_)
            | Proposal::RoomJoin(_)
            | Proposal::RoomInvite(_)
            | Proposal::RoomLeave(_) => Err(ErrorCode::Internal.into()),
        }
    }

    /// A message is on disk: sends it to those it is for, and answers its sender.
    pub(in crate::core::hub) fn said(
        &mut self,
        cx: &mut Cx<'_>,
        message: &StoredMessage,
        room: Option<String>,
        peer: PeerId,
        request_id: Option<Id>,
    ) {
        let fed = self.post(cx, message, room.clone());
        let (number, sent) = (message.number, message.sent);
        if let Destination::Person { name, .. } = &message.destination {
            return self.said_to_one(cx, message, name.clone(), fed, (peer, request_id));
        }
        let acked = acked_to_many(cx, &message.from_key, number, sent, &message.destination, room);
        self.log_message(cx, message, &acked);
        cx.answer(peer, request_id, acked);
    }

    /// Answers the sender of a message to one person: when the receiver confirms it, at the latest after the ack
    /// timeout; or at once if it was not sent to the receiver.
    fn said_to_one(
        &mut self,
        cx: &mut Cx<'_>,
        message: &StoredMessage,
        to: String,
        fed: bool,
        (peer, request_id): (PeerId, Option<Id>),
    ) {
        let (number, sent, bytes) = (message.number, message.sent, message.text.len() as u64);
        let (from, delivered) = (message.from.clone(), u64::from(fed));
        cx.log(log::MessageStored { number, from, to: Some(to.clone()), room: None, bytes, delivered });
        let deadline = cx.now + cx.config.link.ack_timeout;
        let awaiting = Awaiting { peer, request_id, to, sent, deadline };
        if fed {
            let request_id = awaiting.request_id.clone();
            self.awaiting.insert(number, awaiting);
            cx.let_others_pass(peer, &request_id);
        } else {
            self.answer_awaiting(cx, number, awaiting, 0);
        }
    }

    fn log_message(&mut self, cx: &mut Cx<'_>, message: &StoredMessage, acked: &Event) {
        let (number, from, bytes) = (message.number, message.from.clone(), message.text.len() as u64);
        if let Event::MessageAcked(event::MessageAcked { to, room, delivered, .. }) = acked.clone() {
            cx.log(log::MessageStored { number, from, to, room, bytes, delivered });
        }
    }
}

/// The registered client that proposes something.
///
/// # Errors
/// `not-registered`
fn author(cx: &Cx<'_>, id: PeerId, request_id: &Option<Id>) -> Result<Author, Failure> {
    let peer = cx.sessions.get(id).ok_or(ErrorCode::NotRegistered)?;
    let name = peer.name.as_ref().ok_or(ErrorCode::NotRegistered)?;
    let (name, name_key) = (name.name.clone(), name.name_key.clone());
    let (key, network) = (peer.key, Network::of(peer.at.address.ip()));
    Ok(Author { name, name_key, key, network, idempotency_key: idempotency_key(cx, id, request_id) })
}

/// The key that distinguishes a request from all others. A request without one gets the number that the next message
/// will have.
fn idempotency_key(cx: &Cx<'_>, id: PeerId, request_id: &Option<Id>) -> IdempotencyKey {
    let key = cx.sessions.get(id).and_then(|peer| peer.past.idempotency_key(request_id));
    let next = || (cx.journal.state.mail().last() + 1) as i64;
    key.unwrap_or_else(|| IdempotencyKey { instance: String::new(), ask: next() })
}

/// Whether the store must first be asked for the client's earlier answers, because this request may be a repetition. If
/// so, the query is sent, and the requests after this one wait.
pub(in crate::core::hub) fn must_recall(cx: &mut Cx<'_>, id: PeerId, ask: &Ask) -> bool {
    let Ask::Request(RequestLine { id: request_id, request }) = ask else { return false };
    let Some(peer) = cx.sessions.get_mut(id) else { return false };
    let Some(name) = &peer.name else { return false };
    if !request.rules().keeps_outcome || !peer.past.is_repeated(request_id) || !peer.past.begin_recall() {
        return false;
    }
    let query = Query::PastAnswers { instance: peer.past.instance.clone(), name_key: name.name_key.clone() };
    cx.query(query, PendingQuery::PastAnswers(id));
    true
}

/// The answer to a message to the lobby or to a room: how many people get it, and how many block its sender.
fn acked_to_many(
    cx: &Cx<'_>,
    me: &NameKey,
    number: u64,
    sent: Timestamp,
    destination: &Destination,
    room_name: Option<String>,
) -> Event {
    let entered = |name: &NameKey| {
        let peer = cx.sessions.named(name).and_then(|id| cx.sessions.get(id)).filter(|peer| peer.conn.is_some());
        peer.and_then(|peer| Some(peer.name.as_ref()?.entered))
    };
    // If this answers a repeated request, people who came after the message do not get it and are not counted.
    let (to, room, blocked, delivered) = match destination {
        Destination::Room(room) => {
            let members = cx.journal.state.rooms().members(*room).filter(|(_, member)| member.since < number);
            let others = members.filter(|(name, _)| *name != me && entered(name).is_some()).count();
            let name = room_name.unwrap_or_else(|| cx.journal.state.room_name(*room));
            (None, Some(name), None, others)
        }
        Destination::Lobby | Destination::Person { .. } => {
            let there = cx
                .sessions
                .all_named()
                .map(|(name, _)| name)
                .filter(|name| entered(name).is_some_and(|entered| entered < number));
            let (blocking, hearing): (Vec<&NameKey>, Vec<&NameKey>) =
                there.filter(|name| *name != me).partition(|name| cx.journal.state.blocks().has(name, me));
            (Some("all".to_owned()), None, Some(blocking.len() as u64), hearing.len())
        }
    };
    event::MessageAcked { number, sent, to, room, stored: true, delivered: delivered as u64, blocked }.into()
}

/// The record with the answer to a request, so that a repetition gets the same one. `None` if the request has no key.
fn answered(author: &Author, answer: &Event) -> Option<Record> {
    if author.idempotency_key.instance.is_empty() {
        return None;
    }
    let line = EventLine { seq: None, time: None, id: None, last: true, event: answer.clone() };
    let (name_key, idempotency_key) = (author.name_key.clone(), author.idempotency_key.clone());
    Some(Record::Answered(AnswerRecord { name_key, idempotency_key, answer: to_json(&line) }))
}
