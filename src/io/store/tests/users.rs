//! Those who manage accounts, beside a hub that has the store open.

use super::*;

fn account(name: &str) -> NewAccount {
    NewAccount { name: name.into(), hash: format!("hash of {name}"), since: 9 }
}

#[test]
fn accounts_are_made_before_the_first_start_and_beside_a_hub() {
    let dir = tempfile::tempdir().unwrap();
    let mut users = Users::open(dir.path()).unwrap();
    users.add(&[account("Erin")], Conflicts::default()).unwrap();
    let (mut store, loaded) = Store::open(dir.path()).unwrap();
    assert!(loaded.names[0].credential.is_some() && loaded.names[0].keys.is_empty());
    assert_eq!(store.changed_names().unwrap(), None);
    users.add(&[account("Dora")], Conflicts::default()).unwrap();
    let changed = store.changed_names().unwrap().expect("it was changed by another program");
    assert_eq!(changed.len(), 2);
    assert_eq!(store.changed_names().unwrap(), None);
    store.keep(&[name(1)]).unwrap();
    assert_eq!(store.changed_names().unwrap(), None, "what we write is no news");
    // The reader for queries and passwords sees it too.
    assert!(store.reader().unwrap().unwrap().account(&NameKey::of("dora")).unwrap().is_some());
    assert!(store.reader().unwrap().unwrap().account(&NameKey::of("n1")).unwrap().is_none());
}

#[test]
fn all_are_added_or_none() {
    let dir = filled(1..2);
    let mut users = Users::open(dir.path()).unwrap();
    users.add(&[account("Erin")], Conflicts::default()).unwrap();
    for (name, conflicts) in [("ERIN", Conflicts::default()), ("N1", Conflicts { replace: true, take: false })] {
        let (at, failure) = users.add(&[account("Dora"), account(name)], conflicts).unwrap_err();
        assert_eq!((at, failure.code), (Some(1), ErrorCode::NameTaken));
        assert_eq!(users.check(name, conflicts).unwrap_err(), failure);
        assert_eq!(users.list().unwrap().len(), 2);
    }
    users.add(&[account("ERIN"), account("N1")], Conflicts { replace: true, take: true }).unwrap();
    let names = users.list().unwrap();
    assert!(names.iter().all(|record| record.credential.is_some() && record.keys.is_empty()), "{names:?}");
}

#[test]
fn a_name_that_looks_like_another_is_not_added() {
    let dir = filled(1..2);
    let mut users = Users::open(dir.path()).unwrap();
    users.add(&[account("william")], Conflicts::default()).unwrap();
    for name in ["wiIliam", "ɑll"] {
        let (_, failure) = users.add(&[account(name)], Conflicts { replace: true, take: true }).unwrap_err();
        assert_eq!(failure.code, ErrorCode::NameTaken);
    }
    let (at, failure) = users.add(&[account("modern"), account("rnodern")], Conflicts::default()).unwrap_err();
    assert!(at == Some(1) && failure.message.contains("modern"), "{failure}");
}

#[test]
fn names_that_are_folded_otherwise_now_stay_their_owners() {
    let dir = filled(1..3);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    store.keep(&[message(1), Record::Block { by: NameKey::of("n2"), whom: NameKey::of("n1") }]).unwrap();
    for sql in [
        "UPDATE names SET name = 'STRAẞE' WHERE fold = 'n1'",
        "UPDATE meta SET value = 'another version' WHERE key = 'names'",
    ] {
        store.database().execute(sql, []).unwrap();
    }
    let key = load::names(store.database()).unwrap()[0].keys.clone();
    drop(store);
    let (store, loaded) = Store::open(dir.path()).unwrap();
    let moved = loaded.names.iter().find(|record| record.name_key.as_str() == "strasse").expect("it has moved");
    assert_eq!((&moved.name[..], &moved.keys), ("STRAẞE", &key));
    assert_eq!(loaded.blocks, [(NameKey::of("n2"), NameKey::of("strasse"))]);
    let tables: String =
        store.database().query_row("SELECT value FROM meta WHERE key = 'names'", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, crate::protocol::name::tables());
}

#[test]
fn what_an_account_had_is_forgotten_and_what_it_said_is_not() {
    let dir = filled(1..3);
    let (mut store, _) = Store::open(dir.path()).unwrap();
    let (a, b) = (NameKey::of("n1"), NameKey::of("n2"));
    store
        .keep(&[
            message(1),
            Record::Room {
                room: 1,
                name: "r".into(),
                name_key: NameKey::of("r"),
                access: crate::protocol::types::RoomAccess::Open,
                owner: a.clone(),
            },
            Record::Member { room: 1, name_key: a.clone(), since: 0, by: None },
            Record::Member { room: 1, name_key: b.clone(), since: 0, by: None },
            Record::Block { by: a.clone(), whom: b.clone() },
            Record::Block { by: b.clone(), whom: a },
        ])
        .unwrap();
    let mut users = Users::open(dir.path()).unwrap();
    assert_eq!(users.remove("n1").unwrap(), "N1");
    assert_eq!(users.remove("n1").unwrap_err().code, ErrorCode::NoSuchPerson);
    drop((users, store));
    let (_, loaded) = Store::open(dir.path()).unwrap();
    assert_eq!(names(&loaded), ["N2"]);
    assert!(loaded.blocks.is_empty());
    assert_eq!(loaded.rooms[0].members, [(b, 0, None)]);
    assert_eq!(loaded.last_message, 1);
}

#[test]
fn a_new_password_is_a_new_login_for_every_key() {
    let dir = filled(1..2);
    let mut users = Users::open(dir.path()).unwrap();
    assert_eq!(users.change_password("n1", "x").unwrap_err().code, ErrorCode::NoSuchPerson);
    assert_eq!(users.account("n1").unwrap_err().code, ErrorCode::NoSuchPerson);
    users.add(&[account("N1")], Conflicts { replace: false, take: true }).unwrap();
    let mut store = Store::open(dir.path()).unwrap().0;
    let key = PublicKey([1; 32]);
    let let_in = |name: &str, credential| {
        [Record::Name { name: name.to_uppercase(), name_key: NameKey::of(name), key, since: 9, credential }]
    };
    let first = users.account("n1").unwrap().credential;
    store.keep(&let_in("n1", Some(first))).unwrap();
    assert_eq!(users.list().unwrap()[0].keys, [key]);
    users.change_password("N1", "new").unwrap();
    assert!(users.list().unwrap()[0].keys.is_empty());
    // A login that was checked before comes too late, and so does who registered the name before it was an account.
    for old in [Some(first), None] {
        store.keep(&let_in("n1", old)).unwrap();
        assert!(users.list().unwrap()[0].keys.is_empty());
    }
    let second = users.account("n1").unwrap().credential;
    assert!(second > first);
    store.keep(&let_in("n1", Some(second))).unwrap();
    assert_eq!(users.list().unwrap()[0].keys, [key]);
    users.remove("n1").unwrap();
    store.keep(&let_in("n1", Some(second))).unwrap();
    assert!(users.list().unwrap().is_empty(), "who is removed is not there again");
    users.add(&[account("N1")], Conflicts::default()).unwrap();
    assert!(users.account("n1").unwrap().credential > second);
    users.change_password("N1", "new").unwrap();
    assert_eq!(store.reader().unwrap().unwrap().account(&NameKey::of("n1")).unwrap().unwrap().1, "new");
}

#[test]
fn what_is_damaged_is_refused_here_too() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(DATABASE), b"garbage ".repeat(1_000)).unwrap();
    assert_eq!(Users::open(dir.path()).err().unwrap().code, ErrorCode::StoreCorrupt);
    assert_eq!(std::fs::read(dir.path().join(DATABASE)).unwrap(), b"garbage ".repeat(1_000));
    std::fs::remove_file(dir.path().join(DATABASE)).unwrap();
    std::fs::write(dir.path().join("hub.sqlite3-wal"), b"x").unwrap();
    assert_eq!(Users::open(dir.path()).err().unwrap().code, ErrorCode::StoreCorrupt);
}

#[test]
fn an_old_store_is_not_changed_under_a_hub_that_runs() {
    let dir = of_version_1(&[7; 32]);
    let hub = disk::lock(dir.path()).unwrap();
    assert_eq!(Users::open(dir.path()).err().unwrap().code, ErrorCode::StoreLocked);
    drop(hub);
    assert_eq!(Users::open(dir.path()).unwrap().list().unwrap().len(), 2);
}

#[test]
fn many_who_come_at_once_make_one_store() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                let mut users = Users::open(dir).unwrap();
                users.add(&[account(&format!("User{n}"))], Conflicts::default()).unwrap();
            });
        }
    });
    assert_eq!(Store::open(dir.path()).unwrap().1.names.len(), 4);
}
