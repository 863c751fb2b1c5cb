//! The hub is lost, comes back, or does not.

use super::*;
use crate::core::Rng;
use crate::protocol::limits::{PUBLISH_FILES, ROSTER};

#[test]
fn a_lost_hub_is_told_and_tried_again_with_growing_pauses() {
    let mut rig = Rig::welcomed(config());
    rig.pass(2_199);
    assert_eq!(rig.connects, 1);
    rig.pass(1);
    assert_eq!(rig.words().last(), Some(&"hub-lost"), "700 ms of silence and three times 500 ms without an answer");
    rig.pass_in_vain(3_000);
    let early = rig.connects;
    rig.pass_in_vain(3_000);
    let late = rig.connects - early;
    assert!(early > late && late >= 1, "{early} tries in the first three seconds, {late} in the next");
}

#[test]
fn a_hub_that_drops_every_link_is_tried_with_growing_pauses() {
    let mut rig = Rig::welcomed(config());
    let pauses: Vec<u128> = (0..10)
        .map(|_| {
            rig.lose();
            let pause = rig.pass_until_tried();
            rig.connect(true);
            pause
        })
        .collect();
    assert!(pauses[0] <= 100 && pauses[7..].iter().all(|pause| *pause >= 2_500), "{pauses:?}");
    rig.pass_with_acks(10_000);
    rig.lose();
    assert!(rig.pass_until_tried() <= 100, "a link that has lived is no part of the outage before it");
}

#[test]
fn a_hub_that_never_answers_is_taken_for_lost_and_given_up_in_the_end() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.pass_with_acks(29_999);
    assert!(!rig.words().contains(&"hub-lost"));
    rig.pass_with_acks(1);
    assert_eq!(rig.words().last(), Some(&"hub-lost"));
    rig.pass_until_tried();
    rig.connect(true);
    rig.answer("list", "synced", r#","revision":9"#);
    assert_eq!(rig.last(1), Some("table"), "what was asked stays asked");
    rig.pass_with_acks(100_000);
    assert_eq!(rig.words().iter().filter(|word| **word == "hub-lost").count(), 1, "nobody waits for anything");
    // A hub that answers everything else is no better.
    rig.line(r#"{"id":2,"request":"list"}"#);
    for id in 3..100 {
        if rig.end.is_some() {
            break;
        }
        rig.line(&format!(r#"{{"id":{id},"request":"status"}}"#));
        rig.answer("status", "error", r#","code":"internal","message":"No.","retry":"never""#);
        rig.pass_with_acks(5_000);
        if rig.end.is_none() && !rig.session.cx.uplink.is_up() {
            rig.connect(true);
        }
    }
    assert_eq!((rig.last(2), rig.end), (Some("hub-lost"), Some(5)));
}

#[test]
fn after_the_configured_time_every_request_is_told_that_the_hub_is_lost() {
    let give_up = Duration::from_secs(3);
    let mut rig = Rig::welcomed(with(|config| config.patience.give_up = give_up));
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.line(r#"{"id":2,"request":"get","file":"song"}"#);
    rig.line(r#"{"id":3,"request":"wait"}"#);
    rig.lose();
    rig.pass_in_vain(2_999);
    assert_eq!((rig.lasts(3), rig.end), (vec![None; 3], None));
    rig.pass_in_vain(1);
    assert_eq!(rig.lasts(3), [Some("hub-lost"); 3]);
    assert_eq!(rig.end, Some(5));
}

#[test]
fn who_quits_while_the_hub_is_lost_leaves_at_once() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"who"}"#);
    rig.lose();
    rig.line(r#"{"id":2,"request":"say","room":"kitchen","text":"hello"}"#);
    rig.line(r#"{"id":3,"request":"quit"}"#);
    assert_eq!(rig.lasts(3), [Some("hub-lost"), Some("hub-lost"), Some("bye")]);
    assert_eq!(rig.end, Some(5));

    let mut rig = Rig::welcomed(config());
    rig.lose();
    rig.line(r#"{"id":1,"request":"quit"}"#);
    assert_eq!((rig.last(1), rig.end), (Some("bye"), Some(0)), "nothing was given up");
}

#[test]
fn a_session_that_goes_on_sends_again_and_is_answered_once() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"list"}"#);
    let (asked, received) = (rig.asked.clone(), rig.received);
    // The hub has seen the registration, not the list.
    rig.asked.clear();
    rig.received = received - 1;
    rig.lose();
    rig.pass(100);
    rig.connect(true);
    assert_eq!(rig.asked, asked);
    rig.answer("list", "synced", r#","revision":9"#);
    assert_eq!(rig.last(1), Some("table"));
    assert!(rig.words().contains(&"hub-back") && rig.words().iter().filter(|word| **word == "welcome").count() == 1);
}

#[test]
fn a_hub_that_has_forgotten_us_is_told_everything_again_in_order() {
    let mut rig = Rig::welcomed(config());
    rig.offered();
    rig.line(r#"{"id":1,"request":"withdraw","files":["song"]}"#);
    rig.line(r#"{"id":2,"request":"list"}"#);
    rig.lose();
    rig.asked.clear();
    rig.pass(100);
    rig.connect(false);
    assert_eq!(rig.asks(), ["register"]);
    rig.line(r#"{"id":3,"request":"list"}"#);
    rig.welcome("anna");
    assert_eq!(rig.asks(), ["publish"]);
    rig.ack_offer();
    assert_eq!(rig.asks(), ["withdraw", "list", "list"], "first what was, then what was asked");
}

#[test]
fn who_had_left_the_table_does_not_come_back_by_itself() {
    let mut rig = Rig::welcomed(config());
    rig.offered();
    rig.line(r#"{"id":1,"request":"dereg"}"#);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":1"#);
    rig.lose();
    rig.pass(100);
    rig.connect(false);
    assert_eq!(rig.asks(), Vec::<&str>::new());
    rig.line(r#"{"id":2,"request":"rereg"}"#);
    rig.lose();
    rig.asked.clear();
    rig.pass(300);
    rig.connect(false);
    assert_eq!(rig.asks(), ["register"], "but what the user asked is asked again");
    rig.welcome("anna");
    assert_eq!((rig.last(2), rig.asks()), (Some("welcome"), vec!["publish"]));
}

#[test]
fn a_dereg_that_was_asked_when_the_hub_died_is_carried_out() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"dereg"}"#);
    rig.lose();
    rig.asked.clear();
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    assert_eq!(rig.asks(), ["dereg"]);
    rig.answer("dereg", "deregistered", r#","name":"anna","withdrawn":0"#);
    assert_eq!(rig.last(1), Some("deregistered"));
}

#[test]
fn a_name_that_was_given_away_meanwhile_ends_the_session() {
    let mut rig = Rig::welcomed(config());
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.lose();
    rig.asked.clear();
    rig.pass(100);
    rig.connect(false);
    rig.refuse("register", "name-taken");
    assert_eq!(rig.last(1), Some("name-taken"));
    rig.answer("quit", "bye", r#","reason":"quit","code":0"#);
    assert_eq!(rig.end, Some(4));
}

#[test]
fn as_many_offers_as_a_hub_allows_come_back_in_pieces_that_the_link_can_hold() {
    let mut rig = Rig::welcomed(config());
    let content: Content = serde_json::from_str(&format!("{SONG}}}")).unwrap();
    let limit = crate::protocol::limits::HubLimits::default().offers;
    for i in 0..limit {
        let file = format!("{}/{i:05}", "x".repeat(100));
        let content = Content { file: file.into(), ..content.clone() };
        rig.session.offers.put(content);
    }
    rig.lose();
    rig.pass(100);
    rig.connect(false);
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.welcome("anna");
    for piece in 0..limit.div_ceil(PUBLISH_FILES) {
        assert_eq!(rig.asks(), ["publish"], "piece {piece}");
        rig.answer("publish", "offer-acked", r#","offers":[],"revision":2"#);
    }
    assert_eq!((rig.asks(), rig.end), (vec!["list"], None));
}

#[test]
fn a_hub_that_makes_up_people_does_not_fill_the_memory() {
    let mut rig = Rig::welcomed(config());
    let client = |name: &str, number: usize| {
        format!(
            r#"{{"name":"{name}","number":{number},"state":"online","since":"2026-01-02T03:04:05.678Z","key":"{KEY}","address":"10.0.0.2","port":1,"link_port":2}}"#
        )
    };
    for from in (0..ROSTER + 5_000).step_by(5_000) {
        let clients: Vec<String> = (from..from + 5_000).map(|n| client(&format!("n{n}"), n)).collect();
        let clients = clients.join(",");
        rig.hub(&format!(r#"{{"event":"roster-updated","revision":{from},"total":1,"clients":[{clients}]}}"#));
        rig.told.clear();
    }
    rig.hub(&format!(
        r#"{{"event":"roster-updated","revision":1,"total":1,"clients":[{}]}}"#,
        client(&"x".repeat(99), 1)
    ));
    assert_eq!(rig.session.replica().clients().count(), ROSTER);
}

#[test]
fn the_table_that_is_shown_has_the_revision_of_this_hub() {
    let mut rig = Rig::welcomed(config());
    rig.hub(r#"{"event":"table-updated","revision":900,"added":[],"removed":[],"total":0,"full":true}"#);
    rig.lose();
    rig.pass(100);
    rig.connect(false);
    rig.welcome("anna");
    rig.hub(r#"{"event":"table-updated","revision":2,"added":[],"removed":[],"total":0,"full":true}"#);
    assert_eq!(rig.session.replica().revision, 2);
    rig.line(r#"{"id":1,"request":"list"}"#);
    rig.answer("list", "synced", r#","revision":3"#);
    let shown = rig.told.iter().find_map(|line| match &line.event {
        Event::Table(table) => Some(table.revision),
        _ => None,
    });
    assert_eq!(shown, Some(3));
}

/// Whatever user, hub and network do: no timer that spins and nothing after the end ([`Rig::handle`] looks), and
/// every request gets one final event.
#[test]
fn no_input_makes_a_timer_spin_and_no_request_is_forgotten() {
    let lines = [
        r#""request":"list""#,
        r#""request":"get","file":"song""#,
        r#""request":"wait""#,
        r#""request":"dereg""#,
        r#""request":"rereg""#,
        r#""request":"register","name":"cleo""#,
        r#""request":"offer","files":["song"]"#,
        r#""request":"cancel","transfer":1"#,
        r#""request":"quit""#,
        r#""request":"dance""#,
    ];
    let events = [
        r#""event":"welcome","name":"anna","number":1,"revision":1,"clients":1,"offers":0"#,
        r#""event":"synced","revision":1"#,
        r#""event":"deregistered","name":"anna","withdrawn":0"#,
        r#""event":"error","code":"not-offered","message":"No.","retry":"never""#,
        r#""event":"bye","reason":"quit","code":0"#,
        r#""event":"located","sources":[]"#,
    ];
    for seed in 0..400 {
        let mut rng = Rng(seed);
        let fail_fast = rng.chance(20);
        let mut rig = Rig::begun(with(|config| {
            config.fail_fast = fail_fast;
            config.patience.give_up = Duration::from_secs(20);
        }));
        let (mut up, mut asked) = (true, 0);
        for _ in 0..60 {
            if rig.end.is_some() {
                break;
            }
            rig.pass(rng.below(600));
            up = up && rig.session.cx.uplink.is_up();
            match rng.below(12) {
                0..=3 if rig.end.is_none() => {
                    asked += 1;
                    // Whoever has quit is not asked to do so again and again.
                    let line = lines[rng.below(lines.len() as u64) as usize];
                    // Not by `line`: this hub answers anything, whatever the request's row allows.
                    rig.handle(Input::Line(1, format!(r#"{{"id":{asked},{line}}}"#).as_bytes()));
                }
                4..=7 if up && !rig.asked.is_empty() => {
                    let ask = rig.asked.remove(0);
                    let event = events[rng.below(events.len() as u64) as usize];
                    rig.hub(&format!(r#"{{"id":{},"final":true,{event}}}"#, ask["id"]));
                }
                8 if !rig.tasks.is_empty() => rig.hashed(),
                9 if up => {
                    rig.lose();
                    up = false;
                }
                10 if matches!(rig.session.cx.uplink.connection(), HubConnection::Again { .. }) => {
                    rig.asked.clear();
                    rig.connect(false);
                    up = true;
                }
                11 if rng.chance(5) => rig.handle(Input::Interrupt(130)),
                _ => {}
            }
        }
        rig.handle(Input::Interrupt(130));
        rig.pass_in_vain(30_000);
        assert!(rig.end.is_some(), "seed {seed}");
        for id in 1..=asked {
            assert!(rig.last(id).is_some(), "seed {seed}: request {id} has no final event");
        }
    }
}

#[test]
fn when_our_address_changes_the_hub_is_to_see_it_at_once() {
    let mut rig = Rig::welcomed(config());
    rig.pass(100);
    let probes = |rig: &mut Rig| {
        rig.session.handle(rig.now, Input::AddressChanged);
        let outputs = std::iter::from_fn(|| rig.session.poll(rig.now)).collect::<Vec<_>>();
        outputs.iter().any(|output| matches!(output, Output::Send(frame) if frame.probe))
    };
    assert!(probes(&mut rig));
    // If it does not answer there, it is lost as in any silence.
    rig.pass(1_500);
    assert_eq!(rig.words().last(), Some(&"hub-lost"));
    assert!(!probes(&mut rig), "there is nothing to probe");
}
