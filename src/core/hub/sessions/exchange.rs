//! The requests and answers of one client: it answers in the order of the requests, and starts no more of them than the
//! client takes answers.
//!
//! A request starts when there is room for its answer; until then it waits here as its text. So a client that asks for
//! much and reads slowly, or not at all, costs the hub a bounded amount of memory and delays nobody else. [`Answers`]
//! keeps the order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::answers::Answers;
use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::Id;
use crate::protocol::limits::{ANSWERS_UNDER_WAY, ANSWERS_WINDOW, ASIDE_BYTES, ASIDE_REQUESTS, HISTORY_BYTES};

/// The requests and answers of one client.
#[derive(Default)]
pub(in crate::core::hub) struct Exchange {
    /// Requests that have not been started, oldest first: at most [`ASIDE_REQUESTS`] and [`ASIDE_BYTES`].
    aside: VecDeque<Box<str>>,
    aside_bytes: usize,
    answers: Answers<Option<Id>, Arc<str>>,
    /// The number of `history` requests for which the store is being asked.
    readings: usize,
    /// The pings that wait for an answer to a probe of this client, oldest first; at most `PINGS`.
    pub(in crate::core::hub) pings: VecDeque<Ping>,
}

/// A `ping` that waits for the answer to the hub's probe.
pub(in crate::core::hub) struct Ping {
    pub(in crate::core::hub) by: PeerId,
    pub(in crate::core::hub) request_id: Option<Id>,
    pub(in crate::core::hub) since: Time,
    /// The number of the last frame sent before the probe. The answer to the probe acknowledges at least this one.
    pub(in crate::core::hub) number: u64,
}

impl Exchange {
    /// Puts a request aside; returns false if too much waits already.
    pub(in crate::core::hub) fn put_aside(&mut self, body: &str) -> bool {
        if self.aside.len() >= ASIDE_REQUESTS || self.aside_bytes + body.len() > ASIDE_BYTES.max(body.len()) {
            return false;
        }
        self.aside_bytes += body.len();
        self.aside.push_back(body.into());
        true
    }

    pub(in crate::core::hub) fn take_aside(&mut self) -> Option<Box<str>> {
        let body = self.aside.pop_front()?;
        self.aside_bytes -= body.len();
        Some(body)
    }

    /// Puts a request back that was taken, before all others.
    pub(in crate::core::hub) fn put_back(&mut self, body: Box<str>) {
        self.aside_bytes += body.len();
        self.aside.push_front(body);
    }

    /// Whether no request waits to be started.
    pub(in crate::core::hub) fn is_idle(&self) -> bool {
        self.aside.is_empty()
    }

    /// Whether one more request may start, with `on_link` unacknowledged bytes on the client's link.
    pub(in crate::core::hub) fn has_room(&self, on_link: usize) -> bool {
        let under_way = on_link + self.answers.bytes() + self.readings * HISTORY_BYTES;
        under_way < ANSWERS_WINDOW && self.answers.len() < ANSWERS_UNDER_WAY
    }

    /// Starts a request. If it `holds_up`, later answers wait for its own.
    pub(in crate::core::hub) fn begin(&mut self, request_id: Option<Id>, holds_up: bool) {
        self.answers.take_slot(request_id, holds_up);
    }

    /// Takes the answer to a request.
    ///
    /// # Errors
    /// Gives the answer back if the request was never started: it is then sent at once.
    pub(in crate::core::hub) fn answer(&mut self, request_id: &Option<Id>, body: Arc<str>) -> Result<(), Arc<str>> {
        let bytes = body.len();
        self.answers.fill(request_id, body, bytes)
    }

    /// Lets the answers to later requests pass this one, which waits for another client.
    pub(in crate::core::hub) fn let_others_pass(&mut self, request_id: &Option<Id>) {
        self.answers.let_pass(request_id);
    }

    /// The next answer that may be sent.
    pub(in crate::core::hub) fn next_answer(&mut self) -> Option<Arc<str>> {
        self.answers.pop()
    }

    /// The store is asked for a `history`. Its answer is counted with [`HISTORY_BYTES`] until it comes.
    pub(in crate::core::hub) fn reading_begins(&mut self) {
        self.readings += 1;
    }

    /// The store has answered a `history`.
    pub(in crate::core::hub) fn reading_ends(&mut self) {
        self.readings = self.readings.saturating_sub(1);
    }
}
