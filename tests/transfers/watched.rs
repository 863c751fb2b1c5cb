//! Offered files that change, go and come, while the program runs.

use std::fs;

use serde_json::{Value, json};

use super::{get, pair};
use crate::support::*;

/// Waits until the table has this file, with this content.
fn expect_file(peer: &mut Process, file: &str, bytes: &[u8]) {
    let hash = blake3::hash(bytes).to_hex().to_string();
    peer.then_where(&format!("{file} in the table"), |event| {
        let added = event["added"].as_array().filter(|_| event["event"] == "table-updated");
        added.is_some_and(|added| added.iter().any(|offer| offer["file"] == file && offer["hash"] == json!(hash)))
    });
}

fn expect_gone(peer: &mut Process, file: &str) {
    peer.then_where(&format!("{file} gone"), |event| {
        let removed = event["removed"].as_array().filter(|_| event["event"] == "table-updated");
        removed.is_some_and(|removed| removed.iter().any(|offer| offer["file"] == file))
    });
}

fn expect_changed(peer: &mut Process, what: impl Fn(&Value) -> bool) {
    peer.then_where("offer-changed", |event| event["event"] == "offer-changed" && what(event));
}

fn files(peer: &mut Process) -> Vec<String> {
    peer.table()["offers"].as_array().unwrap().iter().map(|offer| text(&offer["file"])).collect()
}

#[test]
fn a_watched_folder_is_offered_as_it_is() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    erin.place.put("w/a", b"a");
    erin.place.put("w/b", b"b");
    erin.must(json!({"request": "offer", "files": ["w"], "watch": true}), "offer-acked");
    expect_file(&mut dora, "w/a", b"a");

    erin.place.put("w/new/deep/c", b"c");
    expect_file(&mut dora, "w/new/deep/c", b"c");
    expect_changed(&mut erin, |event| event["offers"][0]["file"] == "w/new/deep/c");
    dora.must(get("w/new/deep/c"), "transfer-completed");
    erin.place.put("w/a", b"another a");
    expect_file(&mut dora, "w/a", b"another a");
    dora.must(get("w/a"), "transfer-completed");
    assert_eq!(dora.place.got("w/a"), b"another a");
    fs::remove_file(erin.place.shared("w/b")).unwrap();
    expect_gone(&mut dora, "w/b");
    expect_changed(&mut erin, |event| event["withdrawn"] == json!(["w/b"]));
    dora.refused(get("w/b"), "not-offered");
    fs::rename(erin.place.shared("w/new"), erin.place.shared("w/newer")).unwrap();
    expect_file(&mut dora, "w/newer/deep/c", b"c");

    // What is hidden, or leads out, is not offered however it comes.
    erin.place.put("w/.hidden", b"h");
    fs::write(erin.place.path().join("secret"), "s").unwrap();
    std::os::unix::fs::symlink(erin.place.path().join("secret"), erin.place.shared("w/link")).unwrap();
    erin.place.put("w/last", b"l");
    expect_file(&mut dora, "w/last", b"l");
    assert_eq!(files(&mut dora), ["w/a", "w/last", "w/newer/deep/c"]);

    // No more of it once it is withdrawn.
    erin.must(json!({"request": "withdraw", "files": ["w/"]}), "withdrawn");
    erin.place.put("w/late", b"l");
    erin.place.put("other", b"o");
    erin.must(json!({"request": "offer", "files": ["other"]}), "offer-acked");
    erin.place.put("other", b"changed");
    expect_file(&mut dora, "other", b"changed");
    assert_eq!(files(&mut dora), ["other"]);
    erin.quit();
    dora.quit();
}

#[test]
fn what_is_offered_by_its_name_is_followed_too() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    for file in ["changed", "gone", "t/changed", "replaced"] {
        erin.place.put(file, file.as_bytes());
    }
    let offer = json!({"request": "offer", "files": ["changed", "gone", "t", "replaced"]});
    erin.must(offer, "offer-acked");
    for (number, file) in ["changed", "t/changed"].into_iter().enumerate() {
        let bytes = format!("version {number}");
        erin.place.put(file, bytes.as_bytes());
        expect_file(&mut dora, file, bytes.as_bytes());
        expect_changed(&mut erin, |event| event["offers"][0]["file"] == file);
        dora.must(get(file), "transfer-completed");
        assert_eq!(dora.place.got(file), bytes.as_bytes());
    }
    // As editors write: to another file, which then takes the name.
    erin.place.put("other", b"by an editor");
    fs::rename(erin.place.shared("other"), erin.place.shared("replaced")).unwrap();
    expect_file(&mut dora, "replaced", b"by an editor");
    fs::remove_file(erin.place.shared("gone")).unwrap();
    expect_gone(&mut dora, "gone");
    expect_changed(&mut erin, |event| event["withdrawn"] == json!(["gone"]));
    // A file that is new in a folder that is not watched is nobody's business.
    erin.place.put("t/new", b"new");
    erin.place.put("changed", b"at last");
    expect_file(&mut dora, "changed", b"at last");
    assert_eq!(files(&mut dora), ["changed", "replaced", "t/changed"]);
    erin.quit();
    dora.quit();
}
