//! What the parts of a hub work with while it handles an input: the moment, who is connected, the shared facts, and what
//! is to be done outside.

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

/// What every part of a hub may use.
pub(in crate::core::hub) struct Base {
    pub(in crate::core::hub) config: HubConfig,
    pub(in crate::core::hub) sessions: Sessions,
    pub(in crate::core::hub) journal: Journal,
    pub(in crate::core::hub) updates: Updates,
    pub(in crate::core::hub) refusals: Refusals,
    /// What is to be done outside, in this order.
    pub(in crate::core::hub) out: VecDeque<Output>,
}

/// The same at a moment: what is handed to whoever does something.
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
    /// Writes on the log.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }

    pub(in crate::core::hub) fn at(&mut self, now: Time) -> Cx<'_> {
        let Self { config, sessions, journal, updates, refusals, out } = self;
        Cx { now, config, sessions, journal, updates, refusals, out }
    }
}

impl Cx<'_> {
    /// What the calendar says.
    pub(in crate::core::hub) fn today(&self) -> Timestamp {
        self.config.today(self.now)
    }

    /// Writes on the log.
    pub(in crate::core::hub) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }
}
