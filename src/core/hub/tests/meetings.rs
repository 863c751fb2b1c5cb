//! Clients that meet through the hub: who is told what, and what the driver does with their connections.

use std::net::SocketAddr;

use super::*;
use crate::protocol::event;
use crate::protocol::limits::MEETINGS_AT_ONCE;

/// A meeting as a client was told of it.
fn told(rig: &Rig, conn: ConnId) -> Vec<event::Meeting> {
    let told = rig.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
        Event::Meeting(meeting) => Some(meeting.clone()),
        _ => None,
    });
    told.collect()
}

/// The newest meeting of a client.
fn newest(rig: &Rig, conn: ConnId) -> event::Meeting {
    told(rig, conn).pop().unwrap()
}

/// Where the other side is, as a client was told: outer and inner addresses.
fn places(rig: &Rig, conn: ConnId) -> Vec<(Vec<String>, Vec<String>)> {
    let text = |all: &[SocketAddr]| all.iter().map(SocketAddr::to_string).collect();
    let told = rig.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
        Event::MeetingPlaces(places) => Some((text(&places.outer), text(&places.inner))),
        _ => None,
    });
    told.collect()
}

/// Which asks of a client were refused, with what, and whether it may ask again later.
fn refusals(rig: &Rig, conn: ConnId) -> Vec<(u64, &'static str, bool)> {
    let told = rig.wires[&conn].bodies.iter().filter_map(|line| match &line.event {
        Event::MeetingRefused(refused) => Some((refused.ask, refused.code.name(), refused.wait.is_some())),
        _ => None,
    });
    told.collect()
}

impl Rig {
    fn meet(&mut self, conn: ConnId, key: u8, ask: u64) {
        let meet = PublicKey([key; 32]);
        self.ask(conn, &format!(r#"{{"meet":"{meet}","ask":{ask},"purpose":"private"}}"#));
    }

    fn half(&mut self, half: HalfId, token: &str, address: &str) {
        self.handle(Input::Half { half, token, address: address.parse().unwrap() });
        self.ack_all();
    }

    /// What the driver was told since the last time.
    fn relayed(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.relayed)
    }

    fn count(&self, what: &str) -> usize {
        self.hub.counts().into_iter().find(|(name, _)| *name == what).unwrap().1
    }
}

/// Anna and Ben with keys 1 and 2, on connections 1 and 2.
fn two() -> Rig {
    two_with(config())
}

fn two_with(config: HubConfig) -> Rig {
    let mut rig = Rig::new(config);
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    rig
}

fn joins(meeting: u64, halves: [HalfId; 2], payer: u64) -> Vec<Output> {
    vec![Output::Join { meeting, halves, payer }]
}

#[test]
fn two_clients_meet_see_where_the_other_is_and_are_joined() {
    let mut rig = two();
    rig.meet(1, 2, 7);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    assert_eq!((asker.ask, asker.name.as_str(), asker.peer), (Some(7), "ben", PublicKey([2; 32])));
    assert_eq!((asked.ask, asked.name.as_str(), asked.peer), (None, "anna", PublicKey([1; 32])));
    assert!(asker.relays && asker.no_relay.is_none() && asker.meeting == asked.meeting);
    let tokens = [&asker.token, &asker.second_token, &asked.token, &asked.second_token];
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 4);

    rig.half(10, &asker.token, "203.0.113.1:5000");
    assert!(places(&rig, 2).is_empty(), "both are told at once, when both have come");
    rig.half(11, &asker.second_token, "[2001:db8::1]:5000");
    rig.ask(1, &format!(r#"{{"meet_at":{},"inner":["192.168.1.7:5000"]}}"#, asker.meeting));
    let (outer, inner) = places(&rig, 2).pop().unwrap();
    assert_eq!((outer.len(), inner.len()), (0, 1));
    assert!(rig.relayed().is_empty() && places(&rig, 1).is_empty());

    rig.half(12, &asked.token, "203.0.113.2:6000");
    let (outer, inner) = places(&rig, 2).pop().unwrap();
    assert_eq!((outer, inner.len()), (vec!["203.0.113.1:5000".into(), "[2001:db8::1]:5000".into()], 1));
    assert_eq!(rig.relayed(), joins(asker.meeting, [10, 12], 1));
    assert_eq!(places(&rig, 1), [(vec!["203.0.113.2:6000".to_owned()], vec![])]);
    // The connection over the other family stays for as long as they may still be looking for a better way.
    rig.pass(9_000);
    assert!(rig.relayed().is_empty());
    rig.pass(2_000);
    assert_eq!(rig.relayed(), [Output::DropHalf(11)]);
    rig.handle(Input::Relayed { meeting: 1, bytes: 100 });
    rig.handle(Input::RelayEnded { meeting: 1, bytes: 150, why: "closed".into() });
    let line = rig.log.iter().rev().find_map(|line| match line {
        LogEvent::RelayEnded(ended) => Some((ended.bytes, ended.by.as_str(), ended.with.as_str(), ended.took > 10_000)),
        _ => None,
    });
    assert_eq!(line, Some((150, "anna", "ben", true)));
    // One that came to nothing, because they found a better way, has no line.
    let lines = rig.log.len();
    rig.meet(1, 2, 8);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    rig.half(20, &asker.token, "203.0.113.1:5000");
    rig.half(21, &asked.token, "203.0.113.2:6000");
    assert_eq!(rig.relayed(), joins(2, [20, 21], 1));
    rig.handle(Input::RelayEnded { meeting: 2, bytes: 0, why: "closed".into() });
    assert!(matches!(rig.log[lines..], [LogEvent::MeetingBegun(_)]), "{:?}", &rig.log[lines..]);
    assert_eq!((rig.count("meetings"), rig.count("tokens"), rig.count("relayed streams")), (0, 0, 0));
}

#[test]
fn a_token_is_good_for_one_connection_and_within_its_time() {
    let mut rig = two();
    rig.meet(1, 2, 1);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    rig.half(10, &asker.token, "203.0.113.1:5000");
    rig.half(11, &asker.token, "203.0.113.66:5000");
    rig.half(12, "00112233445566778899aabbccddeeff", "203.0.113.66:5000");
    rig.half(13, "no token", "203.0.113.66:5000");
    assert_eq!(rig.relayed(), [Output::DropHalf(11), Output::DropHalf(12), Output::DropHalf(13)]);
    assert!(places(&rig, 2).is_empty());
    rig.pass(10_000);
    assert_eq!(rig.relayed(), [Output::DropHalf(10)]);
    rig.half(14, &asked.token, "203.0.113.2:6000");
    assert_eq!(rig.relayed(), [Output::DropHalf(14)]);
    assert_eq!((rig.count("meetings"), rig.count("tokens"), rig.count("relayed streams")), (0, 0, 0));
    // While the first half is joined, its token is worth nothing either.
    rig.meet(1, 2, 2);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    rig.half(20, &asker.token, "203.0.113.1:5000");
    rig.half(21, &asked.token, "203.0.113.2:5000");
    rig.half(22, &asker.token, "203.0.113.1:5000");
    assert_eq!(rig.relayed(), [&joins(2, [20, 21], 2)[..], &[Output::DropHalf(22)]].concat());
    assert_eq!(places(&rig, 2).len(), 1, "of a stolen token nobody is told");
    // Counts are forgotten when they are paid for.
    rig.pass(120_000);
    assert_eq!(rig.count("counted meetings"), 0);
}

#[test]
fn whoever_is_blocked_waits_in_vain_and_is_told_the_same() {
    let mut rig = two();
    rig.ask(2, r#"{"id":5,"request":"block","name":"anna"}"#);
    rig.commit();
    rig.meet(1, 2, 1);
    let asker = newest(&rig, 1);
    assert_eq!((asker.ask, asker.name.as_str(), asker.relays, asker.meeting), (Some(1), "ben", true, 1));
    rig.half(10, &asker.token, "203.0.113.1:5000");
    rig.ask(1, r#"{"meet_at":1,"inner":["192.168.1.7:5000"]}"#);
    // The other side cannot answer what it was not told of, even if it guesses the number.
    rig.ask(2, r#"{"meet_at":1,"inner":["192.168.1.8:5000"]}"#);
    assert!(told(&rig, 2).is_empty() && places(&rig, 2).is_empty() && places(&rig, 1).is_empty());
    assert!(rig.relayed().is_empty());
    rig.pass(10_000);
    assert_eq!(rig.relayed(), [Output::DropHalf(10)]);
    // The other direction is open.
    rig.meet(2, 1, 1);
    assert_eq!((told(&rig, 1).len(), told(&rig, 2).len()), (2, 1));
}

#[test]
fn who_cannot_be_met_is_said() {
    let mut rig = two();
    rig.hello(3, 3);
    rig.meet(3, 1, 1);
    rig.meet(1, 3, 2);
    rig.meet(1, 1, 3);
    rig.meet(1, 99, 4);
    rig.handle(Input::Disconnected { conn: 2, reason: "gone".into() });
    rig.meet(1, 2, 5);
    assert_eq!(refusals(&rig, 3), [(1, "not-registered", false)]);
    let gone = |ask| (ask, "not-online", false);
    assert_eq!(refusals(&rig, 1), [gone(2), (3, "yourself", false), gone(4), gone(5)]);
    assert!((1..=3).all(|conn| told(&rig, conn).is_empty()));
}

#[test]
fn of_several_with_one_key_the_newest_is_asked_or_the_one_that_is_named() {
    let mut rig = two();
    rig.enter(3, 2, "ben-too");
    rig.meet(1, 2, 1);
    assert_eq!((told(&rig, 2).len(), newest(&rig, 3).name.as_str()), (0, "anna"));
    let key = PublicKey([2; 32]);
    rig.ask(1, &format!(r#"{{"meet":"{key}","name":"Ben","ask":2,"purpose":"private"}}"#));
    rig.ask(1, &format!(r#"{{"meet":"{key}","name":"carl","ask":3,"purpose":"private"}}"#));
    assert_eq!((told(&rig, 2).len(), told(&rig, 3).len()), (1, 1));
    assert_eq!(refusals(&rig, 1), [(3, "not-online", false)]);
}

#[test]
fn a_pair_has_ten_meetings_a_minute_and_a_client_so_many_that_wait() {
    let mut rig = two();
    (1..=11).for_each(|ask| rig.meet(1, 2, ask));
    assert_eq!((told(&rig, 1).len(), told(&rig, 2).len()), (10, 10));
    assert_eq!(refusals(&rig, 1), [(11, "slow-down", true)]);
    rig.meet(2, 1, 1);
    assert_eq!(refusals(&rig, 2), []);
    rig.pass(6_000);
    rig.meet(1, 2, 12);
    assert_eq!(told(&rig, 1).len(), 12);

    let mut rig = Rig::new(HubConfig { meetings: MeetingConfig { at_once: 3, ..config().meetings }, ..config() });
    (1..=4).for_each(|key| rig.enter(key.into(), key, &format!("client{key}")));
    (2..=4).for_each(|key| rig.meet(1, key, key.into()));
    rig.meet(2, 3, 1);
    assert_eq!(refusals(&rig, 2), [(1, "slow-down", true)]);
    rig.pass(10_001);
    rig.meet(2, 3, 2);
    assert_eq!(told(&rig, 2).len(), 2);
}

#[test]
fn without_relay_both_are_seen_and_not_joined() {
    let none = MeetingConfig { relay: None, ..config().meetings };
    let mut rig = two_with(HubConfig { meetings: none, ..config() });
    rig.meet(1, 2, 1);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    assert_eq!((asker.relays, asker.no_relay, asked.no_relay), (false, Some(ErrorCode::RelayOff), asker.no_relay));
    rig.half(10, &asker.token, "203.0.113.1:5000");
    rig.half(11, &asked.token, "203.0.113.2:5000");
    assert_eq!((places(&rig, 1).len(), places(&rig, 2).len(), rig.relayed().len()), (1, 1, 0));
    rig.pass(10_000);
    assert_eq!(rig.relayed(), [Output::DropHalf(10), Output::DropHalf(11)]);

    // Two streams of one client, three of all.
    let mut rig = two();
    rig.enter(3, 3, "carl");
    let ask = |rig: &mut Rig, conn: ConnId, key: u8| {
        rig.meet(conn, key, u64::from(key));
        newest(rig, conn).no_relay
    };
    let full = Some(ErrorCode::RelayFull);
    assert_eq!([2, 2, 2].map(|key| ask(&mut rig, 1, key)), [None, None, full]);
    assert_eq!([1, 1].map(|key| ask(&mut rig, 3, key)), [None, full]);
    rig.pass(10_000);
    assert_eq!(ask(&mut rig, 3, 1), None, "what was kept for meetings that came to nothing is free again");
}

#[test]
fn what_a_client_may_have_relayed_in_a_day_is_counted_while_it_runs() {
    let mut rig = two();
    let join = |rig: &mut Rig, half| {
        rig.meet(1, 2, half);
        let (asker, asked) = (newest(rig, 1), newest(rig, 2));
        rig.half(half, &asker.token, "203.0.113.1:5000");
        rig.half(half + 1, &asked.token, "203.0.113.2:5000");
        asker
    };
    join(&mut rig, 10);
    rig.handle(Input::Relayed { meeting: 1, bytes: 600_000 });
    rig.handle(Input::RelayEnded { meeting: 1, bytes: 700_000, why: "closed".into() });
    join(&mut rig, 20);
    rig.relayed();
    rig.handle(Input::Relayed { meeting: 2, bytes: 299_999 });
    assert_eq!(rig.relayed(), []);
    rig.handle(Input::Relayed { meeting: 2, bytes: 300_000 });
    rig.handle(Input::Relayed { meeting: 2, bytes: 310_000 });
    assert_eq!(rig.relayed(), [Output::Cut(2)]);
    rig.handle(Input::RelayEnded { meeting: 2, bytes: 320_000, why: "cut".into() });
    assert_eq!(join(&mut rig, 30).no_relay, Some(ErrorCode::RelayFull));
    // Who was asked has paid nothing.
    rig.meet(2, 1, 1);
    assert!(newest(&rig, 2).relays);
    rig.pass(24 * 60 * 60 * 1_000);
    assert!(join(&mut rig, 40).relays);
}

#[test]
fn whoever_leaves_or_is_thrown_out_takes_its_meetings_along_the_joined_ones_too() {
    for leave in [r#"{"id":9,"request":"quit"}"#, r#"{"id":9,"request":"dereg"}"#, "revoked"] {
        for who in [1, 2] {
            let mut rig = two();
            (1..=2).for_each(|ask| rig.meet(1, 2, ask));
            let [first, second] = [told(&rig, 1).remove(0), newest(&rig, 1)];
            let asked = told(&rig, 2).remove(0);
            rig.half(10, &first.token, "203.0.113.1:5000");
            rig.half(11, &second.token, "203.0.113.1:5001");
            rig.half(12, &asked.token, "203.0.113.2:5000");
            assert_eq!(rig.relayed(), joins(first.meeting, [10, 12], 1));
            match leave {
                "revoked" => rig.handle(Input::Names(Vec::new())),
                leave => rig.ask(who, leave),
            }
            let ended = rig.relayed();
            let cut = [Output::Cut(first.meeting), Output::DropHalf(11)];
            assert!(cut.iter().all(|output| ended.contains(output)) && ended.len() == 2, "{leave}: {ended:?}");
            rig.handle(Input::RelayEnded { meeting: first.meeting, bytes: 5, why: "cut".into() });
            assert_eq!((rig.count("meetings"), rig.count("tokens"), rig.count("meetings of sessions")), (0, 0, 0));
            assert_eq!(rig.count("relayed streams"), 0);
        }
    }
    // One that only loses its connection may come back to them.
    let mut rig = two();
    rig.meet(1, 2, 1);
    let (asker, asked) = (newest(&rig, 1), newest(&rig, 2));
    rig.half(10, &asker.token, "203.0.113.1:5000");
    rig.half(12, &asked.token, "203.0.113.2:5000");
    rig.relayed();
    rig.handle(Input::Disconnected { conn: 1, reason: "broken".into() });
    rig.pass(20_000);
    assert_eq!(rig.relayed(), []);
    rig.pass(11_000);
    assert_eq!(rig.relayed(), [Output::Cut(1)]);
}

#[test]
fn the_hub_calls_a_client_and_gets_its_half() {
    let mut rig = Rig::new(super::gifts::files(1_000));
    rig.enter(1, 1, "anna");
    let call = |rig: &mut Rig, call, key| {
        let content = ContentHash([7; 32]);
        rig.handle(Input::Call { call, key: PublicKey([key; 32]), content });
        rig.ack_all();
    };
    call(&mut rig, 1, 9);
    assert_eq!(rig.relayed(), [Output::Called(1, None)], "nobody with that key is there");
    call(&mut rig, 2, 1);
    let met = newest(&rig, 1);
    assert_eq!((met.ask, met.peer, met.name.as_str(), met.relays), (None, PublicKey([99; 32]), "hub", true));
    // What the second token is shown for is of no use here.
    rig.half(9, &met.second_token, "203.0.113.1:5000");
    rig.half(10, &met.token, "203.0.113.1:5000");
    rig.half(11, &met.token, "203.0.113.1:5000");
    assert_eq!(rig.relayed(), [Output::DropHalf(9), Output::Called(2, Some(10)), Output::DropHalf(11)]);
    // One that does not come, and one that leaves.
    call(&mut rig, 3, 1);
    rig.pass(10_000);
    assert_eq!(rig.relayed(), [Output::Called(3, None)]);
    call(&mut rig, 4, 1);
    rig.ask(1, r#"{"id":9,"request":"quit"}"#);
    assert_eq!(rig.relayed(), [Output::Called(4, None)]);
    assert_eq!((rig.count("calls"), rig.count("tokens"), rig.count("meetings")), (0, 0, 0));
}

#[test]
fn whom_many_ask_can_still_ask_for_meetings() {
    let mut config = config();
    config.meetings.at_once = 1_000;
    let mut rig = Rig::new(config);
    rig.enter(1, 1, "anna");
    rig.enter(2, 2, "ben");
    // Others who come to nothing, whom Ben may even block.
    let many = MEETINGS_AT_ONCE as u8 + 8;
    for number in 0..many {
        rig.enter(u64::from(10 + number), 10 + number, &format!("x{number}"));
        rig.meet(u64::from(10 + number), 2, 1);
    }
    assert_eq!(told(&rig, 2).len(), usize::from(many));
    rig.meet(2, 1, 7);
    assert_eq!((refusals(&rig, 2), newest(&rig, 1).name.as_str()), (vec![], "ben"));
    // What one asks for is still bounded.
    for ask in 0..u64::from(many) {
        rig.meet(2, 10 + ask as u8, 100 + ask);
    }
    assert_eq!(refusals(&rig, 2).len(), usize::from(many) + 1 - MEETINGS_AT_ONCE);
}
