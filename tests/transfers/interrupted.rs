//! Transfers that are broken off by kills and cuts, and go on.

use rustix::process::Signal;
use serde_json::json;

use super::{error_code, get, offer_cut, slowly_given, until};
use crate::support::proxy::Proxy;
use crate::support::*;

const SIZE: usize = 512 << 10;
/// Slow enough that what waits for the first progress comes in time: two seconds and a half for all of it.
const SLOW: [&str; 2] = ["--down", "200k"];

/// Gets the file in a second attempt, which fetches only what is missing.
fn goes_on(dora: &mut Process, bytes: &[u8]) {
    dora.skip();
    let id = dora.send(get("a.bin"));
    let resumed = dora.then("transfer-started")["resumed"].as_u64().unwrap();
    assert!(resumed > 0 && resumed < SIZE as u64, "{resumed}");
    let done = dora.answer(id);
    assert_eq!((&done["event"], &done["resumed"]), (&json!("transfer-completed"), &json!(resumed)), "{done}");
    let sources = json!([{"peer": "erin", "bytes": SIZE as u64 - resumed, "route": "direct"}]);
    assert_eq!(done["sources"], sources, "{done}");
    assert_eq!(dora.place.got("a.bin"), bytes);
    assert_eq!(dora.place.downloaded().len(), 1, "{:?}", dora.place.downloaded());
}

#[test]
fn a_receiver_that_is_killed_goes_on_where_it_was() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("receiver", SIZE);
    let mut erin = scene.client(&hub, "erin");
    offer_cut(&mut erin, "a.bin", &bytes, 32);
    // Twice, so that what was resumed is resumed.
    for _ in 0..2 {
        let mut dora = scene.client_with(&hub, "dora", &SLOW);
        dora.send(get("a.bin"));
        dora.then("transfer-progress");
        let place = dora.kill();
        assert!(!place.downloads().join("a.bin").exists());
    }
    let mut dora = scene.client(&hub, "dora");
    goes_on(&mut dora, &bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn when_the_source_was_killed_and_is_back_it_goes_on() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("source", SIZE);
    let (erin, mut dora, id) = slowly_given(&scene, &hub, &bytes);
    erin.kill();
    assert_eq!(error_code(&dora.answer(id)), "peer-broke");
    let mut erin = scene.client(&hub, "erin");
    offer_cut(&mut erin, "a.bin", &bytes, 32);
    goes_on(&mut dora, &bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn a_transfer_does_not_need_the_hub() {
    let bytes = content("cut", SIZE);
    for cut in ["erin", "dora"] {
        let scene = Scene::default();
        let hub = scene.hub();
        let proxy = Proxy::start(([127, 0, 0, 1], hub.port).into(), 20_260_301);
        let port = |name: &str| if name == cut { proxy.address.port() } else { hub.port };
        let mut erin = scene.client(&port("erin"), "erin");
        let mut dora = scene.client_with(&port("dora"), "dora", &SLOW);
        offer_cut(&mut erin, "a.bin", &bytes, 32);
        let id = dora.send(get("a.bin"));
        dora.then("transfer-progress");
        proxy.cut();
        let done = dora.answer(id);
        assert_eq!(done["event"], "transfer-completed", "{cut} is cut off: {done}");
        assert_eq!(dora.place.got("a.bin"), bytes);
        let lost = if cut == "erin" { &mut erin } else { &mut dora };
        lost.then("hub-lost");
        proxy.mend();
        lost.then("hub-back");
        // What the hub missed meanwhile it knows now.
        until("the hub knows who has it", || {
            let chunks = erin.must(json!({"request": "chunks", "file": "a.bin"}), "chunks");
            chunks["holders"].as_array().is_some_and(|holders| holders.len() == 2)
        });
        erin.quit();
        dora.quit();
    }
}

#[test]
fn an_uploader_that_is_stopped_for_a_moment_is_waited_for() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("stopped", SIZE);
    let mut erin = scene.client_with(&hub, "erin", &["--up", "400k"]);
    let mut dora = scene.client(&hub, "dora");
    offer_cut(&mut erin, "a.bin", &bytes, 32);
    let id = dora.send(get("a.bin"));
    dora.then("transfer-progress");
    erin.signal(Signal::STOP);
    dora.then_state("erin", "away");
    erin.signal(Signal::CONT);
    assert_eq!(dora.answer(id)["event"], "transfer-completed");
    assert_eq!(dora.place.got("a.bin"), bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn the_giver_counts_what_it_sent_whatever_became_of_the_receiver() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("counted", SIZE);
    let mut erin = scene.client(&hub, "erin");
    offer_cut(&mut erin, "a.bin", &bytes, 32);
    let mut dora = scene.client_with(&hub, "dora", &SLOW);
    dora.send(get("a.bin"));
    dora.then("transfer-progress");
    erin.then("transfer-started");
    dora.kill();
    let failed = erin.then("transfer-failed");
    let sent = failed["bytes"].as_u64().unwrap();
    assert!(sent > 0 && sent <= SIZE as u64 && failed["direction"] == "up", "{failed}");
    assert_eq!(erin.must(json!({"request": "transfers"}), "transfers")["transfers"], json!([]));
    let mut dora = scene.client(&hub, "dora");
    let done = dora.must(get("a.bin"), "transfer-completed");
    let resumed = done["resumed"].as_u64().unwrap();
    assert!(resumed > 0 && resumed <= sent, "{done}: {failed}");
    let given = erin.then("transfer-completed");
    assert_eq!((&given["bytes"], &given["size"]), (&json!(SIZE as u64 - resumed), &json!(SIZE)), "{given}");
    assert_ne!(given["transfer"], failed["transfer"]);
    erin.quit();
    dora.quit();
}
