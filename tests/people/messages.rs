//! Messages to one person and to everybody: acknowledged, kept, handed over, refused.

use super::*;

#[test]
fn a_message_is_kept_for_who_is_away_and_handed_over_in_order() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    part(scene.client(&hub, "dora"));
    let mut numbers = Vec::new();
    for text in ["one", "two", "three"] {
        let acked = erin.must(message("Dora", text), "message-acked");
        assert_eq!((&acked["stored"], &acked["delivered"], &acked["to"]), (&json!(true), &json!(0), &json!("dora")));
        numbers.push(acked["number"].clone());
    }
    let mut dora = scene.client(&hub, "dora");
    for (number, text) in numbers.iter().zip(["one", "two", "three"]) {
        let heard = hear(&mut dora);
        assert_eq!((&heard["number"], &heard["text"]), (number, &json!(text)));
        assert_eq!((&heard["from"], &heard["to"]), (&json!("erin"), &json!("dora")));
    }
    for number in &numbers {
        let delivered = erin.expect("message-delivered");
        assert_eq!((&delivered["number"], &delivered["to"]), (number, &json!("dora")));
    }
    part(dora);
    part(scene.client(&hub, "dora"));
}

#[test]
fn a_message_to_who_is_there_is_delivered_when_it_is_acknowledged() {
    let scene = Scene::default();
    // Long enough that the receiver is always waited for.
    let hub = scene.hub_with(&["--ack-timeout", "20s"]);
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    // Her client has said by then that messages may come.
    dora.must(request("history"), "history");
    let acked = erin.must(message("dora", "hello"), "message-acked");
    assert_eq!(acked["delivered"], 1);
    assert_eq!(hear(&mut dora)["number"], acked["number"]);
    let acked = dora.must(message("erin", "and to you"), "message-acked");
    assert_eq!(hear(&mut erin)["number"], acked["number"]);
    erin.must(request("wait"), "waited");
    assert!(!erin.has_said(|event| event["event"] == "message-delivered"), "the acknowledgement has said it");
    part(erin);
    part(dora);
}

#[test]
fn nobody_and_oneself_are_no_receivers() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let unknown = erin.refused(message("nobody", "hello"), "no-such-person");
    assert_eq!(unknown["at"], "/to");
    assert!(unknown["message"].as_str().unwrap().contains("nobody"), "{unknown}");
    assert_eq!(erin.refused(message("ERIN", "hello"), "yourself")["at"], "/to");
    assert_eq!(erin.refused(message("erin", ""), "bad-request")["at"], "/text");
    erin.must(request("dereg"), "deregistered");
    for asked in [message("dora", "hello"), say("kitchen", "hello"), json!({"request": "broadcast", "text": "hello"})] {
        erin.refused(asked, "not-registered");
    }
}

#[test]
fn a_broadcast_is_for_those_who_are_there_and_says_how_many() {
    let scene = Scene::default();
    let hub = scene.hub();
    part(scene.client(&hub, "late"));
    let [mut erin, mut dora, mut fred] = ["erin", "dora", "fred"].map(|name| scene.client(&hub, name));
    fred.must(json!({"request": "block", "name": "erin"}), "blocked");
    let acked = erin.must(json!({"request": "broadcast", "text": "soup"}), "message-acked");
    assert_eq!((&acked["to"], &acked["delivered"], &acked["blocked"]), (&json!("all"), &json!(1), &json!(1)));
    // The lobby is the room of everybody.
    let acked = erin.must(say("lobby", "bread"), "message-acked");
    assert_eq!((&acked["to"], &acked["delivered"], &acked["blocked"]), (&json!("all"), &json!(1), &json!(1)));
    for text in ["soup", "bread"] {
        let heard = hear(&mut dora);
        assert_eq!((&heard["event"], &heard["to"], &heard["text"]), (&json!("message"), &json!("all"), &json!(text)));
    }
    // What is said next is the next that they hear.
    dora.must(message("fred", "did you hear?"), "message-acked");
    assert_eq!(hear_text(&mut fred), "did you hear?");
    let mut late = scene.client(&hub, "late");
    dora.must(message("late", "you missed it"), "message-acked");
    assert_eq!(hear_text(&mut late), "you missed it");
    [erin, dora, fred, late].into_iter().for_each(part);
}

#[test]
fn sixteen_kib_are_taken_and_one_byte_more_is_not() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    dora.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    erin.must(json!({"request": "room-join", "room": "kitchen"}), "room-joined");
    // Characters of two bytes: bytes count. Escaped in JSON, it is six times as long.
    let (most, control) = ("é".repeat(8 << 10), "\u{1}".repeat(16 << 10));
    let more = format!("{most}x");
    let ways: [fn(&str) -> Value; 3] = [
        |text| message("dora", text),
        |text| say("kitchen", text),
        |text| json!({"request": "broadcast", "text": text}),
    ];
    for way in ways {
        let refusal = erin.refused(way(&more), "message-too-long");
        assert_eq!(refusal["at"], "/text");
        for text in [&most, &control] {
            erin.must(way(text), "message-acked");
            assert!(hear(&mut dora)["text"] == **text, "it arrives as it was written");
        }
    }
    part(dora);
}

#[test]
fn any_text_arrives_as_it_was_written_and_does_nothing_to_a_terminal() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    let mut command = scene.command(["join", &hub.address, "--name", "cleo"]);
    scene.own_folders(&mut command, "cleo");
    let mut cleo = Process::start("cleo", command, Face::Text);
    cleo.text("cleo");
    dora.find("cleo in the roster", |event| {
        event["clients"].as_array().is_some_and(|clients| clients.iter().any(|client| client["name"] == "cleo"))
    });
    let wild = [
        "two\nlines\r\nand\u{2028}more",
        "\u{1b}[31mred\u{1b}]0;title\u{7}",
        "\u{202e}back\u{2066}wards\u{2069}",
        "nul \0 and del \u{7f} and c1 \u{9b}31m",
        "e\u{301}\u{200b}\u{feff}👩‍👩‍👧 zażółć 汉字 \u{10ffff}",
        r#"{"event":"bye","code":0}"#,
        "\\u0000 \"quoted\" \\",
        " leading and trailing ",
    ];
    for text in wild {
        for to in ["dora", "cleo"] {
            erin.must(message(to, text), "message-acked");
        }
        assert_eq!(hear(&mut dora)["text"], text);
        let shown = cleo.text("[erin]");
        let dangerous = |c: char| {
            c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(!shown.contains(dangerous), "{shown:?}");
    }
    // Each was one line: what follows the last of them stands by itself.
    erin.must(message("cleo", "the end"), "message-acked");
    assert_eq!(cleo.text("the end").trim_end(), "[erin] the end");
    let ended = cleo.finish();
    assert_eq!(ended.code, 0);
    part(dora);
}

#[test]
fn by_hand_the_text_is_the_rest_of_the_line() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    for (line, text) in [
        ("message dora don't  --panic \"now\" \\ #1", "don't  --panic \"now\" \\ #1"),
        ("broadcast it's { not JSON", "it's { not JSON"),
        ("BCM as before", "as before"),
    ] {
        erin.line(line);
        erin.expect("message-acked");
        assert_eq!(hear_text(&mut dora), text);
    }
    part(dora);
}

#[test]
fn what_was_asked_before_leaving_the_table_is_answered() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    erin.must(json!({"request": "room-create", "room": "kitchen"}), "room-created");
    let last = [message("dora", "one"), say("kitchen", "two"), say("lobby", "three"), request("dereg")];
    let lines: String = (100..)
        .zip(last)
        .map(|(id, mut asked)| {
            asked["id"] = json!(id);
            format!("{asked}\n")
        })
        .collect();
    erin.write(lines);
    for id in 100..103 {
        assert_eq!(erin.answer(id)["event"], "message-acked");
    }
    assert_eq!(erin.answer(103)["event"], "deregistered");
    assert_eq!([hear_text(&mut dora), hear_text(&mut dora)], ["one", "three"]);
    assert_eq!(erin.finish().code, 0);
}
