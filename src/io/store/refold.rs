//! Names are kept under their folds. When a newer potluck folds some of them otherwise, they move to their new folds, so
//! that nobody loses their name; by which rules and tables the names are folded is written down.

use rusqlite::{Connection, OptionalExtension, params};

use crate::protocol::name::{NameKey, tables};

/// Where else a fold stands: table and column.
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

/// Whether names were folded by other rules than ours.
pub(super) fn is_due(database: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT value FROM meta WHERE key = 'names'";
    let known: Option<String> = database.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(known.is_none_or(|known| known != tables()))
}

/// Folds every name anew, inside the caller's transaction. Where two names have become the same, the one that has the
/// fold already keeps it, and the other one stays where it is.
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
