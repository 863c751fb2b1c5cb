//! Motion: sockets, disk, clock and signals; everything that the pure machines must not touch.

pub mod cancel;
pub mod data;
pub mod hash;
pub mod identity;
pub mod tls;
