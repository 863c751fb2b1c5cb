//! Answers to requests: each leaves in the order of its client's requests. Also logs the requests that are refused.

use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::protocol::log::RequestRefused;
use crate::protocol::{Event, EventLine, Failure, Id, event, log, to_json};

impl Cx<'_> {
    /// A request begins, and takes its place in the order of answers. If it `holds_up`, later answers wait for its own.
    pub(in crate::core::hub) fn begin(&mut self, id: PeerId, request_id: &Option<Id>, holds_up: bool) {
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.exchange.begin(request_id.clone(), holds_up);
        }
    }

    /// Answers a request. The answer is sent when those before it have been sent.
    pub(in crate::core::hub) fn answer(&mut self, id: PeerId, request_id: Option<Id>, event: impl Into<Event>) {
        let line = EventLine { seq: None, time: None, id: request_id, last: true, event: event.into() };
        let body: Arc<str> = to_json(&line).into();
        let Some(peer) = self.sessions.get_mut(id) else { return };
        match peer.exchange.answer(&line.id, body) {
            Ok(()) => self.release_answers(id),
            // Nothing was begun for this answer (an unreadable request, or a client that leaves), so it needs no turn.
            Err(body) => self.send(id, body),
        }
    }

    /// The request waits for another client: answers to later requests may be sent before its own.
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

    /// Answers a request with an error, and logs that it was refused.
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

    /// Logs that a request was refused, unless the client has had many such lines within the last second.
    pub(in crate::core::hub) fn log_refusal(&mut self, id: PeerId, line: RequestRefused) {
        if let Some(line) = self.refusals.add(self.now, id, line) {
            self.log(line);
        }
    }

    /// Logs how many refusals had no line of their own, for the counts that are over.
    pub(in crate::core::hub) fn log_left_out(&mut self) {
        while let Some(line) = self.refusals.next(self.now) {
            if let Some(line) = line {
                self.log(line);
            }
        }
    }
}
