//! Stores each kind of record, and deletes old messages.

use rusqlite::{Connection, OptionalExtension, params};

use super::invites;
use super::load::{Unsigned, VISITS_LEFT, access_name, integer, last_message};
use crate::core::digest::Digest;
use crate::protocol::limits::{FAILURES_COUNTED, REQUESTS_IN_FLIGHT, VISITS_LOADED};
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    AnswerRecord, CopyRecord, Destination, FailureRecord, IdempotencyKey, StoredMessage, VisitRecord,
};
use crate::protocol::{PublicKey, Record, Timestamp};

/// Stored answers, of all processes, that a hub keeps at its start. A process that asks again does so soon.
const ANSWERS_KEPT: usize = 16_384;

/// Messages that are deleted in one transaction: so few that the next commit hardly waits.
const TRIM_AT_ONCE: usize = 500;

/// Counts a key that an invite has let in. An invite that was revoked meanwhile has no count.
const SPEND_INVITE: &str = "INSERT INTO invited (digest, key, revoked)
    VALUES (?1, ?2, NOT EXISTS (SELECT 1 FROM invites WHERE digest = ?1))
    ON CONFLICT DO UPDATE SET revoked = excluded.revoked";

/// Keeps how far a code is used; a void one has no words any more, and no secret.
const USE_CODE: &str = "UPDATE codes SET right = max(right, ?2), answered = ?3, code = iif(?4, '', code),
    secret = iif(?4, '', secret) WHERE nameplate = ?1";

/// What a transaction changes besides its rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    /// Messages below this number are not kept any more.
    pub(super) trimmed: u64,
    /// Whether there may be some left.
    pub(super) trimming: bool,
    /// The digest of all messages that were ever sent.
    pub(super) said: Digest,
}

/// Stores a record within the caller's transaction. Storing it twice has the same effect as once.
pub(super) fn store_record(database: &Connection, record: &Record, work: &mut Work) -> rusqlite::Result<()> {
    let run = |sql: &str, params: &[&dyn rusqlite::ToSql]| -> rusqlite::Result<()> {
        database.prepare_cached(sql)?.execute(params).map(drop)
    };
    match record {
        Record::InviteSpent { digest, key } => run(SPEND_INVITE, params![digest.0, key.0]),
        Record::Invite(made) => invites::put_made(database, made),
        Record::InviteRevoked { name } => invites::delete(database, name).map(drop),
        Record::Code { nameplate, right, answered, void } => {
            run(USE_CODE, params![nameplate, integer(*right), answered, void])
        }
        Record::Name { name, name_key, key, since, credential } => {
            keep_name(database, (name, name_key), key, *since, *credential)
        }
        Record::KeyForgotten { name_key, key } => {
            run("DELETE FROM keys WHERE fold = ?1 AND key = ?2", params![name_key, key.0])
        }
        Record::Message(kept) => {
            // What is gone does not come back, whoever repeats it.
            if kept.number >= work.trimmed && keep_message(database, kept)? {
                work.said.add(kept);
            }
            Ok(())
        }
        Record::Answered(answer) => keep_answer(database, answer),
        // The keeper's command has stored the first two itself; an abandoned message was never stored.
        Record::Account(_) | Record::NameGone { .. } | Record::MessageAbandoned(_) => Ok(()),
        Record::Received { name_key, number } => {
            run("UPDATE names SET received = ?2 WHERE fold = ?1 AND received < ?2", params![name_key, integer(*number)])
        }
        Record::There { name_key, spans } => {
            run("DELETE FROM there WHERE fold = ?1", params![name_key])?;
            let sql =
                "INSERT OR REPLACE INTO there (fold, after, until) SELECT fold, ?2, ?3 FROM names WHERE fold = ?1";
            spans.iter().try_for_each(|span| run(sql, params![name_key, integer(span.after), integer(span.until)]))
        }
        Record::Block { by, whom } => run("INSERT OR IGNORE INTO blocks (by, whom) VALUES (?1, ?2)", params![by, whom]),
        Record::Unblock { by, whom } => run("DELETE FROM blocks WHERE by = ?1 AND whom = ?2", params![by, whom]),
        Record::Room { room, name, name_key: _, access, owner } => {
            let sql = "INSERT OR REPLACE INTO rooms (room, name, access, owner) VALUES (?1, ?2, ?3, ?4)";
            run(sql, params![integer(*room), name, access_name(*access), owner])?;
            let sql = "UPDATE meta SET value = ?1 WHERE key = 'last_room' AND CAST(value AS INTEGER) < ?2";
            run(sql, params![integer(*room).to_string(), integer(*room)])
        }
        Record::RoomGone { room } => {
            run("DELETE FROM members WHERE room = ?1", params![integer(*room)])?;
            run("DELETE FROM rooms WHERE room = ?1", params![integer(*room)])
        }
        Record::Member { room, name_key, since, by } => run(
            "INSERT OR REPLACE INTO members (room, fold, since, by, network)
                SELECT room, ?2, ?3, ?4, ?5 FROM rooms WHERE room = ?1",
            params![
                integer(*room),
                name_key,
                integer(*since),
                by.as_ref().map_or("", |bringer| bringer.by.as_str()),
                by.as_ref().and_then(|bringer| bringer.network).map(|network| network.to_string()),
            ],
        ),
        Record::MemberGone { room, name_key } => {
            run("DELETE FROM members WHERE room = ?1 AND fold = ?2", params![integer(*room), name_key])
        }
        Record::Visit(visit) => keep_visit(database, visit),
        Record::Failures(FailureRecord { whom, count: 0, .. }) => {
            run("DELETE FROM failures WHERE whom = ?1", params![whom])
        }
        Record::Failures(FailureRecord { whom, count, last, locked_for }) => run(
            "INSERT OR REPLACE INTO failures (whom, count, last, locked_for) VALUES (?1, ?2, ?3, ?4)",
            params![whom, count, last.0, locked_for.map(integer)],
        ),
        Record::Copy(CopyRecord { name_key, owner, content }) => run(
            "INSERT OR REPLACE INTO copies (fold, file, owner, hash, size, chunk_size, modified)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                name_key,
                content.file,
                owner,
                content.hash.0,
                integer(content.size),
                integer(content.chunk_size),
                content.modified.map(|time| time.0)
            ],
        ),
        Record::CopyGone { name_key, file } => {
            run("DELETE FROM copies WHERE fold = ?1 AND file = ?2", params![name_key, file])
        }
        Record::Trim { below } => {
            let below = (*below).min(last_message(database)?);
            if below > work.trimmed {
                (work.trimmed, work.trimming) = (below, true);
                run("UPDATE meta SET value = ?1 WHERE key = 'trimmed'", params![integer(below).to_string()])?;
            }
            Ok(())
        }
    }
}

/// A name that belongs to somebody else stays theirs. A key is added to an account only if the login used the account's
/// present password. Otherwise, a client that registers a name at the moment in which it becomes an account would own
/// the account, and somebody who knew an old password would return by key.
fn keep_name(
    database: &Connection,
    (name, name_key): (&str, &NameKey),
    key: &PublicKey,
    since: i64,
    credential: Option<u64>,
) -> rusqlite::Result<()> {
    let sql = "SELECT iif(password IS NULL, NULL, credential) FROM names WHERE fold = ?1";
    let there =
        database.prepare_cached(sql)?.query_row([name_key], |row| row.get::<_, Option<Unsigned>>(0)).optional()?;
    let there = there.map(|account| account.map(|Unsigned(number)| number));
    if there.flatten() != credential {
        return Ok(());
    }
    match there {
        None => {
            // Earlier messages are not for them.
            let sql = "
                INSERT INTO names (fold, name, since, received)
                VALUES (?1, ?2, ?3, (SELECT coalesce(max(number), 0) FROM messages))";
            database.prepare_cached(sql)?.execute(params![name_key, name, since])?;
        }
        Some(Some(_)) => {}
        Some(None) => {
            let sql = "
                UPDATE names SET name = ?2, since = ?3
                WHERE fold = ?1 AND EXISTS (SELECT 1 FROM keys WHERE fold = ?1 AND key = ?4)";
            database.prepare_cached(sql)?.execute(params![name_key, name, since, key.0])?;
            return Ok(());
        }
    }
    let sql = "INSERT OR IGNORE INTO keys (fold, key) VALUES (?1, ?2)";
    database.prepare_cached(sql)?.execute(params![name_key, key.0])?;
    Ok(())
}

/// Stores a message; returns whether it was new.
fn keep_message(database: &Connection, kept: &StoredMessage) -> rusqlite::Result<bool> {
    let (room, recipient) = match &kept.destination {
        Destination::Lobby => (None, None),
        Destination::Room(room) => (Some(integer(*room)), None),
        Destination::Person { name, name_key } => (None, Some((name, name_key))),
    };
    let sql = "
        INSERT OR IGNORE INTO messages (number, sent, sender, sender_fold, room, recipient, recipient_fold, text,
            withheld, instance, ask)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let params = params![
        integer(kept.number),
        kept.sent.0,
        kept.from,
        kept.from_key,
        room,
        recipient.map(|(name, _)| name),
        recipient.map(|(_, name_key)| name_key),
        kept.text,
        kept.withheld,
        kept.idempotency_key.instance,
        kept.idempotency_key.ask,
    ];
    database.prepare_cached(sql)?.execute(params).map(|rows| rows > 0)
}

/// Stores an answer, and deletes old answers of the same process, which has no more requests in flight than are kept.
fn keep_answer(database: &Connection, record: &AnswerRecord) -> rusqlite::Result<()> {
    let AnswerRecord { name_key, idempotency_key: IdempotencyKey { instance, ask }, answer } = record;
    let sql = "DELETE FROM answers WHERE fold = ?1 AND instance = ?2 AND ask <= ?3";
    let old = ask.saturating_sub(REQUESTS_IN_FLIGHT as i64);
    database.prepare_cached(sql)?.execute(params![name_key, instance, old])?;
    let sql = "INSERT OR IGNORE INTO answers (fold, instance, ask, answer) VALUES (?1, ?2, ?3, ?4)";
    database.prepare_cached(sql)?.execute(params![name_key, instance, ask, answer]).map(drop)
}

/// Stores the digest of all messages.
pub(super) fn keep_said(database: &Connection, said: Digest) -> rusqlite::Result<()> {
    let sql = "UPDATE meta SET value = ?1 WHERE key = 'said'";
    database.prepare_cached(sql)?.execute([said.to_string()]).map(drop)
}

fn keep_visit(database: &Connection, visit: &VisitRecord) -> rusqlite::Result<()> {
    let sql = "
        INSERT OR REPLACE INTO visits (run, number, name, key, address, opened, closed, messages)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let params = params![
        // A random number of 64 bits, stored bit by bit.
        visit.run as i64,
        integer(visit.number),
        visit.name,
        visit.key.0,
        visit.address,
        visit.opened.0,
        visit.closed.map(|closed| closed.0),
        integer(visit.messages),
    ];
    database.prepare_cached(sql)?.execute(params).map(drop)
}

/// Deletes some of the messages below a number; says whether there may be more. The newest message stays, so
/// that its number is not given to another one.
pub(super) fn trim(database: &Connection, below: u64) -> rusqlite::Result<bool> {
    let newest = integer(last_message(database)?);
    let sql = "
        DELETE FROM messages WHERE number IN (
            SELECT number FROM messages WHERE number < ?1 AND number <> ?2 ORDER BY number LIMIT ?3)";
    let gone = database.prepare_cached(sql)?.execute(params![integer(below), newest, TRIM_AT_ONCE as i64])?;
    Ok(gone == TRIM_AT_ONCE)
}

/// The number below which messages go, so that what is left is from some time on, or takes at most so many bytes; 0 if
/// none do. The calendar may have gone back: what stands behind a message that stays, stays too.
pub(super) fn trim_point(database: &Connection, since: Option<Timestamp>, bytes: Option<u64>) -> rusqlite::Result<u64> {
    let newest = integer(last_message(database)?);
    let mut point = 0;
    if let Some(since) = since {
        let sql = "SELECT number FROM messages NOT INDEXED WHERE sent >= ?1 ORDER BY number LIMIT 1";
        let first = database.prepare_cached(sql)?.query_row([since.0], |row| row.get(0)).optional()?;
        point = first.map_or(newest, |first: i64| first.min(newest));
    }
    if let Some(bytes) = bytes {
        let sql = "SELECT bytes FROM sizes WHERE what = 'messages'";
        let Unsigned(mut rest) = database.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let sql = "SELECT number, 256 + 2 * octet_length(text) FROM messages WHERE number <> ?1 ORDER BY number";
        let mut oldest = database.prepare_cached(sql)?;
        let mut rows = oldest.query([newest])?;
        while rest > bytes {
            let Some(row) = rows.next()? else { break };
            let Unsigned(size) = row.get(1)?;
            point = point.max(row.get::<_, i64>(0)? + 1);
            rest = rest.saturating_sub(size);
        }
    }
    Ok(u64::try_from(point).unwrap_or(0))
}

/// Deletes what no hub reads any more: visits and failures beyond those that are loaded.
pub(super) fn prune(database: &Connection) -> rusqlite::Result<()> {
    let visits = format!("DELETE FROM visits WHERE (run, number) NOT IN ({VISITS_LEFT})");
    database.execute(&visits, [VISITS_LOADED as i64])?;
    let failures = "
        DELETE FROM failures WHERE whom NOT IN (SELECT whom FROM failures ORDER BY last DESC, whom LIMIT ?1)";
    database.execute(failures, [FAILURES_COUNTED as i64])?;
    let answers = "DELETE FROM answers WHERE rowid <= (SELECT max(rowid) FROM answers) - ?1";
    database.execute(answers, [ANSWERS_KEPT as i64])?;
    Ok(())
}
