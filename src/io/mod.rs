//! Motion: sockets, disk, clock and signals; everything that the pure machines must not touch.

pub mod identity;
pub mod tls;
pub mod transport;
