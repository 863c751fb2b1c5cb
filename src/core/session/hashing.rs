//! Hashing takes as long as a file is large. What was written after an `offer` sees it in the table, so it waits for it,
//! but not for ever: after [`HOLD`], what does not change what we offer goes past it.

use std::time::Duration;

use super::Session;
use super::requests::{Pending, Waiting};
use crate::core::time::Time;
use crate::protocol::Request;

/// How long hashing holds up everything behind it.
const HOLD: Duration = Duration::from_secs(1);

/// The task that hashes, if one does.
#[derive(Default)]
pub(super) struct Hold {
    task: Option<u64>,
    since: Time,
    is_over: bool,
}

impl Session {
    pub(super) fn watch_hashing(&mut self, now: Time) {
        let hashes = |pending: &Pending| matches!(pending.request, Request::Offer(_) | Request::Push(_));
        let task = self.local.as_ref().filter(|(_, pending)| hashes(pending)).map(|(task, _)| *task);
        if task != self.hold.task {
            (self.hold.task, self.hold.since) = (task, now);
        }
        self.hold.is_over = task.is_some() && now - self.hold.since >= HOLD;
    }

    /// When something may go past what is being hashed.
    pub(super) fn hold_ends(&self) -> Option<Time> {
        let waits = self.hold.task.is_some() && !self.hold.is_over && self.waiting.first().is_some();
        waits.then(|| self.hold.since + HOLD)
    }

    /// Whether what is being worked on here lets this start.
    pub(super) fn is_free_for(&self, head: &Waiting) -> bool {
        self.local.is_none() || (self.hold.is_over && !self.config.fail_fast && goes_past(head))
    }
}

/// What changes our offers keeps its order with them, and the end waits for them.
fn goes_past(head: &Waiting) -> bool {
    match head {
        Waiting::Request(pending) => pending.request.rules().goes_past_hashing(),
        Waiting::Bad(..) => true,
        Waiting::EndOfInput => false,
    }
}
