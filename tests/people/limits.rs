//! How many, how fast, how much: what is refused at the limit, and what is taken again below it.

use std::time::Duration;

use super::*;

#[test]
fn a_place_at_a_full_hub_is_free_as_soon_as_somebody_has_left() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--max-clients", "2"]);
    let (mut erin, dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    let mut hub = hub;
    let mut full = Process::start("fred", scene.join(&hub.address, "fred", &[]), EVENTS);
    full.refusal("hub-full");
    assert_eq!(full.exit(), 4);
    part(dora);
    let fred = scene.client(&hub, "fred");
    // Once it is noticed that somebody was killed, their place is for the same key only.
    fred.signal(Signal::KILL);
    part(fred);
    hub.process.expect("client-away");
    let mut full = Process::start("dora", scene.join(&hub.address, "dora", &[]), EVENTS);
    full.refusal("hub-full");
    assert_eq!(full.exit(), 4);
    let mut fred = scene.client(&hub, "fred");
    erin.must(message("fred", "welcome"), "message-acked");
    assert_eq!(hear_text(&mut fred), "welcome");
    part(fred);
}

/// Waits as long as a refusal says.
fn wait(refusal: &Value) {
    let wait = refusal["wait"].as_u64().unwrap_or_else(|| panic!("it says how long to wait: {refusal}"));
    assert!((1..=60_000).contains(&wait), "{refusal}");
    // The wait itself, not a hope; a clock may be a millisecond behind.
    std::thread::sleep(Duration::from_millis(wait + 2));
}

/// Asks until it is too much, and gives that refusal.
fn until_slow_down(client: &mut Process, asked: &Value, most: usize) -> Value {
    let refusal = (0..most).map(|_| client.ask(asked.clone())).find(|answer| answer["event"] == "error");
    let refusal = refusal.expect("it is too much at some time");
    assert_eq!(refusal["code"], "slow-down", "{refusal}");
    refusal
}

#[test]
fn who_speaks_too_fast_is_told_how_long_to_wait_and_then_heard() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--message-rate", "2"]);
    let [mut erin, mut fred, mut dora] = ["erin", "fred", "dora"].map(|name| scene.client(&hub, name));
    let lines: String = (0..40)
        .map(|n| {
            let mut asked = message("dora", &format!("words {n}"));
            asked["id"] = json!(format!("m{n}"));
            format!("{asked}\n")
        })
        .collect();
    erin.write(lines);
    let answers: Vec<Value> = (0..40).map(|n| erin.answer(format!("m{n}"))).collect();
    let refusal = answers.iter().find(|answer| answer["code"] == "slow-down").expect("it is too fast").clone();
    let taken: Vec<String> =
        (0..40).filter(|n| answers[*n]["event"] == "message-acked").map(|n| format!("words {n}")).collect();
    assert!(taken.len() >= 20, "ten seconds' worth are taken at once");
    assert!(answers.iter().all(|answer| answer["event"] == "message-acked" || answer["code"] == "slow-down"));
    // What else is asked, and who else speaks, is not slowed down.
    erin.must(request("who"), "roster");
    fred.must(message("dora", "from fred"), "message-acked");
    for text in taken {
        assert_eq!(hear_text(&mut dora), text, "what was refused was not said");
    }
    assert_eq!(hear_text(&mut dora), "from fred");
    wait(&refusal);
    erin.must(message("dora", "now"), "message-acked");
    assert_eq!(hear_text(&mut dora), "now");
    part(dora);
}

#[test]
fn who_asks_too_much_is_told_how_long_to_wait_and_then_answered() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--request-rate", "2"]);
    let mut erin = scene.client(&hub, "erin");
    let lines: String = (0..60).map(|n| format!("{{\"id\":\"r{n}\",\"request\":\"rooms\"}}\n")).collect();
    erin.write(lines);
    let answers: Vec<Value> = (0..60).map(|n| erin.answer(format!("r{n}"))).collect();
    let refusal = answers.iter().find(|answer| answer["event"] == "error").expect("it is too much").clone();
    assert_eq!(refusal["code"], "slow-down");
    wait(&refusal);
    erin.must(request("rooms"), "rooms");
    // Who has asked too much can still leave.
    until_slow_down(&mut erin, &request("rooms"), 200);
    assert_eq!(erin.finish().code, 0);
}

#[test]
fn a_full_mailbox_takes_more_when_its_owner_has_been_there() {
    let scene = Scene::default();
    let args = [&QUICK[..], &["--mailbox", "2"]].concat();
    let mut hub = scene.hub_with(&args);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    part(scene.client(&hub, "dora"));
    // Over a crash of the hub, which may not have written down what dora had.
    for signal in [Signal::KILL, Signal::TERM, Signal::KILL] {
        let mut kept = Vec::new();
        for text in ["one", "two"] {
            kept.push(erin.must(message("dora", text), "message-acked"));
        }
        let full = erin.refused(message("dora", "three"), "mailbox-full");
        assert!(full["message"].as_str().unwrap().contains("dora"), "{full}");
        let mut dora = scene.client(&hub, "dora");
        assert_eq!([hear_text(&mut dora), hear_text(&mut dora)], ["one", "two"]);
        for acked in kept {
            arrives(&mut erin, &acked);
        }
        hub = scene.again(hub, signal, &args);
        is_back(&mut erin);
        dora.expect("hub-back");
        for text in ["four", "five", "six"] {
            let acked = until_taken(&mut erin, &message("dora", text));
            assert_eq!(hear_text(&mut dora), text);
            arrives(&mut erin, &acked);
        }
        part(dora);
    }
}

/// Asks again for as long as a mailbox is full: its owner has come back, and the hub is about to hear of it.
fn until_taken(client: &mut Process, asked: &Value) -> Value {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let answer = client.ask(asked.clone());
        if answer["event"] == "message-acked" {
            return answer;
        }
        assert_eq!(answer["code"], "mailbox-full", "{answer}");
        assert!(std::time::Instant::now() < deadline, "it stays full");
    }
}

#[test]
fn what_is_kept_can_be_bounded_and_the_newest_stay() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    let long = "words ".repeat(1_000);
    for n in 0..40 {
        erin.must(say("lobby", &format!("{n} {long}")), "message-acked");
    }
    let asked = json!({"request": "history", "limit": 500});
    for (keep, least, most) in [("1d", 40, 40), ("1GB", 40, 40), ("100kB", 5, 39)] {
        let args = [&QUICK[..], &["--keep", keep]].concat();
        hub = scene.again(hub, Signal::TERM, &args);
        is_back(&mut erin);
        let left = texts(&erin.must(asked.clone(), "history"));
        assert!((least..=most).contains(&left.len()), "--keep {keep} has left {}", left.len());
        let newest: Vec<usize> = left.iter().map(|text| text.split(' ').next().unwrap().parse().unwrap()).collect();
        assert_eq!(newest, (40 - left.len()..40).collect::<Vec<_>>(), "--keep {keep} keeps the newest");
    }
    // The numbers go on.
    let last = erin.must(asked, "history")["messages"].as_array().unwrap().last().unwrap()["number"].clone();
    let next = erin.must(say("lobby", "next"), "message-acked");
    assert_eq!(next["number"].as_u64(), last.as_u64().map(|last| last + 1));
}

#[test]
fn wrong_limits_are_refused_with_what_would_be_right() {
    let scene = Scene::default();
    let cases: &[(&str, &str, &[&str])] = &[
        ("--keep", "10", &["30d", "500MB"]),
        ("--keep", "ten days", &["30d", "500MB"]),
        ("--keep", "-1d", &[]),
        ("--keep", "5x", &["30d", "500MB"]),
        ("--keep", "0d", &["30d", "500MB"]),
        ("--keep", "0MB", &["30d", "500MB"]),
        ("--keep", "99999999999999999999GB", &["30d", "500MB"]),
        ("--message-rate", "0", &["1"]),
        ("--request-rate", "fast", &[]),
        ("--max-failures", "0", &["1"]),
        ("--max-clients", "0", &["at least 1"]),
        ("--max-clients-per-address", "0", &["at least 1"]),
        ("--max-names", "0", &["at least 1"]),
        ("--max-rooms", "none", &["at least 1"]),
        ("--mailbox-size", "much", &["a size such as"]),
        ("--mailbox", "-1", &[]),
        ("--lockout", "soon", &[]),
        ("--access", "nobody", &["invite", "open", "accounts"]),
        ("--ack-timeout", "0", &["more than 0"]),
    ];
    for (option, value, right) in cases {
        let ended = scene.run(["serve", "--port", "0", "--data", "hub", &format!("{option}={value}")], "");
        assert_eq!((ended.code, ended.text().as_str()), (2, ""), "{option} {value}: {}", ended.stderr);
        assert!(ended.stderr.contains(option), "{option} {value}: {}", ended.stderr);
        for part in *right {
            assert!(ended.stderr.contains(part), "{option} {value}: {}", ended.stderr);
        }
    }
}
