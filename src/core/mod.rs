//! Decisions: pure state machines without I/O, clock or chance of their own.
//!
//! # The drain contract
//! A machine is driven by three calls: `handle(now, input)`, then `poll(now)` until it gives `None`, then
//! `next_timeout()` says when `handle(now, Input::Tick)` is wanted at the latest. Between `handle` and the end of
//! `poll` nothing else may happen. Time never goes back.

pub mod answers;
pub mod batch;
pub mod dials;
pub mod digest;
pub mod few;
pub mod flow;
pub mod hub;
pub mod ledger;
pub mod link;
pub mod outbox;
pub mod peers;
pub mod places;
pub mod rate;
pub mod session;
pub mod swarm;
pub mod time;
pub mod timers;
pub mod told;

pub use hub::Hub;
pub use link::{Link, LinkConfig, LinkFault, LinkLost};
pub use peers::Peers;
pub use session::Session;
pub use time::{Rng, Time};
pub use timers::Timers;
