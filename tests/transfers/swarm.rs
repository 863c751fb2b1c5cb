//! Several sources at once: those that lie, die or are slow, and receivers that give each other what they have.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::{get, get_chunks, offer_cut, until};
use crate::support::liar::{Liar, Lie};
use crate::support::*;

const KIB: usize = 1 << 10;

/// Who sent how much, of a receipt whose numbers add up.
fn receipt(done: &Value, bytes: &[u8]) -> BTreeMap<String, u64> {
    assert_eq!(done["event"], "transfer-completed", "{done}");
    assert_eq!(text(&done["hash"]), blake3::hash(bytes).to_hex().to_string());
    assert_eq!(done["size"], bytes.len());
    assert!(done["elapsed"].as_u64().is_some() && done.get("chunks").is_none(), "{done}");
    let sources = done["sources"].as_array().into_iter().flatten();
    let sent: BTreeMap<String, u64> =
        sources.map(|source| (text(&source["peer"]), source["bytes"].as_u64().unwrap())).collect();
    let sum = sent.values().sum::<u64>() + done["resumed"].as_u64().unwrap();
    assert_eq!(sum, bytes.len() as u64, "{done}");
    sent
}

/// Who has which chunks of the file.
fn holders(peer: &mut Process, file: &str) -> BTreeMap<String, Value> {
    let chunks = peer.must(json!({"request": "chunks", "file": file}), "chunks");
    let holders = chunks["holders"].as_array().unwrap().iter();
    holders.map(|holder| (text(&holder["name"]), holder["has"].clone())).collect()
}

#[test]
fn one_lies_one_is_killed_one_is_slow_and_the_file_is_right() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("swarm", 640 * KIB);
    let mut slow = scene.client_with(&hub, "slow", &["--up", "200k"]);
    let mut killed = scene.client_with(&hub, "killed", &["--up", "50k"]);
    let mut liar = Liar::enter(hub.port, "liar", [80, 80], "a.bin", &bytes, Some(40), Lie::Bytes);
    let mut dora = scene.client(&hub, "dora");
    let offer = offer_cut(&mut slow, "a.bin", &bytes, 40);
    assert_eq!((&offer["chunks"], &offer["hash"]), (&json!(40), &json!(liar.content.hash)));
    offer_cut(&mut killed, "a.bin", &bytes, 40);
    liar.publish();

    let id = dora.send(get("a.bin"));
    dora.then("transfer-progress");
    // It would take many times as long to send its share.
    killed.kill();
    let sent = receipt(&dora.answer(id), &bytes);
    assert!(sent["slow"] > 0 && !sent.contains_key("liar"), "{sent:?}");
    assert_eq!(dora.place.got("a.bin"), bytes);
    assert_eq!(dora.place.downloaded().len(), 1);
    let dropped: BTreeMap<String, String> = dora
        .with_id(id)
        .iter()
        .filter(|event| event["event"] == "source-dropped")
        .map(|event| (text(&event["peer"]), text(&event["code"])))
        .collect();
    let bad = [("killed", "peer-broke"), ("liar", "bad-chunk")].map(|(who, code)| (who.to_owned(), code.to_owned()));
    assert_eq!(dropped, BTreeMap::from(bad));
    slow.quit();
    dora.quit();
}

#[test]
fn who_was_killed_and_offers_it_again_is_asked_again() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("back", 640 * KIB);
    let mut erin = scene.client_with(&hub, "erin", &["--up", "100k"]);
    let mut frida = scene.client(&hub, "frida");
    let mut dora = scene.client(&hub, "dora");
    offer_cut(&mut erin, "a.bin", &bytes, 40);
    // She stays, and has too little.
    frida.must(get_chunks("a.bin", 0..2), "transfer-completed");
    until("the hub knows who has it", || holders(&mut dora, "a.bin").len() == 2);
    let id = dora.send(get("a.bin"));
    dora.then("transfer-progress");
    erin.kill();
    let dropped = dora.then_where("erin given up", |event| event["event"] == "source-dropped");
    assert_eq!((&dropped["peer"], &dropped["code"]), (&json!("erin"), &json!("peer-broke")));
    let stalled = dora.then("transfer-stalled");
    assert_eq!((&stalled["id"], &stalled["file"]), (&json!(id), &json!("a.bin")));
    let mut erin = scene.client(&hub, "erin");
    offer_cut(&mut erin, "a.bin", &bytes, 40);
    let sent = receipt(&dora.answer(id), &bytes);
    assert!(sent["erin"] > 0, "{sent:?}");
    assert_eq!(dora.place.got("a.bin"), bytes);
    [erin, frida, dora].into_iter().for_each(Process::quit);
}

#[test]
fn two_who_fetch_from_a_slow_source_give_each_other_what_they_have() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("trade", 512 * KIB);
    let mut slow = scene.client_with(&hub, "slow", &["--up", "150k"]);
    let mut dora = scene.client(&hub, "dora");
    let mut finn = scene.client(&hub, "finn");
    offer_cut(&mut slow, "a.bin", &bytes, 32);
    // Each has something that the other has not.
    let asked = [dora.send(get_chunks("a.bin", 0..5)), finn.send(get_chunks("a.bin", 16..21))];
    assert_eq!(dora.answer(asked[0])["event"], "transfer-completed");
    assert_eq!(finn.answer(asked[1])["event"], "transfer-completed");
    until("the hub knows who has it", || holders(&mut slow, "a.bin").len() == 3);
    let asked = [dora.send(get("a.bin")), finn.send(get("a.bin"))];
    let [to_dora, to_finn] = [dora.answer(asked[0]), finn.answer(asked[1])].map(|done| receipt(&done, &bytes));
    assert!(to_dora["finn"] >= 1 && to_finn["dora"] >= 1, "{to_dora:?} {to_finn:?}");
    assert_eq!((dora.place.got("a.bin"), finn.place.got("a.bin")), (bytes.clone(), bytes));
    // Both say at their ends that they have sent something.
    for peer in [&dora, &finn] {
        let up = |event: &Value| event["event"] == "transfer-started" && event["direction"] == "up";
        assert!(peer.seen.iter().any(up), "{}", peer.name);
    }
    [slow, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn who_fetches_later_gets_it_from_who_is_still_fetching() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("growing", 512 * KIB);
    let mut slow = scene.client_with(&hub, "slow", &["--up", "150k"]);
    let mut dora = scene.client(&hub, "dora");
    let mut finn = scene.client(&hub, "finn");
    offer_cut(&mut slow, "a.bin", &bytes, 32);
    let first = dora.send(get("a.bin"));
    // Some chunks of it are there, and the hub knows.
    until("the hub knows who has it", || holders(&mut finn, "a.bin").contains_key("dora"));
    let sent = receipt(&finn.must(get("a.bin"), "transfer-completed"), &bytes);
    assert!(sent["dora"] > 0, "{sent:?}");
    receipt(&dora.answer(first), &bytes);
    assert_eq!((dora.place.got("a.bin"), finn.place.got("a.bin")), (bytes.clone(), bytes));
    [slow, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn when_the_owner_has_left_who_has_fetched_it_gives_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("left", 300 * KIB);
    let [mut erin, mut dora, mut finn] = ["erin", "dora", "finn"].map(|name| scene.client(&hub, name));
    let offer = offer_cut(&mut erin, "sub/a.bin", &bytes, 20);
    dora.must(get("sub/a.bin"), "transfer-completed");
    until("the hub knows who has it", || holders(&mut finn, "sub/a.bin").len() == 2);
    erin.quit();
    finn.then_state("erin", "offline");
    assert_eq!(finn.table()["offers"], json!([]));
    assert_eq!(holders(&mut finn, "sub/a.bin"), BTreeMap::from([("dora".to_owned(), json!([[0, offer["chunks"]]]))]));
    for text in ["A.BIN", &text(&offer["hash"])[..8]] {
        let found = finn.must(json!({"request": "search", "text": text}), "found");
        let holders = json!([{"name": "dora", "chunks": offer["chunks"], "offered": false}]);
        assert_eq!((&found["files"][0]["file"], &found["files"][0]["holders"]), (&json!("sub/a.bin"), &holders));
    }
    let sent = receipt(&finn.must(get("sub/a.bin"), "transfer-completed"), &bytes);
    assert_eq!(sent, BTreeMap::from([("dora".to_owned(), bytes.len() as u64)]));
    assert_eq!(finn.place.got("sub/a.bin"), bytes);
    // Who has it alone has nobody to get it from, and when nobody has it any more it is forgotten.
    finn.quit();
    dora.then_state("finn", "offline");
    dora.refused(json!({"request": "get", "file": "sub/a.bin", "to": "again"}), "not-offered");
    dora.quit();
    let mut greg = scene.client(&hub, "greg");
    greg.refused(get("sub/a.bin"), "not-offered");
    assert_eq!(greg.must(json!({"request": "search", "text": "a.bin"}), "found")["files"], json!([]));
    greg.quit();
}

#[test]
fn what_is_taken_back_is_not_found_at_those_who_have_fetched_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let [mut erin, mut dora, mut finn] = ["erin", "dora", "finn"].map(|name| scene.client(&hub, name));
    offer_cut(&mut erin, "a.bin", b"secret after all", 1);
    dora.must(get("a.bin"), "transfer-completed");
    until("the hub knows who has it", || holders(&mut finn, "a.bin").len() == 2);
    erin.must(json!({"request": "withdraw", "files": ["a.bin"]}), "withdrawn");
    finn.refused(get("a.bin"), "not-offered");
    [erin, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn some_chunks_end_in_their_places_and_the_rest_is_fetched_later() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("chunks", 160 * KIB + 7);
    let [mut erin, mut dora] = ["erin", "dora"].map(|name| scene.client(&hub, name));
    let offer = offer_cut(&mut erin, "a.bin", &bytes, 11);
    let (chunk, count) = (offer["chunk_size"].as_u64().unwrap() as usize, offer["chunks"].as_u64().unwrap() as usize);
    assert_eq!((chunk, count), (16 * KIB, 11));
    // In any order, as people write it.
    dora.line("get a.bin --chunks 7 0 4 10 4");
    let done = dora.then("transfer-completed");
    assert_eq!(done["chunks"], json!([[0, 1], [4, 5], [7, 8], [10, 11]]), "{done}");
    let fetched = 3 * chunk + 7;
    assert_eq!((&done["size"], &done["sources"][0]["bytes"]), (&json!(fetched), &json!(fetched)), "{done}");
    assert!(!dora.place.downloads().join("a.bin").exists());
    let there = fs::read(dora.place.path().join(text(&done["path"]))).unwrap();
    for index in [0, 4, 7, 10] {
        let range = index * chunk..((index + 1) * chunk).min(bytes.len());
        assert_eq!(there[range.clone()], bytes[range], "chunk {index}");
    }
    until("the hub knows who has it", || holders(&mut erin, "a.bin").get("dora") == Some(&done["chunks"]));
    // The rest, and nothing of that again.
    let whole = dora.must(get("a.bin"), "transfer-completed");
    assert_eq!(whole["resumed"], fetched);
    assert_eq!(receipt(&whole, &bytes), BTreeMap::from([("erin".to_owned(), (bytes.len() - fetched) as u64)]));
    assert_eq!(dora.place.got("a.bin"), bytes);
    assert_eq!(dora.place.downloaded().len(), 1, "{:?}", dora.place.downloaded());
    assert_eq!(dora.refused(get_chunks("a.bin", [3, 11]), "no-such-chunk")["at"], "/chunks/1");
    dora.refused(json!({"request": "get", "file": "a.bin", "chunks": []}), "bad-request");
    erin.quit();
    dora.quit();
}

#[test]
fn who_says_to_have_chunks_and_has_none_is_dropped() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("absent", 320 * KIB);
    let mut slow = scene.client_with(&hub, "slow", &["--up", "150k"]);
    let mut dora = scene.client(&hub, "dora");
    offer_cut(&mut slow, "a.bin", &bytes, 20);
    let mut liar = Liar::enter(hub.port, "liar", [81, 81], "a.bin", &bytes, Some(20), Lie::Absent);
    liar.claim();
    assert_eq!(holders(&mut dora, "a.bin").len(), 2);
    let sent = receipt(&dora.must(get("a.bin"), "transfer-completed"), &bytes);
    assert_eq!(sent, BTreeMap::from([("slow".to_owned(), bytes.len() as u64)]));
    let dropped = dora.then("source-dropped");
    assert_eq!((&dropped["peer"], &dropped["code"]), (&json!("liar"), &json!("source-gone")));
    assert!(!text(&dropped["message"]).contains('\u{1b}'), "in our own words: {dropped}");
    assert!(liar.was_asked());
    assert_eq!(dora.place.got("a.bin"), bytes);
    slow.quit();
    dora.quit();
}
