use super::*;
use crate::io::store::tests::{message, name};
use crate::io::store::{Conflicts, NewAccount, Users};
use crate::protocol::record::Inbox;
use std::sync::Mutex;
use std::sync::mpsc::channel;

fn batch(number: u64) -> Job {
    Job::Keep(Batch { number, records: vec![name(u8::try_from(number).unwrap())] })
}

/// What is asked about everything that was said to everybody.
fn question(number: u64) -> Job {
    let inbox =
        Inbox { fold: "x".into(), after: 0, rooms: Vec::new(), lobby_after: 0, limit: 10_000, bytes: usize::MAX };
    Job::Find(number, Box::new(Query::Inbox(inbox)))
}

fn teller() -> (Tell, Receiver<Told>) {
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
    writer.close([]);
    let told: Vec<u64> = heard
        .iter()
        .map(|told| match told {
            Told::Committed(number) => number,
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
    writer.close([]);
    let (mut committed, mut answers) = (0, Vec::new());
    for told in heard.iter() {
        match told {
            Told::Committed(number) => committed = number,
            Told::Found(number, Found::Messages(found, false)) => {
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

#[test]
fn a_failing_disk_is_told_once_and_ends_the_writing() {
    let (store, _) = Store::ephemeral().unwrap();
    store.database().pragma_update(None, "max_page_count", 1).unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(store, tell).unwrap();
    let key = crate::protocol::PublicKey([0; 32]);
    let big = Record::Name { name: "n".repeat(1_000_000), fold: String::new(), key, since: 0, credential: None };
    writer.submit(Job::Keep(Batch { number: 1, records: vec![big] })).unwrap();
    assert!(matches!(heard.recv().unwrap(), Told::Failed(failure) if failure.code == ErrorCode::StoreFailed));
    assert!(matches!(writer.submit(batch(2)), Err(NotTaken::Stopped(_))));
    writer.close([]);
    assert!(heard.recv().is_err());
}

#[test]
fn a_question_that_fails_ends_the_store() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::open(dir.path()).unwrap().0, Store::ephemeral().unwrap().0] {
        store.database().execute_batch("DROP INDEX messages_lobby").unwrap();
        let (tell, heard) = teller();
        let writer = StoreWriter::spawn(store, tell).unwrap();
        writer.submit(question(1)).unwrap();
        assert!(matches!(heard.recv().unwrap(), Told::Failed(failure) if failure.code == ErrorCode::StoreFailed));
        assert!(matches!(writer.submit(batch(2)), Err(NotTaken::Stopped(_))));
        writer.close([]);
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
    writer.close([]);
}

#[test]
fn slow_answers_do_not_hold_up_commits_and_questions_are_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let (told, heard) = channel();
    let (told, gate) = (Mutex::new(told), Arc::new(Mutex::new(())));
    let slow = Arc::clone(&gate);
    let tell = Box::new(move |what| match what {
        Told::Committed(number) => told.lock().unwrap().send(number).unwrap(),
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
    writer.close([]);
}

#[test]
fn what_another_program_changes_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (tell, heard) = teller();
    let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, tell).unwrap();
    let account = NewAccount { name: "Erin".into(), hash: "x".into(), since: 1 };
    Users::open(dir.path()).unwrap().add(&[account], Conflicts::default()).unwrap();
    // Nothing is submitted: the writer looks by itself.
    assert!(matches!(heard.recv().unwrap(), Told::Names(names) if names[0].name == "Erin"));
    Users::open(dir.path()).unwrap().remove("Erin").unwrap();
    assert!(matches!(heard.recv().unwrap(), Told::Names(names) if names.is_empty()));
    writer.close([]);
}
