//! Text for people: events and log lines as sentences and tables, progress bars, and the line editor at which people
//! type.

pub mod bars;
mod candidates;
pub mod complete;
pub mod editor;
pub mod escape;
mod files;
pub mod human;
mod invites;
pub mod log;
mod parcels;
mod people;
mod phrases;
mod progress_bar;
mod resumed;
pub mod screen;
pub mod style;
pub mod table;
pub mod talk;
mod terminal_mode;
mod terminal_owner;
mod transfers;
pub mod units;
pub mod validate;
mod verified;
mod waiting;
pub mod whole;
mod width;

#[cfg(test)]
mod tests;
