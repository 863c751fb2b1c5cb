//! The context that the hub passes to its parts (`entrance`, `feeds`, `files`) when they handle an input.
//!
//! The hub owns a [`Base`], and beside it the parts. For each call of a part it makes a [`Cx`], which borrows the base
//! and holds the time of the input. By it, the part reaches the sessions, the state and the outputs, but no other part.
//!
//! [`Cx`] has methods in these files:
//!
//! | file | methods |
//! |---|---|
//! | `answers` | answer or refuse a request, in the order of its client's requests |
//! | `introducing` | decide which clients follow the table and the roster, and who is told of whom |
//! | `recording` | apply a record to the state, give it to the store, and hold an answer until it is on disk |
//! | `spending` | charge a client for a request or message, or refuse it with `slow-down` |
//! | `telling` | send events that no request has asked for: changes of the table and the roster, and others |

pub(in crate::core::hub) mod answers;
pub(in crate::core::hub) mod introducing;
pub(in crate::core::hub) mod recording;
pub(in crate::core::hub) mod spending;
pub(in crate::core::hub) mod telling;

use std::collections::VecDeque;

use crate::core::hub::config::HubConfig;
use crate::core::hub::journal::Journal;
use crate::core::hub::ports::Output;
use crate::core::hub::sessions::Sessions;
use crate::core::hub::sessions::refusals::Refusals;
use crate::core::hub::sessions::updates::Updates;
use crate::core::time::Time;
use crate::protocol::{LogEvent, Timestamp};

/// What all parts of the hub share. A part changes only its own fields and these.
pub(in crate::core::hub) struct Base {
    pub(in crate::core::hub) config: HubConfig,
    /// The clients that are connected, or may come back soon.
    pub(in crate::core::hub) sessions: Sessions,
    /// The state, and what waits for the store.
    pub(in crate::core::hub) journal: Journal,
    /// When changes of the table and the roster are told, and the events that tell them.
    pub(in crate::core::hub) updates: Updates,
    /// Which refusals have a line of their own in the hub's log.
    pub(in crate::core::hub) refusals: Refusals,
    /// What the driver must do, in this order.
    pub(in crate::core::hub) out: VecDeque<Output>,
}

/// The [`Base`] with the time of the input that is handled; borrowed by a part for one call. The fields are those of
/// the base.
pub(in crate::core::hub) struct Cx<'a> {
    pub(in crate::core::hub) now: Time,
    pub(in crate::core::hub) config: &'a HubConfig,
    pub(in crate::core::hub) sessions: &'a mut Sessions,
    pub(in crate::core::hub) journal: &'a mut Journal,
    pub(in crate::core::hub) updates: &'a mut Updates,
    pub(in crate::core::hub) refusals: &'a mut Refusals,
    pub(in crate::core::hub) out: &'a mut VecDeque<Output>,
}

impl Base {
    /// Tells the hub's operator an event, as a line of the hub's log. Not to be confused with the journal.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }

    /// The context for a part that handles an input at time `now`.
    pub(in crate::core::hub) fn at(&mut self, now: Time) -> Cx<'_> {
        let Self { config, sessions, journal, updates, refusals, out } = self;
        Cx { now, config, sessions, journal, updates, refusals, out }
    }
}

impl Cx<'_> {
    /// The calendar time of the input.
    pub(in crate::core::hub) fn today(&self) -> Timestamp {
        self.config.today(self.now)
    }

    /// Tells the hub's operator an event, as [`Base::log`] does.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }
}
