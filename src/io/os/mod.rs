//! What the operating system gives: the clock, randomness, signals, and how to keep core dumps off.

pub mod cancel;
pub mod clock;
pub mod dumps;
pub mod signals;
