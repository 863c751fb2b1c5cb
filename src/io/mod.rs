//! Everything that touches the outside: sockets, disk, clock, signals and threads. It moves inputs and outputs of the
//! machines in [`crate::core`], and decides nothing itself.
//!
//! Each room may use only rooms that stand above it in this list; `tests/tidy.rs` checks every `use`:
//!
//! | room | holds |
//! |---|---|
//! | [`os`] | the clock, randomness, signals, core dumps, and the flag that cancels work on other threads |
//! | [`fs`] | opening files safely: below an offered folder, or in a folder of our own |
//! | [`content`] | hashing, the hash cache, manifests, the contents that are served, partial files, and saving under the final name |
//! | [`net`] | keys, TLS, and connections of lines over QUIC or TCP |
//! | [`transfer`] | transfers between clients: the driver of a fetch, lanes, serving, limits |
//! | [`offers`] | offered files: found, hashed, and watched for changes |
//! | [`store`] | the hub's SQLite database |
//! | [`state`] | a client's data folder: keys, pins, the inbox |
//! | [`drive`] | the drivers of hub and client, and the user's streams |

pub mod content;
pub mod drive;
pub mod fs;
pub mod net;
pub mod offers;
pub mod os;
pub mod state;
pub mod store;
pub mod transfer;
