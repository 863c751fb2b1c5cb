//! The events that the demo waits for: from its processes, and from its user.

use crate::io::os::signals::Signal;

/// An event that the demo waits for.
pub(super) enum Heard {
    /// A process has written a line.
    Line(&'static str, String),
    /// A process has closed its output.
    End(&'static str),
    /// The user wants the demo to end.
    Signal(Signal),
}
