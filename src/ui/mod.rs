//! Speech: events as people read them, and the line editor at which they type.

pub mod complete;
pub mod editor;
pub mod escape;
mod files;
pub mod human;
pub mod log;
mod people;
pub mod style;
mod table;
mod transfers;
pub mod units;
pub mod validate;

#[cfg(test)]
mod tests;
