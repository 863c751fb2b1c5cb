//! Restores the editor when the program returns to the foreground after Ctrl-Z. The shell has used the terminal
//! meanwhile, so it is set up again, and the prompt is drawn again with what was typed.

use std::io;
use std::sync::Arc;

use rustyline::ExternalPrinter;
use signal_hook::consts::SIGCONT;
use signal_hook::iterator::Signals;

use super::terminal_owner::{Owner, TerminalOwner};

/// Starts a thread that waits for the signal which continues a stopped program. It then sends `wake` to `printer`,
/// which draws the prompt again.
///
/// # Errors
/// If the signal handler or the thread cannot be installed.
pub(super) fn watch(
    terminal: Arc<TerminalOwner>,
    mut printer: Box<dyn ExternalPrinter + Send>,
    wake: &'static str,
) -> io::Result<()> {
    let mut continued = Signals::new([SIGCONT])?;
    std::thread::Builder::new().name("continued".into()).spawn(move || {
        for _ in continued.forever() {
            let mut state = terminal.lock();
            match state.owner {
                Owner::Over => return,
                // The next prompt will set up the terminal itself.
                Owner::Nobody | Owner::Printer => continue,
                Owner::Editor => {}
            }
            // The bars that stood above the prompt cannot be removed any more.
            state.screen.forget();
            if let Some(mode) = &state.mode {
                mode.restore();
            }
            drop(state);
            let _ = printer.print(wake.to_owned());
        }
    })?;
    Ok(())
}
