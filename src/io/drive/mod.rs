//! The drivers, which connect the machines of hub and client with the rest of `io`, and the user's streams.

pub mod client;
pub mod hub;
pub mod input;
pub mod output;
pub mod queued;
pub mod spool;
pub mod stdout;
