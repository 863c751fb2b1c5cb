//! Blocking, as whoever is blocked would try to find it out, and as whoever blocks sees it.

use super::*;

/// What differs between two runs of the same story, and what does not come at a place of its own.
const OF_THE_RUN: [&str; 9] = ["time", "sent", "since", "opened", "closed", "key", "address", "port", "link_port"];
const BY_THEMSELVES: [&str; 4] = ["ready", "table-updated", "roster-updated", "room-changed"];

fn without_the_run(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !OF_THE_RUN.contains(&name.as_str()) && name != "seq" && name != "revision");
            fields.values_mut().for_each(without_the_run);
        }
        Value::Array(items) => items.iter_mut().for_each(without_the_run),
        _ => {}
    }
}

/// Everything that a client was told, as far as it can tell one run from another.
fn told(client: &Process) -> Vec<String> {
    let transcript = client.transcript();
    let events = transcript.lines().filter(|line| line.starts_with('{'));
    let mut events: Vec<Value> = events.map(|line| serde_json::from_str(line).unwrap()).collect();
    events.retain(|event| !BY_THEMSELVES.iter().any(|name| event["event"] == *name));
    events.iter_mut().for_each(without_the_run);
    events.iter().map(Value::to_string).collect()
}

/// What mallory asks to find something out.
fn looks_around(mallory: &mut Process) {
    for asked in [
        request("who"),
        json!({"request": "who", "since": 3600}),
        request("status"),
        request("rooms"),
        json!({"request": "members", "room": "kitchen"}),
        json!({"request": "history"}),
        json!({"request": "history", "with": "dora"}),
        json!({"request": "history", "room": "kitchen"}),
        json!({"request": "history", "match": "hello"}),
        json!({"request": "room-create", "room": "trap", "members": ["nobody", "dora"]}),
    ] {
        mallory.ask(asked);
    }
}

/// Mallory writes to dora, who is there, comes and goes, and blocks him or does not.
fn story(blocks: bool) -> Vec<String> {
    let scene = Scene::default();
    // Long enough that the receiver is always waited for.
    let hub = scene.hub_with(&["--ack-timeout", "20s"]);
    let [mut dora, mut cleo, mut mallory] = ["dora", "cleo", "mallory"].map(|name| scene.client(&hub, name));
    dora.must(json!({"request": "room-create", "room": "kitchen", "members": ["cleo", "mallory"]}), "room-created");
    if blocks {
        dora.must(json!({"request": "block", "name": "mallory"}), "blocked");
    }
    mallory.must(message("dora", "hello"), "message-acked");
    mallory.must(say("kitchen", "hello room"), "message-acked");
    looks_around(&mut mallory);
    let unheard = dora.finish();
    let said: Vec<Value> = unheard.events().into_iter().filter(is_said).collect();
    assert_eq!(said.is_empty(), blocks, "{said:?}");
    cleo.find("that dora is gone", |event| {
        event["clients"]
            .as_array()
            .is_some_and(|clients| clients.iter().any(|c| c["name"] == "dora" && c["state"] == "offline"))
    });
    let kept = mallory.must(message("dora", "hello again"), "message-acked");
    assert_eq!(kept["delivered"], 0);
    mallory.must(say("kitchen", "hello again room"), "message-acked");
    mallory.must(message("dora", "are you there?"), "message-acked");
    looks_around(&mut mallory);
    let mut dora = scene.client(&hub, "dora");
    for _ in 0..2 {
        mallory.expect("message-delivered");
    }
    dora.must(request("wait"), "waited");
    assert_eq!(dora.passed_over(is_said).len(), if blocks { 0 } else { 3 });
    mallory.must(message("dora", "there you are"), "message-acked");
    looks_around(&mut mallory);
    let told = told(&mallory);
    // Others are heard.
    cleo.must(say("kitchen", "from cleo"), "message-acked");
    dora.find("what cleo says", |event| event["text"] == "from cleo");
    assert_eq!(dora.passed_over(is_said).len(), if blocks { 0 } else { 1 });
    told
}

#[test]
fn who_is_blocked_is_told_the_same_to_the_byte() {
    let (free, blocked) = (story(false), story(true));
    assert!(free.len() > 30, "much was asked");
    for (free, blocked) in free.iter().zip(&blocked) {
        assert_eq!(free, blocked);
    }
    assert_eq!(free.len(), blocked.len());
}

#[test]
fn focus_of_the_receiver_does_not_betray_that_the_sender_is_blocked() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--ack-timeout", "300ms"]);
    let [mut dora, mut erin, mut mallory] = ["dora", "erin", "mallory"].map(|name| scene.client(&hub, name));
    dora.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    dora.must(json!({"request": "block", "name": "mallory"}), "blocked");
    dora.must(json!({"request": "focus", "room": "kitchen"}), "focused");
    for sender in [&mut erin, &mut mallory] {
        let acked = sender.must(message("dora", "hello"), "message-acked");
        assert_eq!(acked["delivered"], 0, "she hears only the room: {}", sender.name);
    }
    dora.must(request("wait"), "waited");
    for sender in [&erin, &mallory] {
        assert!(!sender.has_said(|event| event["event"] == "message-delivered"), "{}", sender.name);
    }
    assert_eq!(dora.must(request("unfocus"), "unfocused")["held"], 1, "only erin's has waited for dora");
    for sender in [&mut erin, &mut mallory] {
        sender.expect("message-delivered");
    }
    assert_eq!(hear(&mut dora)["from"], "erin");
    part(dora);
}

#[test]
fn who_blocks_sees_nothing_of_it_and_what_was_withheld_stays_withheld() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let [mut erin, mut mallory] = ["erin", "mallory"].map(|name| scene.client_with(&hub, name, &QUICK));
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    dora.must(json!({"request": "room-create", "room": "kitchen", "members": ["erin", "mallory"]}), "room-created");
    mallory.must(message("dora", "before"), "message-acked");
    assert_eq!(hear_text(&mut dora), "before");
    dora.must(json!({"request": "block", "name": "Mallory"}), "blocked");
    dora.refused(json!({"request": "block", "name": "mallory"}), "already-blocked");
    dora.refused(json!({"request": "block", "name": "dora"}), "yourself");
    dora.refused(json!({"request": "block", "name": "nobody"}), "no-such-person");
    dora.refused(json!({"request": "unblock", "name": "erin"}), "not-blocked");
    assert_eq!(dora.must(request("blocks"), "blocks")["names"], json!(["mallory"]));
    let speaks = |mallory: &mut Process, when: &str| {
        mallory.must(message("dora", &format!("{when} to dora")), "message-acked");
        mallory.must(say("kitchen", &format!("{when} in the kitchen")), "message-acked");
        mallory.must(say("lobby", &format!("{when} to all")), "message-acked");
    };
    speaks(&mut mallory, "live");
    part(dora);
    speaks(&mut mallory, "away");
    // The block is on disk, and so is what it withheld.
    hub = scene.again(hub, Signal::KILL, &QUICK);
    is_back(&mut mallory);
    is_back(&mut erin);
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    speaks(&mut mallory, "back");
    erin.must(message("dora", "from erin"), "message-acked");
    assert_eq!(hear_text(&mut dora), "from erin");
    let visible = |dora: &mut Process, asked: Value| -> Vec<String> {
        let all = texts(&dora.must(asked, "history"));
        all.into_iter().filter(|text| text.starts_with(['l', 'a', 'b'])).collect()
    };
    let ways = [
        json!({"request": "history"}),
        json!({"request": "history", "with": "mallory"}),
        json!({"request": "history", "room": "kitchen"}),
        json!({"request": "history", "lobby": true}),
        json!({"request": "history", "match": "to"}),
        json!({"request": "history", "match": "kitchen", "since": "1h"}),
    ];
    for asked in ways {
        let seen = visible(&mut dora, asked.clone());
        let before =
            if asked.get("with").is_some() || asked.as_object().unwrap().len() == 1 { vec!["before"] } else { vec![] };
        assert_eq!(seen, before, "{asked}");
    }
    dora.must(json!({"request": "unblock", "name": "mallory"}), "unblocked");
    let with = json!({"request": "history", "with": "mallory"});
    assert_eq!(visible(&mut dora, with.clone()), ["before"], "what was withheld stays so");
    // Nor does it come when she leaves and returns, or the hub does.
    part(dora);
    hub = scene.again(hub, Signal::TERM, &QUICK);
    is_back(&mut mallory);
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    mallory.must(message("dora", "after"), "message-acked");
    assert_eq!(hear_text(&mut dora), "after");
    assert_eq!(visible(&mut dora, with), ["before", "after"]);
    assert_eq!(dora.must(request("blocks"), "blocks")["names"], json!([]));
    part(dora);
}

#[test]
fn what_was_said_in_a_room_by_who_was_blocked_does_not_come_later() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut dora, mut mallory] = ["dora", "mallory"].map(|name| scene.client(&hub, name));
    dora.must(json!({"request": "room-create", "room": "kitchen", "members": ["mallory"]}), "room-created");
    dora.must(json!({"request": "block", "name": "mallory"}), "blocked");
    mallory.must(say("kitchen", "unheard"), "message-acked");
    dora.must(json!({"request": "unblock", "name": "mallory"}), "unblocked");
    part(dora);
    let mut dora = scene.client(&hub, "dora");
    mallory.must(say("kitchen", "heard"), "message-acked");
    assert_eq!(hear_text(&mut dora), "heard");
    part(dora);
}
