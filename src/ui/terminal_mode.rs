//! How the terminal is set up for the editor, so that it can be set up so again.

use std::io;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// How a terminal is set up.
pub(super) struct Mode(Termios);

impl Mode {
    /// As it is now, if there is a terminal.
    pub(super) fn now() -> Option<Self> {
        tcgetattr(io::stdin()).ok().map(Self)
    }

    /// Sets the terminal up so again, if it is there.
    pub(super) fn restore(&self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}
