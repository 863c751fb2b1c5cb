//! Who falls silent, comes back, or does not.

use super::*;
use crate::core::Rng;

#[test]
fn a_silent_client_is_away_for_everybody_within_two_seconds() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.pass(3_000);
    rig.line(1, r#"{"ack":0}"#);
    rig.silence(1);
    rig.forget(2);
    rig.pass(1_899);
    assert_eq!(rig.state("anna"), Some(Presence::Online));
    rig.pass(1);
    assert_eq!(rig.state("anna"), Some(Presence::Away));
    rig.pass(20);
    let told =
        |line: &EventLine| matches!(&line.event, Event::RosterUpdated(u) if u.clients[0].state == Presence::Away);
    assert!(rig.wires[&2].bodies.iter().any(told), "and ben has been told");
}

#[test]
fn a_client_that_answers_stays() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.pass(600_000);
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

#[test]
fn nothing_is_lost_and_nothing_done_twice_over_a_broken_connection() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.silence(2);
    rig.offer(1, 10, &["song".into()]);
    rig.pass(100);
    // What was sent has not arrived.
    let seen = rig.wires[&2].received - 1;
    rig.handle(Input::Disconnected { conn: 2, reason: "reset".into() });
    rig.wires.get_mut(&2).unwrap().received = seen;
    rig.resume(3, 2, 2);
    assert!(rig.hub_hello(3).resumed);
    rig.pass(100);
    assert_eq!(rig.updates(3), [(1, 0, 1)], "it is sent again, once");
    // The client sends its last request again, as it has seen no acknowledgement.
    let (n, body) = (rig.wires[&3].sent, r#"{"id":99,"request":"dereg"}"#);
    rig.line(3, &format!(r#"{{"n":{n},"ack":0,"body":{body}}}"#));
    assert_eq!(rig.state("ben"), Some(Presence::Online), "an old number is not obeyed");
    assert_eq!(rig.answer(3, 99), None);
}

#[test]
fn a_session_that_goes_on_elsewhere_leaves_its_old_connection() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.resume(2, 1, 1);
    assert!(rig.wires[&1].closed && rig.hub_hello(2).resumed);
    // The old connection's end is not the session's.
    rig.handle(Input::Disconnected { conn: 1, reason: "closed".into() });
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

#[test]
fn after_the_grace_the_offers_leave_everybodys_table() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.offer(1, 10, &["song".into()]);
    rig.handle(Input::Disconnected { conn: 1, reason: "reset".into() });
    rig.pass(29_999);
    assert_eq!((rig.state("anna"), rig.hub.offers().len()), (Some(Presence::Away), 1));
    rig.forget(2);
    rig.pass(100);
    assert_eq!((rig.state("anna"), rig.hub.offers().len()), (None, 0));
    assert_eq!(rig.updates(2), [(0, 1, 0)]);
}

#[test]
fn a_session_without_a_name_frees_its_place_after_the_grace() {
    let limits = HubLimits { clients: 1, ..HubLimits::default() };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    rig.hello(1, 1);
    rig.handle(Input::Disconnected { conn: 1, reason: "reset".into() });
    rig.pass(30_000);
    rig.hello(2, 2);
    assert_eq!(rig.turned_away(2), None);
}

#[test]
fn who_is_away_at_the_commit_is_welcomed_when_it_is_back() {
    let mut rig = Rig::new(config());
    rig.hello(1, 1);
    rig.register(1, "anna");
    rig.handle(Input::Disconnected { conn: 1, reason: "reset".into() });
    rig.commit();
    assert_eq!(rig.state("anna"), Some(Presence::Away));
    rig.resume(2, 1, 1);
    assert!(rig.welcomed(2));
    assert_eq!(rig.state("anna"), Some(Presence::Online));
}

/// Whatever comes, in whatever order: no panic, no timer that spins ([`Rig::handle`] looks), and after enough
/// time everybody who does not answer is gone.
#[test]
fn no_input_makes_a_timer_spin() {
    for seed in 0..300 {
        let mut rng = Rng(seed);
        let limits = HubLimits { clients: 4, ..HubLimits::default() };
        let mut rig = Rig::new(HubConfig { limits, ..config() });
        let mut conns: Vec<(ConnId, u8)> = Vec::new();
        for step in 1..80u64 {
            rig.pass(rng.below(900));
            let at = rng.below(conns.len().max(1) as u64) as usize;
            let Some(&(conn, key)) = conns.get(at).filter(|_| !rng.chance(15)) else {
                let key = rng.below(3) as u8;
                rig.hello(step, key);
                conns.push((step, key));
                continue;
            };
            match rng.below(12) {
                0 => rig.handle(Input::Disconnected { conn, reason: "reset".into() }),
                1 => rig.silence(conn),
                2 if rig.wires[&conn].said.iter().any(|line| line.contains("session")) => {
                    rig.resume(step, key, conn);
                    conns.push((step, key));
                }
                3 => rig.commit(),
                4 => rig.line(conn, "garbage"),
                5 => rig.ask(conn, r#"{"id":2,"request":"quit"}"#),
                6 => rig.ask(conn, r#"{"id":3,"request":"dereg"}"#),
                7 => rig.ask(conn, r#"{"id":4,"request":"list"}"#),
                8..=9 => rig.ask(conn, &format!(r#"{{"id":5,"request":"register","name":"n{key}"}}"#)),
                _ => rig.offer(conn, 6, &[format!("f{step}")]),
            }
        }
        rig.commit();
        for (conn, _) in conns {
            rig.silence(conn);
        }
        rig.pass(40_000);
        assert_eq!((rig.hub.roster(), rig.hub.offers()), (vec![], vec![]), "seed {seed}");
        assert_eq!(rig.hub.next_timeout(), None, "seed {seed}: there is nothing left to wait for");
    }
}

#[test]
fn who_is_doubted_is_asked_once_and_stays_if_it_answers() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    let doubts = |rig: &Rig| rig.log.iter().filter(|event| matches!(event, LogEvent::PeerDoubted(_))).count();
    rig.silence(2);
    for _ in 0..3 {
        rig.ask(1, r#"{"unreachable":"Ben"}"#);
    }
    assert_eq!(doubts(&rig), 1);
    rig.wires.get_mut(&2).unwrap().acks = true;
    rig.answer_probes();
    rig.pass(5_000);
    assert_eq!(rig.state("ben"), Some(Presence::Online));
    assert!(!rig.wires[&1].bodies.iter().any(|line| matches!(&line.event, Event::Error(_))), "there is no answer");

    rig.silence(2);
    rig.ask(1, r#"{"unreachable":"ben"}"#);
    assert_eq!(doubts(&rig), 2);
    rig.pass(1_400);
    assert_eq!(rig.state("ben"), Some(Presence::Online), "not by the word of another");
    rig.pass(200);
    assert_eq!(rig.state("ben"), Some(Presence::Away));
    // Nobody is doubted who is away, unknown, or by somebody without a name.
    rig.ask(1, r#"{"unreachable":"ben"}"#);
    rig.ask(1, r#"{"unreachable":"cleo"}"#);
    rig.hello(3, 3);
    rig.ask(3, r#"{"unreachable":"anna"}"#);
    assert_eq!(doubts(&rig), 2);
}

#[test]
fn the_way_to_somebody_is_measured_by_their_answer_and_by_nothing_else() {
    let mut rig = Rig::new(config());
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig.pass(3_000);
    rig.silence(2);
    rig.ask(1, r#"{"id":10,"request":"ping","to":"Ben"}"#);
    assert_eq!(rig.answer(1, 10), None);
    let ack = rig.wires[&2].received;
    rig.line(2, &format!(r#"{{"ack":{ack},"probe":true}}"#));
    assert_eq!(rig.answer(1, 10), None, "it asks, too");
    rig.line(2, &format!(r#"{{"ack":{ack}}}"#));
    rig.line(2, &format!(r#"{{"ack":{ack}}}"#));
    assert!(matches!(rig.answer(1, 10), Some(Event::Pong(pong)) if pong.peer == "ben" && pong.hub_failed.is_none()));
    // Who falls silent meanwhile fails the measurement, not the request.
    rig.ask(1, r#"{"id":11,"request":"ping","to":"ben"}"#);
    rig.pass(2_500);
    assert!(matches!(rig.answer(1, 11), Some(Event::Pong(pong)) if pong.hub_failed.is_some()));
    for (id, to, code) in [(12, "ben", "not-online"), (13, "anna", "yourself"), (14, "zoe", "no-such-person")] {
        rig.ask(1, &format!(r#"{{"id":{id},"request":"ping","to":"{to}"}}"#));
        assert_eq!(rig.code(1, id), Some(code));
    }
}
