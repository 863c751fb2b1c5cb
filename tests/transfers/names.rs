//! Offers that are not to be believed: names that lead elsewhere, and sizes that cannot be.

use std::fs;

use potluck::io::net::identity::Identity;
use serde_json::{Value, json};

use super::get;
use crate::support::false_hub;
use crate::support::raw::Raw;
use crate::support::*;

const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Names below a folder that lead elsewhere, or nowhere.
fn bad_names() -> Vec<String> {
    let mut names =
        ["../../.ssh/authorized_keys", "a\u{0}b", "a/../../../x", "..", ".", "", "a//b", "a\\b", "a\u{1b}[31m"]
            .map(|name| format!("t/{name}"))
            .to_vec();
    names.push(format!("t/{}", "x".repeat(300)));
    names.push(format!("t/{}", "x/".repeat(2_000)));
    names
}

fn content(file: &str) -> Value {
    json!({"file": file, "size": 1, "hash": HASH, "chunk_size": 1 << 20, "chunks": 1})
}

/// Everybody is as well as before, and nothing is where it must not be.
fn is_well(erin: &mut Process, dora: &mut Process) {
    erin.must(json!({"request": "message", "to": "dora", "text": "still there?"}), "message-acked");
    dora.then("message");
    assert_eq!(dora.table()["offers"], json!([]));
}

#[test]
fn the_hub_takes_no_offer_that_cannot_be() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut dora] = ["erin", "dora"].map(|name| scene.client(&hub, name));
    let mut evil = Raw::enter(hub.port, "evil", Identity::from_seed([93; 32]), 9);
    let absolute = ["/etc/passwd", "C:/x", "", ".."].map(str::to_owned);
    for (id, name) in (10..).zip(bad_names().into_iter().chain(absolute)) {
        // All or nothing: the good one before it is not offered either.
        let answer = evil.ask(id, &json!({"id": id, "publish": [content("good"), content(&name)]}));
        let fields = [&answer["event"], &answer["code"], &answer["at"]];
        assert_eq!(fields, [&json!("error"), &json!("bad-name"), &json!("/files/1")], "{name:?}: {answer}");
        assert!(!answer.to_string().contains('\u{1b}'));
    }
    let size = |size: &str, chunk_size: &str, chunks: &str| {
        format!(r#"{{"file":"x","size":{size},"hash":"{HASH}","chunk_size":{chunk_size},"chunks":{chunks}}}"#)
    };
    let two_to_63 = "9223372036854775808";
    for (id, content) in (50..).zip([
        size("9007199254740993", "1048576", "1"),
        size("9007199254740993", "549755813888", "16385"),
        size(two_to_63, two_to_63, "1"),
        size("18446744073709551615", "1048576", "1"),
        size("18446744073709551616", "1048576", "1"),
        size("-1", "1048576", "1"),
        size("1e300", "1048576", "1"),
        size("1", "0", "1"),
        size("1", "3", "1"),
        size("1", "1048576", "4294967296"),
        size("1", "1048576", "-1"),
        size("4294967296", "1024", "4194304"),
    ]) {
        evil.say_text(format!(r#"{{"id":{id},"publish":[{content}]}}"#));
        // What cannot be read has no id.
        let answer = evil.expect("error");
        assert_eq!(
            (&answer["event"], &answer["code"]),
            (&json!("error"), &json!("bad-request")),
            "{content}: {answer}"
        );
    }
    // The same of what somebody says to have: there is no answer, and nothing comes of it.
    let had = |chunks: Value| json!({"hash": HASH, "size": 1 << 20, "chunk_size": 1 << 20, "chunks": chunks});
    for chunks in [json!([[0, 2]]), json!([[0, 16384]]), json!([[5, 6]])] {
        evil.say(&json!({"have": [had(chunks)]}));
    }
    evil.ask(90, &json!({"id": 90, "request": "list"}));
    let found = dora.must(json!({"request": "search", "text": HASH}), "found");
    assert_eq!(found["files"], json!([]));
    is_well(&mut erin, &mut dora);
    erin.quit();
    dora.quit();
}

/// An offer of a hub that lies.
fn offer(file: &str, size: u64, chunk_size: u64, chunks: u64) -> Value {
    json!({"file": file, "owner": "evil", "size": size, "hash": HASH, "chunk_size": chunk_size, "chunks": chunks,
        "address": "127.0.0.1", "port": 9})
}

fn key() -> Value {
    json!(Identity::from_seed([94; 32]).key)
}

#[test]
fn a_folder_of_a_hostile_hub_stays_in_its_place() {
    let names = bad_names();
    let count = names.len();
    let hub = false_hub::start(move |asked| {
        let offers: Vec<Value> = names.iter().map(|name| offer(name, 1, 1 << 20, 1)).collect();
        let evil = json!({"name": "evil", "number": 2, "state": "online", "since": "2026-01-02T03:04:05.678Z",
            "key": key(), "address": "127.0.0.1", "port": 9, "link_port": 0});
        match asked["request"].as_str() {
            Some("get") => vec![
                json!({"event": "roster-updated", "revision": 2, "clients": [evil], "total": 1}),
                json!({"event": "table-updated", "revision": 2, "added": offers, "removed": [], "total": count}),
                json!({"event": "synced", "id": asked["id"], "revision": 2}),
            ],
            _ => vec![
                json!({"event": "error", "id": asked["id"], "code": "internal", "message": "no", "retry": "never"}),
            ],
        }
    });
    let scene = Scene::default();
    let mut dora = scene.client(&hub, "dora");
    let id = dora.send(get("t/"));
    let answer = dora.answer(id);
    assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("bad-name")), "{answer}");
    let failed: Vec<Value> = dora.with_id(id).into_iter().filter(|event| event["event"] == "file-failed").collect();
    assert_eq!(failed.len(), count, "{failed:#?}");
    assert!(failed.iter().all(|event| event["code"] == "bad-name"), "{failed:#?}");
    assert!(dora.place.downloaded().is_empty());
    nothing_else(&dora);
    assert_eq!(dora.ask(json!({"request": "transfers"}))["transfers"], json!([]));
}

#[test]
fn sizes_of_a_hostile_hub_cost_nothing() {
    let hub = false_hub::start(|asked| {
        let sizes =
            [(1 << 53, 1 << 53, 1), ((1 << 53) + 1, 1 << 53, 2), (1 << 63, 1 << 63, 1), (u64::MAX, 1, u64::MAX)];
        let number: usize = asked["file"].as_str().and_then(|file| file.parse().ok()).unwrap_or_default();
        let (size, chunk_size, chunks) = sizes[number];
        let offer = offer(&number.to_string(), size, chunk_size, chunks);
        vec![json!({"event": "located", "id": asked["id"], "sources": [{"offer": offer, "key": key()}]})]
    });
    let scene = Scene::default();
    let mut dora = scene.client(&hub, "dora");
    let codes: Vec<String> = (0..4).map(|file| text(&dora.ask(get(&file.to_string()))["code"])).collect();
    // What is as large as it may be finds no room, or is too large for any file system.
    assert!(["disk-full", "disk-failed"].contains(&codes[0].as_str()), "{codes:?}");
    assert_eq!(codes[1..], ["peer-broke", "peer-broke", "peer-broke"]);
    assert!(dora.place.downloaded().is_empty());
    nothing_else(&dora);
}

/// Beside the folders that a client has nothing was written.
fn nothing_else(peer: &Process) {
    let around: Vec<_> = fs::read_dir(peer.place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let own = ["shared", "downloads", "data"];
    assert!(around.iter().all(|name| own.iter().any(|own| name == own)), "{around:?}");
}
