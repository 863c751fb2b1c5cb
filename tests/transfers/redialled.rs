//! Sources that are lost while something is fetched from them, and are back a moment later.

use serde_json::{Value, json};

use super::{error_code, get, offer_cut, offer_tree, slowly_given};
use crate::support::*;

const SIZE: usize = 512 << 10;

/// Nothing that was told of a request sounds like a failure.
fn nothing_failed(told: &[Value]) {
    let bad = ["error", "transfer-failed", "source-dropped", "file-failed"];
    let failed: Vec<&Value> = told.iter().filter(|event| bad.iter().any(|bad| event["event"] == *bad)).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn when_the_only_slowly_given_and_started_again_the_transfer_goes_on_by_itself() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("again", SIZE);
    let (erin, mut dora, id) = slowly_given(&scene, &hub, &bytes);
    erin.kill();
    let mut erin = scene.client(&hub, "erin");
    offer_cut(&mut erin, "a.bin", &bytes, 32);
    let done = dora.answer(id);
    assert_eq!((&done["event"], &done["resumed"]), (&json!("transfer-completed"), &json!(0)), "{done}");
    assert_eq!(done["sources"][0]["bytes"], SIZE, "nothing was fetched twice: {done}");
    assert_eq!(dora.place.got("a.bin"), bytes);
    nothing_failed(&dora.with_id(id));
    erin.quit();
    dora.quit();
}

#[test]
fn a_folder_whose_only_slowly_given_and_started_again_is_complete() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    let mut files: Vec<(String, Vec<u8>)> =
        (0..40).map(|n| (format!("t/{n}"), content(&n.to_string(), 8 << 10))).collect();
    files.push(("t/large".into(), content("large", 2 << 20)));
    files.iter().for_each(|(file, bytes)| erin.place.put(file, bytes));
    offer_tree(&mut erin, "t/");
    let id = dora.send(get("t/"));
    dora.then("transfer-progress");
    erin.kill();
    let mut erin = scene.client(&hub, "erin");
    offer_tree(&mut erin, "t/");
    let done = dora.answer(id);
    assert_eq!(done["event"], "transfer-completed", "{done}");
    for (file, bytes) in &files {
        assert_eq!(&dora.place.got(file), bytes, "{file}");
    }
    nothing_failed(&dora.with_id(id));
    erin.quit();
    dora.quit();
}

#[test]
fn when_the_only_slowly_given_for_good_that_is_told_and_the_transfer_fails_at_last() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    offer_cut(&mut erin, "a.bin", &content("gone", SIZE), 32);
    let mut one_shot = scene.exec(&hub, "finn", &["get", "a.bin"]);
    let id = dora.send(get("a.bin"));
    dora.then("transfer-progress");
    one_shot.then("transfer-progress");
    erin.kill();
    let stalled = dora.then("transfer-stalled");
    assert!(stalled["left"].as_u64().is_some_and(|left| left > 20_000), "{stalled}");
    let answer = dora.answer(id);
    assert_eq!(error_code(&answer), "peer-broke");
    assert!(text(&answer["message"]).ends_with("It was not back within 30 s."), "{answer}");
    assert_eq!(one_shot.end(), 6);
    dora.quit();
}

#[test]
fn when_the_only_source_leaves_nobody_waits_for_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora, id) = slowly_given(&scene, &hub, &content("left", SIZE));
    erin.must(json!({"request": "quit", "now": true}), "bye");
    let code = error_code(&dora.answer(id)).to_owned();
    assert!(["peer-broke", "peer-refused", "source-gone"].contains(&code.as_str()), "{code}");
    assert!(!dora.has_said(|event| event["event"] == "transfer-stalled"), "it did not wait");
    dora.quit();
}
