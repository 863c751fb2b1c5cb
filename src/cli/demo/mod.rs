//! `potluck demo`: runs a hub and three clients as processes of their own, and checks everything that they do.
//!
//! The clients are used as any program would use them: JSON requests with ids on standard input, JSON events on
//! standard output. The demo waits for events only.

mod files;
mod folder;
mod heard;
mod party;
mod process;
mod story;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;

use super::client::style;
use super::recording::{complain, finish};
use crate::io::drive::stdout::StandardOutput;
use crate::io::os::signals::{OnHangup, Signal, Signals};
use folder::Folder;
use party::Party;

/// Show what potluck does: a hub and three clients on this machine.
///
/// Starts a hub and three clients, lets each offer four files and fetch the eight of the others, compares all of
/// them byte for byte, and lets one client leave. Everything happens on loopback and in one temporary folder
/// (about 225 MB), which is removed at the end. The exit code is 0 if all went as it should, otherwise 1.
#[derive(Debug, Args)]
pub struct Demo {
    /// Leave the temporary folder with all files in place.
    #[arg(long)]
    keep: bool,
}

/// Why the demo stops early.
enum Stop {
    /// A check has failed.
    Failed(String),
    /// The user wants it to end.
    Signal(Signal),
    /// Its own output cannot be written.
    Unread(io::Error),
}

impl Stop {
    fn failed(what: &str) -> impl FnOnce(io::Error) -> Self + use<> {
        let what = what.to_owned();
        move |e| Self::Failed(format!("{what}: {}", crate::protocol::cause::of_io(&e)))
    }
}

impl Demo {
    /// Runs the subcommand, and returns the exit code of the program.
    pub fn run(&self) -> ExitCode {
        match self.play() {
            Ok(()) => ExitCode::SUCCESS,
            Err(Stop::Signal(signal)) => ExitCode::from(signal.exit()),
            Err(Stop::Unread(e)) => finish(Err(e)),
            Err(Stop::Failed(reason)) => failed(&reason),
        }
    }

    fn play(&self) -> Result<(), Stop> {
        let (sender, heard) = std::sync::mpsc::channel();
        let signals = sender.clone();
        // SIGHUP is among them, because a closed terminal must not leave a hub behind.
        let _signals = Signals::install(OnHangup::Told, move |signal| {
            let _ = signals.send(heard::Heard::Signal(signal));
        })
        .map_err(Stop::failed("signals cannot be caught"))?;
        let folder = Folder::create(self.keep).map_err(Stop::failed("no temporary folder could be made"))?;
        let mut party = Party::new(folder.path(), style(), (sender, heard));
        let played = story::play(&mut party);
        // In any case, the processes end first, and then the folder is removed.
        drop(party);
        let kept = folder.path().display().to_string();
        let removed = folder.remove().map_err(Stop::failed("the temporary folder could not be removed"));
        played?;
        removed?;
        if self.keep {
            writeln!(StandardOutput, "The files are in {kept}.").map_err(Stop::Unread)?;
        }
        Ok(())
    }
}

fn failed(reason: &str) -> ExitCode {
    complain(&format!("demo: {reason}"));
    ExitCode::FAILURE
}
