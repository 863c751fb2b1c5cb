//! Contents: hashing files, and remembering the hashes.

pub mod hash;
pub mod hash_cache;
pub(crate) mod hash_many;
mod manifest;
