//! Services of the operating system: the clock, randomness, signals, and turning core dumps off.

pub mod cancel;
pub mod clock;
pub mod dumps;
pub mod signals;
