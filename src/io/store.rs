//! The hub's store: one SQLite file that outlives the hub, and that only one hub uses at a time.
//!
//! What is damaged is left as it is and refused: a hub that would start empty instead would give
//! away every name that it has promised.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::identity::Identity;
use crate::protocol::{ErrorCode, Failure, NameRecord, PublicKey, Record};

const DATABASE: &str = "hub.sqlite3";
const KEY: &str = "hub.key";
const LOCK: &str = "lock";

/// Marks the file as ours in SQLite's header: "potl".
const APPLICATION_ID: u32 = u32::from_be_bytes(*b"potl");

/// Each step leads from the version that is its index to the next. Steps are added, never changed.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE names (fold TEXT PRIMARY KEY, name TEXT NOT NULL, key BLOB NOT NULL, since INTEGER NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"];

/// An open store. It belongs to this process until it is dropped.
pub struct Store {
    database: Connection,
    dir: Option<PathBuf>,
    /// The lock on the folder is held for as long as this file is open.
    _lock: Option<File>,
}

/// What a store held when it was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The names that are taken, in the order of their folds.
    pub names: Vec<NameRecord>,
}

impl Store {
    /// Opens the store in `dir`, or makes it there; a new folder is for its owner only.
    ///
    /// # Errors
    /// `store-locked` when another process has it open; `store-corrupt` when it is damaged or not a
    /// hub's, and then no byte of it was changed; `store-failed` when it cannot be read or written,
    /// or was written by a newer potluck.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), Failure> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| cannot("make", dir, &e))?;
        let lock = lock(dir)?;
        let file = dir.join(DATABASE);
        if !file.try_exists().map_err(|e| cannot("read", &file, &e))? {
            create(dir, &file)?;
        }
        check_header(&file)?;
        let mut database = open_checked(&file)?;
        migrate(&mut database, &file)?;
        let loaded = load(&database, &file)?;
        Ok((Self { database, dir: Some(dir.to_owned()), _lock: Some(lock) }, loaded))
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// `store-failed` when there is no memory for it.
    pub fn ephemeral() -> Result<(Self, Loaded), Failure> {
        let nowhere = Path::new("the store in memory");
        let mut database = Connection::open_in_memory().map_err(|e| failure(nowhere, &e))?;
        migrate(&mut database, nowhere)?;
        Ok((Self { database, dir: None, _lock: None }, Loaded::default()))
    }

    /// The hub's key pair, kept beside the store and made at first use; a store in memory has a new one
    /// each time.
    ///
    /// # Errors
    /// `store-corrupt` when the key's file holds no key, `store-failed` when it cannot be read or made,
    /// or can be read by others.
    pub fn identity(&self) -> Result<Identity, Failure> {
        let Some(dir) = &self.dir else {
            return Identity::ephemeral().map_err(|e| cannot("make", Path::new("a key"), &e));
        };
        let file = dir.join(KEY);
        Identity::load_or_create(&file).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => corrupt(&file, &e.to_string()),
            _ => cannot("use", &file, &e),
        })
    }

    /// Keeps all of `records` or, on an error, none of them. When this returns they are on the disk.
    ///
    /// # Errors
    /// `store-failed` when the disk is full or failing, `store-corrupt` when the file turns out damaged.
    pub fn keep<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), Failure> {
        let dir = self.dir.as_deref().unwrap_or(Path::new("the store in memory"));
        keep_all(&mut self.database, records).map_err(|e| failure(dir, &e))
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Connection {
        &self.database
    }
}

fn keep_all<'a>(database: &mut Connection, records: impl IntoIterator<Item = &'a Record>) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for record in records {
        match record {
            Record::Name { name, fold, key, since } => transaction
                .prepare_cached("INSERT OR REPLACE INTO names (fold, name, key, since) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![fold, name, key.0, since])?,
            _ => 0,
        };
    }
    transaction.commit()
}

/// An advisory lock that the system takes back however the process ends.
fn lock(dir: &Path) -> Result<File, Failure> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|e| cannot("write", &path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::new(ErrorCode::StoreLocked, format!("another hub uses {}", dir.display())))
        }
        Err(std::fs::TryLockError::Error(e)) => Err(cannot("lock", &path, &e)),
    }
}

/// A new database is made whole under another name, so that a file under the right name that is empty
/// or has no header is always a damaged one.
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
    migrate(&mut database, &fresh)?;
    database.close().map_err(|(_, e)| failure(&fresh, &e))?;
    let placed = std::fs::rename(&fresh, file).and_then(|()| File::open(dir)?.sync_all());
    placed.map_err(|e| cannot("make", file, &e))
}

/// Looks at the file's first bytes before SQLite does, which takes an empty file for a new database.
fn check_header(file: &Path) -> Result<(), Failure> {
    let mut header = Vec::new();
    let read = File::open(file).and_then(|f| f.take(100).read_to_end(&mut header));
    read.map_err(|e| cannot("read", file, &e))?;
    // The layout is part of SQLite's file format, section 1.3.
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(corrupt(file, "it is not a database"));
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return Err(corrupt(file, "it is not the database of a hub"));
    }
    Ok(())
}

/// Opens what exists. Until all checks have passed nothing may be written, not even at closing.
fn open_checked(file: &Path) -> Result<Connection, Failure> {
    let sql = |e| failure(file, &e);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(file, flags).map_err(sql)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sql)?;
    let found = database.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).map_err(sql)?;
    if found != "ok" {
        return Err(corrupt(file, &found));
    }
    steps_left(&database, file)?;
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(sql)?;
    database.pragma_update(None, "journal_mode", "WAL").map_err(sql)?;
    // A commit that was told must survive a power cut, so each one waits for the disk.
    database.pragma_update(None, "synchronous", "FULL").map_err(sql)?;
    Ok(database)
}

fn steps_left(database: &Connection, file: &Path) -> Result<&'static [&'static str], Failure> {
    let version = database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let version = version.map_err(|e| failure(file, &e))?;
    usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..)).ok_or_else(|| {
        let known = MIGRATIONS.len();
        let message = format!("{} has version {version}; this potluck knows {known} and older", file.display());
        Failure::new(ErrorCode::StoreFailed, message)
            .hint("Use the newer potluck that wrote it, or start with another --data; nothing was changed.")
    })
}

fn migrate(database: &mut Connection, file: &Path) -> Result<(), Failure> {
    let steps = steps_left(database, file)?;
    if steps.is_empty() {
        return Ok(());
    }
    let mut apply = || -> rusqlite::Result<()> {
        let transaction = database.transaction()?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        for step in steps {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
        transaction.commit()
    };
    apply().map_err(|e| failure(file, &e))
}

fn load(database: &Connection, file: &Path) -> Result<Loaded, Failure> {
    let read = || -> rusqlite::Result<Vec<NameRecord>> {
        let mut query = database.prepare("SELECT fold, name, key, since FROM names ORDER BY fold")?;
        let names = query.query_map([], |row| {
            Ok(NameRecord {
                fold: row.get(0)?,
                name: row.get(1)?,
                keys: vec![PublicKey(row.get(2)?)],
                account: false,
                received: 0,
                unread: 0,
                since: row.get(3)?,
            })
        })?;
        names.collect()
    };
    let names = read().map_err(|e| match e {
        // The file is whole, but what stands in it was not written by us.
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => {
            corrupt(file, &e.to_string())
        }
        _ => failure(file, &e),
    })?;
    Ok(Loaded { names })
}

fn failure(file: &Path, e: &rusqlite::Error) -> Failure {
    use rusqlite::ErrorCode as Sqlite;
    match e.sqlite_error_code() {
        Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => corrupt(file, &e.to_string()),
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => {
            Failure::new(ErrorCode::StoreLocked, format!("another program uses {}", file.display()))
        }
        _ => Failure::new(ErrorCode::StoreFailed, format!("cannot use {}: {e}", file.display())),
    }
}

fn corrupt(file: &Path, what: &str) -> Failure {
    Failure::new(ErrorCode::StoreCorrupt, format!("{} is damaged: {what}", file.display()))
}

fn cannot(verb: &str, path: &Path, e: &io::Error) -> Failure {
    Failure::new(ErrorCode::StoreFailed, format!("cannot {verb} {}: {e}", path.display()))
}

#[cfg(test)]
#[path = "store_tests.rs"]
pub(super) mod tests;
