//! Turns errors of the store into failures in the user's words.

use std::io;
use std::path::Path;

use crate::protocol::cause;
use crate::protocol::{ErrorCode, Failure};

/// The failure for an error of SQLite.
pub(super) fn failure(file: &Path, e: &rusqlite::Error) -> Failure {
    use rusqlite::Error;
    use rusqlite::ErrorCode as Sqlite;
    if let Error::FromSqlConversionFailure(..) | Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) = e {
        // The file is whole.
        return corrupt(file, "what stands in it was not written by potluck");
    }
    match e.sqlite_error_code() {
        Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => corrupt(file, "it is not a whole database"),
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => {
            Failure::new(ErrorCode::StoreBusy, format!("Another program uses {}.", file.display()))
        }
        Some(Sqlite::DiskFull) => {
            Failure::new(ErrorCode::StoreFull, format!("There is no room for {}.", file.display()))
        }
        Some(
            Sqlite::SystemIoFailure
            | Sqlite::ReadOnly
            | Sqlite::CannotOpen
            | Sqlite::PermissionDenied
            | Sqlite::FileLockingProtocolFailed,
        ) => Failure::new(
            ErrorCode::StoreUnavailable,
            format!("Potluck cannot use {}: {}.", file.display(), in_words(e)),
        ),
        // The fault is in the data to be written, not in the disk.
        Some(Sqlite::ConstraintViolation | Sqlite::TypeMismatch | Sqlite::TooBig) => {
            Failure::internal(format!("{} cannot take a record: {}", file.display(), in_words(e)))
        }
        _ => Failure::new(ErrorCode::StoreFailed, format!("Potluck cannot use {}: {}.", file.display(), in_words(e))),
    }
}

/// SQLite's message without its numbers and names.
fn in_words(e: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode as Sqlite;
    match e.sqlite_error_code() {
        Some(Sqlite::DiskFull) => "the disk is full".to_owned(),
        Some(Sqlite::ReadOnly | Sqlite::PermissionDenied | Sqlite::AuthorizationForStatementDenied) => {
            "it cannot be written".to_owned()
        }
        Some(Sqlite::CannotOpen | Sqlite::NotFound) => "it cannot be opened".to_owned(),
        Some(Sqlite::SystemIoFailure) => "the disk reported an error".to_owned(),
        Some(Sqlite::OutOfMemory) => "there is not enough memory".to_owned(),
        _ => cause::plain(&e.to_string()),
    }
}

/// The failure for a file that is damaged or not ours.
pub(super) fn corrupt(file: &Path, what: &str) -> Failure {
    Failure::new(ErrorCode::StoreCorrupt, format!("{} is damaged: {what}.", file.display()))
}

/// The failure if the system refused to `verb` a file.
pub(super) fn cannot(verb: &str, path: &Path, e: &io::Error) -> Failure {
    Failure::new(ErrorCode::StoreFailed, format!("Potluck cannot {verb} {}: {}.", path.display(), cause::of_io(e)))
}
