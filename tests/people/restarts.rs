//! Messages over restarts: exactly once and in order, whatever ends the client or the hub, and whenever.

use super::*;

/// How a process ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It goes on.
    Never,
    /// As it wants to: a client that has read everything, a hub that is told.
    Well,
    Term,
    Kill,
}

fn end(client: Process, how: End) {
    match how {
        End::Never => unreachable!("a client is started again in each round"),
        End::Well => return part(client),
        End::Term => client.signal(Signal::TERM),
        End::Kill => client.signal(Signal::KILL),
    }
    part(client);
}

#[test]
fn each_message_is_told_once_whatever_ends_the_client_the_hub_or_both() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    part(scene.client(&hub, "dora"));
    let mut kept: Vec<(String, Value)> = Vec::new();
    for hub_ends in [End::Never, End::Term, End::Kill] {
        for client_ends in [End::Well, End::Term, End::Kill] {
            let round = format!("{hub_ends:?} {client_ends:?}");
            let mut dora = scene.client_with(&hub, "dora", &QUICK);
            for (text, acked) in kept.drain(..) {
                assert_eq!(hear_text(&mut dora), text, "{round}");
                arrives(&mut erin, &acked);
            }
            let live = format!("live {round}");
            let acked = erin.must(message("dora", &live), "message-acked");
            assert_eq!(hear_text(&mut dora), live);
            // Now it is settled that dora has it, at her side and at the hub.
            arrives(&mut erin, &acked);
            end(dora, client_ends);
            for text in [format!("before {round}"), format!("also before {round}")] {
                let acked = erin.must(message("dora", &text), "message-acked");
                kept.push((text, acked));
            }
            match hub_ends {
                End::Never => continue,
                End::Well | End::Term => hub = scene.again(hub, Signal::TERM, &QUICK),
                End::Kill => hub = scene.again(hub, Signal::KILL, &QUICK),
            }
            is_back(&mut erin);
            let text = format!("after {round}");
            let acked = erin.must(message("dora", &text), "message-acked");
            kept.push((text, acked));
        }
    }
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    for (text, _) in kept {
        assert_eq!(hear_text(&mut dora), text);
    }
    part(dora);
}

#[test]
fn a_client_that_stays_over_a_restart_is_told_nothing_twice() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let (mut erin, mut dora) = (scene.client_with(&hub, "erin", &QUICK), scene.client_with(&hub, "dora", &QUICK));
    dora.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    erin.must(json!({"request": "room-join", "room": "kitchen"}), "room-joined");
    for signal in [Signal::KILL, Signal::TERM, Signal::KILL] {
        erin.must(message("dora", "one"), "message-acked");
        erin.must(say("kitchen", "two"), "message-acked");
        hub = scene.again(hub, signal, &QUICK);
        is_back(&mut erin);
        erin.must(message("dora", "three"), "message-acked");
        erin.must(say("kitchen", "four"), "message-acked");
        for text in ["one", "two", "three", "four"] {
            assert_eq!(hear_text(&mut dora), text);
        }
        dora.expect("hub-back");
    }
    part(erin);
    part(dora);
}

#[test]
fn what_is_asked_while_the_hub_is_gone_is_said_once_when_it_is_back() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    hub.process.signal(Signal::KILL);
    hub.process.exit();
    let lines: String = (100..110)
        .map(|id| {
            let mut asked = message("dora", &format!("words {id}"));
            asked["id"] = json!(id);
            format!("{asked}\n")
        })
        .collect();
    erin.write(lines);
    erin.expect("hub-lost");
    let hub = scene.again(hub, Signal::KILL, &QUICK);
    let mut numbers = Vec::new();
    for id in 100..110 {
        let acked = erin.answer(id);
        assert_eq!(acked["event"], "message-acked");
        numbers.push(acked["number"].as_u64().unwrap());
    }
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    for (id, number) in (100..110).zip(numbers) {
        let heard = hear(&mut dora);
        assert_eq!((&heard["text"], &heard["number"]), (&json!(format!("words {id}")), &json!(number)));
    }
    part(dora);
    drop(hub);
}

#[test]
fn a_machine_that_has_lost_its_memory_is_told_nothing_that_the_hub_knows_it_had() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    erin.must(message("dora", "one"), "message-acked");
    assert_eq!(hear_text(&mut dora), "one");
    part(dora);
    std::fs::remove_dir_all(scene.path("dora/data/inbox")).unwrap();
    erin.must(message("dora", "two"), "message-acked");
    let mut dora = scene.client(&hub, "dora");
    assert_eq!(hear_text(&mut dora), "two");
    part(dora);
}

#[test]
fn a_message_that_is_held_back_over_a_crash_is_told_to_be_delivered_when_it_is_heard() {
    let scene = Scene::default();
    let hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    dora.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    dora.must(json!({"request": "focus", "room": "kitchen"}), "focused");
    let acked = erin.must(message("dora", "hello"), "message-acked");
    assert_eq!(acked["delivered"], 0, "it waits for dora to hear everything again");
    let hub = scene.again(hub, Signal::KILL, &QUICK);
    is_back(&mut erin);
    is_back(&mut dora);
    erin.must(request("wait"), "waited");
    dora.must(request("unfocus"), "unfocused");
    assert_eq!(hear_text(&mut dora), "hello");
    assert_eq!(erin.expect("message-delivered")["number"], acked["number"]);
    part(dora);
    drop(hub);
}

/// As a supervisor does it that starts again what has ended.
#[test]
fn a_client_killed_and_started_twice_within_a_second_is_let_in() {
    let scene = Scene::default();
    let hub = scene.hub();
    for transport in ["quic", "tcp"] {
        let start = || {
            let command = scene.join(&hub.address, "erin", &["--transport", transport]);
            let mut client = Process::start("erin", command, EVENTS);
            client.expect("ready");
            client
        };
        let first = scene.client_with(&hub, "erin", &["--transport", transport]);
        first.signal(Signal::KILL);
        let second = start();
        // It knocks, and is gone before it is let in or not.
        std::thread::sleep(std::time::Duration::from_millis(100));
        second.signal(Signal::KILL);
        let mut third = start();
        third.expect("welcome");
        let roster = third.must(request("who"), "roster");
        assert_eq!(roster["clients"].as_array().unwrap().len(), 1, "{transport}: {roster}");
        part(third);
    }
}

#[test]
fn whoever_is_there_already_is_told_that_it_is_their_own_client() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let refused = scene.run_as(Face::Text, ["join", &hub.address, "--name", "erin", "--data", "erin/data"], "");
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.text().contains("error: The name erin is in use: another client of yours is here under it. (name-taken, wait 1 s)\n  hint: Leave there first (`quit`), or join under another name with --name."), "{refused:?}");
    let mut twin = Process::start("her twin", scene.join(&hub.address, "erin", &[]), EVENTS);
    let refusal = twin.refusal("name-taken");
    assert_eq!(refusal["wait"], 500, "{refusal}");
    assert_eq!(twin.exit(), 4);
    erin.must(request("who"), "roster");
}
