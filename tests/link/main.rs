//! Links between real processes, to the hub and between clients.

#[path = "../support/mod.rs"]
mod support;

mod private;
mod sessions;
