//! Whose name it is.

use super::*;

#[test]
fn names_keep_to_the_rules() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    let long = "x".repeat(33);
    for (id, name) in (1..).zip(["", "two words", "hub", "Server", "all", "lobby", &long, "a/b", "a\u{202e}b"]) {
        rig.ask(1, &format!(r#"{{"id":{id},"request":"register","name":"{name}"}}"#));
        assert_eq!(rig.refusal(1, id), Some(ErrorCode::BadName), "{name:?}");
    }
    assert_eq!(rig.persisted, []);
}

#[test]
fn a_name_is_welcome_only_when_it_is_on_disk() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    rig.pass(200);
    assert!(!rig.welcomed(1) && rig.hub.roster().is_empty());
    rig.commit();
    assert!(rig.welcomed(1));
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

#[test]
fn a_name_belongs_to_the_key_that_took_it_first() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.ask(1, r#"{"id":2,"request":"quit"}"#);
    rig.hello(2, 2);
    rig.register(2, "ANNA");
    assert_eq!(rig.refusal(2, 1), Some(ErrorCode::NameTaken), "compared without case");
    rig.hello(3, 1);
    rig.register(3, "Anna");
    assert!(rig.welcomed(3), "its owner is welcome at once: it is on disk");
    let names = rig.persisted.iter().filter(|(_, record)| matches!(record, Record::Name { .. }));
    assert_eq!(names.count(), 1);
}

#[test]
fn one_session_has_one_name_however_fast_it_asks() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    rig.ask(1, r#"{"id":2,"request":"register","name":"ben"}"#);
    rig.commit();
    rig.ask(1, r#"{"id":3,"request":"register","name":"cleo"}"#);
    assert!(rig.welcomed(1));
    assert_eq!(rig.refusal(1, 2), Some(ErrorCode::AlreadyRegistered));
    assert_eq!(rig.refusal(1, 3), Some(ErrorCode::AlreadyRegistered));
    assert_eq!(rig.hub.roster().len(), 1);
    rig.ask(1, r#"{"id":4,"request":"quit"}"#);
    assert_eq!(rig.hub.roster(), [], "no ghost stays behind");
}

/// What a refusal says besides its code: when to ask again.
fn in_use(rig: &Rig, conn: ConnId) -> Option<u64> {
    match rig.answer(conn, 1) {
        Some(Event::Error(error)) if error.code == ErrorCode::NameTaken => {
            assert!(error.message.contains("another client of yours"), "{}", error.message);
            error.wait
        }
        _ => None,
    }
}

#[test]
fn a_name_that_looks_like_a_taken_one_is_refused_and_names_it() {
    let mut rig = Rig::new(config());
    for (conn, key, name) in [(1, 1, "alice"), (2, 2, "William"), (3, 3, "modern")] {
        rig.enter(conn, key, name);
    }
    for (conn, name, twin) in [(4, "ɑlice", "alice"), (5, "WiIIiam", "William"), (6, "rnodern", "modern")] {
        rig.hello(conn, 9);
        rig.register(conn, name);
        assert_eq!(rig.refusal(conn, 1), Some(ErrorCode::NameTaken), "{name}");
        let Some(Event::Error(error)) = rig.answer(conn, 1) else { panic!("it is refused") };
        assert!(error.message.contains(&format!("looks like {twin}, which is taken")), "{}", error.message);
    }
    rig.enter(7, 4, "alicia");
}

#[test]
fn a_contested_name_stays_with_the_one_that_lives() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.hello(2, 1);
    rig.register(2, "anna");
    assert_eq!(rig.answer(2, 1), None, "the holder is asked first");
    rig.pass(100);
    assert_eq!(in_use(&rig, 2), Some(500), "it says who has the name, and when to ask again");
    assert!(!rig.wires[&1].closed);
}

#[test]
fn what_a_killed_client_had_on_its_way_does_not_keep_its_name() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    rig.pass(50);
    rig.line(1, r#"{"ack":0}"#);
    rig.pass(449);
    assert!(!rig.welcomed(2), "it has until the ack timeout");
    rig.pass(1);
    assert!(rig.welcomed(2) && rig.wires[&1].closed);
}

#[test]
fn a_contested_name_of_a_silent_client_is_taken_over() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.offer(1, 2, &["old".into()]);
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    rig.pass(500);
    assert!(rig.welcomed(2) && rig.wires[&1].closed);
    assert_eq!(rig.hub.roster().len(), 1);
    assert_eq!(rig.hub.offers(), [], "what the old one offered went with it");
}

#[test]
fn of_several_newcomers_the_newest_has_the_name_and_the_first_deadline_holds() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.silence(1);
    for conn in 2..=4 {
        rig.hello(conn, 1);
        rig.register(conn, "anna");
        if conn < 4 {
            // Killed before it got in.
            rig.silence(conn);
        }
        rig.pass(160);
    }
    assert_eq!((in_use(&rig, 2), in_use(&rig, 3)), (Some(500), Some(500)), "the older ones are told so");
    rig.pass(20);
    assert!(rig.welcomed(4) && !rig.welcomed(2) && !rig.welcomed(3));
    assert_eq!(rig.hub.roster().len(), 1);
}

#[test]
fn a_busy_link_does_not_put_off_the_end_of_a_contest() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    // Much is said to the holder meanwhile, and none of it is acknowledged.
    rig.enter(3, 3, "ben");
    for id in 2..40 {
        rig.message(3, id, "anna");
        rig.commit();
        rig.pass(10);
    }
    rig.pass(20);
    assert!(rig.welcomed(2));
}

#[test]
fn a_challenger_that_leaves_costs_the_holder_nothing() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.offer(1, 2, &["song".into()]);
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    rig.ask(2, r#"{"id":2,"request":"quit"}"#);
    rig.pass(1_900);
    assert_eq!(rig.state("anna"), Some(Presence::Away), "it has its grace");
    assert_eq!(rig.hub.offers().len(), 1);
    rig.resume(3, 1, 1);
    assert!(rig.hub_hello(3).resumed);
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

#[test]
fn a_challenger_may_not_take_another_name_meanwhile() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    rig.ask(2, r#"{"id":2,"request":"register","name":"ben"}"#);
    rig.pass(1_900);
    assert!(rig.welcomed(2));
    assert_eq!(rig.refusal(2, 2), Some(ErrorCode::AlreadyRegistered), "in its turn");
}

#[test]
fn a_holder_that_quits_leaves_its_name_to_the_challenger() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.hello(2, 1);
    rig.register(2, "anna");
    rig.handle(Input::Disconnected { conn: 1, reason: "killed".into() });
    assert!(rig.welcomed(2));
    assert_eq!(rig.hub.roster().len(), 1);
}

#[test]
fn a_client_that_is_killed_before_the_commit_comes_back() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    rig.handle(Input::Disconnected { conn: 1, reason: "killed".into() });
    rig.hello(2, 1);
    rig.register(2, "anna");
    assert_eq!(rig.answer(2, 1), None, "it is not on disk yet");
    rig.commit();
    assert!(rig.welcomed(2));
    assert_eq!(rig.hub.roster().len(), 1);
}

#[test]
fn a_client_that_leaves_before_the_commit_leaves_its_name_free_for_its_key() {
    for early in [true, false] {
        let mut rig = Rig::new(config());
        rig.hello(1, 1);
        rig.register(1, "anna");
        rig.ask(1, r#"{"id":2,"request":"quit"}"#);
        if early {
            rig.commit();
        }
        assert_eq!(rig.hub.roster(), []);
        rig.hello(2, 1);
        rig.register(2, "anna");
        if !early {
            assert!(!rig.welcomed(2));
            rig.commit();
        }
        assert!(rig.welcomed(2), "early: {early}");
    }
}

#[test]
fn who_comes_back_while_their_name_is_contested_keeps_it() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.silence(1);
    rig.hello(2, 1);
    rig.register(2, "anna");
    let patience = rig.hub.base.config.link.ack_timeout.as_millis() as u64;
    rig.pass(patience - 10);
    assert!(rig.answer(2, 1).is_none(), "the one who has the name still has time");
    // It comes back over another connection, and says no more until the time is over.
    let (session, received) = (rig.hub_hello(1).session, rig.wires[&1].received);
    rig.connect(3, 1);
    rig.silence(3);
    let hello = HELLO.replacen(r#""received":0"#, &format!(r#""session":"{session}","received":{received}"#), 1);
    rig.handle(Input::Line { conn: 3, line: hello.as_bytes() });
    rig.pass(20);
    assert_eq!(rig.code(2, 1), Some("name-taken"));
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}
