//! What has been said, asked for in every way.

use super::*;

/// A hub at which erin and dora have said things in each place.
struct Past {
    scene: Scene,
    hub: Hub,
    erin: Process,
    dora: Process,
}

fn past(talk: impl FnOnce(&mut Process, &mut Process)) -> Past {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    erin.must(json!({"request": "room-create", "room": "kitchen", "members": ["dora"]}), "room-created");
    talk(&mut erin, &mut dora);
    Past { scene, hub, erin, dora }
}

fn history(mut asked: Value) -> Value {
    asked["request"] = json!("history");
    asked
}

fn recalled(client: &mut Process, asked: Value) -> Vec<String> {
    texts(&client.must(history(asked), "history"))
}

#[test]
fn history_is_of_a_place_or_of_all_that_one_may_see() {
    let Past { scene, hub, mut erin, mut dora } = past(|erin, dora| {
        erin.must(say("lobby", "to all"), "message-acked");
        erin.must(say("kitchen", "in the kitchen"), "message-acked");
        erin.must(message("dora", "to dora"), "message-acked");
        dora.must(message("erin", "to erin"), "message-acked");
    });
    let all = ["to all", "in the kitchen", "to dora", "to erin"];
    for client in [&mut erin, &mut dora] {
        assert_eq!(recalled(client, json!({})), all);
        assert_eq!(recalled(client, json!({"lobby": true})), all[..1]);
        assert_eq!(recalled(client, json!({"room": "lobby"})), all[..1]);
        assert_eq!(recalled(client, json!({"room": "KITCHEN"})), all[1..2]);
    }
    assert_eq!(recalled(&mut erin, json!({"with": "dora"})), all[2..]);
    assert_eq!(recalled(&mut dora, json!({"with": "Erin"})), all[2..]);
    let mut fred = scene.client(&hub, "fred");
    assert_eq!(recalled(&mut fred, json!({})), all[..1], "others see only what was for all");
    assert_eq!(recalled(&mut fred, json!({"with": "dora"})), [""; 0]);
    fred.refused(history(json!({"with": "nobody"})), "no-such-person");
    fred.refused(history(json!({"room": "nowhere"})), "no-such-room");
    fred.refused(history(json!({"lobby": true, "with": "dora"})), "bad-request");
    fred.refused(history(json!({"after": 1, "before": 2})), "bad-request");
    for limit in [0, 501] {
        assert_eq!(fred.refused(history(json!({"limit": limit})), "bad-request")["at"], "/limit");
    }
    let said = erin.must(history(json!({"with": "dora"})), "history")["messages"][0].clone();
    assert_eq!((&said["from"], &said["to"], &said["room"]), (&json!("erin"), &json!("dora"), &Value::Null));
    // It is on disk, not only remembered.
    let hub = scene.again(hub, Signal::KILL, &[]);
    let mut gerd = scene.client(&hub, "gerd");
    assert_eq!(recalled(&mut gerd, json!({})), all[..1]);
}

#[test]
fn since_takes_a_time_in_each_of_its_forms() {
    let Past { scene: _scene, hub: _hub, mut erin, dora: _dora } = past(|erin, _| {
        for text in ["one", "two"] {
            erin.must(say("lobby", text), "message-acked");
        }
    });
    let said = erin.must(history(json!({})), "history")["messages"].clone();
    let sent = said[0]["sent"].as_str().unwrap().to_owned();
    let day: String = [&sent[8..10], &sent[5..7], &sent[0..4]].join("/");
    let forms = [
        sent.clone(),
        sent.replace('Z', "+00:00"),
        format!("{day} {}", &sent[11..19]),
        "1h".into(),
        "1h30m".into(),
        "2d".into(),
    ];
    for form in forms {
        assert_eq!(recalled(&mut erin, json!({"since": form})), ["one", "two"], "{form}");
    }
    for form in ["2999-01-01T00:00:00Z", "31/12/2999 23:59:59", "0s"] {
        assert_eq!(recalled(&mut erin, json!({"since": form})), [""; 0], "{form}");
    }
    for wrong in ["yesterday", "", "10", "-5m", "2026-13-01T00:00:00Z", "31/02/2026 00:00:00", "1h 30m"] {
        let refusal = erin.refused(history(json!({"since": wrong})), "bad-time");
        assert_eq!(refusal["at"], "/since");
        let hint = refusal["hint"].as_str().unwrap();
        assert!(
            ["2026-01-02T03:04:05Z", "02/01/2026 03:04:05", "10m"].iter().all(|form| hint.contains(form)),
            "{hint}"
        );
    }
    erin.line("history --since 10m --limit 1");
    assert_eq!(texts(&erin.expect("history")), ["one"]);
}

#[test]
fn a_cursor_walks_both_ways_through_all_of_it() {
    let all: Vec<String> = (1..=120).map(|n| format!("words {n}")).collect();
    let Past { scene: _scene, hub: _hub, mut erin, mut dora } = past(|erin, dora| {
        for (n, text) in all.iter().enumerate() {
            match n % 3 {
                0 => erin.must(say("lobby", text), "message-acked"),
                1 => erin.must(say("kitchen", text), "message-acked"),
                _ => dora.must(message("erin", text), "message-acked"),
            };
        }
    });
    assert_eq!(recalled(&mut erin, json!({})), all[70..], "the newest, oldest first");
    for limit in [1, 7, 40, 120] {
        let mut backwards: Vec<String> = Vec::new();
        let mut asked = json!({"limit": limit});
        loop {
            let page = erin.must(history(asked.clone()), "history");
            backwards.splice(0..0, texts(&page));
            if page["more"] == false {
                assert!(page["next"].is_null(), "{page}");
                break;
            }
            asked["before"] = page["next"].clone();
        }
        assert_eq!(backwards, all, "backwards by {limit}");
        let mut forwards: Vec<String> = Vec::new();
        let mut asked = json!({"limit": limit, "after": 0});
        loop {
            let page = dora.must(history(asked.clone()), "history");
            forwards.extend(texts(&page));
            if page["more"] == false {
                assert!(page["next"].is_null(), "{page}");
                break;
            }
            asked["after"] = page["next"].clone();
        }
        assert_eq!(forwards, all, "forwards by {limit}");
    }
    let from_time = erin.must(history(json!({"since": "1h", "limit": 100})), "history");
    assert_eq!(texts(&from_time), all[..100]);
    let next = from_time["next"].clone();
    assert_eq!(recalled(&mut erin, json!({"after": next, "limit": 100})), all[100..]);
    let number = from_time["messages"][10]["number"].clone();
    assert_eq!(recalled(&mut erin, json!({"after": number, "limit": 2})), all[11..13]);
    assert_eq!(recalled(&mut erin, json!({"before": number, "limit": 2})), all[8..10]);
}

#[test]
fn words_are_found_and_nothing_in_them_is_syntax() {
    let said = ["soup is ready", "the \"best\" soup", "bread OR butter", "NEAR the oven", "élan vital", "汉字 here"];
    let Past { scene: _scene, hub: _hub, mut erin, dora: _dora } = past(|erin, _| {
        for text in said {
            erin.must(say("kitchen", text), "message-acked");
        }
    });
    let mut found = |words: &str| recalled(&mut erin, json!({"match": words}));
    assert_eq!(found("soup"), ["soup is ready", "the \"best\" soup"]);
    assert_eq!(found("SOUP ready"), ["soup is ready"], "all words, in any case");
    assert_eq!(found("ready soup"), ["soup is ready"], "in any order");
    assert_eq!(found("\"best\""), ["the \"best\" soup"]);
    assert_eq!(found("bread OR soup"), [""; 0], "a word like the others");
    assert_eq!(found("or butter"), ["bread OR butter"]);
    assert_eq!(found("NEAR"), ["NEAR the oven"]);
    assert_eq!(found("élan"), ["élan vital"]);
    assert_eq!(found("汉字"), ["汉字 here"]);
    // Everything that the full-text index would take for syntax.
    for wild in [
        "\"",
        "'",
        "\"\"\"",
        "soup*",
        "(",
        "soup)",
        "text:soup",
        "^soup",
        "-soup",
        "soup +",
        "NEAR(",
        "{a b} : c",
        "\\",
        "\0",
        "%",
        "; DROP",
    ] {
        let texts = found(wild);
        assert!(texts.iter().all(|text| said.contains(&text.as_str())), "{wild:?}: {texts:?}");
    }
    assert_eq!(found("text:soup"), [""; 0]);
    assert_eq!(found("NOT"), [""; 0]);
    assert_eq!(found("\"soup"), ["soup is ready", "the \"best\" soup"]);
}
