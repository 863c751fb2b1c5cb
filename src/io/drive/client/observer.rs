//! Who watches a client from inside the program.

use crate::core::session::Replica;
use crate::protocol::EventLine;

/// What is said on standard error when the end waits for a reader.
pub const UNREAD: &str = "potluck: leaving waits until standard output has been read; Ctrl-C leaves now";

/// Who watches a client from inside the program. It is called on the client's own task, and must not block.
pub trait Observer {
    /// The replica of the table and the roster has changed.
    fn updated(&mut self, _replica: &Replica) {}

    /// The client tells this. What is given back goes on to the reader of events; what is kept does not.
    fn told(&mut self, line: EventLine) -> Option<EventLine> {
        Some(line)
    }

    /// How much of what was told holds up further requests until it is read, in bytes; `waiting` waits for the reader.
    fn unread(&self, waiting: usize) -> usize {
        waiting
    }

    /// The end waits until somebody reads the events.
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
