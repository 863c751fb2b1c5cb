//! The `potluck` program.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use potluck::cli::Potluck;

fn main() -> ExitCode {
    potluck::io::dumps::forbid_dumps();
    let filter = tracing_subscriber::EnvFilter::from_env("POTLUCK_LOG");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    Potluck::from_command_line().run()
}
