//! The context in which the parts of the hub handle an input: the time, the sessions, the journal, and the outputs.
//!
//! [`Base`] owns what every part may use; the parts themselves (`entrance`, `feeds`, `files`) are fields of the hub
//! beside it. So a method of a part gets a [`Cx`], which borrows the base at a moment, and cannot reach the other
//! parts. The other files here are methods of [`Cx`]: `answers`, `introducing`, `recording`, `spending`, `telling`.

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

/// What every part of a hub may use, and what it may change beside its own state.
pub(in crate::core::hub) struct Base {
    pub(in crate::core::hub) config: HubConfig,
    pub(in crate::core::hub) sessions: Sessions,
    pub(in crate::core::hub) journal: Journal,
    pub(in crate::core::hub) updates: Updates,
    pub(in crate::core::hub) refusals: Refusals,
    /// What the driver must do, in this order.
    pub(in crate::core::hub) out: VecDeque<Output>,
}

/// The base at a moment: borrowed by a part for the time of one call.
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
    /// Writes a line to the log.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }

    /// The context for handling something at `now`.
    pub(in crate::core::hub) fn at(&mut self, now: Time) -> Cx<'_> {
        let Self { config, sessions, journal, updates, refusals, out } = self;
        Cx { now, config, sessions, journal, updates, refusals, out }
    }
}

impl Cx<'_> {
    /// The calendar time.
    pub(in crate::core::hub) fn today(&self) -> Timestamp {
        self.config.today(self.now)
    }

    /// Writes a line to the log.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }
}
