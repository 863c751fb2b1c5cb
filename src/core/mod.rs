//! The decisions of hub and client, as state machines without I/O. They read no clock and draw no random numbers of
//! their own; time and seeds are inputs.
//!
//! # The drain contract
//! A driver uses a machine through three calls: `handle(now, input)`; then `poll(now)` until it returns `None`; then
//! `next_timeout()`, the time at which `handle(now, Input::Tick)` must be called at the latest. Nothing else may be
//! called between `handle` and the end of `poll`. `now` never goes back.

pub mod answers;
pub mod dials;
pub mod digest;
pub mod exchange;
pub mod fetch;
pub mod few;
pub mod flow;
pub mod handover;
pub mod happy_eyeballs;
pub mod hub;
pub mod link;
pub mod nearby;
pub mod outbox;
pub mod peers;
pub mod rate;
pub mod reach;
pub mod safety_number;
pub mod secrets;
pub mod session;
pub mod slots;
pub mod time;
pub mod timers;
pub mod token_bucket;
pub mod told;
pub mod verify;
pub mod versioned_map;

pub use fetch::Fetch;
pub use hub::Hub;
pub use link::{Link, LinkConfig, LinkFault, LinkLost};
pub use peers::Peers;
pub use session::Session;
pub use time::{Rng, Time};
pub use timers::Timers;
