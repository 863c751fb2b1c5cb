//! The files of the store: creates and locks them, and checks them before they are used.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::failure::{cannot, corrupt, failure};
use super::schema::{APPLICATION_ID, migrate, steps_left};
use crate::io::fs::own_file::{mark_private, open_own, read_own};
use crate::protocol::{ErrorCode, Failure};

pub(super) const DATABASE: &str = "hub.sqlite3";
const LOCK: &str = "lock";
/// The lock that is held briefly while a store is created or migrated.
const SETUP: &str = "setup.lock";

/// How long a program waits for another one's transaction.
const BUSY: Duration = Duration::from_secs(5);

/// How long a running hub waits for another program's transaction, before it reports trouble.
pub(super) const BUSY_RUNNING: Duration = Duration::from_secs(1);

/// Identifies the file that a path leads to: device and inode.
pub(super) type FileId = (u64, u64);

/// The file that a path leads to now, if it exists.
pub(super) fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|there| (there.dev(), there.ino()))
}

/// The path of the write-ahead log that SQLite keeps beside an open database.
pub(super) fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The folder, created if it does not exist. A new one is readable for its owner only.
pub(super) fn make_dir(dir: &Path) -> Result<PathBuf, Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| {
        if e.kind() == io::ErrorKind::AlreadyExists { not_a_folder(dir) } else { cannot("make", dir, &e) }
    })?;
    mark_private(dir);
    Ok(dir.join(DATABASE))
}

fn not_a_folder(dir: &Path) -> Failure {
    Failure::new(ErrorCode::StoreFailed, format!("{} is not a folder.", dir.display()))
        .hint("Name a folder with --data.")
}

/// Whether a hub was ever in this folder, even if only a part of its data is left.
pub(super) fn is_there(dir: &Path) -> Result<bool, Failure> {
    if dir.metadata().is_ok_and(|found| !found.is_dir()) {
        return Err(not_a_folder(dir));
    }
    let database = dir.join(DATABASE);
    for file in [dir.join(super::KEY), wal(&database), database] {
        match file.symlink_metadata() {
            Ok(_) => return Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => return Err(cannot("read", &file, &e)),
        }
    }
    Ok(false)
}

fn lock_file(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    open_own(options.create(true).truncate(false).write(true).mode(0o600), path).map_err(|e| cannot("write", path, &e))
}

/// Takes the hub's lock on its folder. It is advisory, and the system releases it however the process ends.
pub(super) fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK);
    let file = lock_file(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::new(ErrorCode::StoreLocked, format!("Another hub uses {}.", dir.display())))
        }
        Err(std::fs::TryLockError::Error(e)) => Err(cannot("lock", &path, &e)),
    }
}

/// Opens the database in `dir`, or creates it. It is checked but may be of an older version; `ready` can migrate it
/// before another program gets access.
pub(super) fn open<T>(
    dir: &Path,
    file: &Path,
    ready: impl FnOnce(&mut Connection) -> Result<T, Failure>,
) -> Result<(Connection, T), Failure> {
    let path = dir.join(SETUP);
    let setup = lock_file(&path)?;
    setup.lock().map_err(|e| cannot("lock", &path, &e))?;
    if !file.try_exists().map_err(|e| cannot("read", file, &e))? {
        // The database is created before the key, so where there is a key, there was a database.
        if dir.join(super::KEY).symlink_metadata().is_ok_and(|key| key.is_file()) {
            return Err(corrupt(file, "it is missing, but the hub's key is there"));
        }
        create(dir, file)?;
    }
    check_header(file)?;
    let mut database = open_checked(file)?;
    let made = ready(&mut database)?;
    Ok((database, made))
}

/// Creates a new database under a temporary name and then renames it. So a file of the right name that is empty or has
/// no header is always damaged.
fn create(dir: &Path, file: &Path) -> Result<(), Failure> {
    let log = dir.join(format!("{DATABASE}-wal"));
    if log.exists() {
        return Err(corrupt(file, "it is missing, but its log is there"));
    }
    let fresh = dir.join(format!("{DATABASE}.new"));
    match std::fs::remove_file(&fresh) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(cannot("replace", &fresh, &e)),
        _ => {}
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh);
    made.map_err(|e| cannot("make", &fresh, &e))?;
    let mut database = Connection::open(&fresh).map_err(|e| failure(&fresh, &e))?;
    in_transaction(&mut database, &fresh, |database| migrate(database, &fresh))?;
    database.close().map_err(|(_, e)| failure(&fresh, &e))?;
    let placed = std::fs::rename(&fresh, file).and_then(|()| File::open(dir)?.sync_all());
    placed.map_err(|e| cannot("make", file, &e))
}

/// Runs a transaction: all of it or nothing. It takes the write lock first, and waits for other programs; a transaction
/// that became a writer later could not wait.
pub(super) fn in_transaction<T>(
    database: &mut Connection,
    file: &Path,
    change: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let begun = database.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.map_err(|e| failure(file, &e))?;
    let done = change(&transaction)?;
    transaction.commit().map_err(|e| failure(file, &e))?;
    Ok(done)
}

/// Checks the first bytes of the file before SQLite opens it, which would take an empty file for a new database.
fn check_header(file: &Path) -> Result<(), Failure> {
    let mut header = Vec::new();
    let read = read_own(file).and_then(|f| f.take(100).read_to_end(&mut header));
    read.map_err(|e| cannot("read", file, &e))?;
    // The header is described in SQLite's file format, section 1.3.
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(corrupt(file, "it is not a database"));
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Err(corrupt(file, "it is not the database of a hub"));
    }
    Ok(())
}

/// Opens an existing database. Until all checks have passed, nothing may be written, not even on closing.
fn open_checked(file: &Path) -> Result<Connection, Failure> {
    let sql = |e| failure(file, &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(file, flags).map_err(sql)?;
    database.busy_timeout(BUSY).map_err(sql)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sql)?;
    let found = database.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map_err(sql)?;
    if found != "ok" {
        return Err(corrupt(file, &found));
    }
    steps_left(&database, file)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
    database.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    // An acknowledged commit must survive a power cut, so each commit waits for the disk.
    database.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    Ok(database)
}

/// A second connection to an open database, for reading only.
pub(super) fn open_reader(file: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(file, flags).map_err(|e| failure(file, &e))?;
    database.busy_timeout(BUSY).map_err(|e| failure(file, &e))?;
    Ok(database)
}
