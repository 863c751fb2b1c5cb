//! Opening files safely: those below a folder that is offered, and those that are potluck's own.

pub(crate) mod folders;
pub(crate) mod open;
pub(crate) mod own_file;
pub(crate) mod temporary;

pub use folders::{check_dir, check_target};
