//! The time that the whole session may take.

use std::time::Duration;

use super::Session;
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Failure, Timestamp, event};

/// When the session has taken as long as it may.
#[derive(Debug, Default)]
pub(super) struct TimeLimit {
    at: Option<Time>,
}

impl TimeLimit {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.at
    }
}

impl Session {
    pub(super) fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.config.epoch.0 + (now.0 / 1_000) as i64)
    }

    /// The time has counted since the clock began, since to look up the hub's name takes some of it. What is asked at the
    /// start is heard before it is over, so that it has its answer.
    pub(super) fn start_limit(&mut self, now: Time) {
        self.limit.at = self.config.timeout.map(|span| (Time::default() + span).max(now + Duration::from_micros(1)));
    }

    /// Ends the session when its time is over: whatever is not answered is answered with that.
    pub(super) fn check_limit(&mut self, now: Time) {
        if self.ended || self.limit.at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let span = self.config.timeout.unwrap_or_default();
        let failure = Failure::new(ErrorCode::TimedOut, format!("It was not done after {} s.", span.as_secs_f64()));
        self.tell(now, event::Error::from(failure.clone()));
        self.break_off(now, "timed out", &failure, ErrorCode::TimedOut.exit(), super::requests::Mark::default(), false);
    }
}
