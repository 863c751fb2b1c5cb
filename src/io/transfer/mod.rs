//! Transfers: content between peers, over TCP with TLS 1.3, always pulled by the receiver.
//!
//! - [`DataServer`] serves what is in a [`ContentStore`](crate::io::content::store::ContentStore), to whom that says.
//! - `fetch` gets what a plan says: a file, some chunks of one, or a folder. All that it decides is decided in
//!   [`core::fetch`](crate::core::fetch). What was got is in the store from then on.
//!
//! All of it runs on blocking threads. Bulk data passes through buffers of 256 KiB that stay in a core's cache: it is
//! decrypted, hashed and written by the thread that received it. Every chunk is verified before it counts, and chunks
//! of up to 2 MiB (files of up to 32 GiB) before they are written. Larger ones are written to the hidden partial file
//! as they come and count once they are verified, so that memory stays small for any size.

mod calling;
mod control;
mod dial;
mod dialled;
mod driver;
mod fetch;
mod fetcher;
mod lane;
mod limits;
mod local_peer;
mod reach;
mod run;
mod serve;
mod server;
mod service;
mod side;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
mod token_bucket;
mod uploads;

pub use control::Control;
pub use fetch::{Fetched, fetch};
pub use fetcher::Fetcher;
pub use local_peer::{Call, CallAnswer, LocalPeer};
pub use server::{DataDoor, DataServer};
pub use token_bucket::{Rates, SLOWEST, TokenBucket};
pub use uploads::{UploadEvent, UploadNotify};
