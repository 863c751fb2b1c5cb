//! Invites. They are created and revoked by other programs than the hub, whether the hub runs or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::disk::in_transaction;
use super::failure::failure;
use super::load::{Unsigned, integer};
use super::{Store, accounts, hub_identity};
use crate::protocol::code::{Code, MAX_NAMEPLATE, Nameplate};
use crate::protocol::invite::{CodeRecord, InviteDigest, InviteRecord};
use crate::protocol::limits::INVITES_SHOWN;
use crate::protocol::name::NameKey;
use crate::protocol::record::MadeInvite;
use crate::protocol::{ErrorCode, Failure, PublicKey, Timestamp};

/// The key of the setting that says where the hub listened last, as `HOST:PORT`.
const ADDRESS: &str = "address";

/// The key of the setting that says that an invite was ever created.
const INVITED: &str = "invited";

/// The key of the setting that says which nameplate was given last.
const LAST_NAMEPLATE: &str = "last_nameplate";

const CODE_COLUMNS: &str = "nameplate, code, secret, right, answered";

const COLUMNS: &str = "name, digest, uses,
    (SELECT count(*) FROM invited WHERE invited.digest = invites.digest AND NOT revoked), until, made, maker";

/// The store, opened to manage invites. A hub may have it open at the same time; changes take effect at once.
pub struct InviteBook {
    database: Connection,
    file: PathBuf,
    dir: PathBuf,
}

impl InviteBook {
    /// Opens the store in `dir`, or creates it.
    ///
    /// # Errors
    /// Those of [`Users::open`](super::Users::open).
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let (database, file) = accounts::open_beside(dir)?;
        Ok(Self { database, file, dir: dir.to_owned() })
    }

    /// Opens the store in `dir`, if a hub was ever there. It creates nothing.
    ///
    /// # Errors
    /// Those of [`Users::open`](super::Users::open).
    pub fn find(dir: &Path) -> Result<Option<Self>, Failure> {
        super::disk::is_there(dir)?.then(|| Self::open(dir)).transpose()
    }

    /// The parts of a join link: where the hub listened last, as `HOST:PORT`, and its key.
    ///
    /// # Errors
    /// Those of [`InviteBook::list`], and of reading the key's file.
    pub fn hub(&self) -> Result<(Option<String>, PublicKey), Failure> {
        let address = meta(&self.database, ADDRESS).map_err(|e| failure(&self.file, &e))?;
        Ok((address, hub_identity(&self.dir)?.key))
    }

    /// All invites, in the order in which they were created.
    ///
    /// # Errors
    /// `store-corrupt` or `store-failed` if they cannot be read.
    pub fn list(&self) -> Result<Vec<InviteRecord>, Failure> {
        let sql = format!("SELECT {COLUMNS} FROM invites ORDER BY made, name");
        let read = || -> rusqlite::Result<Vec<_>> { self.database.prepare(&sql)?.query_map([], record)?.collect() };
        read().map_err(|e| failure(&self.file, &e))
    }

    /// Stores a new invite.
    ///
    /// # Errors
    /// `name-taken` if there is one of that name; `store-failed`, `store-corrupt`, or `store-locked` if another program
    /// writes for 5 seconds.
    pub fn add(&mut self, invite: &InviteRecord) -> Result<(), Failure> {
        in_transaction(&mut self.database, &self.file, |database| add(database, &self.file, invite))
    }

    /// Stores a new invite with a short code, whose words follow from `random`. `secret` is the invite's.
    ///
    /// # Errors
    /// Those of [`InviteBook::add`]; `too-many` when all numbers have been used.
    pub fn add_with_code(&mut self, invite: &InviteRecord, secret: &str, random: u16) -> Result<Code, Failure> {
        in_transaction(&mut self.database, &self.file, |database| {
            add(database, &self.file, invite)?;
            let nameplate = next_nameplate(database).map_err(|e| failure(&self.file, &e))?;
            let code = Code::new(nameplate.ok_or(ErrorCode::TooMany)?, random);
            put_code(database, invite.digest, &code, secret).map_err(|e| failure(&self.file, &e))?;
            Ok(code)
        })
    }

    /// The codes of invites that have one.
    ///
    /// # Errors
    /// Those of [`InviteBook::list`].
    pub fn codes(&self) -> Result<BTreeMap<InviteDigest, CodeRecord>, Failure> {
        let read = || -> rusqlite::Result<BTreeMap<_, _>> {
            let mut all = self.database.prepare(&format!("SELECT {CODE_COLUMNS}, digest FROM codes"))?;
            all.query_map([], |row| Ok((InviteDigest(row.get(5)?), code_record(row)?)))?.collect()
        };
        read().map_err(|e| failure(&self.file, &e))
    }

    /// Deletes an invite, so that it lets nobody in any more. Keys that it has let in keep their access.
    ///
    /// # Errors
    /// `no-such-invite`, or those of [`InviteBook::add`].
    pub fn revoke(&mut self, name: &str) -> Result<(), Failure> {
        in_transaction(&mut self.database, &self.file, |database| {
            let gone = || delete(database, name);
            match gone().map_err(|e| failure(&self.file, &e))? {
                0 => Err(Failure::new(ErrorCode::NoSuchInvite, format!("There is no invite called {name}."))),
                _ => Ok(()),
            }
        })
    }
}

impl Store {
    /// Stores where the hub listens, for the links of later invites.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
    pub fn remember_address(&mut self, host_port: &str) -> Result<(), Failure> {
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
        let kept = self.database.execute(sql, [ADDRESS, host_port]);
        kept.map(drop).map_err(|e| failure(&self.file, &e))
    }

    /// Stores the hub's first invite, if there was never one; returns whether it did.
    ///
    /// # Errors
    /// Those of [`Store::keep`].
    pub fn first_invite(&mut self, invite: &InviteRecord) -> Result<bool, Failure> {
        in_transaction(&mut self.database, &self.file, |database| {
            let first = || -> rusqlite::Result<bool> {
                if meta(database, INVITED)?.is_some() {
                    return Ok(false);
                }
                put(database, invite).map(|()| true)
            };
            first().map_err(|e| failure(&self.file, &e))
        })
    }
}

/// The invite with this secret, if there is one, and whether it has let this key in.
pub(super) fn find(
    database: &Connection,
    digest: InviteDigest,
    key: PublicKey,
) -> rusqlite::Result<Option<(InviteRecord, bool)>> {
    let sql = format!("SELECT {COLUMNS} FROM invites WHERE digest = ?1");
    let Some(invite) = database.prepare_cached(&sql)?.query_row([digest.0], record).optional()? else {
        return Ok(None);
    };
    let sql = "SELECT 1 FROM invited WHERE digest = ?1 AND key = ?2 AND NOT revoked";
    let counted = database.prepare_cached(sql)?.exists(params![digest.0, key.0])?;
    Ok(Some((invite, counted)))
}

/// The code of this number and its invite, if there are both.
pub(super) fn find_code(
    database: &Connection,
    nameplate: Nameplate,
) -> rusqlite::Result<Option<Box<(CodeRecord, InviteRecord)>>> {
    let sql = format!("SELECT {CODE_COLUMNS} FROM codes WHERE nameplate = ?1");
    let Some(code) = database.prepare_cached(&sql)?.query_row([nameplate], code_record).optional()? else {
        return Ok(None);
    };
    let of = "SELECT digest FROM codes WHERE nameplate = ?1";
    let sql = format!("SELECT {COLUMNS} FROM invites WHERE digest = ({of})");
    let invite = database.prepare_cached(&sql)?.query_row([nameplate], record).optional()?;
    Ok(invite.map(|invite| Box::new((code, invite))))
}

/// The number for a new code of the hub's keeper, if one is left. Numbers are used once: whoever mistypes an old code must not void a new one.
fn next_nameplate(database: &Connection) -> rusqlite::Result<Option<Nameplate>> {
    let last: Nameplate = meta(database, LAST_NAMEPLATE)?.and_then(|last| last.parse().ok()).unwrap_or(0);
    // A hub that runs gives even numbers, to members' invites and to parcels, so that the two never give the same.
    Ok(Some(last + 1 + last % 2).filter(|next| *next <= MAX_NAMEPLATE))
}

pub(super) fn put_code(database: &Connection, digest: InviteDigest, code: &Code, secret: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO codes (nameplate, digest, code, secret) VALUES (?1, ?2, ?3, ?4)";
    database.execute(sql, params![code.nameplate(), digest.0, code.to_string(), secret])?;
    let sql = "UPDATE meta SET value = ?2 WHERE key = ?1 AND CAST(value AS INTEGER) < ?3";
    let number = code.nameplate();
    database.execute(sql, params![LAST_NAMEPLATE, number.to_string(), number]).map(drop)
}

/// Stores what a member has made, unless it is there already.
pub(super) fn put_made(database: &Connection, made: &MadeInvite) -> rusqlite::Result<()> {
    let MadeInvite { name, digest, uses, until, made: at, maker, code } = made.clone();
    if database.prepare_cached("SELECT 1 FROM invites WHERE digest = ?1")?.exists([digest.0])? {
        return Ok(());
    }
    let (uses, until, maker) = (Some(uses), Some(until), Some(maker));
    put(database, &InviteRecord { name, digest, uses, spent: 0, until, made: at, maker })?;
    code.map_or(Ok(()), |(code, secret)| put_code(database, digest, &code, &secret))
}

/// Deletes an invite and its code; returns how many there were.
pub(super) fn delete(database: &Connection, name: &str) -> rusqlite::Result<usize> {
    let of = "SELECT digest FROM invites WHERE name = ?1";
    database.execute(&format!("DELETE FROM codes WHERE digest IN ({of})"), [name])?;
    database.execute(&format!("UPDATE invited SET revoked = 1 WHERE digest IN ({of})"), [name])?;
    database.execute("DELETE FROM invites WHERE name = ?1", [name])
}

/// The newest invites of a member, in the order in which they were made, with their codes.
pub(super) fn made_by(
    database: &Connection,
    maker: &NameKey,
) -> rusqlite::Result<Vec<(InviteRecord, Option<CodeRecord>)>> {
    let sql = format!("SELECT {COLUMNS} FROM invites WHERE maker = ?1 ORDER BY made DESC, name DESC LIMIT ?2");
    let mut query = database.prepare_cached(&sql)?;
    let invites =
        query.query_map(params![maker, INVITES_SHOWN as i64], record)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let sql = format!("SELECT {CODE_COLUMNS} FROM codes WHERE digest = ?1");
    let mut codes = database.prepare_cached(&sql)?;
    let with_code = |invite: InviteRecord| {
        let code = codes.query_row([invite.digest.0], code_record).optional()?;
        Ok((invite, code))
    };
    invites.into_iter().rev().map(with_code).collect()
}

fn code_record(row: &Row<'_>) -> rusqlite::Result<CodeRecord> {
    let (Unsigned(right), code) = (row.get(3)?, row.get::<_, String>(1)?);
    Ok(CodeRecord {
        nameplate: row.get(0)?,
        code: code.parse().ok(),
        secret: row.get(2)?,
        right,
        answered: row.get(4)?,
    })
}

fn add(database: &Connection, file: &Path, invite: &InviteRecord) -> Result<(), Failure> {
    let sql = "SELECT 1 FROM invites WHERE name = ?1";
    let there = database.prepare(sql).and_then(|mut found| found.exists([&invite.name]));
    if there.map_err(|e| failure(file, &e))? {
        let message = format!("There is an invite called {} already.", invite.name);
        return Err(Failure::new(ErrorCode::NameTaken, message)
            .hint("Choose another name, or revoke that one first: `potluck invite revoke NAME`."));
    }
    put(database, invite).map_err(|e| failure(file, &e))
}

pub(super) fn put(database: &Connection, invite: &InviteRecord) -> rusqlite::Result<()> {
    let InviteRecord { name, digest, uses, until, made, maker, .. } = invite;
    let (until, maker) = (until.map(|until| until.0), maker.as_ref().map_or("", NameKey::as_str));
    let sql = "INSERT INTO invites (digest, name, uses, until, made, maker) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    database.execute(sql, params![digest.0, name, uses.map(integer), until, made.0, maker])?;
    database.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, '1')", [INVITED]).map(drop)
}

fn record(row: &Row<'_>) -> rusqlite::Result<InviteRecord> {
    let Unsigned(spent) = row.get(3)?;
    Ok(InviteRecord {
        name: row.get(0)?,
        digest: InviteDigest(row.get(1)?),
        uses: row.get::<_, Option<Unsigned>>(2)?.map(|Unsigned(uses)| uses),
        spent,
        until: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        made: Timestamp(row.get(5)?),
        maker: Some(row.get::<_, NameKey>(6)?).filter(|maker| !maker.as_str().is_empty()),
    })
}

fn meta(database: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    database.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}
