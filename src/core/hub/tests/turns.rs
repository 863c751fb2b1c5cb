//! In which order a client is answered, and how much at once.

use super::*;
use crate::protocol::limits::{ANSWERS_WINDOW, ASIDE_REQUESTS, LINK_BYTES};
use crate::protocol::record::{Destination, Found, StoredMessage};

fn two() -> Rig {
    let mut rig = Rig::new(config());
    for (conn, name) in [(1, "anna"), (2, "ben")] {
        rig.enter(conn, conn as u8, name);
        rig.received(conn, 0, &[]);
    }
    rig
}

/// The numbers of the requests that a connection was answered, in the order of the answers.
fn answered(rig: &Rig, conn: ConnId) -> Vec<i64> {
    let of = |line: &EventLine| match line.id {
        Some(Id::Number(id)) if line.last => Some(id),
        _ => None,
    };
    rig.wires[&conn].bodies.iter().filter_map(of).collect()
}

fn ask(rig: &mut Rig, id: i64, request: &str) {
    rig.ask(1, &format!(r#"{{"id":{id},"request":{request}}}"#));
}

/// As much past as one answer may tell.
fn past() -> Found {
    let kept = |number| StoredMessage {
        number,
        sent: Timestamp(0),
        from: "ben".into(),
        from_key: NameKey::of("ben"),
        destination: Destination::Lobby,
        text: "x".repeat(1 << 10),
        withheld: false,
        idempotency_key: crate::protocol::record::IdempotencyKey { instance: String::new(), ask: 0 },
    };
    Found::Messages((1..=500).map(kept).collect(), false)
}

#[test]
fn what_is_known_at_once_waits_for_what_is_being_written() {
    let mut rig = two();
    rig.forget(1);
    for (id, request) in [
        (10, r#""block","name":"ben""#),
        (11, r#""block","name":"ben""#),
        (12, r#""blocks""#),
        (13, r#""room-create","room":"kitchen""#),
        (14, r#""rooms""#),
        (15, r#""list""#),
    ] {
        ask(&mut rig, id, request);
    }
    assert_eq!(answered(&rig, 1), [0; 0]);
    rig.commit();
    assert_eq!(answered(&rig, 1), [10, 11, 12, 13, 14, 15]);
    assert_eq!(rig.refusal(1, 11), Some(ErrorCode::AlreadyBlocked));
}

#[test]
fn what_waits_for_somebody_else_holds_nobody_up() {
    let mut rig = two();
    rig.forget(1);
    ask(&mut rig, 10, r#""history""#);
    ask(&mut rig, 11, r#""message","to":"ben","text":"soup""#);
    ask(&mut rig, 12, r#""blocks""#);
    assert_eq!(answered(&rig, 1), [0; 0], "the message is not on disk, and could still be refused");
    rig.commit();
    assert_eq!(answered(&rig, 1), [12], "ben has not said that he has it, and the store reads");
    let (question, _) = rig.asked.pop().unwrap();
    rig.handle(Input::Found(question, past()));
    rig.received(2, 1, &[]);
    assert_eq!(answered(&rig, 1), [12, 10, 11]);
    // Who is not there has no receipt to give: that answer keeps its place.
    rig.ask(2, r#"{"id":2,"request":"dereg"}"#);
    ask(&mut rig, 13, r#""message","to":"ben","text":"soup""#);
    ask(&mut rig, 14, r#""blocks""#);
    assert_eq!(answered(&rig, 1), [12, 10, 11]);
    rig.commit();
    assert_eq!(answered(&rig, 1)[3..], [13, 14]);
}

#[test]
fn a_refusal_overtakes_nothing() {
    let limits = HubLimits { request_rate: 1, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.forget(1);
    ask(&mut rig, 10, r#""block","name":"ben""#);
    (11..30).for_each(|id| ask(&mut rig, id, r#""blocks""#));
    assert_eq!(answered(&rig, 1), [0; 0]);
    rig.commit();
    assert_eq!(answered(&rig, 1), (10..30).collect::<Vec<_>>());
    assert_eq!(rig.refusal(1, 29), Some(ErrorCode::SlowDown));
}

#[test]
fn no_more_is_read_of_the_past_than_a_link_takes() {
    let mut rig = two();
    rig.forget(1);
    (10..50).for_each(|id| ask(&mut rig, id, r#""history","limit":500"#));
    assert!(rig.asked.len() <= 2, "{} readings at once", rig.asked.len());
    while !rig.asked.is_empty() {
        let (question, _) = rig.asked.remove(0);
        rig.handle(Input::Found(question, past()));
        rig.ack_all();
        assert!(rig.asked.len() <= 2, "{} readings at once", rig.asked.len());
    }
    assert_eq!(answered(&rig, 1), (10..50).collect::<Vec<_>>(), "and all are answered");
}

#[test]
fn who_asks_and_does_not_read_costs_the_hub_little_and_only_themselves() {
    let mut rig = two();
    rig.silence(1);
    let mut asked = 0;
    while rig.turned_away(1).is_none() {
        asked += 1;
        assert!(asked < 10_000, "it is let go on for ever");
        ask(&mut rig, 10 + asked, r#""history","limit":500"#);
        while let Some((question, _)) = rig.asked.pop() {
            rig.handle(Input::Found(question, past()));
        }
        let on_link: usize = rig.wires[&1].bodies.iter().map(|line| crate::protocol::to_json(line).len()).sum();
        assert!(on_link < 2 * ANSWERS_WINDOW && 2 * ANSWERS_WINDOW < LINK_BYTES, "{on_link} bytes");
    }
    assert_eq!(rig.turned_away(1), Some(ErrorCode::TooSlow));
    assert!(asked as usize > ASIDE_REQUESTS);
    rig.ask(2, r#"{"id":9,"request":"blocks"}"#);
    assert!(rig.answer(2, 9).is_some(), "others notice nothing");
}

#[test]
fn who_leaves_does_not_wait_for_their_answers() {
    let mut rig = two();
    ask(&mut rig, 10, r#""block","name":"ben""#);
    (11..20).for_each(|id| ask(&mut rig, id, r#""history","limit":500"#));
    ask(&mut rig, 20, r#""quit""#);
    assert!(matches!(rig.answer(1, 20), Some(Event::Bye(_))));
    assert!(rig.wires[&1].closed);
    rig.commit();
}
