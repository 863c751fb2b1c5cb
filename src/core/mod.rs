//! Decisions: pure state machines. No I/O, no clock, no randomness of their own.

pub mod outbox;
