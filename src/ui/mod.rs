//! Speech: what people see and type.
//!
//! [`human::render`] turns an event into text from the event and nothing else: no clock, no
//! terminal, no settings. So a recorded stream replays to the same text, byte for byte.

pub mod escape;
pub mod human;
pub mod log;
pub mod style;
mod table;
mod transfers;
pub mod units;
pub mod validate;

#[cfg(test)]
mod tests;
