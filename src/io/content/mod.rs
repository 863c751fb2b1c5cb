//! Contents: their hashes, what is served of them, and the files that they come from and go to.

mod downloads;
pub mod hash;
pub mod hash_cache;
pub(crate) mod hash_many;
mod here;
mod incoming;
pub mod kept;
mod look;
mod manifest;
pub(in crate::io) mod parcels;
mod partial_content;
pub(in crate::io) mod partial_file;
pub mod store;
pub(in crate::io) mod stored_content;
mod target;
mod writer;

pub(in crate::io) use downloads::{Downloads, no_room};
pub(in crate::io) use incoming::Incoming;
pub(in crate::io) use look::{Look, common_folder, look, path_of};
pub(in crate::io) use target::check_target;
pub(in crate::io) use writer::Writer;
