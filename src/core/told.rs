//! How an event waits for a slow reader: its class in the outbox, and its weight.
//!
//! The client's session uses it to reserve room for answers, and `io::drive::queued` to put events into an outbox.

use super::outbox::{Queued, StateKey};
use crate::protocol::EventLine;
use crate::protocol::event::Told;

/// The class of an event in the [`outbox`](super::outbox).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The final event of a request, or the end of the stream.
    Answer,
    /// Something that happened.
    Fact,
    /// How something stands now.
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
        // A constant for the struct, the name and the id; lists add what they hold.
        512 + self.event.weight()
    }
}
