//! The interface for the part of the program that runs a client and wants to see its events.

use crate::core::session::Replica;
use crate::protocol::EventLine;

/// Told on standard error if the end of the session waits for a reader.
pub const UNREAD: &str = "potluck: leaving waits until standard output has been read; Ctrl-C leaves now";

/// Observes a client from inside the program. It is called on the client's own task, so it must not block.
pub trait Observer {
    /// The replica of the table and the roster has changed.
    fn updated(&mut self, _replica: &Replica) {}

    /// The client tells an event. A returned event goes on to the reader of events; `None` keeps it from them.
    fn told(&mut self, line: EventLine) -> Option<EventLine> {
        Some(line)
    }

    /// The unread bytes that count against starting further requests. `waiting` is how many bytes wait for the reader.
    fn unread(&self, waiting: usize) -> usize {
        waiting
    }

    /// The end of the session waits until somebody reads the events.
    fn end_waits(&mut self) {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "{UNREAD}");
    }
}

impl<W: FnMut(&Replica)> Observer for W {
    fn updated(&mut self, replica: &Replica) {
        self(replica);
    }
}
