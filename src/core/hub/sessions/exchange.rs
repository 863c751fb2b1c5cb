//! What one client asks and is answered: in its order, and no more at once than its link takes.
//!
//! A request is begun when the answers before it have left room; until then it is put aside, as it came. So a client
//! that asks for much and reads slowly, or not at all, costs the hub a bounded amount of memory, and nobody else
//! anything. Answers leave in the order of the requests, see [`Answers`].

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::answers::Answers;
use crate::core::hub::PeerId;
use crate::core::time::Time;
use crate::protocol::Id;
use crate::protocol::limits::{ANSWERS_UNDER_WAY, ANSWERS_WINDOW, ASIDE_BYTES, ASIDE_REQUESTS, HISTORY_BYTES};

/// One client's requests and answers.
#[derive(Default)]
pub(in crate::core::hub) struct Exchange {
    /// Requests that are not begun, oldest first.
    aside: VecDeque<Box<str>>,
    aside_bytes: usize,
    answers: Answers<Option<Id>, Arc<str>>,
    /// Readings of the past that the store has been asked for.
    readings: usize,
    /// Who measures the way to this client, oldest first.
    pub(in crate::core::hub) pings: VecDeque<Ping>,
}

/// A `ping` that waits for the answer to the hub's probe.
pub(in crate::core::hub) struct Ping {
    pub(in crate::core::hub) by: PeerId,
    pub(in crate::core::hub) request_id: Option<Id>,
    pub(in crate::core::hub) since: Time,
    /// What was sent before the probe: its answer has seen it.
    pub(in crate::core::hub) number: u64,
}

impl Exchange {
    /// Keeps a request for later; false if too much waits already.
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

    /// A request that was taken waits again, before all others.
    pub(in crate::core::hub) fn put_back(&mut self, body: Box<str>) {
        self.aside_bytes += body.len();
        self.aside.push_front(body);
    }

    /// Whether no request waits to be begun.
    pub(in crate::core::hub) fn is_idle(&self) -> bool {
        self.aside.is_empty()
    }

    /// Whether one more request may be begun, if so many bytes are on the link.
    pub(in crate::core::hub) fn has_room(&self, on_link: usize) -> bool {
        let under_way = on_link + self.answers.bytes() + self.readings * HISTORY_BYTES;
        under_way < ANSWERS_WINDOW && self.answers.len() < ANSWERS_UNDER_WAY
    }

    /// A request is begun; `holds_up` says whether later ones wait for its answer.
    pub(in crate::core::hub) fn begin(&mut self, request_id: Option<Id>, holds_up: bool) {
        self.answers.take_slot(request_id, holds_up);
    }

    /// A request is answered. Gives the answer back if it has no turn: then it leaves at once.
    ///
    /// # Errors
    /// The answer.
    pub(in crate::core::hub) fn answer(&mut self, request_id: &Option<Id>, body: Arc<str>) -> Result<(), Arc<str>> {
        let bytes = body.len();
        self.answers.fill(request_id, body, bytes)
    }

    /// A request waits for somebody else: answers to later ones may leave before its own.
    pub(in crate::core::hub) fn let_others_pass(&mut self, request_id: &Option<Id>) {
        self.answers.let_pass(request_id);
    }

    /// The next answer whose turn has come.
    pub(in crate::core::hub) fn next_answer(&mut self) -> Option<Arc<str>> {
        self.answers.pop()
    }

    /// The store has been asked.
    pub(in crate::core::hub) fn reading_begins(&mut self) {
        self.readings += 1;
    }

    /// The store has answered.
    pub(in crate::core::hub) fn reading_ends(&mut self) {
        self.readings = self.readings.saturating_sub(1);
    }
}
