//! Answers queries. Each part of a query (the lobby, a room, a person) is read through its own index in the order of
//! the message numbers, only as far as needed; the parts are merged.

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params_from_iter};

use super::load::{Unsigned, integer, trimmed};
use super::{invites, records};
use crate::protocol::limits::REQUESTS_IN_FLIGHT;
use crate::protocol::name::NameKey;
use crate::protocol::record::{
    Destination, Found, HistoryQuery, IdempotencyKey, Inbox, PastAnswer, People, Query, StoredMessage,
};
use crate::protocol::{Timestamp, to_json};

const COLUMNS: &str = "number, sent, sender, room, recipient, text, withheld, instance, ask";

/// One part of a query: an SQL statement whose rows come in the order of their first column, the number.
struct Arm {
    sql: String,
    params: Vec<Value>,
}

/// How many messages are wanted, and from which end.
struct Bounds {
    oldest: bool,
    limit: usize,
    bytes: usize,
}

/// Answers a query, as of one moment.
pub(super) fn find(database: &Connection, query: &Query) -> rusqlite::Result<Found> {
    let moment = database.unchecked_transaction()?;
    let found = match query {
        Query::Inbox(inbox) => find_inbox(&moment, inbox),
        Query::History(history) => find_history(&moment, history),
        Query::PastAnswers { instance, name_key } => find_past_answers(&moment, instance, name_key),
        Query::TrimPoint { since, bytes } => records::trim_point(&moment, *since, *bytes).map(Found::TrimPoint),
        Query::Invite { digest, key } => invites::find(&moment, *digest, *key).map(Found::Invite),
        Query::Invites(maker) => invites::made_by(&moment, maker).map(Found::Invites),
        Query::Code(nameplate) => invites::find_code(&moment, *nameplate).map(Found::Code),
    };
    moment.commit()?;
    found
}

fn find_past_answers(database: &Connection, instance: &str, name_key: &NameKey) -> rusqlite::Result<Found> {
    let sql = "
        SELECT ask, number, sent FROM messages INDEXED BY messages_asked
        WHERE sender_fold = ?1 AND instance = ?2 ORDER BY number DESC LIMIT ?3";
    let mut query = database.prepare_cached(sql)?;
    let past = query.query_map((name_key, instance, REQUESTS_IN_FLIGHT as i64), |row| {
        let (Unsigned(number), sent) = (row.get(1)?, Timestamp(row.get(2)?));
        Ok((row.get(0)?, PastAnswer::Said { number, sent }))
    })?;
    let mut past = past.collect::<rusqlite::Result<Vec<_>>>()?;
    let sql = "SELECT ask, answer FROM answers WHERE fold = ?1 AND instance = ?2 ORDER BY ask DESC LIMIT ?3";
    let mut query = database.prepare_cached(sql)?;
    let answers = query.query_map((name_key, instance, REQUESTS_IN_FLIGHT as i64), |row| {
        Ok((row.get(0)?, PastAnswer::Answer(row.get(1)?)))
    })?;
    past.extend(answers.collect::<rusqlite::Result<Vec<_>>>()?);
    past.sort_by_key(|(ask, _)| *ask);
    Ok(Found::PastAnswers(past))
}

fn find_inbox(database: &Connection, inbox: &Inbox) -> rusqlite::Result<Found> {
    let bounds = Bounds { oldest: true, limit: inbox.limit, bytes: inbox.bytes };
    let gone = trimmed(database)?.saturating_sub(1);
    let arm = |index: &str, place: &str, of: Option<Value>, after: u64| {
        let sql = format!(
            "SELECT {COLUMNS} FROM messages INDEXED BY {index}
             WHERE {place} AND number > ? AND sender_fold <> ? ORDER BY number"
        );
        let rest = [integer(after.max(inbox.after).max(gone)).into(), (&inbox.name_key).into()];
        Arm { sql, params: of.into_iter().chain(rest).collect() }
    };
    let mut rooms = inbox.rooms.clone();
    rooms.sort_unstable();
    // If a room is named twice, the larger part is wanted.
    rooms.dedup_by_key(|(room, _)| *room);
    let mut arms = vec![arm(DIRECT_TO, "recipient_fold = ?", Some((&inbox.name_key).into()), inbox.after)];
    arms.extend(inbox.lobby.iter().map(|span| {
        let place = format!("{IN_LOBBY} AND number <= ?");
        arm(LOBBY, &place, Some(integer(span.until).into()), span.after)
    }));
    arms.extend(rooms.iter().map(|(room, after)| arm(ROOM, "room = ?", Some(integer(*room).into()), *after)));
    merge(database, &arms, &bounds)
}

const LOBBY: &str = "messages_lobby";
const IN_LOBBY: &str = "room IS NULL AND recipient_fold IS NULL";
const ROOM: &str = "messages_room";
const DIRECT_TO: &str = "messages_to";

fn find_history(database: &Connection, query: &HistoryQuery) -> rusqlite::Result<Found> {
    let nothing = Ok(Found::Messages(Vec::new(), false));
    let mut after = query.after.map_or(-1, integer).max(integer(trimmed(database)?) - 1);
    let last = match query.before {
        Some(0) => return nothing,
        Some(before) => integer(before - 1),
        None => i64::MAX,
    };
    if let Some(since) = query.since {
        // Numbers and times mostly grow together, so this avoids reading all older messages.
        let sql = "SELECT number FROM messages INDEXED BY messages_sent WHERE sent >= ?1 ORDER BY number LIMIT 1";
        let first = database.prepare_cached(sql)?.query_row([since.0], |row| row.get::<_, i64>(0)).optional()?;
        let Some(first) = first else { return nothing };
        after = after.max(first - 1);
    }
    let range = [after.into(), last.into(), query.since.map_or(i64::MIN, |since| since.0).into()];
    let arms = match query.words.as_deref() {
        None => by_place(query, &range),
        Some(words) => match phrases(words) {
            Some(phrases) => vec![by_words(query, &range, phrases)],
            None => return nothing,
        },
    };
    let bounds = Bounds { oldest: query.oldest, limit: query.limit, bytes: query.bytes };
    merge(database, &arms, &bounds)
}

fn order(oldest: bool) -> &'static str {
    if oldest { "ASC" } else { "DESC" }
}

fn by_place(query: &HistoryQuery, range: &[Value; 3]) -> Vec<Arm> {
    let arm = |index: &str, place: &str, of: Vec<Value>| {
        let sql = format!(
            "SELECT {COLUMNS} FROM messages INDEXED BY {index}
             WHERE number > ? AND number <= ? AND sent >= ? AND {place} ORDER BY number {}",
            order(query.oldest)
        );
        Arm { sql, params: range.iter().cloned().chain(of).collect() }
    };
    let me = || Value::from(&query.name_key);
    let without = || Value::from(to_json(&query.without));
    let among = |place: &str| format!("{place} AND sender_fold NOT IN (SELECT value FROM json_each(?))");
    let mut arms = Vec::new();
    if query.lobby {
        arms.push(arm(LOBBY, &among(IN_LOBBY), vec![without()]));
    }
    let mut rooms = query.rooms.clone();
    rooms.sort_unstable();
    rooms.dedup();
    for room in rooms {
        arms.push(arm(ROOM, &among("room = ?"), vec![integer(room).into(), without()]));
    }
    let between = "sender_fold = ? AND recipient_fold = ?";
    match &query.people {
        People::Nobody => {}
        People::With(other) => {
            arms.push(arm("messages_between", between, vec![me(), other.into()]));
            if *other != query.name_key {
                let place = format!("{between} AND NOT withheld");
                arms.push(arm("messages_between", &place, vec![other.into(), me()]));
            }
        }
        People::Everybody => {
            arms.push(arm("messages_from", "recipient_fold IS NOT NULL AND sender_fold = ?", vec![me()]));
            let place = "recipient_fold = ? AND sender_fold <> ? AND NOT withheld";
            arms.push(arm(DIRECT_TO, place, vec![me(), me()]));
        }
    }
    arms
}

/// The full-text index returns numbers in order. Whether a message is in one of the wanted places is checked for each.
fn by_words(query: &HistoryQuery, range: &[Value; 3], phrases: String) -> Arm {
    let (me, rooms): (Value, Vec<i64>) = ((&query.name_key).into(), query.rooms.iter().map(|r| integer(*r)).collect());
    let other = match &query.people {
        People::With(other) => Value::from(other),
        People::Nobody | People::Everybody => Value::Null,
    };
    let people = match &query.people {
        People::Nobody => "0",
        People::With(_) => {
            "(sender_fold = ?5 AND recipient_fold = ?6
            OR sender_fold = ?6 AND recipient_fold = ?5 AND NOT withheld)"
        }
        People::Everybody => {
            "(recipient_fold IS NOT NULL
            AND (sender_fold = ?5 OR recipient_fold = ?5 AND NOT withheld))"
        }
    };
    let sql = format!(
        "SELECT {} FROM words CROSS JOIN messages ON messages.number = words.rowid
         WHERE words MATCH ?1 AND words.rowid > ?2 AND words.rowid <= ?3 AND messages.sent >= ?4
            AND ({people} AND coalesce(?6, ?5) IS NOT NULL
                OR (?7 AND {IN_LOBBY} OR room IN (SELECT value FROM json_each(?8)))
                    AND sender_fold NOT IN (SELECT value FROM json_each(?9)))
         ORDER BY words.rowid {}",
        COLUMNS.replace("text", "messages.text"),
        order(query.oldest)
    );
    let [after, last, since] = range.clone();
    let (lobby, without) = (i64::from(query.lobby), to_json(&query.without));
    let params =
        vec![phrases.into(), after, last, since, me, other, lobby.into(), to_json(&rooms).into(), without.into()];
    Arm { sql, params }
}

/// A user's words as the full-text index expects them: each quoted, so that none counts as syntax. `None` if there is
/// no word.
fn phrases(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let quoted: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    (!quoted.is_empty()).then(|| quoted.join(" "))
}

/// Merges the parts until there are enough messages. It reads one more, to know whether there are more.
fn merge(database: &Connection, arms: &[Arm], bounds: &Bounds) -> rusqlite::Result<Found> {
    let prepared = arms.iter().map(|arm| database.prepare_cached(&arm.sql));
    let mut prepared: Vec<CachedStatement<'_>> = prepared.collect::<Result<_, _>>()?;
    let readings = prepared.iter_mut().zip(arms).map(|(query, arm)| query.query(params_from_iter(&arm.params)));
    let mut readings = readings.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut heads = readings.iter_mut().map(|rows| number(rows.next()?)).collect::<rusqlite::Result<Vec<_>>>()?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    let more = loop {
        let there = heads.iter().enumerate().filter_map(|(at, head)| head.map(|number| (number, at)));
        let next = if bounds.oldest { there.min() } else { there.max() };
        let Some((_, at)) = next else { break false };
        if found.len() >= bounds.limit || bytes >= bounds.bytes {
            break true;
        }
        if let Some(row) = readings[at].get() {
            let kept = kept(row)?;
            bytes += kept.text.len();
            found.push(kept);
        }
        heads[at] = number(readings[at].next()?)?;
    };
    if !bounds.oldest {
        found.reverse();
    }
    Ok(Found::Messages(found, more))
}

fn number(row: Option<&Row<'_>>) -> rusqlite::Result<Option<i64>> {
    row.map(|row| row.get(0)).transpose()
}

fn kept(row: &Row<'_>) -> rusqlite::Result<StoredMessage> {
    let Unsigned(number) = row.get(0)?;
    let room = row.get::<_, Option<Unsigned>>(3)?;
    let recipient = row.get::<_, Option<String>>(4)?;
    let destination = match (room, recipient) {
        (Some(Unsigned(room)), _) => Destination::Room(room),
        (None, Some(name)) => Destination::person(name),
        (None, None) => Destination::Lobby,
    };
    let from: String = row.get(2)?;
    Ok(StoredMessage {
        number,
        sent: Timestamp(row.get(1)?),
        from_key: NameKey::of(&from),
        from,
        destination,
        text: row.get(5)?,
        withheld: row.get(6)?,
        idempotency_key: IdempotencyKey { instance: row.get(7)?, ask: row.get(8)? },
    })
}

/// SQLite's plans for a query, with and without words.
#[cfg(test)]
pub(super) fn plans(database: &Connection, query: &HistoryQuery) -> rusqlite::Result<Vec<String>> {
    let range = [0.into(), 9.into(), 0.into()];
    let mut arms = by_place(query, &range);
    let with = HistoryQuery { people: People::With(NameKey::of("x")), ..query.clone() };
    arms.extend(by_place(&with, &range));
    arms.push(by_words(query, &range, "\"x\"".into()));
    let plan = |arm: &Arm| -> rusqlite::Result<String> {
        let mut explained = database.prepare(&format!("EXPLAIN QUERY PLAN {}", arm.sql))?;
        let lines = explained.query_map(params_from_iter(&arm.params), |row| row.get::<_, String>(3))?;
        Ok(lines.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
    };
    arms.iter().map(plan).collect()
}
