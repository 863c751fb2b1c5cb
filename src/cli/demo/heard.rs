//! What the demo hears from its processes and from whoever watches it.

use crate::io::os::signals::Signal;

/// What comes in from outside.
pub(super) enum Heard {
    /// A process wrote a line.
    Line(&'static str, String),
    /// A process will write no more.
    End(&'static str),
    /// Somebody wants the demo to end.
    Signal(Signal),
}
