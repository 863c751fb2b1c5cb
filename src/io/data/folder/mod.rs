//! What is particular to folders on disk: what is in place already, the folders below, and how small files are written.

mod folders;
mod look;
mod writer;

pub(super) use folders::Downloads;
pub(super) use look::{Look, common_folder, look, path_of};
pub(super) use writer::Writer;
