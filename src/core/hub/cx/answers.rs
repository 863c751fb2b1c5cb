//! Answers to what clients ask: each when its turn has come.

use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::protocol::log::RequestRefused;
use crate::protocol::{Event, EventLine, Failure, Id, event, log, to_json};

impl Cx<'_> {
    /// A request is begun.
    pub(in crate::core::hub) fn begin(&mut self, id: PeerId, request_id: &Option<Id>, holds_up: bool) {
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.exchange.begin(request_id.clone(), holds_up);
        }
    }

    /// Answers a request, when its turn has come.
    pub(in crate::core::hub) fn answer(&mut self, id: PeerId, request_id: Option<Id>, event: impl Into<Event>) {
        let line = EventLine { seq: None, time: None, id: request_id, last: true, event: event.into() };
        let body: Arc<str> = to_json(&line).into();
        let Some(peer) = self.sessions.get_mut(id) else { return };
        match peer.exchange.answer(&line.id, body) {
            Ok(()) => self.release_answers(id),
            // It has no turn: it says that something could not be read, or that a client leaves.
            Err(body) => self.send(id, body),
        }
    }

    /// The request with this request_id is done but for what somebody else has to say: others are answered meanwhile.
    pub(in crate::core::hub) fn let_others_pass(&mut self, id: PeerId, request_id: &Option<Id>) {
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.exchange.let_others_pass(request_id);
        }
        self.release_answers(id);
    }

    fn release_answers(&mut self, id: PeerId) {
        while let Some(body) = self.sessions.get_mut(id).and_then(|peer| peer.exchange.next_answer()) {
            self.send(id, body);
        }
    }

    /// Answers a request with an error, and has that logged.
    pub(in crate::core::hub) fn refuse(&mut self, id: PeerId, request_id: Option<Id>, request: &str, failure: Failure) {
        let name = self.sessions.get(id).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone());
        let line = log::RequestRefused {
            name: name.unwrap_or_default(),
            request: request.to_owned(),
            code: failure.code,
            message: failure.message.clone().into_owned(),
            more: None,
        };
        self.log_refusal(id, line);
        self.answer(id, request_id, event::Error::from(failure));
    }

    /// Has it logged that a request was refused.
    pub(in crate::core::hub) fn log_refusal(&mut self, id: PeerId, line: RequestRefused) {
        if let Some(line) = self.refusals.add(self.now, id, line) {
            self.log(line);
        }
    }

    pub(in crate::core::hub) fn log_left_out(&mut self) {
        while let Some(line) = self.refusals.next(self.now) {
            if let Some(line) = line {
                self.log(line);
            }
        }
    }
}
