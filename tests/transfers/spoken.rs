//! What a user is told of files: in how many chunks they lie, what was nearly meant, who has them.

use serde_json::json;

use super::{get, offer_cut, pair};
use crate::support::*;

#[test]
fn it_is_said_in_how_many_chunks_a_file_lies() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    erin.place.put("big", &content("big", 3_000_000));
    for (asked, chunks) in [(10, 6), (6, 6), (1, 1)] {
        let offer = json!({"request": "offer", "files": ["big"], "chunks": asked});
        let acked = erin.must(offer, "offer-acked");
        assert_eq!((&acked["at_most"], &acked["offers"][0]["chunks"]), (&json!(asked), &json!(chunks)), "{acked}");
    }
    assert_eq!(erin.offer("big", &content("big", 3_000_000)).get("at_most"), None);
    erin.quit();
}

#[test]
fn a_folder_without_its_slash_and_a_file_with_one_are_named() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    erin.place.put("my albums/a.ogg", b"song");
    erin.must(json!({"request": "offer", "files": ["my albums"]}), "offer-acked");
    erin.offer("notes.txt", b"soup");
    for request in ["get", "chunks"] {
        let refused = dora.refused(json!({"request": request, "file": "my albums"}), "not-offered");
        let said = [text(&refused["message"]), text(&refused["hint"])];
        assert!(said[0].contains("my albums/") && said[1].contains("`get 'my albums/'`"), "{refused}");
    }
    // The line that is named works as it stands.
    dora.line("get 'my albums/'");
    dora.then("transfer-completed");
    assert_eq!(dora.place.got("my albums/a.ogg"), b"song");
    let refused = dora.refused(get("notes.txt/"), "not-offered");
    assert!(text(&refused["hint"]).contains("`get notes.txt`"), "{refused}");
    let refused = dora.refused(json!({"request": "get", "file": "my albums", "from": "dora"}), "not-offered");
    assert!(text(&refused["message"]).contains("dora does not offer"), "{refused}");
    let refused = erin.refused(json!({"request": "withdraw", "files": ["my albums"]}), "not-offered");
    assert!(text(&refused["hint"]).contains("`withdraw 'my albums/'`"), "{refused}");
    erin.quit();
    dora.quit();
}

#[test]
fn chunks_are_asked_of_whoever_has_them() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let mut finn = scene.client(&hub, "finn");
    offer_cut(&mut erin, "song", &content("song", 8 << 10), 8);
    dora.must(json!({"request": "get", "file": "song", "chunks": [0, 1]}), "transfer-completed");
    let chunks = |from: &str| json!({"request": "chunks", "file": "song", "from": from});
    // What she has is told to the hub a moment later.
    let known = |finn: &mut Process| finn.ask(chunks("dora"))["event"] == "chunks";
    super::until("dora is known to have some of it", || known(&mut finn));
    for from in ["dora", "erin"] {
        let held = finn.must(chunks(from), "chunks");
        let expected = json!([{"name": "erin", "has": [[0, 8]]}, {"name": "dora", "has": [[0, 2]]}]);
        assert_eq!(held["holders"], expected, "{from}: {held}");
    }
    let refused = finn.refused(chunks("finn"), "not-offered");
    assert!(text(&refused["message"]).contains("finn does not offer song"), "{refused}");
    [erin, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn what_is_here_already_is_done() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let bytes = content("song", 3_000_000);
    erin.offer("song", &bytes);
    dora.must(get("song"), "transfer-completed");
    let path = dora.place.downloads().join("song");
    let before = std::fs::metadata(&path).unwrap();
    for what in ["fail", "overwrite", "rename"] {
        let done = dora.must(json!({"request": "get", "file": "song", "on_conflict": what}), "transfer-completed");
        let fields = [&done["bytes"], &done["resumed"], &done["size"]];
        assert_eq!(fields, [&json!(0), &json!(3_000_000), &json!(3_000_000)], "{what}: {done}");
        assert!(text(&done["path"]).ends_with("downloads/song"), "{what}: {done}");
    }
    // Some of its chunks are here, too.
    dora.must(json!({"request": "get", "file": "song", "chunks": [1]}), "transfer-completed");
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before.modified().unwrap());
    // Another program has put it there: what it is counts, not where it comes from. It is served to others, too.
    let mut finn = scene.client(&hub, "finn");
    std::fs::create_dir_all(finn.place.downloads()).unwrap();
    std::fs::write(finn.place.downloads().join("song"), &bytes).unwrap();
    finn.must(get("song"), "transfer-completed");
    super::until("finn is known to have it", || {
        let held = dora.ask(json!({"request": "chunks", "file": "song", "from": "finn"}));
        held["event"] == "chunks"
    });
    // One byte makes it another file.
    let mut other = bytes.clone();
    other[2_999_999] ^= 1;
    std::fs::write(finn.place.downloads().join("song"), &other).unwrap();
    finn.refused(get("song"), "exists");
    assert_eq!(finn.place.got("song"), other);
    // What is given to her alone is told to its giver.
    let id = erin.send(json!({"request": "push", "file": "song", "to": "dora"}));
    let offered = dora.then("push-offered");
    dora.must(json!({"request": "accept", "push": offered["push"]}), "transfer-completed");
    assert_eq!(erin.answer(id)["event"], "transfer-completed");
    assert_eq!(dora.place.downloaded().len(), 1);
    [erin, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn a_push_has_one_number_for_each_who_has_to_do_with_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    // The hub's number for the push will be one that dora has used.
    dora.offer("theirs", b"theirs");
    erin.must(get("theirs"), "transfer-completed");
    dora.then("transfer-completed");
    erin.place.put("a", &content("a", 600_000));
    let id = erin.send(json!({"request": "push", "file": "a", "to": "dora"}));
    let asked = erin.then("push-asked");
    let offered = dora.then("push-offered");
    assert_eq!((&asked["push"], &asked["transfer"], &offered["push"]), (&json!(2), &json!(2), &json!(2)));
    let number = |peer: &mut Process| {
        let listed = peer.must(json!({"request": "transfers"}), "transfers");
        assert_eq!(listed["transfers"].as_array().unwrap().len(), 1, "{listed}");
        listed["transfers"][0]["transfer"].clone()
    };
    assert_eq!([number(&mut erin), number(&mut dora)], [json!(2), json!(2)]);
    let taking = dora.send(json!({"request": "accept", "push": 2}));
    let started = dora.then_where("the start", |event| event["event"] == "transfer-started");
    assert_eq!((&started["transfer"], number(&mut dora)), (&json!(2), json!(2)));
    dora.must(json!({"request": "cancel", "transfer": 2}), "cancelled");
    assert_eq!(dora.answer(taking)["code"], "interrupted");
    assert_eq!(erin.answer(id)["event"], "error");
    [erin, dora].into_iter().for_each(Process::quit);
}
