//! Whether the hub has let us in. One that has no time for us at its entrance is asked again, less and less often.

use std::time::Duration;

use super::{Origin, Session};
use crate::core::time::Time;
use crate::protocol::wire::Ask;
use crate::protocol::{Client, ErrorCode, Request, event};

/// The longest pause between two tries to come in, unless the hub wants a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How it went with coming in, for the exit code of a program that leaves without having been there.
#[derive(Debug, Default)]
pub(super) struct Entry {
    refused: Option<ErrorCode>,
    /// Our number in the roster, even after we have left it.
    number: Option<u64>,
    /// Since when the hub has no time for us, and how many tries were in vain.
    busy: Option<(Time, u32)>,
    /// What is asked again, and when.
    later: Option<(Time, Request, Origin)>,
}

impl Entry {
    /// The hub asks for more than our name; it can still be given.
    pub(super) fn refuse(&mut self, code: ErrorCode) {
        self.refused = Some(code);
    }

    /// The hub has let us in.
    pub(super) fn admit(&mut self, number: u64) {
        self.refused = None;
        self.number = Some(number);
        self.busy = None;
    }

    /// A hub that has forgotten everything counts anew, and is asked anew.
    pub(super) fn start_over(&mut self) {
        self.number = None;
        self.later = None;
    }

    /// Whether it will be tried again to come in.
    pub(super) fn waits(&self) -> bool {
        self.later.is_some()
    }

    /// Says which of these is ourselves: no person is told of their own coming and going.
    pub(super) fn mark_ourselves(&self, clients: &mut [Client]) {
        for client in clients {
            client.you = self.number == Some(client.number);
        }
    }

    /// The exit code of a session that ends because its user has nothing more to ask.
    pub(super) fn exit(&self) -> u8 {
        self.refused.map_or(0, ErrorCode::exit)
    }
}

impl Session {
    /// The hub does not let us in. If it only has no time, it is asked again, for as long as one that is lost is.
    pub(super) fn not_let_in(&mut self, now: Time, ask: Ask, origin: Origin, error: event::Error) {
        let (since, tries) = self.entry.busy.unwrap_or((now, 0));
        match (ask, error.wait) {
            (Ask::Request(line), Some(wait))
                if error.code == ErrorCode::SlowDown && now - since < self.config.give_up =>
            {
                let wait = Duration::from_millis(wait);
                let pause = wait.saturating_mul(2u32.pow(tries.min(16))).min(LONGEST_PAUSE.max(wait));
                // So that those who were refused together do not come together again.
                let jitter = Duration::from_micros(self.rng.below(pause.as_micros() as u64 / 2 + 1));
                let at = (now + pause + jitter).min(since + self.config.give_up);
                self.entry.busy = Some((since, tries + 1));
                self.entry.later = Some((at, line.request, origin));
            }
            _ => self.leave_refused(now, error.into()),
        }
    }

    /// When it is tried again to come in. A hub that is lost is not asked.
    pub(super) fn enters_at(&self) -> Option<Time> {
        self.entry.later.as_ref().filter(|_| self.connection.is_up()).map(|(at, ..)| *at)
    }

    pub(super) fn enter_again(&mut self, now: Time) {
        if self.enters_at().is_some_and(|at| at <= now)
            && let Some((_, request, origin)) = self.entry.later.take()
        {
            self.ask(now, request, origin);
        }
    }
}
