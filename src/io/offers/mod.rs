//! What this client offers: it finds the files that a request names, hashes them without following links, and watches them.

mod empty;
mod offering;
mod parcel;
mod ready;
#[cfg(test)]
mod tests;
mod walk;
pub mod watch;

pub use offering::Offers;
pub use parcel::{Gathered, ParcelFile};
