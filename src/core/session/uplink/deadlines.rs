//! The deadlines of the connection to the hub: for the hub's next step, or for ours.

use std::time::Duration;

use super::{ANSWER, HubConnection, Uplink};
use crate::core::time::Time;

impl Uplink {
    /// When a lost hub is tried again.
    pub(in crate::core::session) fn reconnects_at(&self) -> Option<Time> {
        match self.connection {
            HubConnection::Pausing { until, .. } => Some(until),
            HubConnection::First
            | HubConnection::Greeting { .. }
            | HubConnection::Up { .. }
            | HubConnection::Again { .. } => None,
        }
    }

    /// When the hub must have said hello.
    pub(in crate::core::session) fn hello_due(&self) -> Option<Time> {
        match self.connection {
            HubConnection::Greeting { deadline, .. } => Some(deadline),
            HubConnection::First
            | HubConnection::Up { .. }
            | HubConnection::Pausing { .. }
            | HubConnection::Again { .. } => None,
        }
    }

    /// When the link wants time to pass.
    pub(in crate::core::session) fn link_due(&self) -> Option<Time> {
        self.link.next_timeout().filter(|_| self.is_up())
    }

    /// When a busy hub is asked again to let us in. A lost hub is not asked.
    pub(in crate::core::session) fn enters_at(&self) -> Option<Time> {
        self.entrance.due().filter(|_| self.is_up())
    }

    /// When the hub must have answered what it was asked.
    pub(in crate::core::session) fn answer_due(&self) -> Option<Time> {
        match self.connection {
            HubConnection::Up { since: up, .. } => self.asks.oldest_since().map(|since| up.max(since) + ANSWER),
            HubConnection::First
            | HubConnection::Greeting { .. }
            | HubConnection::Pausing { .. }
            | HubConnection::Again { .. } => None,
        }
    }

    /// For how long the hub has owed an answer, and whether that is as long as a lost hub is waited for.
    pub(in crate::core::session) fn owes_for(&self, now: Time) -> Option<(Duration, bool)> {
        let owes = now - self.asks.oldest_since()?;
        Some((owes, owes >= ANSWER + self.give_up))
    }
}
