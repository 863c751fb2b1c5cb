//! Rooms: making them, being in them, who may what, and hearing only one.

use super::*;

fn create(room: &str, members: &[&str]) -> Value {
    json!({"request": "room-create", "room": room, "members": members})
}

fn of(name: &str, room: &str) -> Value {
    json!({"request": name, "room": room})
}

fn invite(room: &str, members: &[&str]) -> Value {
    json!({"request": "room-invite", "room": room, "members": members})
}

#[test]
fn a_room_is_made_with_its_members_who_learn_of_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut dora, mut fred] = ["erin", "dora", "fred"].map(|name| scene.client(&hub, name));
    let created = erin.must(create("Kitchen", &["dora", "DORA"]), "room-created");
    assert_eq!((&created["access"], &created["members"]), (&json!("invite"), &json!(["dora", "erin"])));
    let changed = dora.expect("room-changed");
    assert_eq!(
        (&changed["room"], &changed["by"], &changed["joined"]),
        (&json!("Kitchen"), &json!("erin"), &json!(["dora"]))
    );
    // A room of one's own is open, unless one says otherwise.
    let created = erin.must(create("hall", &[]), "room-created");
    assert_eq!((&created["access"], &created["members"]), (&json!("open"), &json!(["erin"])));
    erin.must(json!({"request": "room-create", "room": "attic", "access": "invite"}), "room-created");
    fred.must(of("room-join", "HALL"), "room-joined");
    assert_eq!(erin.expect("room-changed")["joined"], json!(["fred"]));
    let rooms = |client: &mut Process| client.must(request("rooms"), "rooms")["rooms"].clone();
    let names = |rooms: &Value| -> Vec<String> {
        rooms.as_array().unwrap().iter().map(|room| room["room"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&rooms(&mut erin)), ["attic", "hall", "Kitchen"]);
    let seen = rooms(&mut fred);
    assert_eq!(seen, json!([{"room": "hall", "access": "open", "members": 2, "joined": true}]));
    let seen = rooms(&mut dora);
    assert_eq!(seen[0], json!({"room": "hall", "access": "open", "members": 2, "joined": false}));
    let members = fred.must(of("members", "hall"), "members");
    assert_eq!(members["members"], json!([{"name": "erin", "state": "online"}, {"name": "fred", "state": "online"}]));
}

#[test]
fn a_room_that_cannot_be_is_refused_and_says_why() {
    let scene = Scene::default();
    let hub = scene.hub();
    part(scene.client(&hub, "away"));
    let [mut erin, mut dora] = ["erin", "dora"].map(|name| scene.client(&hub, name));
    assert_eq!(erin.refused(create("kitchen", &["dora", "erin"]), "yourself")["at"], "/members/1");
    assert_eq!(erin.refused(create("kitchen", &["nobody"]), "no-such-person")["at"], "/members/0");
    let offline = erin.refused(create("kitchen", &["dora", "away"]), "not-online");
    assert_eq!(offline["at"], "/members/1");
    assert!(offline["message"].as_str().unwrap().contains("away"), "{offline}");
    assert!(offline["hint"].as_str().unwrap().contains("room-invite"), "{offline}");
    for name in ["", "a b", "lobby", &"x".repeat(33), "a\u{202e}b"] {
        erin.refused(create(name, &[]), "bad-name");
    }
    assert_eq!(erin.must(request("rooms"), "rooms")["rooms"], json!([]), "nothing was made");
    erin.must(create("kitchen", &["dora"]), "room-created");
    for name in ["kitchen", "KITCHEN"] {
        assert_eq!(dora.refused(create(name, &[]), "room-exists")["at"], "/room");
    }
    // The same people, whoever of them asks.
    for (client, other) in [(&mut erin, "dora"), (&mut dora, "erin")] {
        let twin = client.refused(create("pantry", &[other]), "room-exists");
        assert!(twin["message"].as_str().unwrap().contains("kitchen"), "{twin}");
    }
    // Those of one's own have the same set too, and are not the same.
    erin.must(create("one", &[]), "room-created");
    erin.must(create("two", &[]), "room-created");
}

#[test]
fn only_members_say_read_and_bring_others() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut dora, mut fred] = ["erin", "dora", "fred"].map(|name| scene.client(&hub, name));
    erin.must(create("kitchen", &["dora"]), "room-created");
    erin.must(create("hall", &[]), "room-created");
    erin.must(say("kitchen", "before you came"), "message-acked");
    assert_eq!(hear_text(&mut dora), "before you came");
    for room in ["kitchen", "hall"] {
        fred.refused(say(room, "let me in"), "not-a-member");
        fred.refused(json!({"request": "history", "room": room}), "not-a-member");
        fred.refused(invite(room, &["dora"]), "not-a-member");
        fred.refused(of("focus", room), "not-a-member");
        fred.refused(of("room-leave", room), "not-a-member");
    }
    fred.refused(of("members", "kitchen"), "not-a-member");
    fred.must(of("members", "hall"), "members");
    fred.refused(of("room-join", "kitchen"), "room-closed");
    for asked in [say("cellar", "x"), of("room-join", "cellar"), of("members", "cellar"), of("focus", "cellar")] {
        fred.refused(asked, "no-such-room");
    }
    dora.refused(of("room-join", "kitchen"), "already-a-member");
    dora.refused(invite("kitchen", &["erin"]), "already-a-member");
    dora.refused(invite("kitchen", &["dora"]), "yourself");
    dora.refused(json!({"request": "room-invite", "room": "kitchen", "members": []}), "bad-request");
    assert_eq!(dora.must(invite("kitchen", &["fred"]), "room-invited")["members"], json!(["fred"]));
    for client in [&mut erin, &mut fred] {
        let changed = client.expect("room-changed");
        assert_eq!((&changed["by"], &changed["joined"]), (&json!("dora"), &json!(["fred"])));
    }
    let acked = fred.must(say("kitchen", "hello"), "message-acked");
    assert_eq!((&acked["room"], &acked["delivered"], &acked["to"]), (&json!("kitchen"), &json!(2), &Value::Null));
    for client in [&mut erin, &mut dora] {
        let heard = hear(client);
        assert_eq!(
            (&heard["event"], &heard["room"], &heard["from"]),
            (&json!("room-message"), &json!("kitchen"), &json!("fred"))
        );
    }
    fred.must(of("room-leave", "kitchen"), "room-left");
    assert_eq!(erin.expect("room-changed")["left"], json!(["fred"]));
    fred.refused(say("kitchen", "again"), "not-a-member");
    erin.must(say("kitchen", "without fred"), "message-acked");
    assert_eq!(hear_text(&mut dora), "without fred");
    erin.must(message("fred", "for fred"), "message-acked");
    assert_eq!(hear_text(&mut fred), "for fred");
    [dora, fred].into_iter().for_each(part);
}

#[test]
fn a_room_without_members_is_gone_and_its_name_is_free() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    erin.must(create("kitchen", &[]), "room-created");
    erin.must(say("kitchen", "a secret"), "message-acked");
    erin.must(of("room-leave", "kitchen"), "room-left");
    erin.refused(of("members", "kitchen"), "no-such-room");
    dora.must(create("kitchen", &[]), "room-created");
    let history = dora.must(json!({"request": "history", "room": "kitchen"}), "history");
    assert_eq!(history["messages"], json!([]), "it is another room of the same name");
    let hub = scene.again(hub, Signal::KILL, &[]);
    let mut fred = scene.client(&hub, "fred");
    fred.must(of("room-join", "kitchen"), "room-joined");
    let members = fred.must(of("members", "kitchen"), "members");
    assert_eq!(members["members"].as_array().unwrap().len(), 2, "{members}");
}

#[test]
fn who_was_away_hears_what_was_said_since_they_joined() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    let [mut dora, fred] = ["dora", "fred"].map(|name| scene.client(&hub, name));
    part(fred);
    erin.must(create("kitchen", &["dora"]), "room-created");
    dora.expect("room-changed");
    part(dora);
    erin.must(say("kitchen", "before fred"), "message-acked");
    erin.must(invite("kitchen", &["fred"]), "room-invited");
    erin.must(say("kitchen", "with fred"), "message-acked");
    hub = scene.again(hub, Signal::KILL, &QUICK);
    is_back(&mut erin);
    assert_eq!(erin.must(say("kitchen", "after the crash"), "message-acked")["delivered"], 0);
    let (mut dora, mut fred) = (scene.client(&hub, "dora"), scene.client(&hub, "fred"));
    for text in ["before fred", "with fred", "after the crash"] {
        assert_eq!(hear_text(&mut dora), text);
    }
    for text in ["with fred", "after the crash"] {
        assert_eq!(hear_text(&mut fred), text);
    }
    [dora, fred, erin].into_iter().for_each(part);
}

#[test]
fn focus_holds_back_what_is_not_of_the_room_and_unfocus_tells_it_in_order() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut dora] = ["erin", "dora"].map(|name| scene.client(&hub, name));
    erin.must(create("kitchen", &["dora"]), "room-created");
    erin.must(create("hall", &[]), "room-created");
    dora.must(of("room-join", "hall"), "room-joined");
    dora.refused(request("unfocus"), "not-focused");
    dora.must(of("focus", "kitchen"), "focused");
    let acked = erin.must(message("dora", "held 1"), "message-acked");
    assert_eq!(acked["delivered"], 0, "she has not heard it");
    erin.must(say("hall", "held 2"), "message-acked");
    erin.must(say("kitchen", "heard"), "message-acked");
    erin.must(say("lobby", "held 3"), "message-acked");
    erin.must(say("kitchen", "heard too"), "message-acked");
    assert_eq!([hear_text(&mut dora), hear_text(&mut dora)], ["heard", "heard too"]);
    dora.must(request("wait"), "waited");
    assert!(!erin.has_said(|event| event["event"] == "message-delivered"));
    let unfocused = dora.must(request("unfocus"), "unfocused");
    assert_eq!((&unfocused["room"], &unfocused["held"]), (&json!("kitchen"), &json!(3)));
    for text in ["held 1", "held 2", "held 3"] {
        let heard = hear(&mut dora);
        assert_eq!(heard["text"], text);
        assert!(heard["seq"].as_u64() > unfocused["seq"].as_u64(), "the answer comes first");
    }
    assert_eq!(erin.expect("message-delivered")["number"], acked["number"]);
    // Who leaves the room hears everything again.
    dora.must(of("focus", "kitchen"), "focused");
    erin.must(message("dora", "held 4"), "message-acked");
    dora.must(of("room-leave", "kitchen"), "room-left");
    let unfocused = dora.expect("unfocused");
    assert!(unfocused["reason"].is_string() && unfocused["id"].is_null(), "{unfocused}");
    assert_eq!(hear_text(&mut dora), "held 4");
    part(dora);
}

/// Waits until a client's machine knows that its user has everything up to a number, but for what is held back.
fn remembers(scene: &Scene, hub: &Hub, name: &str, number: u64) {
    let file = scene.path(&format!("{name}/data/inbox/{}/{name}", hub.key));
    let deadline = std::time::Instant::now() + PATIENCE;
    let known = || std::fs::read_to_string(&file).ok()?.split(' ').next()?.parse::<u64>().ok();
    while known().is_none_or(|known| known < number) {
        assert!(std::time::Instant::now() < deadline, "{name} has not remembered {number}");
        std::thread::yield_now();
    }
}

#[test]
fn what_focus_held_back_is_neither_lost_nor_told_twice_when_all_is_killed() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&QUICK);
    let mut erin = scene.client_with(&hub, "erin", &QUICK);
    let mut dora = scene.client_with(&hub, "dora", &QUICK);
    erin.must(create("kitchen", &["dora"]), "room-created");
    for round in 0..4 {
        let text = |what: &str| format!("{what} {round}");
        dora.must(of("focus", "kitchen"), "focused");
        erin.must(message("dora", &text("held")), "message-acked");
        erin.must(say("lobby", &text("to all")), "message-acked");
        // Once this has come, what was said before it has come too, and is held back.
        erin.must(say("kitchen", &text("heard")), "message-acked");
        let heard = hear(&mut dora);
        assert_eq!(heard["text"], text("heard"));
        remembers(&scene, &hub, "dora", heard["number"].as_u64().unwrap());
        if round % 2 == 0 {
            hub = scene.again(hub, Signal::KILL, &QUICK);
            is_back(&mut erin);
            is_back(&mut dora);
        }
        if round < 2 {
            dora.signal(Signal::KILL);
            part(dora);
            dora = scene.client_with(&hub, "dora", &QUICK);
            assert_eq!([hear_text(&mut dora), hear_text(&mut dora)], [text("held"), text("to all")]);
        } else {
            let held = dora.must(request("unfocus"), "unfocused")["held"].clone();
            assert_eq!(held, 2, "held back once, though the hub has sent it again");
            assert_eq!([hear_text(&mut dora), hear_text(&mut dora)], [text("held"), text("to all")]);
        }
    }
    part(dora);
}
