//! The store's files: opened, migrated, refused, locked. What is kept in them is looked at in the other files here.

mod invites;
mod model;
mod people;
mod replay;
mod users;

use std::os::unix::fs::PermissionsExt;

use super::disk::DATABASE;
use super::*;
use crate::protocol::record::{Destination, IdempotencyKey, StoredMessage};
use crate::protocol::{ErrorCode, PublicKey, Timestamp};

pub(in crate::io) fn name(n: u8) -> Record {
    Record::Name {
        name: format!("N{n}"),
        name_key: NameKey::of(&format!("n{n}")),
        key: PublicKey([n; 32]),
        since: i64::from(n),
        credential: None,
    }
}

/// A message to everybody of about 100 bytes.
pub(in crate::io) fn message(number: u64) -> Record {
    let text = format!("{number} {}", "x".repeat(100));
    let idempotency_key = IdempotencyKey { instance: "bot".into(), ask: number as i64 };
    let sent = Timestamp(number as i64);
    Record::Message(StoredMessage {
        number,
        sent,
        from: "Erin".into(),
        from_key: NameKey::of("Erin"),
        destination: Destination::Lobby,
        text,
        withheld: false,
        idempotency_key,
    })
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.names.iter().map(|n| n.name.as_str()).collect()
}

/// The error of opening `dir`, which must leave the database's bytes as they are.
fn refusal(dir: &Path) -> Failure {
    let before = std::fs::read(dir.join(DATABASE)).ok();
    let refused = Store::open(dir).err().expect("it must not open");
    assert_eq!(std::fs::read(dir.join(DATABASE)).ok(), before);
    refused
}

fn filled(names: std::ops::Range<u8>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.keep(&names.map(name).collect::<Vec<_>>()).unwrap();
    dir
}

#[test]
fn names_and_the_key_are_there_again_after_reopening() {
    let base = tempfile::tempdir().unwrap();
    let dir = base.path().join("a/hub");
    let (mut store, loaded) = Store::open(&dir).unwrap();
    assert_eq!(loaded, Loaded::default());
    let key = store.identity().unwrap().key;
    store.keep(&[name(2), name(1), name(2)]).unwrap();
    drop(store);
    let (store, loaded) = Store::open(&dir).unwrap();
    assert_eq!(names(&loaded), ["N1", "N2"]);
    assert_eq!(loaded.names[0].keys, [PublicKey([1; 32])]);
    assert_eq!(store.identity().unwrap().key, key);
    assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
}

#[test]
fn only_one_hub_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    assert_eq!(refusal(dir.path()).code, ErrorCode::StoreLocked);
    drop(store);
    Store::open(dir.path()).unwrap();
}

#[test]
fn what_is_damaged_is_refused_and_left_alone() {
    let dir = filled(0..200);
    let file = dir.path().join(DATABASE);
    let good = std::fs::read(&file).unwrap();
    let half = good[..good.len() / 2 / 4096 * 4096].to_vec();
    let mut torn = good.clone();
    torn[4096..8192].fill(0xa5);
    let mut foreign = good.clone();
    foreign[68..72].fill(0);
    let garbage = b"garbage ".repeat(1000);
    for bad in [vec![], vec![0; 50], garbage, good[..5000].to_vec(), half, torn, foreign] {
        std::fs::write(&file, &bad).unwrap();
        assert_eq!(refusal(dir.path()).code, ErrorCode::StoreCorrupt, "{} bytes", bad.len());
    }
    std::fs::write(&file, good).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().1.names.len(), 200);
}

#[test]
fn a_missing_database_with_a_log_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hub.sqlite3-wal"), b"x").unwrap();
    assert_eq!(refusal(dir.path()).code, ErrorCode::StoreCorrupt);
}

#[test]
fn rows_that_we_did_not_write_are_refused() {
    let dir = filled(0..1);
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    database.execute("UPDATE keys SET key = x'00'", []).unwrap();
    drop(database);
    assert_eq!(refusal(dir.path()).code, ErrorCode::StoreCorrupt);
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let dir = filled(0..1);
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let refused = refusal(dir.path());
    assert_eq!(refused.code, ErrorCode::StoreFailed);
    assert!(refused.message.contains("version 99"), "{refused}");
}

#[test]
fn a_folder_that_cannot_be_made_and_a_damaged_key_are_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), b"").unwrap();
    assert_eq!(Store::open(&dir.path().join("file/hub")).err().unwrap().code, ErrorCode::StoreFailed);
    let (store, _) = Store::open(dir.path()).unwrap();
    store.identity().unwrap();
    std::fs::write(dir.path().join(KEY), b"short").unwrap();
    assert_eq!(store.identity().err().unwrap().code, ErrorCode::StoreCorrupt);
}

/// A store as version 1 wrote it.
fn of_version_1(key: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    database.execute_batch(schema::MIGRATIONS[0]).unwrap();
    database.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    database.pragma_update(None, "journal_mode", "WAL").unwrap();
    database.execute("INSERT INTO names VALUES ('erin', 'Erin', ?1, 5), ('dora', 'Dora', x'00', 6)", [key]).unwrap();
    database.execute("UPDATE names SET key = ?1", [key]).unwrap();
    dir
}

#[test]
fn a_store_of_version_1_keeps_its_names() {
    let dir = of_version_1(&[7; 32]);
    for _ in 0..2 {
        let (_, loaded) = Store::open(dir.path()).unwrap();
        assert_eq!(names(&loaded), ["Dora", "Erin"]);
        let erin = &loaded.names[1];
        assert_eq!((erin.since, erin.credential, erin.received, erin.unread), (5, None, 0, 0));
        assert_eq!(erin.keys, [PublicKey([7; 32])]);
        assert_eq!((loaded.last_message, loaded.last_room), (0, 0));
    }
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.keep(&[name(1), message(1)]).unwrap();
}

#[test]
fn a_damaged_store_of_version_1_is_not_migrated() {
    let dir = of_version_1(b"short");
    assert_eq!(refusal(dir.path()).code, ErrorCode::StoreCorrupt);
    assert_eq!(Users::open(dir.path()).err().unwrap().code, ErrorCode::StoreCorrupt);
    let database = Connection::open(dir.path().join(DATABASE)).unwrap();
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
}

#[test]
fn what_was_not_committed_is_gone_as_a_whole() {
    let dir = filled(0..1);
    let file = dir.path().join(DATABASE);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let begun = in_transaction(&mut store.database, &file, |database| {
        let mut work = Work::default();
        for record in [name(1), message(1)] {
            records::store_record(database, &record, &mut work).unwrap();
        }
        Err::<(), _>(Failure::internal("the power goes"))
    });
    assert!(begun.is_err());
    drop(store);
    let (_, loaded) = Store::open(dir.path()).unwrap();
    assert_eq!((names(&loaded), loaded.last_message), (vec!["N0"], 0));
}

#[test]
fn what_was_committed_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.keep(&[name(1)]).unwrap();
    // What a killed process leaves behind: the files as they are, nothing closed.
    let left = tempfile::tempdir().unwrap();
    for file in [DATABASE, "hub.sqlite3-wal"] {
        std::fs::copy(dir.path().join(file), left.path().join(file)).unwrap();
    }
    assert_eq!(names(&Store::open(left.path()).unwrap().1), ["N1"]);
    drop(store);
}

#[test]
fn a_store_in_memory_works_alike() {
    let (mut store, _) = Store::ephemeral().unwrap();
    store.keep(&[name(1)]).unwrap();
    assert_eq!(load::load(&store.database).unwrap().names.len(), 1);
    assert_ne!(store.identity().unwrap().key, store.identity().unwrap().key);
}
