//! Links between real processes, to the hub and between clients.

#[path = "../common/mod.rs"]
mod common;

mod private;
mod sessions;
