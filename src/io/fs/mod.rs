//! Opening files safely: those below a folder that is offered, and those that are potluck's own.

pub(crate) mod folders;
pub(crate) mod open;
pub(crate) mod own_file;
pub(crate) mod temporary;

pub use folders::{check_dir, check_target};

use crate::protocol::ErrorCode;

/// The kind of failure of a file that could not be written.
pub fn unwritten_code(e: &std::io::Error) -> ErrorCode {
    let full = [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded];
    if full.contains(&e.kind()) { ErrorCode::DiskFull } else { ErrorCode::NotWritable }
}
