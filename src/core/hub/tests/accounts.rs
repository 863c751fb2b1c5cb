//! Logins, in virtual time: what is checked, what is counted, and until when nothing is.

use super::*;
use crate::protocol::record::FailureRecord;

const LOCKOUT: u64 = 10_000;

fn account(name: &str) -> NameRecord {
    NameRecord {
        name: name.into(),
        name_key: NameKey::of(name),
        keys: Vec::new(),
        credential: Some(1),
        since: 0,
        received: 0,
        unread: 0,
    }
}

fn rig() -> Rig {
    let config = HubConfig { access: Access::Accounts, epoch: Timestamp(1_000_000), ..config() };
    Rig::with_names(config, vec![account("anna"), account("ben")])
}

fn login(rig: &mut Rig, conn: ConnId, id: i64, name: &str) {
    rig.ask(conn, &format!(r#"{{"id":{id},"request":"login","name":"{name}","password":"guess"}}"#));
}

/// The check that is under way finds the password wrong.
fn wrong(rig: &mut Rig) {
    let (attempt, _) = rig.logins.pop().unwrap();
    rig.handle(Input::Verified(attempt, None));
    rig.commit();
}

fn right(rig: &mut Rig) {
    let (attempt, name_key) = rig.logins.pop().unwrap();
    let verified = Verified { name: name_key.to_string(), name_key, credential: 1 };
    rig.handle(Input::Verified(attempt, Some(verified)));
    rig.commit();
}

fn refused(rig: &Rig, conn: ConnId, id: i64) -> (ErrorCode, Option<u64>) {
    match rig.answer(conn, id) {
        Some(Event::Error(error)) => (error.code, error.wait),
        other => panic!("{other:?}"),
    }
}

#[test]
fn three_failures_lock_a_name_to_the_millisecond_known_or_not() {
    for name in ["anna", "nobody"] {
        let mut rig = rig();
        rig.hello(1, 1);
        for id in 1..=3 {
            rig.pass(1_000);
            login(&mut rig, 1, id, name);
            wrong(&mut rig);
            assert_eq!(refused(&rig, 1, id), (ErrorCode::BadLogin, (id == 3).then_some(LOCKOUT)), "{name}");
        }
        rig.pass(LOCKOUT - 1);
        login(&mut rig, 1, 4, name);
        assert_eq!(refused(&rig, 1, 4), (ErrorCode::LockedOut, Some(1)), "{name}");
        assert!(rig.logins.is_empty(), "it is not checked");
        rig.pass(1);
        login(&mut rig, 1, 5, name);
        assert_eq!(rig.logins.len(), 1, "{name}");
        // The count begins anew.
        for id in 5..=7 {
            if id > 5 {
                login(&mut rig, 1, id, name);
            }
            wrong(&mut rig);
            assert_eq!(refused(&rig, 1, id), (ErrorCode::BadLogin, (id == 7).then_some(LOCKOUT)), "{name}");
        }
    }
}

#[test]
fn a_failure_is_told_when_it_is_on_disk() {
    let mut rig = rig();
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    let (attempt, _) = rig.logins.pop().unwrap();
    rig.handle(Input::Verified(attempt, None));
    rig.ack_all();
    assert!(rig.answer(1, 1).is_none());
    rig.commit();
    assert_eq!(refused(&rig, 1, 1).0, ErrorCode::BadLogin);
}

#[test]
fn of_many_guesses_at_once_no_more_are_checked_than_may_fail() {
    let mut rig = rig();
    for conn in 1..=100 {
        rig.hello(conn, conn as u8);
        login(&mut rig, conn, 1, "anna");
    }
    assert_eq!(rig.logins.len(), 3);
    for conn in 4..=100 {
        let (code, wait) = refused(&rig, conn, 1);
        assert!(code == ErrorCode::SlowDown && wait.is_some(), "{code}");
    }
    // Others are not held up.
    login(&mut rig, 100, 2, "ben");
    assert_eq!(rig.logins.len(), 4);
    right(&mut rig);
    assert!(rig.welcomed(100));
    for _ in 0..3 {
        wrong(&mut rig);
    }
    login(&mut rig, 50, 2, "anna");
    assert_eq!(refused(&rig, 50, 2), (ErrorCode::LockedOut, Some(LOCKOUT)));
}

#[test]
fn an_address_may_fail_ten_times_as_often() {
    let mut rig = rig();
    rig.hello(1, 1);
    for id in 1..=30 {
        login(&mut rig, 1, id, &format!("name-{id}"));
        wrong(&mut rig);
        assert_eq!(refused(&rig, 1, id), (ErrorCode::BadLogin, (id == 30).then_some(LOCKOUT)));
    }
    login(&mut rig, 1, 31, "anna");
    assert_eq!(refused(&rig, 1, 31).0, ErrorCode::LockedOut);
    // Not the name is locked: from elsewhere it can be entered.
    rig.hello(2, 2);
    login(&mut rig, 2, 1, "anna");
    right(&mut rig);
    assert!(rig.welcomed(2));
}

#[test]
fn failures_are_forgotten_after_ten_minutes_or_a_success() {
    let mut rig = rig();
    rig.hello(1, 1);
    for id in [1, 2] {
        login(&mut rig, 1, id, "anna");
        wrong(&mut rig);
    }
    rig.pass(600_000);
    // The session has ended by then.
    rig.hello(2, 1);
    for id in [3, 4] {
        login(&mut rig, 2, id, "anna");
        wrong(&mut rig);
        assert_eq!(refused(&rig, 2, id), (ErrorCode::BadLogin, None));
    }
    login(&mut rig, 2, 5, "anna");
    right(&mut rig);
    rig.ask(2, r#"{"id":6,"request":"dereg"}"#);
    for id in [7, 8] {
        login(&mut rig, 2, id, "anna");
        wrong(&mut rig);
        assert_eq!(refused(&rig, 2, id), (ErrorCode::BadLogin, None));
    }
}

#[test]
fn a_lockout_is_written_down_and_known_to_the_next_run() {
    let mut before = rig();
    before.hello(1, 1);
    for id in 1..=3 {
        login(&mut before, 1, id, "anna");
        wrong(&mut before);
    }
    let mut failures: Vec<FailureRecord> = Vec::new();
    for (_, record) in &before.persisted {
        if let Record::Failures(record) = record {
            failures.retain(|other| other.whom != record.whom);
            failures.push(record.clone());
        }
    }
    let config = HubConfig { access: Access::Accounts, epoch: Timestamp(1_000_000 + 4_000), ..config() };
    let mut rig = Rig::with(config, Loaded { names: vec![account("anna")], failures, ..Loaded::default() });
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    assert_eq!(refused(&rig, 1, 1), (ErrorCode::LockedOut, Some(LOCKOUT - 4_000)));
    rig.pass(LOCKOUT - 4_000);
    login(&mut rig, 1, 2, "anna");
    right(&mut rig);
    assert!(rig.welcomed(1));
}

#[test]
fn who_is_in_stays_in_and_a_known_key_enters_though_the_name_is_locked() {
    let mut rig = rig();
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    right(&mut rig);
    rig.hello(2, 2);
    for id in 1..=3 {
        login(&mut rig, 2, id, "anna");
        wrong(&mut rig);
    }
    assert_eq!(rig.state("anna"), Some(Presence::Online));
    rig.ask(1, r#"{"id":2,"request":"dereg"}"#);
    rig.register_again(1, 3, "anna");
    assert!(matches!(rig.answer(1, 3), Some(Event::Welcome(_))));
    // The other key is no nearer.
    rig.register_again(2, 9, "anna");
    assert_eq!(refused(&rig, 2, 9).0, ErrorCode::LoginRequired);
}

impl Rig {
    fn register_again(&mut self, conn: ConnId, id: i64, name: &str) {
        self.ask(conn, &format!(r#"{{"id":{id},"request":"register","name":"{name}"}}"#));
        self.commit();
    }
}

#[test]
fn who_has_not_logged_in_sees_nothing() {
    let mut rig = rig();
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    right(&mut rig);
    rig.offer(1, 2, &["secret".into()]);
    rig.hello(2, 2);
    let words =
        ["who", "list", "status", "rooms", "history", r#"get","file":"secret"#, r#"message","to":"anna","text":"x"#];
    for (id, word) in (10..).zip(words) {
        rig.ask(2, &format!(r#"{{"id":{id},"request":"{word}"}}"#));
        assert_eq!(refused(&rig, 2, id).0, ErrorCode::LoginRequired, "{word}");
    }
    rig.pass(1_000);
    assert!(rig.wires[&2].bodies.iter().all(|line| matches!(line.event, Event::Error(_))));
    // Who has been in may look on from outside.
    rig.ask(1, r#"{"id":3,"request":"dereg"}"#);
    rig.ask(1, r#"{"id":4,"request":"status"}"#);
    assert!(matches!(rig.answer(1, 4), Some(Event::Status(_))));
}

#[test]
fn whoever_leaves_while_their_password_is_checked_is_not_let_in() {
    let mut rig = rig();
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    rig.ask(1, r#"{"id":2,"request":"quit"}"#);
    right(&mut rig);
    assert_eq!(rig.state("anna"), None);
    rig.hello(2, 2);
    login(&mut rig, 2, 1, "anna");
    right(&mut rig);
    assert!(rig.welcomed(2));
}

#[test]
fn a_lockout_is_a_duration_whatever_the_calendar_says() {
    const YEAR: u64 = 365 * 24 * 3_600_000;
    // The clock was a year ahead when it was written down, or its lockout is that of another policy.
    for (ahead, locked_for) in [(YEAR as i64, LOCKOUT), (YEAR as i64, YEAR), (0, YEAR)] {
        let last = Timestamp(1_000_000 + ahead);
        let failures = vec![FailureRecord { whom: "name:anna".into(), count: 3, last, locked_for: Some(locked_for) }];
        let config = HubConfig { access: Access::Accounts, epoch: Timestamp(1_000_000), ..config() };
        let mut rig = Rig::with(config, Loaded { names: vec![account("anna")], failures, ..Loaded::default() });
        rig.hello(1, 1);
        login(&mut rig, 1, 1, "anna");
        assert_eq!(refused(&rig, 1, 1), (ErrorCode::LockedOut, Some(LOCKOUT)));
        rig.pass(LOCKOUT);
        login(&mut rig, 1, 2, "anna");
        right(&mut rig);
        assert!(rig.welcomed(1));
    }
    // It was a year behind: that is long ago.
    let failures =
        vec![FailureRecord { whom: "name:anna".into(), count: 3, last: Timestamp(0), locked_for: Some(LOCKOUT) }];
    let config = HubConfig { access: Access::Accounts, epoch: Timestamp(YEAR as i64), ..config() };
    let mut rig = Rig::with(config, Loaded { names: vec![account("anna")], failures, ..Loaded::default() });
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    assert_eq!(rig.logins.len(), 1);
}

#[test]
fn a_whole_network_of_64_bits_is_one_address() {
    let mut rig = rig();
    for id in 1..=30 {
        rig.hello_from(id, id as u8, &format!("[2001:db8:1:2::{id:x}]:5000"));
        login(&mut rig, id, 1, &format!("name-{id}"));
        wrong(&mut rig);
    }
    rig.hello_from(31, 31, "[2001:db8:1:2:ffff::1]:5000");
    login(&mut rig, 31, 1, "anna");
    assert_eq!(refused(&rig, 31, 1).0, ErrorCode::LockedOut);
    rig.hello_from(32, 32, "[2001:db8:1:3::1]:5000");
    login(&mut rig, 32, 1, "anna");
    assert_eq!(rig.logins.len(), 1, "the next network is somebody else");
}

#[test]
fn wrong_passwords_from_elsewhere_do_not_lock_out_the_owners_key() {
    let mut rig = rig();
    rig.hello(1, 1);
    login(&mut rig, 1, 1, "anna");
    right(&mut rig);
    rig.ask(1, r#"{"id":2,"request":"dereg"}"#);
    // Others fail, from elsewhere and behind the same address, until both are locked.
    rig.hello_from(2, 2, "10.0.0.1:50001");
    for id in 1..=30 {
        login(&mut rig, 2, id, if id <= 3 { "anna" } else { "nobody" });
        match rig.logins.is_empty() {
            false => wrong(&mut rig),
            true => rig.pass(LOCKOUT),
        }
    }
    for id in 31..=33 {
        login(&mut rig, 2, id, "anna");
        if !rig.logins.is_empty() {
            wrong(&mut rig);
        }
    }
    rig.hello(3, 3);
    login(&mut rig, 3, 1, "anna");
    assert_eq!(refused(&rig, 3, 1).0, ErrorCode::LockedOut);
    login(&mut rig, 1, 3, "anna");
    right(&mut rig);
    assert!(matches!(rig.answer(1, 3), Some(Event::Welcome(_))));
    // Its own guesses are counted, too.
    rig.ask(1, r#"{"id":4,"request":"dereg"}"#);
    for id in 5..=7 {
        login(&mut rig, 1, id, "anna");
        wrong(&mut rig);
    }
    login(&mut rig, 1, 8, "anna");
    assert_eq!(refused(&rig, 1, 8), (ErrorCode::LockedOut, Some(LOCKOUT)));
}
