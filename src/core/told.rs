//! How events wait for a slow reader: what each weighs, and in which class it is.

use super::outbox::{Queued, StateKey};
use crate::protocol::EventLine;
use crate::protocol::event::Told;

/// How an event waits. See [`outbox`](super::outbox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The last event of a request, or of all.
    Answer,
    /// What has happened.
    Fact,
    /// How something stands.
    State(StateKey),
}

impl Class {
    /// The class of an event.
    pub fn of(line: &EventLine) -> Self {
        let kind = line.event.kind();
        match kind.told() {
            Told::State => Self::State(StateKey { kind, of: line.event.state_of() }),
            Told::Last => Self::Answer,
            Told::Fact | Told::Between if line.last => Self::Answer,
            Told::Fact | Told::Between => Self::Fact,
        }
    }
}

impl Queued for EventLine {
    fn stamp(&self) -> u64 {
        self.time.map_or(0, |time| time.0 as u64)
    }

    fn bytes(&self) -> usize {
        // The struct, its name and its id; those that list things grow with what they list.
        512 + self.event.weight()
    }
}
