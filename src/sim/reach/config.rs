//! What a simulated race is played with, and how it has ended.

use std::time::Duration;

use super::router::Kind;
use crate::core::time::Time;
use crate::protocol::{ErrorCode, Route};

/// What a race is played with.
#[derive(Debug, Clone, Copy)]
pub struct ReachConfig {
    /// The seed of every random choice.
    pub seed: u64,
    /// The router of whoever asks, and of whoever is asked.
    pub routers: [Kind; 2],
    /// The shortest and the longest delay of a packet, one way, in microseconds.
    pub delay: (u64, u64),
    /// How many of 100 packets are lost.
    pub loss: u64,
    /// Whether the hub relays.
    pub relays: bool,
    /// When the hub goes away.
    pub hub_goes: Option<Duration>,
    /// Whether the other side comes at all.
    pub comes: bool,
}

/// How a race has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The ways that were used, in order.
    pub used: Vec<Route>,
    /// Why there is none.
    pub failure: Option<ErrorCode>,
    /// When the first way stood, or it was given up.
    pub first: Time,
    /// When all was over.
    pub over: Time,
}
