//! The hub's store: one SQLite file that outlives the hub, and that only one hub uses at a time. Other programs may
//! change its accounts meanwhile ([`Users`]).
//!
//! What is damaged is left as it is and refused: a hub that would start empty instead would give
//! away every name that it has promised.

mod accounts;
mod disk;
mod failure;
mod invites;
mod load;
pub mod passwords;
mod queries;
mod records;
mod refold;
mod schema;
pub mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::core::digest::Digest;
use crate::core::hub::Verified;
use crate::io::net::identity::Identity;
use crate::protocol::cause;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Found, Loaded, NameRecord, Query};
use crate::protocol::{ErrorCode, Failure, Record};
pub use accounts::{Conflicts, NewAccount, Users};
use disk::{BUSY_RUNNING, FileId, file_id, in_transaction};
use failure::{cannot, corrupt, failure};
pub use invites::InviteBook;
use records::Work;

const KEY: &str = "hub.key";

/// What a store without a file is called in messages.
const NOWHERE: &str = "the store in memory";

/// An open store. It belongs to this process until it is dropped.
pub struct Store {
    database: Connection,
    dir: Option<PathBuf>,
    /// The database's file, for messages.
    file: PathBuf,
    work: Work,
    /// The database and its log, as they were when they were opened.
    files: Vec<(PathBuf, FileId)>,
    /// What SQLite said when the names were loaded last: it changes when another program has written.
    version: i64,
    /// The lock on the folder is held for as long as this file is open.
    _lock: Option<File>,
}

impl Store {
    /// Opens the store in `dir`, or makes it there; a new folder is for its owner only.
    ///
    /// # Errors
    /// `store-locked` when another process has it open; `store-corrupt` when it is damaged or not a
    /// hub's, and then no byte of it was changed; `store-failed` when it cannot be read or written,
    /// or was written by a newer potluck.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), Failure> {
        let file = disk::make_dir(dir)?;
        let lock = disk::lock(dir)?;
        let (database, loaded) = disk::open(dir, &file, |database| start(database, &file))?;
        Ok((Self::new(database, Some(dir.to_owned()), file, Some(lock), &loaded)?, loaded))
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    /// `store-failed` when there is no memory for it.
    pub fn ephemeral() -> Result<(Self, Loaded), Failure> {
        let file = PathBuf::from(NOWHERE);
        let mut database = Connection::open_in_memory().map_err(|e| failure(&file, &e))?;
        let loaded = start(&mut database, &file)?;
        Ok((Self::new(database, None, file, None, &loaded)?, loaded))
    }

    fn new(
        database: Connection,
        dir: Option<PathBuf>,
        file: PathBuf,
        lock: Option<File>,
        loaded: &Loaded,
    ) -> Result<Self, Failure> {
        let work = Work { said: Digest::from_bytes(loaded.said), ..Work::default() };
        database.busy_timeout(BUSY_RUNNING).map_err(|e| failure(&file, &e))?;
        let mut files = Vec::new();
        if dir.is_some() {
            // Where the file system has no room for a log beside the database, there is none.
            let beside = [file.clone(), disk::wal(&file)];
            files.extend(beside.into_iter().filter_map(|file| file_id(&file).map(|id| (file, id))));
        }
        let mut this = Self { database, dir, file, work, files, version: 0, _lock: lock };
        this.version = this.data_version()?;
        Ok(this)
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
        hub_identity(dir)
    }

    /// Keeps all of `records` or, on an error, none of them. When this returns they are on the disk. What is to
    /// be forgotten is forgotten by [`Store::trim`].
    ///
    /// # Errors
    /// What may be over later: `store-full`, `store-busy` when another program does not let go of it for a second,
    /// `store-unavailable` when the disk reports errors. `internal` when it is the records' fault. `store-corrupt` when
    /// the file turns out damaged, and `store-failed` for all else.
    pub fn keep<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), Failure> {
        let (file, mut work) = (&self.file, self.work);
        in_transaction(&mut self.database, file, |database| {
            let mut records = records.into_iter();
            let before = work.said;
            let kept = records.try_for_each(|record| records::keep(database, record, &mut work));
            let kept =
                kept.and_then(|()| if work.said == before { Ok(()) } else { records::keep_said(database, work.said) });
            kept.map_err(|e| failure(file, &e))
        })?;
        self.work = work;
        Ok(())
    }

    /// Whether there is room for a few messages: what is smaller may fit onto a disk that is full for all else.
    ///
    /// # Errors
    /// As for [`Store::keep`].
    pub fn probe(&mut self) -> Result<(), Failure> {
        let file = &self.file;
        let mut change = |sql: &str| {
            in_transaction(&mut self.database, file, |database| {
                database.execute_batch(sql).map_err(|e| failure(file, &e))
            })
        };
        change("INSERT OR REPLACE INTO meta VALUES ('probe', hex(zeroblob(32768)))")?;
        change("DELETE FROM meta WHERE key = 'probe'")
    }

    /// Whether the store still is where it was opened. What is written to a file that has no name any more is lost.
    ///
    /// # Errors
    /// `store-failed` when the file was removed or replaced.
    pub fn check_place(&self) -> Result<(), Failure> {
        match self.files.iter().find(|(file, id)| file_id(file) != Some(*id)) {
            None => Ok(()),
            Some((file, _)) => {
                let message = format!("{} was removed or replaced while the hub was running.", file.display());
                let hint = "Put it back, or restore it from a copy, then start the hub again.";
                Err(Failure::new(ErrorCode::StoreFailed, message).hint(hint))
            }
        }
    }

    /// Forgets some of the oldest messages, if that was asked for; says whether there are more to forget. The file
    /// does not become smaller: the room is used for what is said next.
    ///
    /// # Errors
    /// As for [`Store::keep`].
    pub fn trim(&mut self) -> Result<bool, Failure> {
        if self.work.trims.is_done() {
            return Ok(false);
        }
        let (file, trims) = (&self.file, self.work.trims);
        self.work.trims = in_transaction(&mut self.database, file, |database| {
            records::trim(database, trims).map_err(|e| failure(file, &e))
        })?;
        Ok(!self.work.trims.is_done())
    }

    /// Answers a question.
    ///
    /// # Errors
    /// As for [`Store::keep`].
    pub fn find(&self, query: &Query) -> Result<Found, Failure> {
        queries::find(&self.database, query).map_err(|e| failure(&self.file, &e))
    }

    /// The names as they are now, if another program has changed the store since they were loaded last.
    ///
    /// # Errors
    /// As for [`Store::keep`].
    pub fn changed_names(&mut self) -> Result<Option<Vec<NameRecord>>, Failure> {
        let version = self.data_version()?;
        if version == self.version {
            return Ok(None);
        }
        let names = load::names(&self.database).map_err(|e| failure(&self.file, &e))?;
        self.version = version;
        Ok(Some(names))
    }

    /// Changes when another connection has changed the database, and only then.
    fn data_version(&self) -> Result<i64, Failure> {
        let version = self.database.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|e| failure(&self.file, &e))
    }

    /// A second way to a store that has a file, for reading only.
    ///
    /// # Errors
    /// `store-failed` when the file cannot be opened again.
    pub(super) fn reader(&self) -> Result<Option<Reader>, Failure> {
        let Some(_) = &self.dir else { return Ok(None) };
        let database = disk::open_reader(&self.file)?;
        Ok(Some(Reader { database, file: self.file.clone() }))
    }

    #[cfg(test)]
    pub(super) fn database(&self) -> &Connection {
        &self.database
    }
}

/// The key pair of the hub whose store is in `dir`, made at first use.
fn hub_identity(dir: &Path) -> Result<Identity, Failure> {
    let file = dir.join(KEY);
    Identity::load_or_create(&file).map_err(|e| {
        if e.kind() == io::ErrorKind::InvalidData {
            corrupt(&file, &cause::of_io(&e))
        } else {
            cannot("use", &file, &e)
        }
    })
}

/// Reads what the store holds, in its newest form, and only then changes the file: what cannot be read is left
/// alone.
fn start(database: &mut Connection, file: &Path) -> Result<Loaded, Failure> {
    in_transaction(database, file, |database| {
        schema::migrate(database, file)?;
        refold::refold(database).map_err(|e| failure(file, &e))?;
        let loaded = load::load(database).and_then(|loaded| records::prune(database).map(|()| loaded));
        loaded.map_err(|e| failure(file, &e))
    })
}

/// A connection that cannot change the store.
pub(super) struct Reader {
    database: Connection,
    file: PathBuf,
}

impl Reader {
    pub(super) fn find(&self, query: &Query) -> Result<Found, Failure> {
        queries::find(&self.database, query).map_err(|e| failure(&self.file, &e))
    }

    /// The account of this name, with the hash of its password.
    pub(super) fn account(&self, name_key: &NameKey) -> Result<Option<(Verified, String)>, Failure> {
        accounts::account(&self.database, name_key).map_err(|e| failure(&self.file, &e))
    }
}

#[cfg(test)]
pub(super) mod tests;
