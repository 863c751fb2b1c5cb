//! Who may draw on the terminal: the editor while there is a prompt, otherwise the printer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustyline::Prompt;

use super::bars::TerminalSize;
use super::screen::Screen;
use super::terminal_mode::Mode;
use super::width::rows_below;

/// The present owner of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Owner {
    /// Nobody: a line was entered, or there was none yet, and the next prompt is about to appear.
    #[default]
    Nobody,
    /// The editor, which shows a prompt.
    Editor,
    /// The printer, which writes at once: the next prompt depends on what is told.
    Printer,
    /// The editor has ended; there will be no more prompts.
    Over,
}

/// The terminal with its owner: a lock that the editor's thread and the printer share.
pub(super) struct TerminalOwner {
    state: Mutex<TerminalState>,
    changed: Condvar,
}

pub(super) struct TerminalState {
    pub(super) owner: Owner,
    pub(super) screen: Screen,
    /// The prompt that is shown, or was shown last.
    pub(super) prompt: String,
    /// The settings of the terminal while there is a prompt.
    pub(super) mode: Option<Mode>,
}

impl TerminalOwner {
    pub(super) fn new(screen: Screen) -> Self {
        Self {
            state: Mutex::new(TerminalState { owner: Owner::default(), screen, prompt: String::new(), mode: None }),
            changed: Condvar::new(),
        }
    }

    /// The next prompt. The editor becomes the owner when rustyline reads its text.
    pub(super) fn prompt(self: &Arc<Self>, text: String) -> OwnedPrompt {
        self.lock().prompt.clone_from(&text);
        OwnedPrompt { text, terminal: Arc::clone(self) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, TerminalState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the terminal to `next`. Once the editor has ended, nothing changes any more.
    pub(super) fn set(&self, next: Owner) {
        let mut state = self.lock();
        if state.owner != Owner::Over && state.owner != next {
            state.owner = next;
            self.changed.notify_all();
        }
    }

    /// Ends the editor's ownership for good, and returns the last owner. It waits up to `patience` for a prompt that is
    /// about to appear, because it would otherwise appear after the terminal was given back.
    pub(super) fn end_editing(&self, patience: Duration) -> Owner {
        let coming = |state: &mut TerminalState| state.owner == Owner::Nobody;
        let wait = self.changed.wait_timeout_while(self.lock(), patience, coming);
        let was = std::mem::replace(&mut wait.unwrap_or_else(PoisonError::into_inner).0.owner, Owner::Over);
        self.changed.notify_all();
        was
    }

    pub(super) fn wait_while(&self, condition: impl Fn(&TerminalState) -> bool) -> MutexGuard<'_, TerminalState> {
        let wait = self.changed.wait_while(self.lock(), |state| condition(state));
        wait.unwrap_or_else(PoisonError::into_inner)
    }

    /// The text that removes the bars, for the editor's thread. The cursor is `below` rows below the end of `text`.
    pub(super) fn lift(&self, text: &str, below: usize, columns: usize) -> String {
        self.lock().screen.lift(rows_below(text, columns) + below, columns)
    }

    /// The text of the whole screen down to the prompt, for the editor's thread.
    pub(super) fn paint(&self, prompt: &str, size: TerminalSize) -> String {
        let painted = self.lock().screen.paint(prompt, size);
        self.changed.notify_all();
        painted
    }
}

/// Ends the editor's ownership when it is dropped, even by a panic, so that no printer waits for an editor that has
/// gone.
pub(super) struct EndOfEditor<'a>(pub(super) &'a TerminalOwner);

impl Drop for EndOfEditor<'_> {
    fn drop(&mut self) {
        self.0.set(Owner::Over);
    }
}

/// A prompt owner text rustyline asks for once it has set up the terminal. At that moment the editor becomes the owner.
pub(super) struct OwnedPrompt {
    pub(super) text: String,
    pub(super) terminal: Arc<TerminalOwner>,
}

impl Prompt for OwnedPrompt {
    fn raw(&self) -> &str {
        self.terminal.lock().mode = Mode::now();
        self.terminal.set(Owner::Editor);
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn editor_that_panics_holds_no_printer() {
        let terminal = Arc::new(TerminalOwner::new(Screen::new(None)));
        terminal.set(Owner::Editor);
        let editor = std::thread::spawn({
            let terminal = Arc::clone(&terminal);
            move || {
                let _over = EndOfEditor(&terminal);
                panic!("the library");
            }
        });
        assert!(editor.join().is_err());
        assert_eq!(terminal.lock().owner, Owner::Over);
    }
}
