//! What is offered: folders looked through, files opened and hashed without following links.

mod offering;
mod ready;
#[cfg(test)]
mod tests;
mod walk;
pub mod watch;

pub use offering::Offers;
