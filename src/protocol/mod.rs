//! Words: requests, events, link frames, error codes. Types and bytes only.
//!
//! Nothing here reads a clock, opens a file or draws a random number.

mod bytes32;
pub mod data;
mod error;
mod transfer;

pub use bytes32::{ContentHash, NotBytes32, PublicKey};
pub use error::{At, ErrorCode, Failure, Retry};
pub use transfer::{Chunking, DEFAULT_CHUNK, MAX_CHUNKS, MAX_SIZE, MIN_CHUNK, OnConflict};
