//! Words: requests, events, link frames, error codes. Types and bytes only.
//!
//! Nothing here reads a clock, opens a file or draws a random number.

mod bytes32;
mod error;
pub mod name;
mod record;
pub mod unicode;

pub use bytes32::{ContentHash, NotBytes32, PublicKey};
pub use error::{At, ErrorCode, Failure, Retry};
pub use record::{NameRecord, Record};
