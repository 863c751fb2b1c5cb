//! Files for one person.

use std::fs;

use serde_json::{Value, json};

use super::{error_code, get, offer_cut, pair};
use crate::support::*;

fn push(file: &str, to: &str) -> Value {
    json!({"request": "push", "file": file, "to": to})
}

fn accept(offered: &Value) -> Value {
    json!({"request": "accept", "push": offered["push"]})
}

/// Begins to give a file; the number of the request.
fn give(erin: &mut Process, file: &str, bytes: &[u8], to: &str) -> u64 {
    erin.place.put(file, bytes);
    let id = erin.send(push(file, to));
    erin.then("push-asked");
    id
}

#[test]
fn what_is_accepted_is_given_and_what_is_declined_is_not() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let bytes = content("pushed", 300_000);
    // Of its folders nobody hears.
    let id = give(&mut erin, "my folder/notes.txt", &bytes, "DORA");
    let asked = erin.with_id(id)[0].clone();
    assert_eq!((&asked["to"], &asked["file"], &asked["online"]), (&json!("dora"), &json!("notes.txt"), &json!(true)));
    let offered = dora.then("push-offered");
    let hash = blake3::hash(&bytes).to_hex().to_string();
    let fields = [&offered["push"], &offered["from"], &offered["file"], &offered["size"], &offered["hash"]];
    assert_eq!(fields, [&asked["push"], &json!("erin"), &json!("notes.txt"), &json!(300_000), &json!(hash)]);
    // It is not in the table, and waits until it is answered.
    assert_eq!(dora.table()["offers"], json!([]));
    let listed = erin.must(json!({"request": "transfers"}), "transfers");
    let waiting = &listed["transfers"][0];
    assert_eq!((&waiting["transfer"], &waiting["state"]), (&asked["transfer"], &json!("waiting")));
    let done = dora.must(accept(&offered), "transfer-completed");
    assert_eq!((&done["peer"], &done["hash"]), (&json!("erin"), &json!(hash)));
    assert_eq!(dora.place.got("notes.txt"), bytes);
    let given = erin.answer(id);
    let fields = [&given["event"], &given["transfer"], &given["direction"], &given["peer"]];
    assert_eq!(fields, [&json!("transfer-completed"), &asked["transfer"], &json!("up"), &json!("dora")]);
    dora.refused(accept(&offered), "no-such-push");

    // Under another name, and where the name is taken.
    let id = give(&mut erin, "notes.txt", b"second", "dora");
    let offered = dora.then("push-offered");
    dora.must(json!({"request": "accept", "push": offered["push"], "to": "sub/other"}), "transfer-completed");
    assert_eq!(
        (erin.answer(id)["event"].clone(), dora.place.got("sub/other")),
        (json!("transfer-completed"), b"second".to_vec())
    );

    let id = give(&mut erin, "unwanted", b"unwanted", "dora");
    let offered = dora.then("push-offered");
    dora.must(json!({"request": "decline", "push": offered["push"]}), "declined");
    let declined = erin.answer(id);
    assert_eq!(error_code(&declined), "push-declined");
    assert!(text(&declined["message"]).contains("dora"), "{declined}");
    for gone in [accept(&offered), json!({"request": "decline", "push": offered["push"]})] {
        dora.refused(gone, "no-such-push");
    }
    assert!(!dora.place.downloads().join("unwanted").exists());
    erin.quit();
    dora.quit();
}

#[test]
fn a_script_gives_takes_and_is_declined_with_an_exit_code() {
    let scene = Scene::default();
    let hub = scene.hub();
    for name in ["erin", "finn"] {
        fs::write(scene.place(name).path().join("report"), "report").unwrap();
    }
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "erin"]);
    let erin = scene.exec(&hub, "erin", &["push", "report", "dora"]);
    assert_eq!(erin.end(), 0);
    dora.then("transfer-completed");
    assert_eq!(dora.place.got("report"), b"report");
    let mut finn = scene.exec(&hub, "finn", &["push", "report", "dora"]);
    let offered = dora.then_where("finn's", |event| event["event"] == "push-offered" && event["from"] == "finn");
    dora.must(json!({"request": "decline", "push": offered["push"]}), "declined");
    assert_eq!(finn.then("error")["code"], "push-declined");
    assert_ne!(finn.end(), 0);
    dora.quit();
}

#[test]
fn what_some_people_give_is_taken_by_itself_and_what_others_give_is_not() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut finn] = ["erin", "finn"].map(|name| scene.client(&hub, name));
    let mut dora = scene.client_with(&hub, "dora", &["--accept-from", "ERIN,nobody"]);
    let from_finn = give(&mut finn, "f", b"finn's", "dora");
    let from_erin = give(&mut erin, "e", b"erin's", "dora");
    assert_eq!(erin.answer(from_erin)["event"], "transfer-completed");
    let taken = dora.then("transfer-completed");
    assert_eq!((&taken["peer"], taken.get("id")), (&json!("erin"), None));
    let listed = finn.must(json!({"request": "transfers"}), "transfers");
    assert_eq!(listed["transfers"][0]["state"], "waiting");
    assert!(!dora.place.downloads().join("f").exists());
    let offered = dora.seen.iter().find(|event| event["event"] == "push-offered" && event["from"] == "finn");
    let offered = offered.unwrap().clone();
    dora.must(accept(&offered), "transfer-completed");
    assert_eq!(finn.answer(from_finn)["event"], "transfer-completed");

    // What is there is never replaced by what somebody gives.
    let mut greg = scene.client_with(&hub, "greg", &["--accept-from", "all"]);
    for peer in [&mut erin, &mut finn] {
        give(peer, "same", peer.name.clone().as_bytes(), "greg");
        let ended = |event: &Value| event["event"] == "transfer-completed" || event["event"] == "transfer-failed";
        let end = greg.then_where("the end", ended);
        assert_eq!(end["code"], if peer.name == "erin" { Value::Null } else { json!("exists") });
        if peer.name != "erin" {
            assert_eq!(end["message"], "same exists and is another file.");
        }
    }
    assert_eq!(greg.place.got("same"), b"erin");
    // Whoever gave in vain does not have to wait.
    let listed = finn.must(json!({"request": "transfers"}), "transfers");
    finn.must(json!({"request": "cancel", "transfer": listed["transfers"][0]["transfer"]}), "cancelled");
    [erin, finn, dora, greg].into_iter().for_each(Process::quit);
}

#[test]
fn it_waits_for_who_is_not_there_and_goes_with_who_gives_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, dora) = pair(&scene, &hub);
    dora.quit();
    erin.then_state("dora", "offline");
    let id = give(&mut erin, "a", b"a", "dora");
    assert_eq!(erin.with_id(id)[0]["online"], false);
    let mut dora = scene.client(&hub, "dora");
    let offered = dora.then("push-offered");
    dora.must(accept(&offered), "transfer-completed");
    assert_eq!(erin.answer(id)["event"], "transfer-completed");
    assert_eq!(dora.place.got("a"), b"a");

    // Taken back.
    let id = give(&mut erin, "b", b"b", "dora");
    let offered = dora.then("push-offered");
    let transfer = erin.with_id(id)[0]["transfer"].clone();
    erin.must(json!({"request": "cancel", "transfer": transfer}), "cancelled");
    assert_eq!(error_code(&erin.answer(id)), "interrupted");
    let gone = dora.then("push-gone");
    let fields = [&gone["push"], &gone["from"], &gone["file"]];
    assert_eq!(fields, [&offered["push"], &json!("erin"), &json!("b")]);
    dora.refused(accept(&offered), "no-such-push");
    // Gone with its giver.
    let id = give(&mut erin, "c", b"c", "dora");
    let offered = dora.then("push-offered");
    erin.send(json!({"request": "quit", "now": true}));
    assert_eq!(dora.then("push-gone")["push"], offered["push"]);
    assert_eq!(error_code(&erin.answer(id)), "not-taken");
    erin.end();
    dora.refused(accept(&offered), "no-such-push");
    assert_eq!(dora.place.downloaded().len(), 1);
    dora.quit();
}

#[test]
fn whoever_gives_and_takes_can_do_other_things_meanwhile() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    let bytes = content("slowly", 300_000);
    offer_cut(&mut dora, "theirs", b"theirs", 1);
    let id = give(&mut erin, "slowly", &bytes, "dora");
    let offered = dora.then("push-offered");
    let taking = dora.send(accept(&offered));
    dora.then("transfer-started");
    erin.must(json!({"request": "message", "to": "dora", "text": "it comes"}), "message-acked");
    dora.must(json!({"request": "message", "to": "erin", "text": "I see"}), "message-acked");
    erin.must(get("theirs"), "transfer-completed");
    let final_of = |peer: &Process, id| peer.with_id(id).iter().any(|event| event["final"] == true);
    assert!(!final_of(&dora, taking) && !final_of(&erin, id), "all of that went first");
    assert_eq!(dora.answer(taking)["event"], "transfer-completed");
    assert_eq!(erin.answer(id)["event"], "transfer-completed");
    assert_eq!(dora.place.got("slowly"), bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn a_push_that_is_under_way_can_be_cancelled_by_both() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(&hub, "dora");
    let bytes = content("cancelled", 600_000);
    for by_erin in [true, false] {
        let id = give(&mut erin, "a", &bytes, "dora");
        let offered = dora.then("push-offered");
        let taking = dora.send(accept(&offered));
        erin.skip();
        dora.skip();
        let started = erin.then("transfer-progress");
        let down = dora.then_where("the start", |event| event["id"] == taking);
        let (who, transfer) = if by_erin { (&mut erin, &started) } else { (&mut dora, &down) };
        who.must(json!({"request": "cancel", "transfer": transfer["transfer"]}), "cancelled");
        for (peer, id) in [(&mut erin, id), (&mut dora, taking)] {
            let answer = peer.answer(id);
            assert!(["interrupted", "peer-broke", "source-gone"].contains(&error_code(&answer)), "{answer}");
        }
        assert!(!dora.place.downloads().join("a").exists());
    }
    // Given once more, it goes on.
    let id = give(&mut erin, "a", &bytes, "dora");
    let offered = dora.then("push-offered");
    let done = dora.must(accept(&offered), "transfer-completed");
    assert!(done["resumed"].as_u64().is_some(), "{done}");
    assert_eq!(erin.answer(id)["event"], "transfer-completed");
    assert_eq!(dora.place.got("a"), bytes);
    erin.quit();
    dora.quit();
}

#[test]
fn the_same_content_can_be_given_again_even_to_who_has_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let bytes = content("twice", 40_000);
    let ids = ["plan", "copy/plan"].map(|file| give(&mut erin, file, &bytes, "dora"));
    let offered = [dora.then("push-offered"), dora.then("push-offered")];
    // The later one first.
    for (index, to) in [(1, "plan"), (0, "again")] {
        dora.must(json!({"request": "accept", "push": offered[index]["push"], "to": to}), "transfer-completed");
        assert_eq!(erin.answer(ids[index])["event"], "transfer-completed");
        assert_eq!(dora.place.got(to), bytes);
    }
    assert_eq!(erin.must(json!({"request": "transfers"}), "transfers")["transfers"], json!([]));
}
