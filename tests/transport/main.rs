//! The link's transports over real sockets.

#[path = "../support/mod.rs"]
mod support;

mod both;
mod hostile;
mod parcels;
mod relay;
