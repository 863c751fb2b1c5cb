//! Potluck: a hub and its clients in one binary.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod cli;
pub mod core;
pub mod io;
pub mod protocol;
pub mod sim;
pub mod ui;
