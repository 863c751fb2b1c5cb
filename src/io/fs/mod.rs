//! Opening files safely: those below a folder that is offered, and those that are potluck's own.

pub(crate) mod folders;
pub(crate) mod open;
pub(crate) mod own_file;
pub(crate) mod temporary;

pub use folders::{check_dir, check_target};

use std::io;

use crate::protocol::{ErrorCode, Failure, cause};

/// The failure of something that was to be written, which `what` says: `disk-full`, or else `not-writable`.
pub(crate) fn unwritten(what: &str, e: &io::Error) -> Failure {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&e.kind());
    let code = if full { ErrorCode::DiskFull } else { ErrorCode::NotWritable };
    Failure::new(code, format!("{what}: {}.", cause::of_io(e)))
}
