//! Back in the foreground after Ctrl-Z: the shell has had the terminal meanwhile, so it is set up again for the editor,
//! and the prompt is drawn again with what was typed.

use std::io;
use std::sync::Arc;

use rustyline::ExternalPrinter;
use signal_hook::consts::SIGCONT;
use signal_hook::iterator::Signals;

use super::turn::{Turn, Whose};

/// Watches for the signal that lets a stopped program go on, on a thread of its own; `wake`, given to `printer`, has the
/// prompt drawn again.
///
/// # Errors
/// When there can be no handler or no thread.
pub(super) fn watch(
    turn: Arc<Turn>,
    mut printer: Box<dyn ExternalPrinter + Send>,
    wake: &'static str,
) -> io::Result<()> {
    let mut continued = Signals::new([SIGCONT])?;
    std::thread::Builder::new().name("continued".into()).spawn(move || {
        for _ in continued.forever() {
            let mut state = turn.lock();
            match state.whose {
                Whose::Over => return,
                // The next prompt is yet to come, and sets up the terminal itself.
                Whose::Nobody | Whose::Printer => continue,
                Whose::Editor => {}
            }
            // What stood above the prompt is out of reach.
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
