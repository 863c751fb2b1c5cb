//! The queue of requests that have not started, and the request that the driver works on as a task.
//!
//! The session appends each request that arrives, takes those that `turns` lets start, and gives one at a time to the
//! driver as a task (hashing, checking a folder).

use std::collections::VecDeque;

use super::Output;
use super::effects::Effects;
use super::hashing_hold::HashingHold;
use super::pending::{Pending, RequestId, Waiting};
use crate::core::time::Time;
use crate::protocol::limits::{REQUEST_BYTES_WAITING, REQUESTS_WAITING};

/// Requests in the order in which they were written. See the [module](self).
#[derive(Default)]
pub(super) struct Queue {
    /// The oldest first.
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The request that the driver works on, and the number of that task.
    task: Option<(u64, Pending)>,
    /// The number that was given to a task last.
    last_task: u64,
    hold: HashingHold,
}

impl Queue {
    /// Appends a request.
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes();
        self.waiting.push_back(waiting);
    }

    /// The oldest request.
    pub(super) fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    /// All requests, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// All requests, for changing.
    pub(super) fn requests_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.waiting.iter_mut().filter_map(|waiting| match waiting {
            Waiting::Request(pending) => Some(pending),
            Waiting::Bad(..) | Waiting::EndOfInput => None,
        })
    }

    /// Takes a request by its place: the first, or one that passes those before it.
    pub(super) fn take_at(&mut self, at: usize) -> Option<Waiting> {
        let waiting = self.waiting.remove(at)?;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    /// Takes the first `quit`.
    pub(super) fn take_quit(&mut self) -> Option<Waiting> {
        let at = self.waiting.iter().position(Waiting::is_quit)?;
        self.take_at(at)
    }

    /// Takes all requests.
    pub(super) fn take_all(&mut self) -> VecDeque<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// Whether more requests can be taken; otherwise they wait at their source.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < REQUESTS_WAITING && self.bytes < REQUEST_BYTES_WAITING
    }

    /// Whether a `quit` waits.
    pub(super) fn has_quit(&self) -> bool {
        self.waiting.iter().any(Waiting::is_quit)
    }

    /// Gives a request to the driver as a task.
    pub(super) fn start_task(&mut self, effects: &mut Effects, pending: Pending, output: impl FnOnce(u64) -> Output) {
        self.last_task += 1;
        self.task = Some((self.last_task, pending));
        effects.push(output(self.last_task));
    }

    /// A task is done: takes its request, unless that was given up.
    pub(super) fn end_task(&mut self, task: u64) -> Option<Pending> {
        self.task.take_if(|(current, _)| *current == task).map(|(_, pending)| pending)
    }

    /// The id of a task's request, unless that was given up.
    pub(super) fn id_of_task(&self, task: u64) -> Option<RequestId> {
        self.task().filter(|(current, _)| *current == task).map(|(_, pending)| pending.id.clone())
    }

    /// Gives up the task, if there is one.
    pub(super) fn give_up_task(&mut self) -> Option<Pending> {
        self.task.take().map(|(_, pending)| pending)
    }

    /// Whether a task is being worked on.
    pub(super) fn is_working(&self) -> bool {
        self.task.is_some()
    }

    fn task(&self) -> Option<&(u64, Pending)> {
        self.task.as_ref()
    }

    /// How many bytes the answer to the task's request may need.
    pub(super) fn answer_room(&self) -> usize {
        self.task().map_or(0, |(_, pending)| pending.answer_room())
    }

    /// Notes how long hashing has held up the others.
    pub(super) fn watch_hashing(&mut self, now: Time) {
        self.hold.watch(now, self.task.as_ref());
    }

    /// When requests that wait may go past hashing.
    pub(super) fn hold_ends(&self) -> Option<Time> {
        self.hold.ends_at().filter(|_| !self.waiting.is_empty())
    }

    /// Whether the task lets this begin. With `fail_fast`, nothing begins before the task's request is answered.
    pub(super) fn is_free_for(&self, head: &Waiting, fail_fast: bool) -> bool {
        self.task.is_none() || (!fail_fast && self.hold.is_over_for(head))
    }
}
