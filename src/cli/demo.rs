//! `potluck demo`.

use std::process::ExitCode;

use clap::Args;

/// Show what potluck does: a hub and three clients on this machine.
#[derive(Debug, Args)]
pub struct Demo {}

impl Demo {
    /// Runs the subcommand.
    pub fn run(&self) -> ExitCode {
        ExitCode::FAILURE
    }
}
