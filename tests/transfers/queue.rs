//! Transfers that wait for others, and those that are cancelled.

use serde_json::{Value, json};

use super::{error_code, get, offer_cut};
use crate::support::*;

fn cancel(transfer: &Value) -> Value {
    json!({"request": "cancel", "transfer": transfer})
}

/// The place at which an event of a request stands among all.
fn place(peer: &Process, id: u64, name: &str) -> usize {
    let is = |event: &Value| event["id"] == id && event["event"] == name;
    peer.seen.iter().position(is).unwrap_or_else(|| panic!("no {name} of {id}"))
}

#[test]
fn one_at_a_time_the_others_wait_in_their_order() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client_with(&hub, "dora", &["--max-transfers", "1", "--down", "300k"]);
    for file in ["a", "b", "c", "d"] {
        offer_cut(&mut erin, file, &content(file, 100_000), 10);
    }
    let ids = ["a", "b", "c", "d"].map(|file| dora.send(get(file)));
    for (file, position) in [("b", 1), ("c", 2), ("d", 3)] {
        let queued = dora.then("transfer-queued");
        assert_eq!((&queued["file"], &queued["position"]), (&json!(file), &json!(position)), "{queued}");
    }
    let listed = dora.must(json!({"request": "transfers"}), "transfers");
    let states: Vec<&Value> = listed["transfers"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["running", "queued", "queued", "queued"]);
    let third = listed["transfers"][2]["transfer"].clone();
    dora.must(cancel(&third), "cancelled");
    assert_eq!(error_code(&dora.answer(ids[2])), "interrupted");
    let failed = dora.then("transfer-failed");
    assert_eq!((&failed["transfer"], &failed["code"]), (&third, &json!("interrupted")));
    dora.refused(cancel(&third), "no-such-transfer");
    for id in [ids[0], ids[1], ids[3]] {
        assert_eq!(dora.answer(id)["event"], "transfer-completed");
    }
    // Each began when the one before had ended.
    for pair in [ids[0], ids[1], ids[3]].windows(2) {
        assert!(place(&dora, pair[0], "transfer-completed") < place(&dora, pair[1], "transfer-started"));
    }
    // Who waits is told of its new place: the one that was last is the first now.
    let mut places = dora.with_id(ids[3]);
    places.retain(|event| event["event"] == "transfer-queued");
    assert_eq!(places.last().unwrap()["position"], 1, "{places:?}");
    assert!(!dora.place.downloads().join("c").exists());
    for file in ["a", "b", "d"] {
        assert_eq!(dora.place.got(file), content(file, 100_000));
    }
    erin.quit();
    dora.quit();
}

#[test]
fn the_place_of_one_that_fails_is_taken_by_the_next() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client_with(&hub, "dora", &["--max-transfers", "1"]);
    for file in ["a", "b"] {
        offer_cut(&mut erin, file, &content(file, 100_000), 10);
    }
    let ids = ["a", "b"].map(|file| dora.send(get(file)));
    let running = dora.then("transfer-progress")["transfer"].clone();
    dora.must(cancel(&running), "cancelled");
    assert_eq!(error_code(&dora.answer(ids[0])), "interrupted");
    assert_eq!(dora.answer(ids[1])["event"], "transfer-completed");
    // What was cancelled goes on where it was.
    assert!(dora.must(get("a"), "transfer-completed")["resumed"].as_u64().unwrap() > 0);
    erin.quit();
    dora.quit();
}

#[test]
fn who_sends_can_cancel_too() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    let bytes = content("upload", 400_000);
    offer_cut(&mut erin, "a", &bytes, 40);
    let id = dora.send(get("a"));
    let upload = erin.then("transfer-progress")["transfer"].clone();
    erin.must(cancel(&upload), "cancelled");
    let failed = erin.then("transfer-failed");
    let fields = [&failed["transfer"], &failed["direction"], &failed["code"]];
    assert_eq!(fields, [&upload, &json!("up"), &json!("interrupted")]);
    let code = error_code(&dora.answer(id)).to_owned();
    assert!(["peer-broke", "peer-refused", "source-gone"].contains(&code.as_str()), "{code}");
    erin.refused(cancel(&upload), "no-such-transfer");
    // It is still offered.
    dora.must(get("a"), "transfer-completed");
    assert_eq!(dora.place.got("a"), bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn at_the_end_of_the_input_what_waits_is_fetched_and_quit_now_gives_it_up() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    for file in ["a", "b", "c"] {
        offer_cut(&mut erin, file, &content(file, 60_000), 10);
    }
    let args = ["--max-transfers", "1", "--down", "300k"];
    let mut dora = scene.client_with(&hub, "dora", &args);
    for file in ["a", "b", "c"] {
        dora.send(get(file));
    }
    dora.end_input();
    let place = dora.place.clone();
    assert_eq!(dora.end(), 0);
    for file in ["a", "b", "c"] {
        assert_eq!(place.got(file), content(file, 60_000));
    }
    // So slow that none of them is there before finn quits, however busy the machine is.
    let mut finn = scene.client_with(&hub, "finn", &["--max-transfers", "1", "--down", "2k"]);
    let ids = ["a", "b", "c"].map(|file| finn.send(get(file)));
    finn.then("transfer-queued");
    finn.send(json!({"request": "quit", "now": true}));
    for id in ids {
        assert_eq!(error_code(&finn.answer(id)), "interrupted");
    }
    finn.end();
    erin.quit();
}
