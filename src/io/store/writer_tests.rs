use super::*;
use crate::io::store::tests::{message, name};
use crate::io::store::{Conflicts, NewAccount, Users};
use crate::protocol::name::NameKey;
use crate::protocol::record::{Inbox, Span};
use std::sync::Mutex;
use std::sync::mpsc::channel;

fn batch(number: u64) -> Job {
    Job::Keep(Batch { number, records: vec![name(u8::try_from(number).unwrap())] })
}

/// What is asked about everything that was said to everybody.
fn question(number: u64) -> Job {
    let inbox = Inbox {
        name_key: NameKey::of("x"),
        after: 0,
        rooms: Vec::new(),
        lobby: vec![Span { after: 0, until: u64::MAX }],
        limit: 10_000,
        bytes: usize::MAX,
    };
    Job::Find(number, Box::new(Query::Inbox(inbox)))
}

fn teller() -> (Tell, Receiver<StoreReport>) {
    let (told, heard) = channel();
    let told = Mutex::new(told);
    // Whoever does not listen any more need not be told.
    (Box::new(move |what| drop(told.lock().unwrap().send(what))), heard)
}

#[test]
fn commits_are_told_in_order_and_all_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    for n in 1..=200 {
        writer.submit(batch(n)).unwrap();
    }
    writer.close([]).unwrap();
    let told: Vec<u64> = heard
        .iter()
        .map(|told| match told {
            StoreReport::Committed(number) => number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(told.is_sorted_by(|a, b| a < b) && told.last() == Some(&200), "{told:?}");
    assert!(told.len() < 200, "waiting batches share a commit: {}", told.len());
    assert_eq!(Store::open(dir.path()).unwrap().1.names.len(), 200);
}

/// Each question comes behind a message, and must find it: in a file and in memory alike.
fn answers_know_what_came_before(store: Store) {
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(store, tell).unwrap();
    for number in 1..=100 {
        writer.submit(Job::Keep(Batch { number, records: vec![message(number)] })).unwrap();
        writer.submit(question(number)).unwrap();
    }
    writer.close([]).unwrap();
    let (mut committed, mut answers) = (0, Vec::new());
    for told in heard.iter() {
        match told {
            StoreReport::Committed(number) => committed = number,
            StoreReport::Found(number, Found::Messages(found, false)) => {
                assert!(found.len() as u64 >= number, "question {number} found {}", found.len());
                assert!(committed >= number, "what is not on disk was read");
                answers.push(number);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(answers, (1..=100).collect::<Vec<_>>());
}

#[test]
fn answers_from_a_file_know_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    answers_know_what_came_before(Store::open(dir.path()).unwrap().0);
}

#[test]
fn answers_from_memory_know_what_came_before() {
    answers_know_what_came_before(Store::ephemeral().unwrap().0);
}

/// How many pages the database may have: the disk is full when they are all used.
fn limit(store: &Store, pages: i64) {
    store.database().pragma_update(None, "max_page_count", pages).unwrap();
}

#[test]
fn what_a_full_disk_cannot_take_is_not_told_as_committed() {
    let (store, _) = Store::ephemeral().unwrap();
    limit(&store, 1);
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(store, tell).unwrap();
    let key = crate::protocol::PublicKey([0; 32]);
    let big =
        Record::Name { name: "n".repeat(1_000_000), name_key: NameKey::default(), key, since: 0, credential: None };
    writer.submit(Job::Keep(Batch { number: 1, records: vec![big] })).unwrap();
    assert!(matches!(heard.recv().unwrap(), StoreReport::Degraded(failure) if failure.code == ErrorCode::StoreFull));
    // What is read does not wait for it.
    writer.submit(question(1)).unwrap();
    assert!(matches!(heard.recv().unwrap(), StoreReport::Found(1, Found::Messages(none, false)) if none.is_empty()));
    assert_eq!(writer.close([]).unwrap_err().code, ErrorCode::StoreFull);
    assert!(matches!(heard.recv().unwrap(), StoreReport::Failed(failure) if failure.code == ErrorCode::StoreFull));
    assert!(heard.recv().is_err());
}

#[test]
fn what_another_program_locks_is_written_when_it_lets_go_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    let other = rusqlite::Connection::open(dir.path().join("hub.sqlite3")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for number in 1..=20 {
        writer.submit(Job::Keep(Batch { number, records: vec![message(number)] })).unwrap();
    }
    assert!(matches!(heard.recv().unwrap(), StoreReport::Degraded(failure) if failure.code == ErrorCode::StoreBusy));
    other.execute_batch("ROLLBACK").unwrap();
    let (mut committed, mut recovered) = (0, 0);
    while committed < 20 || recovered < 1 {
        match heard.recv().unwrap() {
            StoreReport::Committed(number) => committed = number,
            StoreReport::Recovered => recovered += 1,
            other => panic!("{other:?}"),
        }
    }
    writer.submit(question(1)).unwrap();
    let StoreReport::Found(1, Found::Messages(found, false)) = heard.recv().unwrap() else { panic!("an answer") };
    assert_eq!(found.iter().map(|kept| kept.number).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
    writer.close([]).unwrap();
}

#[test]
fn what_is_given_up_in_time_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    let say = |number| writer.submit(Job::Keep(Batch { number, records: vec![message(number)] })).unwrap();
    say(1);
    assert_eq!(heard.recv().unwrap(), StoreReport::Committed(1));
    let other = rusqlite::Connection::open(dir.path().join("hub.sqlite3")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    say(2);
    assert!(matches!(heard.recv().unwrap(), StoreReport::Degraded(_)));
    say(3);
    // What is on the disk cannot be given up.
    writer.abandon(vec![1, 2]);
    assert_eq!(heard.recv().unwrap(), StoreReport::Abandoned(vec![2]));
    other.execute_batch("ROLLBACK").unwrap();
    while heard.recv().unwrap() != StoreReport::Committed(3) {}
    writer.close([]).unwrap();
    let (store, loaded) = Store::open(dir.path()).unwrap();
    let kept: i64 = store.database().query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    assert_eq!((kept, loaded.last_message), (2, 3));
}

#[test]
fn one_bad_record_does_not_fail_the_others() {
    let (store, _) = Store::ephemeral().unwrap();
    let odd = "CREATE TRIGGER odd BEFORE INSERT ON names WHEN new.name = 'N2' BEGIN SELECT RAISE(ABORT, 'odd'); END";
    store.database().execute_batch(odd).unwrap();
    let (tell, heard) = teller();
    let (go, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let slow = Box::new(move |told| {
        tell(told);
        let _ = gate.lock().unwrap().recv();
    });
    let writer = StoreWriter::spawn(store, slow).unwrap();
    (1..=3).for_each(|n| writer.submit(batch(n)).unwrap());
    drop(go);
    let told: Vec<StoreReport> =
        std::iter::from_fn(|| heard.recv().ok().filter(|told| *told != StoreReport::Committed(3))).collect();
    assert!(
        told.iter().any(|told| matches!(told, StoreReport::Refused(2, failure) if failure.code == ErrorCode::Internal))
    );
    assert!(!told.iter().any(|told| matches!(told, StoreReport::Failed(_) | StoreReport::Degraded(_))), "{told:?}");
    writer.close([]).unwrap();
}

#[test]
fn a_file_that_is_removed_or_replaced_ends_the_store() {
    for replaced in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hub.sqlite3");
        let (tell, heard) = teller();
        let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
        writer.submit(batch(1)).unwrap();
        assert_eq!(heard.recv().unwrap(), StoreReport::Committed(1));
        let copy = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        if replaced {
            std::fs::write(&file, copy).unwrap();
        }
        // Nothing is submitted: the writer looks by itself.
        let StoreReport::Failed(failure) = heard.recv().unwrap() else { panic!("it is told") };
        assert!(failure.message.contains("removed or replaced"), "{failure}");
        assert_eq!(writer.close([]).unwrap_err(), failure);
    }
}

#[test]
fn a_question_that_fails_ends_the_store() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::open(dir.path()).unwrap().0, Store::ephemeral().unwrap().0] {
        store.database().execute_batch("DROP INDEX messages_lobby").unwrap();
        let (tell, heard) = teller();
        let writer = StoreWriter::spawn(store, tell).unwrap();
        writer.submit(question(1)).unwrap();
        assert!(
            matches!(heard.recv().unwrap(), StoreReport::Failed(failure) if failure.code == ErrorCode::StoreFailed)
        );
        assert!(matches!(writer.submit(batch(2)), Err(NotTaken::Stopped(_))));
        let _ = writer.close([]);
        assert!(heard.recv().is_err());
    }
}

#[test]
fn a_stalled_disk_gives_jobs_back_instead_of_blocking() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let tell = Box::new(move |_| {
        let _ = wait.lock().unwrap().recv();
    });
    let writer = StoreWriter::spawn(Store::ephemeral().unwrap().0, tell).unwrap();
    let mut taken = 0;
    let refused = loop {
        match writer.submit(batch(1)) {
            Ok(()) => taken += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(refused, NotTaken::Full(batch(1)));
    assert!(taken <= 3 * QUEUE, "{taken}");
    drop(go);
    writer.close([]).unwrap();
}

#[test]
fn slow_answers_do_not_hold_up_commits_and_questions_are_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (told, heard) = channel();
    let (told, gate) = (Mutex::new(told), Arc::new(Mutex::new(())));
    let slow = Arc::clone(&gate);
    let tell = Box::new(move |what| match what {
        StoreReport::Committed(number) => told.lock().unwrap().send(number).unwrap(),
        _ => drop(slow.lock()),
    });
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    let closed = gate.lock().unwrap();
    let mut taken = 0;
    while writer.submit(question(1)).is_ok() {
        taken += 1;
    }
    // One is being told, and the store's own queue may be full for a moment.
    assert!(taken <= QUESTIONS + 1, "{taken}");
    while writer.submit(batch(1)).is_err() {
        std::thread::yield_now();
    }
    assert_eq!(heard.recv().unwrap(), 1);
    drop(closed);
    writer.close([]).unwrap();
}

#[test]
fn what_another_program_changes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    let account = NewAccount { name: "Erin".into(), hash: "x".into(), since: 1 };
    Users::open(dir.path()).unwrap().add(&[account], Conflicts::default()).unwrap();
    // Nothing is submitted: the writer looks by itself.
    assert!(matches!(heard.recv().unwrap(), StoreReport::Names(names) if names[0].name == "Erin"));
    Users::open(dir.path()).unwrap().remove("Erin").unwrap();
    assert!(matches!(heard.recv().unwrap(), StoreReport::Names(names) if names.is_empty()));
    writer.close([]).unwrap();
}
