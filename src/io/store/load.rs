//! Loads the hub's state from the store.

use std::collections::HashMap;

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, Row, params};

use crate::core::digest::Digest;
use crate::protocol::invite::InviteDigest;
use crate::protocol::limits::{FAILURES_COUNTED, VISITS_LOADED};
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    Bringer, CopyRecord, FailureRecord, Loaded, NameRecord, RoomRecord, Span, VisitRecord, WaitingRecord,
};
use crate::protocol::types::{Content, RoomAccess};
use crate::protocol::{ContentHash, Network, PublicKey, Timestamp};

/// A number as SQLite stores it.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number read back from SQLite. We never wrote a negative one.
pub(super) struct Unsigned(pub(super) u64);

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let read = value.as_i64()?;
        u64::try_from(read).map(Self).map_err(|_| FromSqlError::OutOfRange(read))
    }
}

impl ToSql for NameKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl From<&NameKey> for Value {
    fn from(key: &NameKey) -> Self {
        key.as_str().to_owned().into()
    }
}

impl FromSql for NameKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str().map(Self::from_stored)
    }
}

pub(super) fn access_name(access: RoomAccess) -> &'static str {
    match access {
        RoomAccess::Open => "open",
        RoomAccess::Invite => "invite",
    }
}

struct Access(RoomAccess);

impl FromSql for Access {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "open" => Ok(Self(RoomAccess::Open)),
            "invite" => Ok(Self(RoomAccess::Invite)),
            other => Err(FromSqlError::other(std::io::Error::other(format!("no access is `{other}`")))),
        }
    }
}

pub(super) fn load(database: &Connection) -> rusqlite::Result<Loaded> {
    Ok(Loaded {
        names: names(database)?,
        blocks: all(database, "SELECT by, whom FROM blocks ORDER BY by, whom", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?,
        rooms: rooms(database)?,
        visits: visits(database)?,
        failures: failures(database)?,
        invited: all(database, "SELECT digest, key FROM invited ORDER BY digest, key", [], |row| {
            Ok((InviteDigest(row.get(0)?), PublicKey(row.get(1)?)))
        })?,
        copies: copies(database)?,
        waiting: waiting(database)?,
        there: there(database)?,
        last_message: last_message(database)?,
        trimmed: trimmed(database)?,
        said: said(database)?.to_bytes(),
        last_nameplate: database.query_row(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_nameplate'",
            [],
            |row| row.get(0),
        )?,
        last_room: database
            .query_row("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last_room'", [], |row| row.get(0))
            .map(|Unsigned(room)| room)?,
    })
}

/// The number of the newest message, which is never deleted; 0 if there is none.
pub(super) fn last_message(database: &Connection) -> rusqlite::Result<u64> {
    let newest = "SELECT coalesce(max(number), 0) FROM messages";
    database.query_row(newest, [], |row| row.get(0)).map(|Unsigned(number)| number)
}

/// The number below which messages are not kept any more: what is left of them is not to be seen.
pub(super) fn trimmed(database: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'trimmed'";
    database.prepare_cached(sql)?.query_row([], |row| row.get(0)).map(|Unsigned(below)| below)
}

/// The digest of all messages that were ever sent.
fn said(database: &Connection) -> rusqlite::Result<Digest> {
    let digits: String = database.query_row("SELECT value FROM meta WHERE key = 'said'", [], |row| row.get(0))?;
    Ok(digits.parse().unwrap_or_default())
}

fn all<T, P: rusqlite::Params>(
    database: &Connection,
    sql: &str,
    params: P,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    database.prepare(sql)?.query_map(params, read)?.collect()
}

pub(super) fn names(database: &Connection) -> rusqlite::Result<Vec<NameRecord>> {
    let mut keys: HashMap<NameKey, Vec<PublicKey>> = HashMap::new();
    for (name_key, key) in all(database, "SELECT fold, key FROM keys ORDER BY fold, key", [], |row| {
        Ok((row.get(0)?, PublicKey(row.get(1)?)))
    })? {
        keys.entry(name_key).or_default().push(key);
    }
    let sql = "
        SELECT fold, name, iif(password IS NULL, NULL, credential), since, received,
            (SELECT count(*) FROM messages
                WHERE recipient_fold = names.fold AND number > names.received AND number >= ?1)
        FROM names ORDER BY fold";
    all(database, sql, [integer(trimmed(database)?)], |row| {
        let name_key: NameKey = row.get(0)?;
        let (Unsigned(received), Unsigned(unread)) = (row.get(4)?, row.get(5)?);
        let keys = keys.remove(&name_key).unwrap_or_default();
        let credential = row.get::<_, Option<Unsigned>>(2)?.map(|Unsigned(number)| number);
        Ok(NameRecord { name_key, name: row.get(1)?, keys, credential, since: row.get(3)?, received, unread })
    })
}

fn rooms(database: &Connection) -> rusqlite::Result<Vec<RoomRecord>> {
    let mut members: HashMap<u64, Vec<(NameKey, u64, Option<Bringer>)>> = HashMap::new();
    let sql = "SELECT room, fold, since, by, network FROM members ORDER BY room, fold";
    for (room, name_key, since, by, network) in all(database, sql, [], |row| {
        let (Unsigned(room), Unsigned(since)) = (row.get(0)?, row.get(2)?);
        let (by, network) = (row.get::<_, NameKey>(3)?, row.get::<_, Option<String>>(4)?);
        Ok((room, row.get::<_, NameKey>(1)?, since, by, network))
    })? {
        let network = network.and_then(|network| network.split('/').next()?.parse().ok()).map(Network::of);
        let by = (!by.is_nobody()).then_some(Bringer { by, network });
        members.entry(room).or_default().push((name_key, since, by));
    }
    all(database, "SELECT room, name, access, owner FROM rooms ORDER BY room", [], |row| {
        let (Unsigned(room), Access(access)) = (row.get(0)?, row.get(2)?);
        let members = members.remove(&room).unwrap_or_default();
        let name: String = row.get(1)?;
        Ok(RoomRecord { room, name_key: NameKey::of(&name), name, access, owner: row.get(3)?, members })
    })
}

/// The newest visits, `?1` of them, and the last one under each name.
pub(super) const VISITS_LEFT: &str = "
    SELECT run, number FROM (
        SELECT run, number,
            row_number() OVER (ORDER BY opened DESC, run DESC, number DESC) AS newest,
            row_number() OVER (PARTITION BY name ORDER BY opened DESC, run DESC, number DESC) AS of_name
        FROM visits)
    WHERE newest <= ?1 OR of_name = 1";

fn visits(database: &Connection) -> rusqlite::Result<Vec<VisitRecord>> {
    let sql = format!(
        "SELECT run, number, name, key, address, opened, closed, messages FROM visits
        WHERE (run, number) IN ({VISITS_LEFT}) ORDER BY opened, run, number"
    );
    all(database, &sql, params![VISITS_LOADED as i64], |row| {
        let (Unsigned(number), Unsigned(messages)) = (row.get(1)?, row.get(7)?);
        Ok(VisitRecord {
            // A random number of 64 bits, stored bit by bit.
            run: row.get::<_, i64>(0)? as u64,
            number,
            name: row.get(2)?,
            key: PublicKey(row.get(3)?),
            address: row.get(4)?,
            opened: Timestamp(row.get(5)?),
            closed: row.get::<_, Option<i64>>(6)?.map(Timestamp),
            messages,
        })
    })
}

fn there(database: &Connection) -> rusqlite::Result<Vec<(NameKey, Vec<Span>)>> {
    let sql = "SELECT fold, after, until FROM there ORDER BY fold, after";
    let rows = all(database, sql, [], |row| {
        let (Unsigned(after), Unsigned(until)) = (row.get(1)?, row.get(2)?);
        Ok((row.get::<_, NameKey>(0)?, Span { after, until }))
    })?;
    let of_each = rows.chunk_by(|(name_key, _), (next, _)| name_key == next);
    Ok(of_each.map(|rows| (rows[0].0.clone(), rows.iter().map(|(_, span)| *span).collect())).collect())
}

fn waiting(database: &Connection) -> rusqlite::Result<Vec<WaitingRecord>> {
    let sql = "
        SELECT recipient_fold, number, octet_length(text), withheld, sender_fold
        FROM names CROSS JOIN messages INDEXED BY messages_to
        ON recipient_fold = fold AND number > received AND number >= ?1 AND recipient_fold IS NOT NULL ORDER BY number";
    all(database, sql, [integer(trimmed(database)?)], |row| {
        let (Unsigned(number), Unsigned(bytes)) = (row.get(1)?, row.get(2)?);
        Ok(WaitingRecord { name_key: row.get(0)?, number, from: row.get(4)?, bytes, withheld: row.get(3)? })
    })
}

fn copies(database: &Connection) -> rusqlite::Result<Vec<CopyRecord>> {
    let sql = "SELECT fold, owner, file, hash, size, chunk_size, modified FROM copies ORDER BY fold, file";
    all(database, sql, [], |row| {
        let (Unsigned(size), Unsigned(chunk_size)) = (row.get(4)?, row.get(5)?);
        let content = Content {
            file: row.get(2)?,
            size,
            hash: ContentHash(row.get(3)?),
            chunk_size,
            chunks: size.div_ceil(chunk_size.max(1)),
            modified: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        };
        Ok(CopyRecord { name_key: row.get(0)?, owner: row.get(1)?, content })
    })
}

fn failures(database: &Connection) -> rusqlite::Result<Vec<FailureRecord>> {
    let sql = "
        SELECT whom, count, last, locked_for FROM
            (SELECT whom, count, last, locked_for FROM failures ORDER BY last DESC, whom LIMIT ?1)
        ORDER BY whom";
    all(database, sql, params![FAILURES_COUNTED as i64], |row| {
        let locked_for = row.get::<_, Option<Unsigned>>(3)?.map(|Unsigned(millis)| millis);
        Ok(FailureRecord { whom: row.get(0)?, count: row.get(1)?, last: Timestamp(row.get(2)?), locked_for })
    })
}
