//! Everything that one client gets from another.

use std::collections::BTreeMap;
use std::fs;

use potluck::protocol::Route;
use serde_json::{Value, json};

use crate::support::{Process, content};

/// The ways that clients find for files.
const FILES: &[Route] = &[Route::Direct, Route::Punched, Route::Relayed];
/// The ways that they find to talk without the hub.
const PRIVATE: &[Route] = &[Route::Direct, Route::Punched, Route::Relayed];

/// How often something is tried at most until it goes the best way, which a busy machine finds late. The hub lets two meet
/// ten times a minute.
const TRIES: usize = 3;

/// The options of both: so that a better way can come to stand before [`LONG`] bytes are there.
pub const SLOW: [&str; 2] = ["--down", "1m"];
const LONG: usize = 1 << 20;

/// Whether clients find such a way for anything.
pub fn is_found(way: Route) -> bool {
    FILES.contains(&way) || PRIVATE.contains(&way)
}

/// Whoever asks gets everything from whoever gives, nothing of it by a better way than there can be, and what takes its
/// time by the best one if that is `sure` to be found. Both have the options [`SLOW`].
pub fn play(asker: &mut Process, giver: &mut Process, way: Route, sure: bool) {
    if FILES.contains(&way) {
        fetch(asker, giver, way);
        push(asker, giver, way);
        assert!(improves(asker, giver, way) || !sure, "no file of {} goes the best way: {way}", giver.name);
        // The other one may ask for the same, and is to find none of it.
        fs::remove_dir_all(asker.place.downloads()).unwrap();
    }
    if PRIVATE.contains(&way) {
        assert!(talk(asker, giver, way) || !sure, "{} never talks by the best way: {way}", asker.name);
    }
}

/// A file and a folder.
fn fetch(asker: &mut Process, giver: &mut Process, best: Route) {
    let from = giver.name.clone();
    let bytes = content(&from, 300_000);
    giver.offer("a.bin", &bytes);
    let tree: BTreeMap<String, Vec<u8>> =
        (0..20).map(|number| (format!("tree/{}/{number}", number % 3), content(&from, number * 2_000))).collect();
    tree.iter().for_each(|(file, bytes)| giver.place.put(file, bytes));
    giver.must(json!({"request": "offer", "files": ["tree"]}), "offer-acked");

    went(&asker.must(json!({"request": "get", "file": "a.bin", "from": from}), "transfer-completed"), best);
    assert!(asker.place.got("a.bin") == bytes, "a.bin has other bytes");
    went(&asker.must(json!({"request": "get", "file": "tree/", "from": from}), "transfer-completed"), best);
    for (file, bytes) in &tree {
        assert!(asker.place.got(file) == *bytes, "{file} has other bytes");
    }
}

/// A push to whoever asks, who fetches it.
fn push(asker: &mut Process, giver: &mut Process, best: Route) {
    let bytes = content("gift", 200_000);
    giver.place.put("gift", &bytes);
    let pushed = giver.send(json!({"request": "push", "file": "gift", "to": asker.name}));
    let offered = asker.then("push-offered");
    went(&asker.must(json!({"request": "accept", "push": offered["push"]}), "transfer-completed"), best);
    let given = giver.answer(pushed);
    assert_eq!(given["event"], "transfer-completed");
    let way: Route = serde_json::from_value(given["route"].clone()).unwrap();
    assert!(way >= best, "the best way should be {best}: {given}");
    assert!(asker.place.got("gift") == bytes, "gift has other bytes");
}

/// A transfer that takes its time moves to the best way. Returns whether one did.
fn improves(asker: &mut Process, giver: &mut Process, best: Route) -> bool {
    (0..TRIES).any(|number| {
        let file = format!("long{number}");
        let bytes = content(&format!("{file} of {}", giver.name), LONG);
        giver.place.put(&file, &bytes);
        giver.must(json!({"request": "offer", "files": [file], "chunks": 64}), "offer-acked");
        let done = asker.must(json!({"request": "get", "file": file, "from": giver.name}), "transfer-completed");
        assert!(asker.place.got(&file) == bytes, "{file} has other bytes");
        went(&done, best) == best
    })
}

/// A transfer that is over before the best way stands has gone another way, and never a better one than there can be.
/// Returns the worst way of its sources.
fn went(done: &Value, best: Route) -> Route {
    let ways = done["sources"].as_array().unwrap().iter().map(|source| source["route"].clone());
    let ways: Vec<Route> = ways.map(|way| serde_json::from_value(way).unwrap()).collect();
    assert!(!ways.is_empty() && ways.iter().all(|way| *way >= best), "the best way should be {best}: {done}");
    ways.into_iter().max().unwrap_or(best)
}

/// A direct connection is made over what stands first and stays there, so a busy machine may have to open it again until
/// that is the best way; it is never a better one than there can be. Returns whether it was the best one.
fn talk(asker: &mut Process, giver: &mut Process, best: Route) -> bool {
    (0..TRIES).any(|_| {
        asker.must(json!({"request": "private", "to": giver.name, "text": "between us"}), "message-acked");
        let opened = asker.then("private-opened");
        let way: Route = serde_json::from_value(opened["route"].clone()).unwrap();
        assert!(way >= best, "{opened}: the best way should be {best}");
        assert_eq!(giver.then("private-opened")["route"], opened["route"]);
        assert_eq!(giver.then("private-message")["text"], "between us");
        giver.must(json!({"request": "private", "to": asker.name, "text": "indeed"}), "message-acked");
        assert_eq!(asker.then("private-message")["text"], "indeed");
        asker.must(json!({"request": "private-close", "to": giver.name}), "private-closed");
        giver.then("private-closed");
        way == best
    })
}
