//! Accounts: names with a password. They are managed by other programs than the hub, whether the hub runs or not.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};

use super::disk::{self, in_transaction};
use super::failure::failure;
use super::load::Unsigned;
use super::{load, refold, schema};
use crate::core::hub::Verified;
use crate::protocol::likeness::Likeness;
use crate::protocol::name::NameKey;
use crate::protocol::record::NameRecord;
use crate::protocol::{ErrorCode, Failure};

/// An account to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The name, which has been checked.
    pub name: String,
    /// The hash of the password, as a PHC string.
    pub hash: String,
    /// The time from which the account exists, in milliseconds since 1970 (UTC).
    pub since: i64,
}

/// What happens to names that exist already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// Existing accounts get the new password, and their keys are forgotten. Otherwise they are refused.
    pub replace: bool,
    /// Names that belong to a key become accounts, and the key is forgotten. Otherwise they are refused.
    pub take: bool,
}

/// The store, opened to manage accounts. A hub may have it open at the same time; it notices changes within a second.
pub struct Users {
    database: Connection,
    file: PathBuf,
}

impl Users {
    /// Opens the store in `dir`, or creates it.
    ///
    /// # Errors
    /// `store-corrupt` if it is damaged or no hub's; `store-failed` if it cannot be read or written, or was written by
    /// a newer version; `store-locked` if it must be migrated while a hub has it open.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        open_beside(dir).map(|(database, file)| Self { database, file })
    }

    /// Opens the store in `dir`, if a hub was ever there. It creates nothing.
    ///
    /// # Errors
    /// Those of [`Users::open`].
    pub fn find(dir: &Path) -> Result<Option<Self>, Failure> {
        disk::is_there(dir)?.then(|| Self::open(dir)).transpose()
    }

    /// All names, in the order of their keys.
    ///
    /// # Errors
    /// `store-corrupt` or `store-failed` if they cannot be read.
    pub fn list(&self) -> Result<Vec<NameRecord>, Failure> {
        load::names(&self.database).map_err(|e| failure(&self.file, &e))
    }

    /// Creates all of these accounts or, on an error, none.
    ///
    /// # Errors
    /// `name-taken` for a name that exists, with the index of the account. `store-failed`, `store-corrupt`, or
    /// `store-locked` if another program writes for 5 seconds.
    pub fn add(&mut self, accounts: &[NewAccount], conflicts: Conflicts) -> Result<(), (Option<usize>, Failure)> {
        let mut at = None;
        in_transaction(&mut self.database, &self.file, |database| {
            let mut taken = taken(database).map_err(|e| failure(&self.file, &e))?;
            for (index, new) in accounts.iter().enumerate() {
                at = Some(index);
                may_add(database, &self.file, &taken, &new.name, conflicts)?;
                at = None;
                taken.insert(&new.name);
                put(database, new).map_err(|e| failure(&self.file, &e))?;
            }
            Ok(())
        })
        .map_err(|failure| (at, failure))
    }

    /// Checks whether this name could become an account now.
    ///
    /// # Errors
    /// Those of [`Users::add`].
    pub fn check(&self, name: &str, conflicts: Conflicts) -> Result<(), Failure> {
        let taken = taken(&self.database).map_err(|e| failure(&self.file, &e))?;
        may_add(&self.database, &self.file, &taken, name, conflicts)
    }

    /// Removes a name: its password, its keys, what it has received, its rooms, and blocks by and of it. Messages stay
    /// with those they were sent to; the next owner of the name does not see them. Returns the name as it was written.
    ///
    /// # Errors
    /// `no-such-person`, or those of [`Users::add`].
    pub fn remove(&mut self, name: &str) -> Result<String, Failure> {
        let name_key = NameKey::of(name);
        in_transaction(&mut self.database, &self.file, |database| {
            let sql = "DELETE FROM names WHERE fold = ?1 RETURNING name";
            let mut found = database.prepare(sql).map_err(|e| failure(&self.file, &e))?;
            let found = found.query_row([&name_key], |row| row.get::<_, String>(0)).optional();
            let found = found.map_err(|e| failure(&self.file, &e))?.ok_or_else(|| unknown(name))?;
            for sql in [
                "DELETE FROM keys WHERE fold = ?1",
                "DELETE FROM members WHERE fold = ?1",
                "DELETE FROM there WHERE fold = ?1",
                "DELETE FROM answers WHERE fold = ?1",
                "DELETE FROM blocks WHERE by = ?1 OR whom = ?1",
                // Nobody comes in any more by what somebody has made who is out.
                "DELETE FROM codes WHERE digest IN (SELECT digest FROM invites WHERE maker = ?1)",
                "UPDATE invited SET revoked = 1 WHERE digest IN (SELECT digest FROM invites WHERE maker = ?1)",
                "DELETE FROM invites WHERE maker = ?1",
                // No name has a blank, so this key belongs to nobody, now or later.
                "UPDATE messages SET sender_fold = ' ' || sender_fold WHERE sender_fold = ?1",
                "UPDATE messages SET recipient_fold = ' ' || recipient_fold WHERE recipient_fold = ?1",
            ] {
                database.execute(sql, [&name_key]).map_err(|e| failure(&self.file, &e))?;
            }
            Ok(found)
        })
    }

    /// The account of this name.
    ///
    /// # Errors
    /// `no-such-person` if the name does not exist or is no account; or the failure of reading the store.
    pub fn account(&self, name: &str) -> Result<Verified, Failure> {
        let found = account(&self.database, &NameKey::of(name)).map_err(|e| failure(&self.file, &e))?;
        found.map(|(account, _)| account).ok_or_else(|| unknown_account(name))
    }

    /// Changes the password of an account, and forgets its keys.
    ///
    /// # Errors
    /// Those of [`Users::account`] and [`Users::add`].
    pub fn change_password(&mut self, name: &str, hash: &str) -> Result<(), Failure> {
        let name_key = NameKey::of(name);
        in_transaction(&mut self.database, &self.file, |database| {
            let sql = "UPDATE names SET password = ?2, credential = ?3 WHERE fold = ?1 AND password IS NOT NULL";
            let set = || database.execute(sql, params![name_key, hash, next_credential(database)?]);
            let changed = set().map_err(|e| failure(&self.file, &e))?;
            if changed == 0 {
                return Err(unknown_account(name));
            }
            let forgotten = database.execute("DELETE FROM keys WHERE fold = ?1", [&name_key]);
            forgotten.map(drop).map_err(|e| failure(&self.file, &e))
        })
    }
}

/// Opens the store in `dir`, which a hub may have open too. Returns the path of the database for messages.
pub(super) fn open_beside(dir: &Path) -> Result<(Connection, PathBuf), Failure> {
    let file = disk::make_dir(dir)?;
    let (database, ()) = disk::open(dir, &file, |database| {
        let sql = |e| failure(&file, &e);
        if schema::steps_left(database, &file)?.is_empty() && !refold::is_due(database).map_err(sql)? {
            return Ok(());
        }
        // A running hub expects the version of the store that it knows.
        let _lock = disk::lock(dir)?;
        in_transaction(database, &file, |database| {
            schema::migrate(database, &file)?;
            refold::refold(database).map_err(sql)?;
            load::load(database).map(drop).map_err(|e| failure(&file, &e))
        })
    })?;
    Ok((database, file))
}

/// The account of this name, with the hash of its password.
pub(super) fn account(database: &Connection, name_key: &NameKey) -> rusqlite::Result<Option<(Verified, String)>> {
    let sql = "SELECT name, credential, password FROM names WHERE fold = ?1 AND password IS NOT NULL";
    let found = database.prepare_cached(sql)?.query_row([name_key], |row| {
        let Unsigned(credential) = row.get(1)?;
        Ok((Verified { name: row.get(0)?, name_key: name_key.to_owned(), credential }, row.get(2)?))
    });
    found.optional()
}

/// The number for a new password. No number is used twice, even if its account was removed.
fn next_credential(database: &Connection) -> rusqlite::Result<i64> {
    let sql = "
        UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'last_credential'
        RETURNING CAST(value AS INTEGER)";
    database.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

fn may_add(
    database: &Connection,
    file: &Path,
    taken: &Likeness,
    name: &str,
    conflicts: Conflicts,
) -> Result<(), Failure> {
    let sql = "SELECT name, password IS NOT NULL FROM names WHERE fold = ?1";
    let read = || -> rusqlite::Result<Option<(String, bool)>> {
        database.prepare_cached(sql)?.query_row([NameKey::of(name)], |row| Ok((row.get(0)?, row.get(1)?))).optional()
    };
    match read().map_err(|e| failure(file, &e))? {
        Some((there, true)) if !conflicts.replace => {
            Err(Failure::new(ErrorCode::NameTaken, format!("{there} is an account already."))
                .hint(format!("`potluck user passwd {there}` changes its password.")))
        }
        Some((there, false)) if !conflicts.take => {
            Err(Failure::new(ErrorCode::NameTaken, format!("{there} belongs to a key that has been here."))
                .hint("Choose another name; with --take it becomes an account, and the key is forgotten."))
        }
        None => match taken.twin(name) {
            Some(twin) => {
                let message = format!("The name {name} looks like {twin}, which is taken.");
                Err(Failure::new(ErrorCode::NameTaken, message).hint("Choose another name."))
            }
            None => Ok(()),
        },
        Some(_) => Ok(()),
    }
}

/// The looks of the names that exist.
fn taken(database: &Connection) -> rusqlite::Result<Likeness> {
    let mut names = database.prepare_cached("SELECT name FROM names")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Likeness::of(names.iter().map(String::as_str)))
}

/// An existing account keeps its time of creation. A name that belonged to a key starts anew.
pub(super) fn put(database: &Connection, new: &NewAccount) -> rusqlite::Result<()> {
    let name_key = NameKey::of(&new.name);
    let sql = "
        INSERT INTO names (fold, name, since, password, credential) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (fold) DO UPDATE SET name = excluded.name, password = excluded.password,
            credential = excluded.credential, since = iif(password IS NULL, excluded.since, since)";
    database.prepare_cached(sql)?.execute(params![
        name_key,
        new.name,
        new.since,
        new.hash,
        next_credential(database)?
    ])?;
    database.prepare_cached("DELETE FROM keys WHERE fold = ?1")?.execute([name_key]).map(drop)
}

fn unknown(name: &str) -> Failure {
    Failure::new(ErrorCode::NoSuchPerson, format!("Nobody is called {name} here."))
        .hint("`potluck user list` shows the names.")
}

fn unknown_account(name: &str) -> Failure {
    Failure::new(ErrorCode::NoSuchPerson, format!("{name} is not an account."))
        .hint(format!("`potluck user add {name}` makes it one; `potluck user list` shows the names."))
}
