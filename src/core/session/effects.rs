//! The session's outputs, in order: what the user is told, and what the driver must do.
//!
//! An answer is never dropped, so a request may start only if there is room for its answer. Only the driver knows how
//! much is unread; this takes the driver's last report and adds everything told since. The sum is never too
//! low. While it keeps a request waiting ([`Session::waits_for_reader`](super::Session::waits_for_reader)), the driver
//! reports anew.
//!
//! Every part of the session adds to it, by way of the `Context`; [`Session::poll`](super::Session::poll) takes outputs
//! from the front.

use std::collections::{BTreeMap, VecDeque};

use super::Output;
use super::pending::{Pending, RequestId};
use crate::core::outbox::Queued;
use crate::core::time::Time;
use crate::core::told::Class;
use crate::protocol::{ErrorCode, Event, EventLine, Failure, Timestamp, event};

/// The outputs that the driver has not taken. See the [module](self).
pub(super) struct Effects {
    /// The calendar's time at time 0.
    epoch: Timestamp,
    out: VecDeque<Output>,
    /// An upper bound of the unread bytes.
    unread: usize,
    /// The first failure of a request since the last call of [`Effects::take_failed`].
    failed: Option<ErrorCode>,
    /// How many requests of each kind were given up.
    given_up: BTreeMap<String, u64>,
}

impl Effects {
    /// No outputs. `epoch` is the calendar's time at time 0.
    pub(super) fn new(epoch: Timestamp) -> Self {
        Self { epoch, out: VecDeque::new(), unread: 0, failed: None, given_up: BTreeMap::new() }
    }

    /// Adds an output for the driver.
    pub(super) fn push(&mut self, output: Output) {
        self.out.push_back(output);
    }

    /// Takes the next output.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Tells the user an event that answers no request.
    pub(super) fn tell(&mut self, now: Time, event: impl Into<Event>) {
        self.tell_for(now, RequestId::default(), false, event);
    }

    /// Tells the user the final event of a request.
    pub(super) fn finish(&mut self, now: Time, id: RequestId, event: impl Into<Event>) {
        self.tell_for(now, id, true, event);
    }

    /// Tells the user something about a request; `last` says whether it is the final event.
    pub(super) fn tell_for(&mut self, now: Time, id: RequestId, last: bool, event: impl Into<Event>) {
        let mut event = event.into();
        if let (Event::Error(error), None) = (&mut event, &id.id) {
            error.line = id.line;
        }
        let time = self.calendar(now);
        let line = EventLine { seq: None, time: Some(time), id: id.id, last, event };
        match Class::of(&line) {
            Class::Answer | Class::Fact => self.unread += line.bytes(),
            // At most one state of each kind waits, so states need no room.
            Class::State(_) => {}
        }
        self.out.push_back(Output::Tell(Box::new(line)));
    }

    /// The calendar's time at a time.
    pub(super) fn calendar(&self, at: Time) -> Timestamp {
        Timestamp(self.epoch.0.saturating_add((at.0 / 1_000) as i64))
    }

    /// Answers a request with a failure.
    pub(super) fn refuse(&mut self, now: Time, id: RequestId, failure: Failure) {
        self.failed.get_or_insert(failure.code);
        self.finish(now, id, event::Error::from(failure));
    }

    /// Answers a request that is given up at the end of the session, and counts it for the `bye` event.
    pub(super) fn give_up(&mut self, now: Time, pending: Pending, failure: Failure) {
        *self.given_up.entry(pending.request.name().to_owned()).or_default() += 1;
        let failure = pending.given_up(failure);
        self.finish(now, pending.id, event::Error::from(failure));
    }

    /// Takes the error code of the first request that has failed since the last call.
    pub(super) fn take_failed(&mut self) -> Option<ErrorCode> {
        self.failed.take()
    }

    /// Takes the counts of given-up requests, by the requests' names, such as `get`.
    pub(super) fn take_given_up(&mut self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.given_up)
    }

    /// An upper bound of the unread bytes.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// Sets the unread bytes, as the driver reports them.
    pub(super) fn set_unread(&mut self, bytes: usize) {
        self.unread = bytes;
    }
}
