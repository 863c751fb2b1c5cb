//! Decisions: pure state machines. No input or output of any kind, no clock, no randomness.

pub mod swarm;
