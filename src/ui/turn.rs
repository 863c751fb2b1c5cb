//! Whose turn it is to draw on the terminal: the editor's, while there is a prompt, or the printer's.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::Prompt;

use super::bars::TerminalSize;
use super::screen::Screen;
use super::width::rows_below;

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

/// Who may write to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Whose {
    /// A line was read, or none yet: the next prompt is about to come.
    #[default]
    Nobody,
    /// The prompt is there.
    Editor,
    /// The next prompt depends on what is told: that is written at once.
    Printer,
    /// There will be no more prompts.
    Over,
}

/// Who draws, and what.
pub(super) struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

pub(super) struct State {
    pub(super) whose: Whose,
    pub(super) screen: Screen,
    /// The prompt that stands there, or stood there last.
    pub(super) prompt: String,
    /// How the terminal is set up while there is a prompt.
    pub(super) mode: Option<Mode>,
}

impl Turn {
    pub(super) fn new(screen: Screen) -> Self {
        Self {
            state: Mutex::new(State { whose: Whose::default(), screen, prompt: String::new(), mode: None }),
            changed: Condvar::new(),
        }
    }

    /// The prompt that comes next.
    pub(super) fn prompt(self: &Arc<Self>, text: String) -> TurnPrompt {
        self.lock().prompt.clone_from(&text);
        TurnPrompt { text, turn: Arc::clone(self) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the turn on; once it is over it stays so.
    pub(super) fn set(&self, next: Whose) {
        let mut state = self.lock();
        if state.whose != Whose::Over && state.whose != next {
            state.whose = next;
            self.changed.notify_all();
        }
    }

    /// Ends all turns, and says whose the last one was. What is just coming is waited for, since it
    /// would turn up on the terminal after that was given back.
    pub(super) fn end(&self, patience: Duration) -> Whose {
        let coming = |state: &mut State| state.whose == Whose::Nobody;
        let wait = self.changed.wait_timeout_while(self.lock(), patience, coming);
        let was = std::mem::replace(&mut wait.unwrap_or_else(PoisonError::into_inner).0.whose, Whose::Over);
        self.changed.notify_all();
        was
    }

    pub(super) fn wait_while(&self, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let wait = self.changed.wait_while(self.lock(), |state| condition(state));
        wait.unwrap_or_else(PoisonError::into_inner)
    }

    /// What takes the bars away, for the editor's thread. The cursor is at the end of `text`, or so many rows further
    /// down.
    pub(super) fn lift(&self, text: &str, below: usize, columns: usize) -> String {
        self.lock().screen.lift(rows_below(text, columns) + below, columns)
    }

    /// The screen down to the prompt, for the editor's thread.
    pub(super) fn paint(&self, prompt: &str, size: TerminalSize) -> String {
        let painted = self.lock().screen.paint(prompt, size);
        self.changed.notify_all();
        painted
    }
}

/// Ends all turns when it is dropped, even by a panic: nobody waits for an editor that is gone.
pub(super) struct TurnOver<'a>(pub(super) &'a Turn);

impl Drop for TurnOver<'_> {
    fn drop(&mut self) {
        self.0.set(Whose::Over);
    }
}

/// The library asks for the prompt once it has set up the terminal: then the editor's turn begins.
pub(super) struct TurnPrompt {
    pub(super) text: String,
    pub(super) turn: Arc<Turn>,
}

impl Prompt for TurnPrompt {
    fn raw(&self) -> &str {
        self.turn.lock().mode = Mode::now();
        self.turn.set(Whose::Editor);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editor_that_panics_holds_no_printer() {
        let turn = Arc::new(Turn::new(Screen::new(None)));
        turn.set(Whose::Editor);
        let editor = std::thread::spawn({
            let turn = Arc::clone(&turn);
            move || {
                let _over = TurnOver(&turn);
                panic!("the library");
            }
        });
        assert!(editor.join().is_err());
        assert_eq!(turn.lock().whose, Whose::Over);
    }
}
