//! What people say: taken, kept, and only then acknowledged.

use super::feed::Awaiting;
use super::mailbox::Full;
use super::roster::Registered;
use super::{Held, Hub, PeerId, Question};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, is_lobby};
use crate::protocol::record::{Destination, IdempotencyKey, Query, Record, StoredMessage};
use crate::protocol::text::check_text;
use crate::protocol::wire::Ask;
use crate::protocol::{ErrorCode, Event, Failure, Id, Request, RequestLine, Timestamp, event, log, request};

/// What came of requests that a client asks again, because we, or an earlier run of ours, did not answer.
#[derive(Default)]
pub(super) enum Recall {
    /// It has not asked anything again.
    #[default]
    Nothing,
    /// The store is being asked; what the client asks meanwhile is put aside.
    Asking,
    /// Its messages that are on disk: its number for the request, and the message's number and time.
    Known(std::collections::HashMap<i64, (u64, Timestamp)>),
}

impl Hub {
    /// Whether a client asks this again: it had asked before it came to us, and got no answer.
    pub(super) fn is_repeated(&self, id: PeerId, request_id: &Option<Id>) -> bool {
        let before = self.peers.get(&id).map_or(0, |peer| peer.asked_before);
        matches!(request_id, Some(Id::Number(ask)) if *ask <= before)
    }

    /// Whether the store has to be asked first what is known of a request. Messages alone must not be taken twice; what
    /// comes after the first of them keeps its place.
    pub(super) fn must_recall(&mut self, id: PeerId, ask: &Ask) -> bool {
        let Ask::Request(RequestLine { id: request_id, request }) = ask else { return false };
        let says = matches!(request, Request::Message(_) | Request::Broadcast(_) | Request::Say(_));
        if !says || !self.is_repeated(id, request_id) {
            return false;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        match (&peer.recall, &peer.name) {
            (Recall::Nothing, Some(name)) => {
                let query = Query::IdempotencyKeys { instance: peer.instance.clone(), name_key: name.name_key.clone() };
                peer.recall = Recall::Asking;
                self.question(query, Question::Asked(id));
                true
            }
            (Recall::Nothing | Recall::Asking | Recall::Known(_), _) => false,
        }
    }

    /// The store knows what a client has said before.
    pub(super) fn recall(&mut self, now: Time, id: PeerId, asked: Vec<(i64, u64, Timestamp)>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let known = asked.into_iter().map(|(ask, number, sent)| (ask, (number, sent))).collect();
        peer.recall = Recall::Known(known);
        self.go_on(now, id);
    }

    /// What has been said already, if this is asked again: the message's number and time.
    fn said_before(&self, id: PeerId, request_id: &Option<Id>) -> Option<(u64, Timestamp)> {
        let Some(Id::Number(ask)) = request_id else { return None };
        match &self.peers.get(&id)?.recall {
            Recall::Known(known) => known.get(ask).copied(),
            Recall::Nothing | Recall::Asking => None,
        }
    }

    pub(super) fn message(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Message,
    ) -> Result<Option<Event>, Failure> {
        let me = self.me(id)?;
        check_text(&request.text)?;
        let to = self.other(&me, &request.to, "/to")?;
        let (name, limits) = (self.name_of(&to), &self.config.limits);
        let (most, most_bytes, bytes) = (limits.mailbox, limits.mailbox_bytes, request.text.len());
        let Some(person) = self.people.get(&to) else { return Err(ErrorCode::Internal.into()) };
        let withheld = person.blocks.contains(&me.name_key);
        let mine = self.names_of_me(id, &me).into_iter();
        let full = person.mailbox.is_full(bytes, withheld, mine, (most, most_bytes));
        if let Some((number, sent)) = self.said_before(id, request_id) {
            let delivered = u64::from(self.people.get(&to).is_some_and(|person| person.received >= number));
            let (to, room) = (Some(name), None);
            return Ok(Some(
                event::MessageAcked { number, sent, to, room, stored: true, delivered, blocked: None }.into(),
            ));
        }
        if let Some(full) = full {
            let message = match full {
                Full::Messages(Some(share)) => {
                    format!(
                        "{share} messages of yours may be kept for {name} at the moment; there is no room for more."
                    )
                }
                Full::Bytes(Some(share)) => format!(
                    "Messages of yours of {share} bytes may be kept for {name} at the moment; that is not enough for this one."
                ),
                Full::Messages(None) => format!("{most} messages are kept for {name}; there is no room for more."),
                Full::Bytes(None) => {
                    format!("Messages of {most_bytes} bytes may be kept for {name}; that is not enough for this one.")
                }
            };
            return Err(Failure::new(ErrorCode::MailboxFull, message).at(pointer_at("/to")));
        }
        self.can_keep()?;
        self.spend_message(now, id)?;
        self.keep(now, id, request_id, &me, Destination::Person(name), request.text, withheld);
        if let Some(person) = self.people.get_mut(&to) {
            person.mailbox.put(self.last_message, &me.name_key, bytes, withheld);
        }
        Ok(None)
    }

    pub(super) fn broadcast(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        text: String,
    ) -> Result<Option<Event>, Failure> {
        let me = self.me(id)?;
        check_text(&text)?;
        if let Some((number, sent)) = self.said_before(id, request_id) {
            return Ok(Some(self.acked_to_many(&me.name_key, number, sent, &Destination::Lobby)));
        }
        self.can_keep()?;
        self.spend_message(now, id)?;
        self.keep(now, id, request_id, &me, Destination::Lobby, text, false);
        Ok(None)
    }

    pub(super) fn say(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Say,
    ) -> Result<Option<Event>, Failure> {
        if is_lobby(&request.room) {
            return self.broadcast(now, id, request_id, request.text);
        }
        let me = self.me(id)?;
        check_text(&request.text)?;
        let room = self.room_of(&me, &request.room)?;
        if let Some((number, sent)) = self.said_before(id, request_id) {
            return Ok(Some(self.acked_to_many(&me.name_key, number, sent, &Destination::Room(room))));
        }
        self.can_keep()?;
        self.spend_message(now, id)?;
        self.keep(now, id, request_id, &me, Destination::Room(room), request.text, false);
        Ok(None)
    }

    /// Has a message written down; the rest follows when it is on disk.
    #[allow(clippy::too_many_arguments)] // they are the message
    fn keep(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        me: &Registered,
        destination: Destination,
        text: String,
        withheld: bool,
    ) {
        self.last_message += 1;
        let (number, sent, from) = (self.last_message, self.calendar(now), me.name.clone());
        let idempotency_key = self.idempotency_key(id, request_id, number);
        self.count_message(me.number);
        let kept = StoredMessage { number, sent, from, destination, text, withheld, idempotency_key };
        let commit = self.persist(Record::Message(kept.clone()));
        self.held.push_back((commit, Held::Said { kept: Box::new(kept), peer: id, request_id: request_id.clone() }));
    }

    /// How the request would be recognized. A client that does not number its requests, or not in order, could
    /// have one taken for another: each of those is new.
    fn idempotency_key(&mut self, id: PeerId, request_id: &Option<Id>, number: u64) -> IdempotencyKey {
        if let (Some(peer), Some(Id::Number(ask))) = (self.peers.get_mut(&id), request_id)
            && !peer.instance.is_empty()
            && *ask > peer.last_said
        {
            peer.last_said = *ask;
            return IdempotencyKey { instance: peer.instance.clone(), ask: *ask };
        }
        IdempotencyKey { instance: String::new(), ask: number as i64 }
    }

    /// A message is on disk: it goes to whom it is for, and its sender is answered.
    pub(super) fn said(&mut self, now: Time, kept: StoredMessage, peer: PeerId, request_id: Option<Id>) {
        let fed = self.post(now, &kept);
        let (number, sent, bytes) = (kept.number, kept.sent, kept.text.len() as u64);
        let from = kept.from.clone();
        if let Destination::Person(to) = kept.destination {
            self.log(log::MessageStored {
                number,
                from,
                to: Some(to.clone()),
                room: None,
                bytes,
                delivered: u64::from(fed),
            });
            let deadline = now + self.config.link.ack_timeout;
            let awaiting = Awaiting { peer, request_id, to, sent, deadline };
            if fed {
                let request_id = awaiting.request_id.clone();
                self.awaiting.insert(number, awaiting);
                self.let_others_pass(now, peer, &request_id);
            } else {
                self.answer_awaiting(now, number, awaiting, 0);
            }
            return;
        }
        let acked = self.acked_to_many(&NameKey::of(&from), number, sent, &kept.destination);
        if let Event::MessageAcked(event::MessageAcked { to, room, delivered, .. }) = acked.clone() {
            self.log(log::MessageStored { number, from, to, room, bytes, delivered });
        }
        self.answer(now, peer, request_id, acked);
    }

    fn acked_to_many(&self, me: &NameKey, number: u64, sent: Timestamp, destination: &Destination) -> Event {
        let entered = |name_key: &NameKey| {
            let peer = self.online.get(name_key).and_then(|id| self.peers.get(id)).filter(|peer| peer.conn.is_some());
            peer.and_then(|peer| Some(peer.name.as_ref()?.entered))
        };
        // Whoever has come since, when this is asked again, does not get it.
        let others: Vec<&NameKey> = match destination {
            Destination::Room(room) => {
                let members = self.rooms.get(room).into_iter().flat_map(|room| &room.members);
                members
                    .filter(|(name_key, since)| **since < number && entered(name_key).is_some())
                    .map(|(name_key, _)| name_key)
                    .collect()
            }
            Destination::Lobby | Destination::Person(_) => self
                .online
                .keys()
                .filter(|name_key| entered(name_key).is_some_and(|entered| entered < number))
                .collect(),
        };
        let others = others.into_iter().filter(|name_key| *name_key != me);
        let (to, room, blocked, delivered) = match destination {
            Destination::Room(room) => (None, Some(self.room_name(*room)), None, others.count()),
            Destination::Lobby | Destination::Person(_) => {
                let (blocking, hearing): (Vec<&NameKey>, Vec<&NameKey>) =
                    others.partition(|name_key| self.blocks(name_key, me));
                (Some("all".to_owned()), None, Some(blocking.len() as u64), hearing.len())
            }
        };
        event::MessageAcked { number, sent, to, room, stored: true, delivered: delivered as u64, blocked }.into()
    }
}
