//! A hub that is there and does not answer: it acknowledges every frame, and what it was asked stays open.
//!
//! What is asked of the hub is answered soon, whatever it is. A hub that owes an answer for [`ANSWER`] is taken for lost,
//! as if it did not answer probes, and asked again over a new link; who does that for as long as a lost hub is waited for
//! is given up.

use std::time::Duration;

use super::Session;
use super::connection::Connection;
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure};

/// How long the hub may take to answer what it was asked.
const ANSWER: Duration = Duration::from_secs(30);

/// The oldest of our asks that is open, and since when it is the oldest.
#[derive(Default)]
pub(super) struct Unanswered(Option<(i64, Time)>);

impl Session {
    pub(super) fn watch_for_silence(&mut self, now: Time) {
        let oldest = self.asks.first_key_value().map(|(id, _)| *id);
        if oldest != self.unanswered.0.map(|(id, _)| id) {
            self.unanswered.0 = oldest.map(|id| (id, now));
        }
        let (Some(due), Some((_, since))) = (self.answer_due(), self.unanswered.0) else { return };
        if now < due {
            return;
        }
        let seconds = (now - since).as_secs();
        let message = format!("The hub is there, but has not answered a request for {seconds} s.");
        if now - since >= ANSWER + self.config.give_up {
            return self.give_up(now, Failure::new(ErrorCode::HubLost, message));
        }
        self.lose(now, format!("no answer to a request for {seconds} s"));
    }

    /// When the hub must have answered.
    pub(super) fn answer_due(&self) -> Option<Time> {
        let (Connection::Up { since: up, .. }, Some((_, since)), None) =
            (self.connection, self.unanswered.0, &self.leaving)
        else {
            return None;
        };
        Some(up.max(since) + ANSWER)
    }
}
