//! Files for one person: who must not have them, and what must not be given.

use std::fs;
use std::os::unix::fs::symlink;

use potluck::io::net::identity::Identity;
use potluck::io::state::home::Home;
use potluck::protocol::ErrorCode;
use serde_json::{Value, json};

use super::hostile::{fetch_as, hub_key, key_of};
use super::{error_code, pair};
use crate::support::false_hub;
use crate::support::raw::Raw;
use crate::support::*;

fn identity(peer: &Process) -> Identity {
    Home::open(Some(&peer.place.data())).unwrap().identity(&peer.name).unwrap()
}

/// What was pushed, as if it were offered by whoever serves files on this port.
fn as_offer(pushed: &Value, owner: &str, roster: &Value) -> Value {
    let port =
        roster["clients"].as_array().unwrap().iter().find(|client| client["name"] == owner).unwrap()["port"].clone();
    json!({"file": pushed["file"], "owner": owner, "size": pushed["size"], "hash": pushed["hash"],
        "chunk_size": 1 << 20, "chunks": 1, "address": "127.0.0.1", "port": port})
}

#[test]
fn what_is_pushed_is_for_one_person_and_nobody_else() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let mut finn = scene.client(&hub, "finn");
    let roster = finn.must(json!({"request": "who"}), "roster");
    let keys = ["erin", "dora"].map(|name| (name, key_of(&mut finn, name)));
    let (as_finn, folder) = (identity(&finn), scene.place("nobody"));
    erin.place.put("secret.txt", &content("secret", 5_000));
    let id = erin.send(json!({"request": "push", "file": "secret.txt", "to": "dora"}));
    let pushed = dora.then("push-offered");
    let nobody_else = |when: &str| {
        for (owner, key) in keys {
            let code = fetch_as(&as_finn, &as_offer(&pushed, owner, &roster), key, &folder).unwrap_err();
            assert_eq!(code, ErrorCode::SourceGone, "from {owner} {when}");
        }
    };
    nobody_else("while it waits");
    dora.must(json!({"request": "accept", "push": pushed["push"]}), "transfer-completed");
    assert_eq!(erin.answer(id)["event"], "transfer-completed");
    nobody_else("once it is given");
    // The hub shows nobody who has it, either, even when somebody offers the same.
    finn.place.put("same", &content("secret", 5_000));
    finn.must(json!({"request": "offer", "files": ["same"]}), "offer-acked");
    let found = finn.must(json!({"request": "search", "text": pushed["hash"]}), "found");
    assert_eq!(found["files"][0]["holders"], json!([{"name": "finn", "chunks": 1, "offered": true}]));
    // It is all the same what is known of it: what is offered is had.
    let offer = finn.table()["offers"][0].clone();
    let as_dora = identity(&dora);
    assert!(fetch_as(&as_dora, &offer, key_of(&mut dora, "finn"), &folder).is_ok());
    [erin, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn from_another_key_than_the_pinned_one_not_a_byte_is_taken() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let before = Identity::from_seed([90; 32]).key;
    let pins = Home::open(Some(&scene.place("dora").data())).unwrap().pins();
    pins.pin_peer("erin", &hub_key(&hub), before).unwrap();
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "erin"]);
    erin.place.put("a", b"a");
    let id = erin.send(json!({"request": "push", "file": "a", "to": "dora"}));
    erin.then("push-asked");
    assert_eq!(dora.then("error")["code"], "peer-key-changed");
    assert!(dora.place.downloaded().is_empty());
    let transfer = erin.with_id(id)[0]["transfer"].clone();
    erin.must(json!({"request": "cancel", "transfer": transfer}), "cancelled");
    assert_eq!(error_code(&erin.answer(id)), "interrupted");
    assert!(erin.seen.iter().all(|event| event["event"] != "transfer-started"));
    // And the other way round: who has another key than the receiver had is given nothing.
    assert!(pins.forget(&format!("erin@{}", hub_key(&hub))).unwrap());
    let own = Home::open(Some(&erin.place.data())).unwrap().pins();
    own.pin_peer("dora", &hub_key(&hub), before).unwrap();
    let id = erin.send(json!({"request": "push", "file": "a", "to": "dora"}));
    erin.then("push-asked");
    let failed = dora.then_where("the failure", |event| event["event"] == "transfer-failed" && event["file"] == "a");
    assert!(["source-gone", "peer-refused"].contains(&text(&failed["code"]).as_str()), "{failed}");
    assert!(dora.place.downloaded().iter().all(|file| file != "a"));
    let transfer = erin.with_id(id)[0]["transfer"].clone();
    erin.ask(json!({"request": "cancel", "transfer": transfer}));
    assert_eq!(erin.answer(id)["event"], "error");
    erin.quit();
    dora.quit();
}

#[test]
fn what_is_no_file_of_the_folder_is_not_pushed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    fs::write(erin.place.path().join("outside"), "secret").unwrap();
    erin.place.put("folder/inside", b"i");
    symlink(erin.place.path().join("outside"), erin.place.shared("link")).unwrap();
    symlink(erin.place.path(), erin.place.shared("up")).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, erin.place.shared("pipe"), fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    for (file, code) in [
        ("a\u{0}b", "bad-name"),
        ("missing", "no-such-file"),
        ("folder", "not-a-file"),
        ("folder/", "not-a-file"),
        ("pipe", "not-a-file"),
        ("link", "not-a-file"),
    ] {
        let refused = erin.refused(json!({"request": "push", "file": file, "to": "dora"}), code);
        assert_eq!(refused["at"], "/file", "{file:?}: {refused}");
    }
    for (to, code) in [("erin", "yourself"), ("nobody", "no-such-person"), ("../dora", "no-such-person")] {
        assert_eq!(erin.refused(json!({"request": "push", "file": "folder/inside", "to": to}), code)["at"], "/to");
    }
    for push in [0, 7] {
        dora.refused(json!({"request": "accept", "push": push}), "no-such-push");
        dora.refused(json!({"request": "decline", "push": push}), "no-such-push");
    }
    assert!(dora.seen.iter().all(|event| event["event"] != "push-offered"));
    erin.quit();
    dora.quit();
}

/// Names that a file must not have for somebody else.
const NAMES: [&str; 12] = [
    "../../.ssh/authorized_keys",
    "/etc/cron.d/x",
    "..\\..\\x",
    "C:\\x",
    "sub/../../x",
    "..",
    ".",
    "",
    "a\u{0}b",
    "a\u{1b}[31mb",
    "a\u{202e}b",
    "a\nb",
];

#[test]
fn a_hostile_client_cannot_push_names_that_lead_elsewhere() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "all"]);
    let mut evil = Raw::enter(hub.port, "evil", Identity::from_seed([91; 32]), 9);
    let hash = "a".repeat(64);
    let long = "x".repeat(256);
    for (id, name) in (10..).zip(NAMES.into_iter().chain(["sub/x", &long])) {
        let content = json!({"file": name, "size": 1, "hash": hash, "chunk_size": 1 << 20, "chunks": 1});
        let answer = evil.ask(id, &json!({"id": id, "push": content, "to": "dora"}));
        assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("bad-name")), "{name:?}: {answer}");
    }
    for (id, (size, chunks)) in (50..).zip([(1 << 54, 1), (u64::MAX, 1), (5, 0), (5, u64::MAX)]) {
        let content = json!({"file": "x", "size": size, "hash": hash, "chunk_size": 1 << 20, "chunks": chunks});
        let answer = evil.ask(id, &json!({"id": id, "push": content, "to": "dora"}));
        assert_eq!(answer["code"], "bad-request", "{size} {chunks}: {answer}");
    }
    let mut erin = scene.client(&hub, "erin");
    erin.must(json!({"request": "message", "to": "dora", "text": "still there?"}), "message-acked");
    dora.then("message");
    assert!(dora.seen.iter().all(|event| event["event"] != "push-offered"));
    assert!(dora.place.downloaded().is_empty());
    erin.quit();
    dora.quit();
}

#[test]
fn a_hostile_hub_cannot_make_a_push_lead_elsewhere() {
    let hub = false_hub::start(|asked| {
        let offered = |push: usize| {
            json!({"event": "push-offered", "push": push, "from": "evil", "file": NAMES[push], "size": 1,
                "hash": "a".repeat(64)})
        };
        match asked["request"].as_str() {
            Some("status") => {
                let mut told: Vec<Value> = (0..NAMES.len()).map(offered).collect();
                told.push(json!({"event": "error", "id": asked["id"], "code": "internal", "message": "no",
                    "retry": "never"}));
                told
            }
            Some("accept") => {
                let name = NAMES[asked["push"].as_u64().unwrap() as usize];
                let offer = json!({"file": name, "owner": "evil", "size": 1, "hash": "a".repeat(64),
                    "chunk_size": 1 << 20, "chunks": 1, "address": "127.0.0.1", "port": 9});
                let key = Identity::from_seed([92; 32]).key;
                vec![json!({"event": "located", "id": asked["id"], "sources": [{"offer": offer, "key": key}]})]
            }
            _ => vec![
                json!({"event": "error", "id": asked["id"], "code": "internal", "message": "no", "retry": "never"}),
            ],
        }
    });
    let scene = Scene::default();
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "all"]);
    dora.send(json!({"request": "status"}));
    for name in NAMES {
        let failed = dora.then_where(&format!("the failure of {name:?}"), |event| event["code"] == "bad-name");
        assert!(["error", "transfer-failed"].contains(&text(&failed["event"]).as_str()), "{name:?}: {failed}");
    }
    assert_eq!(dora.ask(json!({"request": "transfers"}))["event"], "transfers");
    assert!(dora.place.downloaded().is_empty());
    let around: Vec<_> = fs::read_dir(dora.place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(around.iter().all(|name| ["shared", "downloads", "data"].iter().any(|own| name == own)), "{around:?}");
}
