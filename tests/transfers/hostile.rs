//! Peers that lie, and peers that are not who they say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use potluck::core::fetch::{FetchPlan, Source};
use potluck::io::content::store::ContentStore;
use potluck::io::net::identity::Identity;
use potluck::io::state::home::Home;
use potluck::io::transfer::{Control, Fetcher, LocalPeer, fetch};
use potluck::protocol::transfer::Chunking;
use potluck::protocol::{ErrorCode, JoinLink, Offer, PublicKey};
use serde_json::{Value, json};

use super::{error_code, get, pair};
use crate::support::environment::potluck;
use crate::support::liar::{Liar, Lie};
use crate::support::*;

pub fn hub_key(hub: &Hub) -> PublicKey {
    hub.link.parse::<JoinLink>().unwrap().key.unwrap()
}

#[test]
fn a_source_that_lies_is_named_and_nothing_of_it_is_kept() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    let cases = BTreeMap::from([
        ("bytes", (Lie::Bytes, "bad-chunk")),
        ("manifest", (Lie::Manifest, "bad-chunk")),
        ("length", (Lie::Length, "peer-broke")),
        ("short", (Lie::Short, "peer-broke")),
    ]);
    for (seed, (file, (lie, code))) in (60..).zip(cases) {
        // Each promises a content of its own: otherwise they were sources of each other's.
        let (name, promised) = (format!("liar-{file}"), content(file, 3 << 20));
        let liar = Liar::join(hub.port, &name, [seed, seed], file, &promised, lie);
        dora.skip();
        let id = dora.send(get(file));
        assert_eq!(error_code(&dora.answer(id)), code, "{file}");
        let dropped = dora.then("source-dropped");
        assert_eq!((&dropped["peer"], &dropped["code"]), (&json!(name), &json!(code)), "{file}");
        assert_eq!(dora.then("transfer-failed")["code"], code, "{file}");
        assert!(liar.was_asked() && dora.place.downloaded().is_empty(), "{file}: {:?}", dora.place.downloaded());
    }
    // The program is well, and can be used for something better.
    let mut erin = scene.client(&hub, "erin");
    erin.offer("true", &content("bytes", 3 << 20));
    dora.must(get("true"), "transfer-completed");
    erin.quit();
    dora.quit();
}

#[test]
fn an_honest_source_makes_up_for_one_that_lies() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let promised = content("promised", 20 << 20);
    let _liar = Liar::join(hub.port, "liar", [70, 70], "a.bin", &promised, Lie::Bytes);
    erin.offer("a.bin", &promised);
    let id = dora.send(get("a.bin"));
    let done = dora.answer(id);
    assert_eq!(done["event"], "transfer-completed", "{done}");
    assert_eq!(done["sources"], json!([{"peer": "erin", "bytes": promised.len(), "route": "direct"}]));
    assert_eq!(dora.place.got("a.bin"), promised);
    assert_eq!(dora.then("source-dropped")["peer"], "liar");
    erin.quit();
    dora.quit();
}

#[test]
fn a_source_with_another_key_than_the_roster_s_is_asked_nothing() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    let liar = Liar::join(hub.port, "liar", [71, 72], "a.bin", b"promised", Lie::Bytes);
    dora.refused(get("a.bin"), "peer-key-changed");
    assert!(!liar.was_asked() && dora.place.downloaded().is_empty());
    dora.quit();
}

#[test]
fn a_peer_s_key_is_pinned_until_it_is_forgotten() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    erin.offer("a.txt", b"a");
    let home = scene.place("dora").data();
    // As if somebody else had been erin here before.
    let before = Identity::from_seed([73; 32]).key;
    Home::open(Some(&home)).unwrap().pins().pin_peer("erin", &hub_key(&hub), before).unwrap();
    let mut dora = scene.client(&hub, "dora");
    let refused = dora.refused(get("a.txt"), "peer-key-changed");
    assert!(text(&refused["message"]).contains(&before.to_string()), "{refused}");
    assert!(dora.place.downloaded().is_empty());
    assert!(erin.seen.iter().all(|event| event["event"] != "transfer-started"));

    let mut forget = potluck(dora.place.path());
    forget.args(["forget", &format!("erin@{}", hub.address), "--data", "data"]);
    assert!(forget.status().unwrap().success());
    dora.must(get("a.txt"), "transfer-completed");
    // From now on it is this one.
    let pins = Home::open(Some(&home)).unwrap().pins();
    assert!(pins.pinned_peer("erin", &hub_key(&hub)).unwrap().is_some_and(|key| key != before));
    erin.quit();
    dora.quit();
}

#[test]
fn one_owner_with_another_key_does_not_keep_the_file_from_us() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut finn) = (scene.client(&hub, "erin"), scene.client(&hub, "finn"));
    let bytes = content("both", 5 << 20);
    erin.offer("a.bin", &bytes);
    finn.offer("a.bin", &bytes);
    let before = Identity::from_seed([74; 32]).key;
    let home = Home::open(Some(&scene.place("dora").data())).unwrap();
    home.pins().pin_peer("erin", &hub_key(&hub), before).unwrap();
    let mut dora = scene.client(&hub, "dora");
    let done = dora.must(get("a.bin"), "transfer-completed");
    assert_eq!(done["sources"], json!([{"peer": "finn", "bytes": bytes.len(), "route": "direct"}]));
    let dropped = dora.then("source-dropped");
    assert_eq!((&dropped["peer"], &dropped["code"]), (&json!("erin"), &json!("peer-key-changed")));
    [erin, finn, dora].into_iter().for_each(Process::quit);
}

#[test]
fn what_is_wanted_from_somebody_with_another_key_is_taken_from_nobody() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut finn) = (scene.client(&hub, "erin"), scene.client(&hub, "finn"));
    let bytes = content("both", 5 << 20);
    for peer in [&mut erin, &mut finn] {
        peer.offer("a.bin", &bytes);
        peer.offer("d/b.txt", b"b");
    }
    let home = Home::open(Some(&scene.place("dora").data())).unwrap();
    home.pins().pin_peer("Erin", &hub_key(&hub), Identity::from_seed([75; 32]).key).unwrap();
    let mut dora = scene.client(&hub, "dora");
    // Finn has the same, but which content is erin's is what the hub says.
    for file in ["a.bin", "d/b.txt", "d/"] {
        dora.refused(json!({"request": "get", "file": file, "from": "ERIN"}), "peer-key-changed");
    }
    assert!(dora.place.downloaded().is_empty());
    for peer in [&erin, &finn] {
        assert!(peer.seen.iter().all(|event| event["event"] != "transfer-started"));
    }
    // Whoever is not asked for by name is as good as any other.
    dora.must(json!({"request": "get", "file": "a.bin", "from": "finn"}), "transfer-completed");
    [erin, finn, dora].into_iter().for_each(Process::quit);
}

/// Fetches an offer straight from its owner, without the hub.
pub fn fetch_as(identity: &Identity, offer: &Value, key: PublicKey, folder: &Place) -> Result<(), ErrorCode> {
    let offer: Offer = serde_json::from_value(offer.clone()).unwrap();
    let address = SocketAddr::from((offer.address, offer.port));
    let chunking = Chunking::checked(offer.size, offer.chunk_size, offer.chunks).unwrap();
    let source = Source { name: offer.owner, address, key, has: None };
    let plan = FetchPlan::of_file(&offer.file, offer.hash, chunking, vec![source]);
    let token = "0123456789abcdef".into();
    let fetcher = Fetcher {
        token,
        seed: 0,
        folder: folder.path(),
        local: &LocalPeer::new(identity.clone()),
        store: &ContentStore::default(),
    };
    let fetched = fetch(plan.into(), &fetcher, &|_| (), &Control::default());
    fetched.map(drop).map_err(|failure| failure.code)
}

pub fn key_of(peer: &mut Process, name: &str) -> PublicKey {
    let roster = peer.must(json!({"request": "who"}), "roster");
    let client = roster["clients"].as_array().unwrap().iter().find(|client| client["name"] == name).unwrap();
    text(&client["key"]).parse().unwrap()
}

#[test]
fn only_who_is_registered_may_fetch_and_only_from_who_is() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let offer = erin.offer("a.txt", b"a")["offers"][0].clone();
    let (key, folder) = (key_of(&mut dora, "erin"), scene.place("nobody"));
    // Who is not at the hub.
    let stranger = Identity::from_seed([75; 32]);
    assert_eq!(fetch_as(&stranger, &offer, key, &folder), Err(ErrorCode::PeerRefused));
    assert!(!folder.path().join("a.txt").exists());

    // Who has left the table.
    dora.must(get("a.txt"), "transfer-completed");
    dora.must(json!({"request": "dereg"}), "deregistered");
    dora.refused(get("a.txt"), "not-registered");
    erin.then_state("dora", "offline");
    let own = Home::open(Some(&dora.place.data())).unwrap().identity("dora").unwrap();
    assert_eq!(fetch_as(&own, &offer, key, &folder), Err(ErrorCode::PeerRefused));

    // And nobody from whom has left it.
    dora.must(json!({"request": "rereg"}), "welcome");
    erin.then_state("dora", "online");
    erin.must(json!({"request": "dereg"}), "deregistered");
    assert_eq!(fetch_as(&own, &offer, key, &folder), Err(ErrorCode::PeerRefused));
    dora.refused(get("a.txt"), "not-offered");
    let gone = dora.table()["revision"].as_u64();
    erin.must(json!({"request": "rereg"}), "welcome");
    // The offers follow the name.
    dora.then_where("the offer again", |event| {
        event["event"] == "table-updated" && event["revision"].as_u64() > gone && event["added"] != json!([])
    });
    dora.must(json!({"request": "get", "file": "a.txt", "to": "b.txt"}), "transfer-completed");
    erin.quit();
    dora.quit();
}
