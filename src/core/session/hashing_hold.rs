//! Limits how long hashing holds up other requests. A request that follows an `offer` must see that offer in the table,
//! so it waits; but after [`HOLD`], requests that do not change our offers may start.

use std::time::Duration;

use super::pending::{Pending, Waiting};
use crate::core::time::Time;
use crate::protocol::Request;

/// How long hashing holds up everything behind it.
const HOLD: Duration = Duration::from_secs(1);

/// How long the present task has been hashing, if it hashes.
#[derive(Default)]
pub(super) struct HashingHold {
    task: Option<u64>,
    since: Time,
    is_over: bool,
}

impl HashingHold {
    /// Notes which task is being worked on, and whether it has held up the others for long enough.
    pub(super) fn watch(&mut self, now: Time, task: Option<&(u64, Pending)>) {
        let hashes = |pending: &Pending| matches!(pending.request, Request::Offer(_) | Request::Push(_));
        let task = task.filter(|(_, pending)| hashes(pending)).map(|(task, _)| *task);
        if task != self.task {
            (self.task, self.since) = (task, now);
        }
        self.is_over = task.is_some() && now - self.since >= HOLD;
    }

    /// When something may go past what is being hashed.
    pub(super) fn ends_at(&self) -> Option<Time> {
        (self.task.is_some() && !self.is_over).then(|| self.since + HOLD)
    }

    /// Whether this may go past what is being hashed.
    pub(super) fn is_over_for(&self, head: &Waiting) -> bool {
        self.is_over && goes_past(head)
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
