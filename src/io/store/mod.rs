//! The hub's store: one SQLite file that outlives the hub. Only one hub uses it at a time; meanwhile other programs may
//! change accounts ([`Users`]) and invites ([`InviteBook`]).
//!
//! A damaged store is refused and not changed. A hub that started empty instead would give away every name that it has
//! promised.

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
    /// The path of the database, for messages.
    file: PathBuf,
    work: Work,
    /// The database and its log, with their identities when they were opened.
    files: Vec<(PathBuf, FileId)>,
    /// SQLite's `data_version` when the names were loaded last. It changes when another program writes.
    version: i64,
    /// The lock on the folder, which lasts as long as this file is open.
    _lock: Option<File>,
}

impl Store {
    /// Opens the store in `dir`, or creates it; a new folder is readable for its owner only.
    ///
    /// # Errors
    /// `store-locked` if another process has it open; `store-corrupt` if it is damaged or no hub's, and then no byte
    /// was changed; `store-failed` if it cannot be read or written, or was written by a newer version.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), Failure> {
        let file = disk::make_dir(dir)?;
        let lock = disk::lock(dir)?;
        let (database, loaded) = disk::open(dir, &file, |database| start(database, &file))?;
        Ok((Self::new(database, Some(dir.to_owned()), file, Some(lock), &loaded)?, loaded))
    }

    /// A store in memory, which is lost when it is dropped.
    ///
    /// # Errors
    /// `store-failed` if there is no memory for it.
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
        // What an earlier run has not come to is forgotten now.
        let (trimmed, said) = (loaded.trimmed, Digest::from_bytes(loaded.said));
        let work = Work { trimmed, trimming: trimmed > 0, said };
        database.busy_timeout(BUSY_RUNNING).map_err(|e| failure(&file, &e))?;
        let mut files = Vec::new();
        if dir.is_some() {
            // If the file system has no room for a log beside the database, there is none.
            let beside = [file.clone(), disk::wal(&file)];
            files.extend(beside.into_iter().filter_map(|file| file_id(&file).map(|id| (file, id))));
        }
        let mut this = Self { database, dir, file, work, files, version: 0, _lock: lock };
        this.version = this.data_version()?;
        Ok(this)
    }

    /// The hub's key pair, stored beside the database and created at first use. A store in memory has a new one each
    /// time.
    ///
    /// # Errors
    /// `store-corrupt` if the file holds no key, `store-failed` if it cannot be read or created, or can be read by
    /// others.
    pub fn identity(&self) -> Result<Identity, Failure> {
        let Some(dir) = &self.dir else {
            return Identity::ephemeral().map_err(|e| cannot("make", Path::new("a key"), &e));
        };
        hub_identity(dir)
    }

    /// Stores all of `records` or, on an error, none of them. When this returns, they are on the disk. Messages to be
    /// trimmed are deleted by [`Store::trim`].
    ///
    /// # Errors
    /// Failures that may pass: `store-full`, `store-busy` if another program holds the store for a second,
    /// `store-unavailable` if the disk reports errors. `internal` if the records are at fault. `store-corrupt` if the
    /// file turns out to be damaged, and `store-failed` for everything else.
    pub fn keep<'a>(&mut self, records: impl IntoIterator<Item = &'a Record>) -> Result<(), Failure> {
        let (file, mut work) = (&self.file, self.work);
        in_transaction(&mut self.database, file, |database| {
            let mut records = records.into_iter();
            let before = work.said;
            let kept = records.try_for_each(|record| records::store_record(database, record, &mut work));
            let kept =
                kept.and_then(|()| if work.said == before { Ok(()) } else { records::keep_said(database, work.said) });
            kept.map_err(|e| failure(file, &e))
        })?;
        self.work = work;
        Ok(())
    }

    /// Checks whether there is room for a few messages. Smaller records may fit on a disk that is otherwise full.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
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

    /// Checks whether the store is still where it was opened. What is written to a deleted file is lost.
    ///
    /// # Errors
    /// `store-failed` if the file was removed or replaced.
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

    /// Deletes some of the messages that are not kept any more; returns whether there are more to delete. The file does
    /// not shrink: later messages use the room.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
    pub fn trim(&mut self) -> Result<bool, Failure> {
        if !self.work.trimming {
            return Ok(false);
        }
        let (file, below) = (&self.file, self.work.trimmed);
        self.work.trimming = in_transaction(&mut self.database, file, |database| {
            records::trim(database, below).map_err(|e| failure(file, &e))
        })?;
        Ok(self.work.trimming)
    }

    /// Answers a query.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
    pub fn find(&self, query: &Query) -> Result<Found, Failure> {
        queries::find(&self.database, query).map_err(|e| failure(&self.file, &e))
    }

    /// The present names, if another program has changed the store since they were loaded last.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
    pub fn changed_names(&mut self) -> Result<Option<Vec<NameRecord>>, Failure> {
        let version = self.data_version()?;
        if version == self.version {
            return Ok(None);
        }
        let names = load::names(&self.database).map_err(|e| failure(&self.file, &e))?;
        self.version = version;
        Ok(Some(names))
    }

    /// A number that changes if and only if another connection has changed the database.
    fn data_version(&self) -> Result<i64, Failure> {
        let version = self.database.pragma_query_value(None, "data_version", |row| row.get(0));
        version.map_err(|e| failure(&self.file, &e))
    }

    /// A second connection to a store that has a file, for reading only.
    ///
    /// # Errors
    /// `store-failed` if the file cannot be opened again.
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

/// The key pair of the hub whose store is in `dir`, created at first use.
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

/// Migrates the store to the newest version and loads it. The file is changed only if all of it could be read.
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
