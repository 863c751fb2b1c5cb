//! Motion: sockets, disk, clock and signals; everything that the pure machines must not touch.
//!
//! Each room knows only rooms that stand above it in this list; `tests/tidy.rs` reads every `use`:
//!
//! | room | holds |
//! |---|---|
//! | [`os`] | the clock, randomness, signals, core dumps, and the flag that ends work on other threads |
//! | [`fs`] | opening files safely: below a folder that is offered, or in a folder of our own |
//! | [`content`] | hashing, the hash cache, manifests, what is served, partial files, placing |
//! | [`net`] | keys, TLS, and connections of lines over QUIC or TCP |
//! | [`transfer`] | transfers between clients: the driver of a fetch, lanes, serving, limits |
//! | [`offers`] | what is offered: found, hashed, and watched for changes |
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
