//! Remembers hashes, so that files which have not changed are not read again.
//!
//! An entry counts for a file of the same path, device, number, size and times, cut in the same way. A file that is
//! changed twice within one tick of its file system's clock would look unchanged the second time; as in git's index
//! ("racily clean"), a hash is therefore only remembered if the file was clearly older than its hashing.
//!
//! It is a convenience: whatever is wrong with it is logged, and files are hashed as if it were not there.

use std::fs::{File, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, ErrorCode as Sqlite, OpenFlags, Row, Transaction, TransactionBehavior, params};

use super::hash::{Fingerprint, Hashed, Manifest, verify_manifest};
use crate::io::fs::own_file::open_own;
use crate::protocol::{Chunking, ContentHash};

/// How long one program waits for another's transaction.
const BUSY: Duration = Duration::from_secs(1);
/// A file must be this much older than its hashing: more than a tick of any clock that counts fractions of a second.
const SETTLED: Duration = Duration::from_millis(100);
/// The same where times are whole seconds: FAT counts by two.
const SETTLED_COARSE: Duration = Duration::from_secs(3);
/// How exactly it is remembered when an entry was used, in seconds: so that using is not writing.
const USED_STEP: i64 = 24 * 60 * 60;
/// How many files are remembered.
const MOST_ROWS: i64 = 200_000;
/// How many bytes of manifests.
const MOST_BYTES: i64 = 512 << 20;

/// Raised when the table changes: a file of another version is replaced.
const VERSION: i64 = 1;
const TABLE: &str = "CREATE TABLE file (path BLOB PRIMARY KEY, used INTEGER NOT NULL, bytes INTEGER NOT NULL,
    chunk_size INTEGER NOT NULL, hash BLOB NOT NULL, seal BLOB NOT NULL, manifest BLOB NOT NULL) STRICT;
    CREATE INDEX file_used ON file (used, bytes);";
const SELECT: &str = "SELECT used, chunk_size, hash, seal, manifest FROM file WHERE path = ?1";

/// The remembered hashes of a client. Processes may share them.
#[derive(Debug)]
pub struct HashCache {
    dir: Option<PathBuf>,
    database: Mutex<Option<Connection>>,
    most_rows: i64,
}

/// A file to look for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its full name.
    pub path: PathBuf,
    /// As it is now.
    pub fingerprint: Fingerprint,
    /// At most so many chunks.
    pub chunks: Option<u32>,
}

impl HashCache {
    /// Opens the cache in a data folder. Without a folder nothing is remembered.
    pub fn new(dir: Option<&Path>) -> Self {
        Self { dir: dir.map(Path::to_owned), database: Mutex::default(), most_rows: MOST_ROWS }
    }

    /// Looks these files up; the results are in their order.
    pub fn find(&self, wanted: &[Wanted]) -> Vec<Option<Hashed>> {
        let today = seconds(SystemTime::now());
        let found = self.with(|database| {
            let (mut found, mut aged) = (Vec::with_capacity(wanted.len()), Vec::new());
            let reading = database.transaction()?;
            for file in wanted {
                let mut select = reading.prepare_cached(SELECT)?;
                let mut rows = select.query([bytes_of(&file.path)])?;
                let entry = rows.next()?.map(|row| read(file, row)).transpose()?.flatten();
                if entry.as_ref().is_some_and(|(used, _)| (today - used).abs() > USED_STEP) {
                    aged.push(bytes_of(&file.path));
                }
                found.push(entry.map(|(_, hashed)| hashed));
            }
            reading.commit()?;
            if let Err(e) = mark_used(database, &aged, today) {
                tracing::debug!(
                    "remembered hashes look older than they are: {}",
                    crate::protocol::cause::plain(&e.to_string())
                );
            }
            Ok(found)
        });
        found.unwrap_or_else(|| vec![None; wanted.len()])
    }

    /// Remembers files whose hashing began at `started`, but only those that were clearly older.
    pub fn put<'a>(&self, started: SystemTime, files: impl Iterator<Item = (PathBuf, &'a Hashed)>) {
        let mut files = files.filter(|(_, hashed)| is_settled(&hashed.fingerprint, started)).peekable();
        if files.peek().is_none() {
            return;
        }
        self.with(|database| {
            let writing = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for (path, hashed) in files {
                write(&writing, &path, hashed, seconds(started))?;
            }
            bound(&writing, self.most_rows)?;
            writing.commit()
        });
    }

    /// Runs `work` with the database; `None` if there is none, or it fails.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Option<T> {
        let dir = self.dir.as_deref()?;
        let mut slot = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = open(dir)
                .inspect_err(|e| {
                    tracing::warn!("hashes are not remembered: {}", crate::protocol::cause::plain(&e.to_string()))
                })
                .ok();
        }
        match work(slot.as_mut()?) {
            Ok(done) => Some(done),
            Err(e) => {
                tracing::warn!("remembered hashes cannot be used: {}", crate::protocol::cause::plain(&e.to_string()));
                *slot = None;
                if is_damaged(&e) {
                    replace(dir);
                }
                None
            }
        }
    }
}

/// Whether a change after this time would show in the file's times.
fn is_settled(fingerprint: &Fingerprint, at: SystemTime) -> bool {
    let at = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
    let coarse = fingerprint.ctime_ns % 1_000_000_000 == 0;
    let margin = if coarse { SETTLED_COARSE } else { SETTLED };
    at - fingerprint.ctime_ns >= margin.as_nanos() as i128
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

fn bytes_of(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// Reads an entry from its row, if it belongs to this very file.
fn read(file: &Wanted, row: &Row<'_>) -> rusqlite::Result<Option<(i64, Hashed)>> {
    let chunking = Chunking::for_size(file.fingerprint.size, file.chunks);
    let (used, chunk_size): (i64, i64) = (row.get(0)?, row.get(1)?);
    let (hash, sealed, manifest): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let Ok(hash) = <[u8; 32]>::try_from(hash) else { return Ok(None) };
    if chunk_size != chunking.chunk_size() as i64
        || sealed != seal(&file.path, &file.fingerprint, chunking, &hash, &manifest)
    {
        return Ok(None);
    }
    let (rows, _) = manifest.as_chunks::<32>();
    let manifest: Manifest = if chunking.count() == 1 { [hash].into() } else { rows.into() };
    let hash = ContentHash(hash);
    let sound = verify_manifest(hash, chunking, &manifest);
    Ok(sound.then_some((used, Hashed { hash, chunking, manifest, fingerprint: file.fingerprint })))
}

fn mark_used(database: &mut Connection, paths: &[&[u8]], used: i64) -> rusqlite::Result<()> {
    if paths.is_empty() {
        return Ok(());
    }
    let writing = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for path in paths {
        writing.execute("UPDATE file SET used = ?2 WHERE path = ?1", params![path, used])?;
    }
    writing.commit()
}

fn write(writing: &Transaction<'_>, path: &Path, hashed: &Hashed, used: i64) -> rusqlite::Result<()> {
    let Hashed { hash, chunking, fingerprint, .. } = hashed;
    // The only entry of a manifest of one is the hash itself.
    let manifest = if chunking.count() == 1 { Vec::new() } else { hashed.manifest.concat() };
    let sealed = seal(path, fingerprint, *chunking, &hash.0, &manifest);
    let mut insert = writing.prepare_cached("INSERT OR REPLACE INTO file VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    let length = manifest.len() as i64;
    let row = params![bytes_of(path), used, length, chunking.chunk_size() as i64, hash.0, sealed, manifest];
    insert.execute(row).map(drop)
}

/// Binds an entry to its file, and shows damage of either.
fn seal(path: &Path, file: &Fingerprint, chunking: Chunking, hash: &[u8; 32], manifest: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for number in [file.dev, file.ino, file.size, chunking.chunk_size(), bytes_of(path).len() as u64] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(&file.mtime_ns.to_le_bytes()).update(&file.ctime_ns.to_le_bytes());
    *hasher.update(bytes_of(path)).update(hash).update(manifest).finalize().as_bytes()
}

/// Removes the least recently used entries while there are too many.
fn bound(writing: &Transaction<'_>, most_rows: i64) -> rusqlite::Result<()> {
    let total = "SELECT count(*), total(bytes) FROM file";
    let (mut rows, mut bytes) =
        writing.query_row(total, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?)))?;
    if rows <= most_rows && bytes <= MOST_BYTES as f64 {
        return Ok(());
    }
    // A little more than needed, so that this is not done each time.
    let (fewer_rows, fewer_bytes) = (most_rows * 9 / 10, MOST_BYTES as f64 * 0.9);
    let mut oldest = writing.prepare("SELECT rowid, bytes FROM file ORDER BY used, rowid")?;
    let mut entries = oldest.query([])?;
    let mut last = Vec::new();
    while let Some(row) = entries.next()? {
        if rows <= fewer_rows && bytes <= fewer_bytes {
            break;
        }
        last.push(row.get::<_, i64>(0)?);
        rows -= 1;
        bytes -= row.get::<_, i64>(1)? as f64;
    }
    let mut delete = writing.prepare("DELETE FROM file WHERE rowid = ?1")?;
    last.into_iter().try_for_each(|row| delete.execute([row]).map(drop))
}

fn database_in(dir: &Path) -> PathBuf {
    dir.join("hashes.db")
}

/// The lock that is held for a moment while the database is made or replaced.
fn lock(dir: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    let file = open_own(options.create(true).truncate(false).write(true).mode(0o600), &dir.join("hashes.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Opens the database, makes it if there is none, and replaces it if it is damaged or of another version.
fn open(dir: &Path) -> Result<Connection, Box<dyn std::error::Error>> {
    let _lock = lock(dir)?;
    match open_checked(dir) {
        Ok(database) => return Ok(database),
        Err(e) if e.downcast_ref().is_some_and(is_damaged) => {
            tracing::warn!(
                "remembered hashes are damaged and start anew: {}",
                crate::protocol::cause::plain(&e.to_string())
            );
            remove(dir);
        }
        Err(e) => return Err(e),
    }
    open_checked(dir)
}

fn open_checked(dir: &Path) -> Result<Connection, Box<dyn std::error::Error>> {
    let file = database_in(dir);
    // Made here, so that it is for its owner only from the start; SQLite gives its other files the same mode.
    open_own(OpenOptions::new().create(true).truncate(false).write(true).mode(0o600), &file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let database = Connection::open_with_flags(&file, flags)?;
    database.busy_timeout(BUSY)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes is hashed again.
    database.pragma_update(None, "synchronous", "NORMAL")?;
    let version = || database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    if version()? == 0 {
        database.execute_batch(&format!("BEGIN; {TABLE} PRAGMA user_version = {VERSION}; COMMIT;"))?;
    }
    if version()? != VERSION {
        return Err(rusqlite::Error::InvalidQuery.into());
    }
    // A table of another form, or none, is seen here.
    database.query_row("SELECT count(*) FROM file WHERE used < 0 AND manifest = seal", [], |_| Ok(()))?;
    Ok(database)
}

/// Whether the error is lasting damage of the file, not a passing condition.
fn is_damaged(e: &rusqlite::Error) -> bool {
    // The last one: a table or a column is missing.
    let damage = [Sqlite::DatabaseCorrupt, Sqlite::NotADatabase, Sqlite::Unknown];
    matches!(e, rusqlite::Error::InvalidQuery) || e.sqlite_error_code().is_some_and(|code| damage.contains(&code))
}

/// Makes room for a new database in place of a damaged one.
fn replace(dir: &Path) {
    match lock(dir) {
        // Another process may have replaced it already, which then is sound.
        Ok(_lock) if open_checked(dir).is_err() || is_unsound(dir) => remove(dir),
        Ok(_) => {}
        Err(e) => {
            tracing::warn!("remembered hashes cannot be replaced: {}", crate::protocol::cause::plain(&e.to_string()))
        }
    }
}

/// Reads all of it.
fn is_unsound(dir: &Path) -> bool {
    let checked = open_checked(dir).map(|database| {
        database.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)).is_ok_and(|said| said == "ok")
    });
    !checked.unwrap_or(false)
}

fn remove(dir: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = database_in(dir).into_os_string();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!("damaged hashes cannot be removed: {}", crate::protocol::cause::plain(&e.to_string()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "hash_cache_tests.rs"]
mod tests;
