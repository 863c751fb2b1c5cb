//! Everything that one client gets from another, for each pair of routers between them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::best::{Pair, Route, best, pairs};
use crate::lab::in_lab;
use crate::support::{Process, at_once, content};

/// The ways that clients find.
const FOUND: &[Route] = &[Route::Direct];

/// Whoever asks gets a file, a folder and a push from whoever gives, and they talk.
fn play(asker: &mut Process, giver: &mut Process) {
    let (to, from) = (asker.name.clone(), giver.name.clone());
    let bytes = content(&from, 300_000);
    giver.offer("a.bin", &bytes);
    let tree: BTreeMap<String, Vec<u8>> =
        (0..20).map(|number| (format!("tree/{}/{number}", number % 3), content(&from, number * 2_000))).collect();
    tree.iter().for_each(|(file, bytes)| giver.place.put(file, bytes));
    giver.must(json!({"request": "offer", "files": ["tree"]}), "offer-acked");

    asker.must(json!({"request": "get", "file": "a.bin", "from": from}), "transfer-completed");
    assert!(asker.place.got("a.bin") == bytes, "a.bin has other bytes");
    asker.must(json!({"request": "get", "file": "tree/", "from": from}), "transfer-completed");
    for (file, bytes) in &tree {
        assert!(asker.place.got(file) == *bytes, "{file} has other bytes");
    }

    giver.place.put("gift", &bytes[1..]);
    let pushed = giver.send(json!({"request": "push", "file": "gift", "to": to}));
    let offered = asker.then("push-offered");
    asker.must(json!({"request": "accept", "push": offered["push"]}), "transfer-completed");
    assert_eq!(giver.answer(pushed)["event"], "transfer-completed");
    assert!(asker.place.got("gift") == bytes[1..], "gift has other bytes");

    asker.must(json!({"request": "private", "to": from, "text": "between us"}), "message-acked");
    assert_eq!(giver.then("private-message")["text"], "between us");
    asker.must(json!({"request": "private-close", "to": from}), "private-closed");
    // Both have the same names, so that whoever asks next finds none of them.
    fs::remove_dir_all(asker.place.downloads()).unwrap();
}

/// Plays a kind of router with itself and each one after it, in both directions.
fn behind(test: impl Fn() + Copy + Sync, kind: &'static str) {
    let found = |asker, giver| FOUND.contains(&best(asker, giver));
    let all: Vec<Pair> =
        pairs(kind).into_iter().filter(|pair| found(pair.a, pair.b) || found(pair.b, pair.a)).collect();
    for few in all.chunks(2) {
        at_once(few, |pair| {
            in_lab(test, &pair.options(), |lab| {
                let hub = lab.hub(&[]);
                let mut dora = lab.client("a", &hub, "dora", &[]);
                let mut erin = lab.client("b", &hub, "erin", &[]);
                if found(pair.a, pair.b) {
                    play(&mut dora, &mut erin);
                }
                if found(pair.b, pair.a) {
                    play(&mut erin, &mut dora);
                }
                dora.quit();
                erin.quit();
            });
        });
    }
}

#[test]
fn behind_open() {
    behind(behind_open, "open");
}

#[test]
fn behind_firewall() {
    behind(behind_firewall, "firewall");
}

#[test]
fn behind_cone() {
    behind(behind_cone, "cone");
}

#[test]
fn behind_shift() {
    behind(behind_shift, "shift");
}

#[test]
fn behind_reject() {
    behind(behind_reject, "reject");
}

#[test]
fn behind_symmetric() {
    behind(behind_symmetric, "symmetric");
}
