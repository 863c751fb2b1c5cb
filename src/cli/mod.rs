//! Doors: one file a subcommand, each a clap struct with its help and a `run` that gives the exit code.

pub mod completions;
mod recording;
pub mod replay;
pub mod schema;
