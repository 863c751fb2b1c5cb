use super::*;
use crate::io::store::{Conflicts, NewAccount, Users};
use crate::protocol::limits::PASSWORD_BYTES;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;

fn password(text: &str) -> Password {
    Password(text.into())
}

fn verify(password: &Password, hash: Option<&str>) -> bool {
    super::verify(password, hash, &mut Memory::default())
}

fn attempt(number: u64, name: &str, text: &str) -> Attempt {
    Attempt { number, name_key: NameKey::of(name), password: password(text) }
}

fn account(name: &str, hash: String) -> NewAccount {
    NewAccount { name: name.into(), hash, since: 3 }
}

#[test]
fn a_hash_says_how_it_was_made_and_no_two_are_the_same() {
    let (one, two) = (hash(&password("tea")).unwrap(), hash(&password("tea")).unwrap());
    assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
    assert_ne!(one, two);
    assert!(verify(&password("tea"), Some(&one)) && verify(&password("tea"), Some(&two)));
    assert!(!verify(&password("Tea"), Some(&one)) && !verify(&password(""), Some(&one)));
    assert!(!one.contains("tea"));
}

#[test]
fn what_is_no_password_is_not_hashed() {
    assert!(hash(&password("")).is_err());
    assert!(hash(&password(&"x".repeat(PASSWORD_BYTES + 1))).is_err());
    hash(&password(&"x".repeat(PASSWORD_BYTES))).unwrap();
}

#[test]
fn where_there_is_no_hash_nothing_is_right() {
    let mut output = [0; OUTPUT];
    hasher().hash_password_into(b"tea", &NO_SALT, &mut output).unwrap();
    for text in ["tea", ""] {
        assert!(!verify(&password(text), None) && !verify(&password(text), Some("")));
    }
}

#[test]
fn one_check_after_the_other_works_in_the_same_memory() {
    let (tea, mut memory) = (hash(&password("tea")).unwrap(), Memory::default());
    let (mut used, blocks) = (Vec::new(), hasher().params().block_count());
    for (text, hash, right) in
        [("tea", Some(&tea), true), ("coffee", Some(&tea), false), ("tea", None, false), ("tea", Some(&tea), true)]
    {
        assert_eq!(super::verify(&password(text), hash.map(String::as_str), &mut memory), right, "{text}");
        used.push((memory.0.as_ptr(), memory.0.len(), memory.0.capacity()));
    }
    assert_eq!(used, vec![(memory.0.as_ptr(), blocks, blocks); 4]);
}

#[test]
fn hashes_that_are_not_ours_are_wrong_and_never_computed() {
    let good = hash(&password("tea")).unwrap();
    for bad in [
        "".to_owned(),
        "tea".to_owned(),
        "$argon2id$".to_owned(),
        good.replace("m=19456", "m=4000000000"),
        good.replace("t=2", "t=4000000000"),
        good.replace("p=1", "p=2"),
        good.replace("argon2id", "argon2i"),
        good.replace("v=19", "v=16"),
        good[..good.len() - 4].to_owned(),
        good.rsplit_once('$').unwrap().0.to_owned(),
    ] {
        assert!(parts(&bad).is_none(), "{bad}");
        assert!(!verify(&password("tea"), Some(&bad)), "{bad}");
    }
}

#[test]
fn only_the_right_password_of_an_account_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let mut users = Users::open(dir.path()).unwrap();
    let accounts = [account("Erin", hash(&password("tea")).unwrap()), account("Dora", "damaged".into())];
    users.add(&accounts, Conflicts::default()).unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let checked = Box::new(move |number, account| told.lock().unwrap().send((number, account)).unwrap());
    let checker = Checker::spawn(&store, checked).unwrap();
    let long = "tea".repeat(PASSWORD_BYTES);
    let attempts =
        [("erin", "tea"), ("erin", "coffee"), ("nobody", "tea"), ("dora", "damaged"), ("erin", &long), ("erin", "")];
    for (number, (name, text)) in (1..).zip(attempts) {
        checker.submit(attempt(number, name, text)).unwrap();
    }
    let mut answers: BTreeMap<u64, Option<Verified>> = heard.iter().take(attempts.len()).collect();
    let erin = Verified { name: "Erin".into(), name_key: NameKey::of("erin"), credential: 1 };
    assert_eq!(answers.remove(&1), Some(Some(erin.clone())));
    // Unknown and wrong cannot be told apart.
    assert_eq!(answers.into_values().collect::<Vec<_>>(), [None, None, None, None, None]);
    // What another program changes counts at once.
    users.change_password("Erin", &hash(&password("new")).unwrap()).unwrap();
    checker.submit(attempt(7, "erin", "tea")).unwrap();
    assert_eq!(heard.recv().unwrap(), (7, None));
    checker.submit(attempt(8, "erin", "new")).unwrap();
    assert_eq!(heard.recv().unwrap(), (8, Some(Verified { credential: 3, ..erin })));
    checker.close();
}

#[test]
fn a_store_in_memory_has_no_accounts() {
    let (store, _) = Store::ephemeral().unwrap();
    let (told, heard) = channel();
    let told = Mutex::new(told);
    let checker = Checker::spawn(&store, Box::new(move |n, a| told.lock().unwrap().send((n, a)).unwrap())).unwrap();
    checker.submit(attempt(1, "erin", "tea")).unwrap();
    assert_eq!(heard.recv().unwrap(), (1, None));
    checker.close();
}

#[test]
fn two_at_once_and_a_bounded_queue() {
    let (store, _) = Store::ephemeral().unwrap();
    let (busy, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(())));
    let (at_once, wait) = (Arc::clone(&busy), Arc::clone(&gate));
    // Whoever tells holds its thread, so that the next check cannot begin.
    let checked = Box::new(move |_, _| {
        at_once.fetch_add(1, Ordering::AcqRel);
        drop(wait.lock());
    });
    let closed = gate.lock().unwrap();
    let checker = Checker::spawn(&store, checked).unwrap();
    let long = "x".repeat(PASSWORD_BYTES + 1);
    let mut taken = 0;
    let refused = loop {
        match checker.submit(attempt(taken, "erin", &long)) {
            Ok(()) => taken += 1,
            // Both threads have to have taken one before the queue stays full.
            Err(NotTaken::Full(_)) if busy.load(Ordering::Acquire) < WORKERS => std::thread::yield_now(),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, NotTaken::Full(attempt) if attempt.number == taken));
    assert_eq!((busy.load(Ordering::Acquire), taken), (WORKERS, (LOGINS_WAITING + WORKERS) as u64));
    drop(closed);
    checker.close();
}
