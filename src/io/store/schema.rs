//! The tables of the store, and the migrations from each version to the next.

use std::path::Path;

use rusqlite::Connection;

use super::failure::failure;
use crate::protocol::{ErrorCode, Failure};

/// Marks the file as ours in SQLite's header: "potl".
pub(super) const APPLICATION_ID: u32 = u32::from_be_bytes(*b"potl");

/// The migrations. Each leads from the version that is its index to the next one. New ones are appended; none is ever
/// changed.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE names (fold TEXT PRIMARY KEY, name TEXT NOT NULL, key BLOB NOT NULL, since INTEGER NOT NULL) STRICT;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    ",
    // The partial indexes hold each message where it is looked up: the lobby, its room, its two people. SQLite appends
    // the number to each entry, so that results come in the order of the numbers.
    "
    ALTER TABLE names RENAME TO names_1;
    CREATE TABLE names (
        fold TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        since INTEGER NOT NULL,
        password TEXT,
        received INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE keys (fold TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (fold, key)) STRICT, WITHOUT ROWID;
    INSERT INTO names (fold, name, since) SELECT fold, name, since FROM names_1;
    INSERT INTO keys (fold, key) SELECT fold, key FROM names_1;
    DROP TABLE names_1;

    CREATE TABLE messages (
        number INTEGER PRIMARY KEY,
        sent INTEGER NOT NULL,
        sender TEXT NOT NULL,
        sender_fold TEXT NOT NULL,
        room INTEGER,
        recipient TEXT,
        recipient_fold TEXT,
        text TEXT NOT NULL,
        withheld INTEGER NOT NULL,
        instance TEXT NOT NULL,
        ask INTEGER NOT NULL,
        UNIQUE (sender_fold, instance, ask),
        CHECK (room IS NULL OR recipient_fold IS NULL)
    ) STRICT;
    CREATE INDEX messages_lobby ON messages (number) WHERE room IS NULL AND recipient_fold IS NULL;
    CREATE INDEX messages_room ON messages (room) WHERE room IS NOT NULL;
    CREATE INDEX messages_to ON messages (recipient_fold) WHERE recipient_fold IS NOT NULL;
    CREATE INDEX messages_from ON messages (sender_fold) WHERE recipient_fold IS NOT NULL;
    CREATE INDEX messages_between ON messages (sender_fold, recipient_fold) WHERE recipient_fold IS NOT NULL;
    CREATE INDEX messages_asked ON messages (sender_fold, instance);
    CREATE INDEX messages_sent ON messages (sent);

    CREATE VIRTUAL TABLE words USING fts5 (text, content = 'messages', content_rowid = 'number', columnsize = 0);
    CREATE TABLE sizes (what TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
    INSERT INTO sizes VALUES ('messages', 0);
    CREATE TRIGGER message_kept AFTER INSERT ON messages BEGIN
        INSERT INTO words (rowid, text) VALUES (new.number, new.text);
        UPDATE sizes SET bytes = bytes + 256 + 2 * octet_length(new.text) WHERE what = 'messages';
    END;
    CREATE TRIGGER message_gone AFTER DELETE ON messages BEGIN
        INSERT INTO words (words, rowid, text) VALUES ('delete', old.number, old.text);
        UPDATE sizes SET bytes = bytes - 256 - 2 * octet_length(old.text) WHERE what = 'messages';
    END;

    CREATE TABLE rooms (room INTEGER PRIMARY KEY, name TEXT NOT NULL, access TEXT NOT NULL) STRICT;
    CREATE TABLE members (
        room INTEGER NOT NULL,
        fold TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (room, fold)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE blocks (by TEXT NOT NULL, whom TEXT NOT NULL, PRIMARY KEY (by, whom)) STRICT, WITHOUT ROWID;
    CREATE TABLE visits (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        name TEXT NOT NULL,
        key BLOB NOT NULL,
        address TEXT NOT NULL,
        opened INTEGER NOT NULL,
        closed INTEGER,
        messages INTEGER NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE failures (
        whom TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        last INTEGER NOT NULL,
        until INTEGER
    ) STRICT, WITHOUT ROWID;
    INSERT INTO meta VALUES ('last_room', '0');
    ",
    "
    CREATE TABLE copies (
        fold TEXT NOT NULL,
        file TEXT NOT NULL,
        owner TEXT NOT NULL,
        hash BLOB NOT NULL,
        size INTEGER NOT NULL,
        chunk_size INTEGER NOT NULL,
        modified INTEGER,
        PRIMARY KEY (fold, file)
    ) STRICT, WITHOUT ROWID;
    ",
    "
    CREATE TABLE invites (
        digest BLOB PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        uses INTEGER,
        until INTEGER,
        made INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE invited (digest BLOB NOT NULL, key BLOB NOT NULL, PRIMARY KEY (digest, key)) STRICT, WITHOUT ROWID;
    ",
    // Each new password has a number of its own, so that a login with an old one can be recognized.
    "
    ALTER TABLE failures RENAME COLUMN until TO locked_for;
    UPDATE failures SET locked_for = max(locked_for - last, 0) WHERE locked_for IS NOT NULL;
    ALTER TABLE names ADD COLUMN credential INTEGER NOT NULL DEFAULT 0;
    INSERT INTO meta VALUES ('last_credential', '0');
    ALTER TABLE rooms ADD COLUMN owner TEXT NOT NULL DEFAULT '';
    ",
    // When people were at the hub, and who invited them into a room; an empty value means nobody.
    "
    CREATE TABLE there (fold TEXT NOT NULL, after INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (fold, after))
        STRICT, WITHOUT ROWID;
    ALTER TABLE members ADD COLUMN by TEXT NOT NULL DEFAULT '';
    ",
    // The network of inviters; stored answers; the digest of all messages.
    "
    ALTER TABLE members ADD COLUMN network TEXT;
    CREATE TABLE answers (
        fold TEXT NOT NULL,
        instance TEXT NOT NULL,
        ask INTEGER NOT NULL,
        answer TEXT NOT NULL,
        UNIQUE (fold, instance, ask)
    ) STRICT;
    INSERT INTO meta VALUES ('said', '00000000000000000000000000000000');
    ",
    // Whom an invite has let in is remembered when it is revoked, but counts no more for one that is made anew. Below which
    // number messages are gone.
    "
    ALTER TABLE invited ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0;
    INSERT INTO meta VALUES ('trimmed', '0');
    ",
    // Short codes of invites. The words and the secret are deleted when a code is void; its number is never used again.
    "
    CREATE TABLE codes (
        nameplate INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        code TEXT NOT NULL,
        secret TEXT NOT NULL,
        right INTEGER NOT NULL DEFAULT 0,
        answered INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    ALTER TABLE invites ADD COLUMN maker TEXT NOT NULL DEFAULT '';
    INSERT INTO meta VALUES ('last_nameplate', '0');
    ",
];

/// The migrations that a database still needs.
pub(super) fn steps_left(database: &Connection, file: &Path) -> Result<&'static [&'static str], Failure> {
    let version = database.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    let version = version.map_err(|e| failure(file, &e))?;
    usize::try_from(version).ok().and_then(|done| MIGRATIONS.get(done..)).ok_or_else(|| {
        let known = MIGRATIONS.len();
        let message = format!("{} has version {version}; this potluck knows {known} and older", file.display());
        Failure::new(ErrorCode::StoreFailed, message)
            .hint("Use the newer potluck that wrote it, or start with another --data; nothing was changed.")
    })
}

/// Runs the migrations that are left, within the caller's transaction.
pub(super) fn migrate(database: &Connection, file: &Path) -> Result<(), Failure> {
    let steps = steps_left(database, file)?;
    let apply = || -> rusqlite::Result<()> {
        database.pragma_update(None, "application_id", APPLICATION_ID)?;
        for step in steps {
            database.execute_batch(step)?;
        }
        database.pragma_update(None, "user_version", MIGRATIONS.len() as i64)
    };
    if steps.is_empty() { Ok(()) } else { apply().map_err(|e| failure(file, &e)) }
}
