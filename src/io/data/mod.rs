//! The data plane: content between peers, over TCP with TLS 1.3, always pulled by the receiver.
//!
//! - [`Shelf`]: what this client serves and to whom; [`DataServer`] serves it.
//! - `fetch` gets one content, or some chunks of it, from all who have it, into a file; [`fetch_folder`] gets many, the
//!   small ones as a stream. What they have got is on the shelf from then on.
//!
//! All of it runs on blocking threads. Bulk data passes through buffers of 256 KiB that stay in a
//! core's cache: it is decrypted, hashed and written by the thread that received it. Every chunk is
//! verified before it counts, and chunks of up to 2 MiB (files of up to 32 GiB) before they are
//! written. Larger ones are written to the hidden partial file as they come and count once they
//! are verified, so that memory stays small for any size.

mod claims;
mod control;
mod dial;
mod fetch;
mod flow;
mod folder;
mod growing;
mod here;
mod lane;
mod local_peer;
mod manifest;
mod pace;
mod partial;
mod run;
mod serve;
mod server;
mod shelf;
mod side;
mod socket;
mod sources;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod throttle;
mod uploads;

pub use control::Control;
pub use fetch::{FetchJob, FetchNote, Fetched, Source, fetch};
pub use folder::{Arrived, FolderFetched, FolderFile, FolderJob, FolderNote, fetch_folder};
pub use local_peer::LocalPeer;
pub(crate) use partial::is_partial;
pub use server::DataServer;
pub use shelf::Shelf;
pub(crate) use shelf::{Place, Shelved};
pub use target::check_target;
pub use throttle::{Rates, SLOWEST, Throttle};
pub use uploads::{UploadNote, UploadNotify};
