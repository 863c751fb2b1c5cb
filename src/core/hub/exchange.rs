//! What one client asks and is answered: in its order, and no more at once than its link takes.
//!
//! A request is begun when the answers before it have left room; until then it is put aside, as it came. So a client
//! that asks for much and reads slowly, or not at all, costs the hub a bounded amount of memory, and nobody else
//! anything. Answers leave in the order of the requests, see [`Answers`].

use std::collections::VecDeque;
use std::sync::Arc;

use super::proposing::Recall;
use super::{Hub, PeerId};
use crate::core::answers::Answers;
use crate::core::link::LinkFault;
use crate::core::time::Time;
use crate::protocol::limits::{ANSWERS_UNDER_WAY, ANSWERS_WINDOW, ASIDE_BYTES, ASIDE_REQUESTS, HISTORY_BYTES};
use crate::protocol::wire::Ask;
use crate::protocol::{Event, EventLine, Id, Request, to_json};

/// One client's requests and answers.
#[derive(Default)]
pub(super) struct Exchange {
    /// Requests that are not begun, oldest first.
    aside: VecDeque<Box<str>>,
    aside_bytes: usize,
    answers: Answers<Option<Id>, Arc<str>>,
    /// Readings of the past that the store has been asked for.
    readings: usize,
    /// Who measures the way to this client, oldest first.
    pub(super) pings: VecDeque<Ping>,
}

/// A `ping` that waits for the answer to the hub's probe.
pub(super) struct Ping {
    pub(super) by: PeerId,
    pub(super) request_id: Option<Id>,
    pub(super) since: Time,
    /// What was sent before the probe: its answer has seen it.
    pub(super) number: u64,
}

impl Exchange {
    /// Keeps a request for later; false if too much waits already.
    fn put_aside(&mut self, body: &str) -> bool {
        if self.aside.len() >= ASIDE_REQUESTS || self.aside_bytes + body.len() > ASIDE_BYTES.max(body.len()) {
            return false;
        }
        self.aside_bytes += body.len();
        self.aside.push_back(body.into());
        true
    }

    fn take_aside(&mut self) -> Option<Box<str>> {
        let body = self.aside.pop_front()?;
        self.aside_bytes -= body.len();
        Some(body)
    }

    /// Whether one more request may be begun, if so many bytes are on the link.
    fn has_room(&self, on_link: usize) -> bool {
        let under_way = on_link + self.answers.bytes() + self.readings * HISTORY_BYTES;
        under_way < ANSWERS_WINDOW && self.answers.len() < ANSWERS_UNDER_WAY
    }

    /// The store has been asked.
    pub(super) fn reading_begins(&mut self) {
        self.readings += 1;
    }

    /// The store has answered.
    pub(super) fn reading_ends(&mut self) {
        self.readings = self.readings.saturating_sub(1);
    }
}

impl Hub {
    /// Whether a request has to wait: then it is put aside, or its client has more under way than it may.
    pub(super) fn set_aside(&mut self, now: Time, id: PeerId, ask: &Ask, body: &str) -> bool {
        let leaves = matches!(ask, Ask::Request(line) if matches!(line.request, Request::Quit(_)));
        let Some(peer) = self.peers.get(&id) else { return true };
        // Who leaves does not wait for what they have asked.
        if leaves || (peer.exchange.aside.is_empty() && self.may_begin(id) && !self.must_recall(id, ask)) {
            return false;
        }
        let taken = self.peers.get_mut(&id).is_some_and(|peer| peer.exchange.put_aside(body));
        if !taken {
            // A client that keeps to the protocol never has so much under way.
            self.expel(now, id, super::clients::fault(LinkFault::Overflow));
        }
        true
    }

    /// Begins what was put aside, as far as there is room again.
    pub(super) fn go_on(&mut self, now: Time, id: PeerId) {
        while self.may_begin(id) {
            let Some(body) = self.peers.get_mut(&id).and_then(|peer| peer.exchange.take_aside()) else { return };
            let Ok(ask) = Ask::parse(&body) else { continue };
            if self.must_recall(id, &ask) {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.exchange.aside_bytes += body.len();
                    peer.exchange.aside.push_front(body);
                }
                return;
            }
            self.carry_out(now, id, ask);
            self.tell_changes(now, id);
        }
    }

    fn may_begin(&self, id: PeerId) -> bool {
        let Some(peer) = self.peers.get(&id) else { return false };
        !matches!(peer.recall, Recall::Asking) && peer.exchange.has_room(peer.link.unacked_bytes())
    }

    /// A request is begun.
    pub(super) fn begin(&mut self, id: PeerId, request_id: &Option<Id>, holds_up: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.exchange.answers.take_slot(request_id.clone(), holds_up);
        }
    }

    /// Answers a request, when its turn has come.
    pub(super) fn answer(&mut self, now: Time, id: PeerId, request_id: Option<Id>, event: impl Into<Event>) {
        let line = EventLine { seq: None, time: None, id: request_id, last: true, event: event.into() };
        let body: Arc<str> = to_json(&line).into();
        let bytes = body.len();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match peer.exchange.answers.fill(&line.id, body, bytes) {
            Ok(()) => self.release_answers(now, id),
            // It has no turn: it says that something could not be read, or that a client leaves.
            Err(body) => self.send(now, id, body),
        }
    }

    /// The request with this request_id is done but for what somebody else has to say: others are answered meanwhile.
    pub(super) fn let_others_pass(&mut self, now: Time, id: PeerId, request_id: &Option<Id>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.exchange.answers.let_pass(request_id);
        }
        self.release_answers(now, id);
    }

    fn release_answers(&mut self, now: Time, id: PeerId) {
        while let Some(body) = self.peers.get_mut(&id).and_then(|peer| peer.exchange.answers.pop()) {
            self.send(now, id, body);
        }
    }
}
