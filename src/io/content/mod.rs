//! Contents: their hashes, and remembering these.

pub mod hash;
pub mod hash_cache;
mod manifest;
pub(crate) mod pool;
