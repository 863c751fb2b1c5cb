//! The link's transports over real sockets.

#[path = "../common/mod.rs"]
mod common;

mod both;
mod hostile;
mod memory;
