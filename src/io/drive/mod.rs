//! The drivers of hub and client, and the user's streams.

pub mod client;
pub mod hub;
pub mod input;
pub mod output;
pub mod queued;
pub mod stdout;
