//! Transfers that are broken off, by either side or by a change of the file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{BIG, error_code, get, hash, offer_big, pair};
use crate::support::*;

/// Gets the big file, which must go on from what is there.
fn resume(dora: &mut Process, offer: &Value) {
    dora.skip();
    let id = dora.send(get("big"));
    let resumed = dora.then("transfer-started")["resumed"].as_u64().unwrap();
    assert!(resumed > 0 && resumed < BIG, "{resumed}");
    let done = dora.answer(id);
    assert_eq!((&done["event"], &done["hash"]), (&json!("transfer-completed"), &offer["hash"]), "{done}");
    // Only the rest was sent.
    assert!(done["sources"][0]["bytes"].as_u64().unwrap() <= BIG - resumed, "{done}");
    assert_eq!(hash(&dora.place.downloads().join("big")), text(&offer["hash"]));
    assert_eq!(dora.place.downloaded().len(), 1, "{:?}", dora.place.downloaded());
}

#[test]
fn a_cancelled_transfer_goes_on_where_it_was() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let offer = offer_big(&mut erin, "one");
    let id = dora.send(get("big"));
    let progress = dora.then("transfer-progress");
    let transfer = progress["transfer"].clone();
    let listed = dora.must(json!({"request": "transfers"}), "transfers");
    assert_eq!(listed["transfers"][0]["transfer"], transfer);
    let cancel = json!({"request": "cancel", "transfer": transfer});
    dora.must(cancel.clone(), "cancelled");
    assert_eq!(error_code(&dora.answer(id)), "interrupted");
    let failed = dora.then("transfer-failed");
    assert_eq!((&failed["transfer"], &failed["code"], &failed["id"]), (&transfer, &json!("interrupted"), &json!(id)));
    assert!(!dora.place.downloads().join("big").exists());
    assert_eq!(erin.then("transfer-failed")["direction"], "up");
    dora.refused(cancel, "no-such-transfer");
    resume(&mut dora, &offer);
    erin.quit();
    dora.quit();
}

#[test]
fn what_a_killed_receiver_had_is_not_fetched_again() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let offer = offer_big(&mut erin, "two");
    dora.send(get("big"));
    dora.then("transfer-progress");
    let place = dora.kill();
    assert!(!place.downloads().join("big").exists());
    let failed = erin.then("transfer-failed");
    let broke = "The other client broke off: the other side closed the connection.";
    let closed = "The other client broke off: the connection was closed.";
    assert_eq!(failed["code"], "peer-broke");
    assert!([broke, closed].contains(&failed["message"].as_str().unwrap()), "in plain words: {failed}");
    let mut dora = scene.client(&hub, "dora");
    resume(&mut dora, &offer);
    erin.quit();
    dora.quit();
}

#[test]
fn an_interrupted_receiver_says_so_and_ends() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let offer = offer_big(&mut erin, "three");
    let id = dora.send(get("big"));
    dora.then("transfer-progress");
    dora.signal(Signal::INT);
    assert_eq!(error_code(&dora.answer(id)), "interrupted");
    assert_eq!(dora.end(), 130);
    let mut dora = scene.client(&hub, "dora");
    resume(&mut dora, &offer);
    erin.quit();
    dora.quit();
}

#[test]
fn a_transfer_fails_when_its_owner_is_killed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    offer_big(&mut erin, "four");
    let id = dora.send(get("big"));
    // One that asks for nothing else ends with the transfer's exit code.
    let mut one_shot = scene.exec(&hub, "finn", &["get", "big"]);
    dora.then("transfer-progress");
    one_shot.then("transfer-progress");
    erin.kill();
    let code = error_code(&dora.answer(id)).to_owned();
    assert!(["peer-broke", "peer-unreachable"].contains(&code.as_str()), "{code}");
    // The two who fetch it have given each other what they had: that ends, too.
    let failed = loop {
        let failed = dora.then("transfer-failed");
        if failed["direction"] == "down" {
            break failed;
        }
    };
    assert_eq!((&failed["peer"], &failed["code"]), (&json!("erin"), &json!(code)));
    assert!(!dora.place.downloads().join("big").exists());
    assert_eq!(one_shot.end(), 6);
    dora.quit();
}

#[test]
fn a_file_that_changes_while_it_is_sent_is_never_kept() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let before = offer_big(&mut erin, "five");
    let id = dora.send(get("big"));
    dora.then("transfer-progress");
    let file = OpenOptions::new().write(true).open(erin.place.shared("big")).unwrap();
    file.write_all_at(b"changed", BIG - 7).unwrap();
    assert_eq!(error_code(&dora.answer(id)), "source-changed");
    assert_eq!(erin.then("transfer-failed")["code"], "source-changed");
    assert!(!dora.place.downloads().join("big").exists());
    // Once it is offered anew it is another file.
    let after = erin.must(json!({"request": "offer", "files": ["big"]}), "offer-acked")["offers"][0].clone();
    assert_ne!(before["hash"], after["hash"]);
    dora.must(get("big"), "transfer-completed");
    assert_eq!(hash(&dora.place.downloads().join("big")), text(&after["hash"]));
    erin.quit();
    dora.quit();
}

#[test]
fn a_file_that_is_not_the_one_offered_is_not_sent() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let bytes = content("file", 3 << 20);
    let was = blake3::hash(&bytes).to_hex().to_string();
    for file in ["truncated", "longer", "replaced", "touched", "linked", "gone"] {
        erin.offer(file, &bytes);
    }
    let path = |file: &str| erin.place.shared(file);
    OpenOptions::new().write(true).open(path("truncated")).unwrap().set_len(1 << 20).unwrap();
    OpenOptions::new().write(true).open(path("longer")).unwrap().write_all_at(b"x", 3 << 20).unwrap();
    fs::write(path("other"), &bytes[..bytes.len() - 1]).unwrap();
    fs::rename(path("other"), path("replaced")).unwrap();
    OpenOptions::new().write(true).open(path("touched")).unwrap().write_all_at(b"x", 7).unwrap();
    fs::write(erin.place.path().join("secret"), &bytes).unwrap();
    fs::remove_file(path("linked")).unwrap();
    std::os::unix::fs::symlink("../secret", path("linked")).unwrap();
    fs::remove_file(path("gone")).unwrap();
    // Erin's client looks after what it offers: if it has seen the change by now, it has offered what is there, or nothing.
    for file in ["truncated", "longer", "replaced", "touched", "linked", "gone"] {
        let answer = dora.ask(get(file));
        if answer["event"] == "transfer-completed" {
            assert_ne!(answer["hash"], json!(was), "{answer}");
            assert!(!["linked", "gone"].contains(&file), "there is nothing to send: {answer}");
            assert_eq!(hash(&dora.place.downloads().join(file)), hash(&erin.place.shared(file)));
            continue;
        }
        let code = error_code(&answer);
        let is_right = match file {
            "gone" => ["source-gone", "not-offered"].contains(&code),
            _ => ["source-changed", "source-gone", "not-offered"].contains(&code),
        };
        assert!(is_right && !dora.place.downloads().join(file).exists(), "{answer}");
    }
    let got = dora.place.downloaded();
    assert!(got.iter().all(|file| hash(&dora.place.downloads().join(file)) != was), "{got:?}");
    erin.quit();
    dora.quit();
}

#[test]
fn progress_is_told_at_most_ten_times_a_second() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    offer_big(&mut erin, "six");
    let id = dora.send(get("big"));
    let elapsed = dora.answer(id)["elapsed"].as_u64().unwrap();
    erin.then("transfer-completed");
    let most = 2 * (elapsed as usize / 100 + 1);
    for peer in [&dora, &erin] {
        let told: Vec<u64> = peer
            .seen
            .iter()
            .filter(|event| event["event"] == "transfer-progress")
            .map(|event| event["bytes"].as_u64().unwrap())
            .collect();
        assert!(told.len() <= most, "{} in {elapsed} ms", told.len());
        assert!(told.is_sorted() && told.iter().all(|bytes| *bytes <= BIG), "{told:?}");
    }
    erin.quit();
    dora.quit();
}
