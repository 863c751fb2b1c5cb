//! Motion: sockets, disk, clock and signals; everything that the pure machines must not touch.

pub mod cancel;
pub mod carry;
pub mod client;
pub mod clock;
pub mod data;
pub mod dumps;
pub mod files;
pub mod hash;
pub mod hash_cache;
pub mod home;
pub mod hub;
pub mod identity;
pub mod inbox;
pub mod input;
mod manifest;
pub mod output;
mod own_file;
pub mod passwords;
pub mod pins;
pub mod queued;
pub mod signals;
pub mod stdout;
pub mod store;
pub mod store_writer;
pub mod tls;
pub mod transport;
pub mod watch;
