//! Contents: their hashes, and remembering these.

pub mod hash;
pub mod hash_cache;
pub(crate) mod hash_many;
mod manifest;
