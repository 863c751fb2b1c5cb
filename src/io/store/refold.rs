//! Updates name keys. Names are stored under their keys; if a newer version of potluck makes some keys differently,
//! they are replaced here, so that nobody loses their name. The store records which rules and tables made its keys.

use rusqlite::{Connection, OptionalExtension, params};

use crate::protocol::name::{NameKey, tables};

/// The other tables and columns that hold a name key.
const COLUMNS: [(&str, &str); 9] = [
    ("keys", "fold"),
    ("messages", "sender_fold"),
    ("messages", "recipient_fold"),
    ("members", "fold"),
    ("members", "by"),
    ("there", "fold"),
    ("blocks", "by"),
    ("blocks", "whom"),
    ("copies", "fold"),
];

/// Whether the stored keys were made by other rules than ours.
pub(super) fn is_due(database: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT value FROM meta WHERE key = 'names'";
    let known: Option<String> = database.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(known.is_none_or(|known| known != tables()))
}

/// Makes every key anew, within the caller's transaction. If two names now have the same key, the name that has it
/// already keeps it, and the other keeps its old key.
pub(super) fn refold(database: &Connection) -> rusqlite::Result<()> {
    if !is_due(database)? {
        return Ok(());
    }
    let names: Vec<(String, String)> = database
        .prepare("SELECT fold, name FROM names ORDER BY since, fold")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (old, name) in names {
        let new = NameKey::of(&name);
        if new.as_str() == old {
            continue;
        }
        let moved = database.execute("UPDATE OR IGNORE names SET fold = ?2 WHERE fold = ?1", params![old, new])?;
        if moved == 0 {
            tracing::warn!("{name} has become the same name as another one, and stays under its old form");
            continue;
        }
        for (table, column) in COLUMNS {
            let sql = format!("UPDATE OR REPLACE {table} SET {column} = ?2 WHERE {column} = ?1");
            database.execute(&sql, params![old, new])?;
        }
        let failures = "UPDATE OR REPLACE failures SET whom = 'name:' || ?2 WHERE whom = 'name:' || ?1";
        database.execute(failures, params![old, new])?;
    }
    database.execute("INSERT OR REPLACE INTO meta VALUES ('names', ?1)", [tables()]).map(drop)
}
