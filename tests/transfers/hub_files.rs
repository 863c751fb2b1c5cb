//! What the hub serves itself, over real sockets: its own folder, and copies that outlive their owners.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::support::environment::potluck;
use crate::support::half::Half;
use crate::support::raw::Raw;
use crate::support::*;
use potluck::core::fetch::{FetchPlan, Source};
use potluck::io::content::store::ContentStore;
use potluck::io::net::identity::Identity;
use potluck::io::state::home::Home;
use potluck::io::transfer::{Control, Fetcher, LocalPeer, fetch};
use potluck::protocol::{ErrorCode, Offer, OnConflict};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

const MIB: usize = 1 << 20;
const BIG: u64 = 512 << 20;

/// A hub with these files of its own.
fn hub_with(scene: &Scene, files: &[(&str, &[u8])], args: &[&str]) -> (TempDir, Hub) {
    let dir = tempfile::tempdir().unwrap();
    for (file, bytes) in files {
        fs::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
        fs::write(dir.path().join(file), bytes).unwrap();
    }
    let hub = scene.hub_with(&[&["--files", dir.path().to_str().unwrap()], args].concat());
    (dir, hub)
}

/// The table, once it is as it should be.
fn table_with(peer: &mut Process, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let offers = peer.table()["offers"].as_array().unwrap().clone();
        if is_it(&offers) {
            return offers;
        }
        peer.then("table-updated");
    }
}

fn names(offers: &[Value]) -> BTreeSet<String> {
    offers.iter().map(|offer| format!("{} of {}", text(&offer["file"]), text(&offer["owner"]))).collect()
}

fn get(file: &str, from: &str) -> Value {
    json!({"request": "get", "file": file, "from": from, "on_conflict": "overwrite"})
}

fn keep(file: &str) -> Value {
    json!({"request": "offer", "files": [file], "keep": true})
}

/// Offers a file that the hub shall keep; it acknowledges both, one after the other.
fn keep_one(owner: &mut Process, file: &str, bytes: &[u8]) {
    owner.place.put(file, bytes);
    let id = owner.send(keep(file));
    let kept = owner.answer(id);
    assert_eq!((&kept["event"], &kept["files"]), (&json!("offer-kept"), &json!([file])), "{kept}");
    let acked = &owner.with_id(id).into_iter().rev().nth(1).unwrap();
    assert_eq!((&acked["event"], &acked["final"]), (&json!("offer-acked"), &Value::Null), "{acked}");
}

/// Offers a big file, sparse at its owner's, that the hub shall keep; when this returns, the copy is under way.
fn offer_big(owner: &mut Process) -> u64 {
    let file = File::create(owner.place.shared("big")).unwrap();
    file.set_len(BIG).unwrap();
    file.write_all_at(b"big", BIG - 3).unwrap();
    let id = owner.send(keep("big"));
    assert_eq!(owner.then("transfer-started")["peer"], "hub");
    owner.then("transfer-progress");
    id
}

/// The folder of the copies.
fn folder(scene: &Scene) -> PathBuf {
    scene.path("hub/copies")
}

/// What is in there.
fn copies(scene: &Scene) -> BTreeSet<String> {
    let entries = fs::read_dir(folder(scene)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Asks the hub this and that until something has happened of which nobody is told.
fn ask_until(peer: &mut Process, what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "{what}");
        peer.table();
    }
}

#[test]
fn the_hubs_own_files_arrive_byte_for_byte() {
    let (menu, dish) = (content("menu", 3 * MIB + 1), content("dish", 7));
    let scene = Scene::default();
    let (dir, hub) =
        hub_with(&scene, &[("menu.txt", &menu), ("sub/dish", &dish), ("empty", b""), (".hidden", b"no")], &[]);
    let mut dora = scene.client(&hub, "dora");
    let offers = table_with(&mut dora, |offers| offers.len() == 3);
    let expected = ["empty of hub", "menu.txt of hub", "sub/dish of hub"].map(str::to_owned);
    assert_eq!(names(&offers), BTreeSet::from(expected));
    let menu_offer = offers.iter().find(|offer| offer["file"] == "menu.txt").unwrap();
    assert_eq!((text(&menu_offer["hash"]), &menu_offer["size"]), (hash(&menu), &json!(menu.len())));
    assert!(menu_offer.get("kept").is_none_or(|kept| kept == false), "{menu_offer}");

    dora.must(json!({"request": "get", "file": "menu.txt"}), "transfer-completed");
    assert_eq!(dora.place.got("menu.txt"), menu);
    fs::remove_file(dora.place.downloads().join("menu.txt")).unwrap();
    let done = dora.must(get("menu.txt", "hub"), "transfer-completed");
    assert_eq!((&done["peer"], &done["sources"][0]["peer"]), (&json!("hub"), &json!("hub")), "{done}");
    assert_eq!(dora.place.got("menu.txt"), menu);
    dora.must(get("sub/dish", "hub"), "transfer-completed");
    dora.must(get("empty", "hub"), "transfer-completed");
    assert_eq!((dora.place.got("sub/dish"), dora.place.got("empty")), (dish, Vec::new()));
    fs::remove_file(dora.place.downloads().join("menu.txt")).unwrap();
    dora.skip();
    dora.line("get menu.txt hub");
    dora.then("transfer-completed");
    assert_eq!(dora.place.got("menu.txt"), menu);

    // For people.
    let exec = |name: &str, line: &[&str]| {
        let mut command = potluck(dora.place.path());
        command.args(["exec", &format!("{name}@127.0.0.1:{}", hub.port), "--data", name, "--downloads", name, "--"]);
        let ended = command.args(line).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    let list = exec("erin", &["list"]);
    assert!(list.lines().any(|line| line.contains("menu.txt") && line.contains("hub")), "{list}");
    exec("finn", &["get", "menu.txt", "hub"]);
    assert_eq!(fs::read(dora.place.path().join("finn/menu.txt")).unwrap(), menu);
    dora.quit();
    drop(dir);
}

#[test]
fn what_comes_into_the_hubs_folder_changes_and_goes_is_followed() {
    // Clients know under which address they reach it.
    let scene = Scene::default();
    let (dir, hub) = hub_with(&scene, &[], &["--listen", "0.0.0.0", "--access", "open"]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path().join("secret"), dir.path().join("link")).unwrap();
    symlink(outside.path(), dir.path().join("folder")).unwrap();
    let mut dora = scene.client(&hub, "dora");
    assert_eq!(dora.table()["offers"], json!([]));
    let path = dir.path().join("sub/menu");
    fs::create_dir(dir.path().join("sub")).unwrap();
    for bytes in ["soup", "soup and bread"] {
        fs::write(&path, bytes).unwrap();
        let offered = hash(bytes.as_bytes());
        let offers = table_with(&mut dora, |offers| offers.iter().any(|offer| offer["hash"] == json!(offered)));
        // The links were there before.
        assert_eq!(names(&offers), BTreeSet::from(["sub/menu of hub".to_owned()]));
        dora.must(get("sub/menu", "hub"), "transfer-completed");
        assert_eq!(dora.place.got("sub/menu"), bytes.as_bytes());
    }
    for linked in ["link", "folder/secret"] {
        dora.refused(get(linked, "hub"), "not-offered");
    }
    // It becomes a link, too.
    fs::remove_file(&path).unwrap();
    symlink(outside.path().join("secret"), &path).unwrap();
    table_with(&mut dora, <[Value]>::is_empty);
    dora.refused(get("sub/menu", "hub"), "not-offered");
    dora.quit();
}

#[test]
fn a_copy_can_be_had_when_its_owner_is_gone_and_goes_when_it_is_withdrawn() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--keep-files", "10MB"]);
    let song = content("song", 3 * MIB + 7);
    let mut erin = scene.client(&hub, "erin");
    keep_one(&mut erin, "song", &song);
    assert_eq!(copies(&scene), BTreeSet::from([hash(&song)]));
    assert_eq!(fs::metadata(folder(&scene)).unwrap().permissions().mode() & 0o777, 0o700);
    erin.quit();

    for (name, restart) in [("dora", true), ("cleo", true), ("finn", false)] {
        let mut peer = scene.client(&hub, name);
        let offers = table_with(&mut peer, |offers| !offers.is_empty());
        assert_eq!((&offers[0]["owner"], &offers[0]["kept"]), (&json!("erin"), &json!(true)));
        let done = peer.must(get("song", "erin"), "transfer-completed");
        assert_eq!(done["sources"], json!([{"peer": "hub", "bytes": song.len(), "route": "direct"}]));
        assert_eq!(peer.place.got("song"), song);
        peer.kill();
        if restart {
            hub = scene.again(hub, Signal::KILL, &["--keep-files", "10MB"]);
        }
    }

    // She is back: it comes from her, and is hers to take away.
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "gwen");
    keep_one(&mut erin, "song", &song);
    let offers = table_with(&mut dora, |offers| !offers.is_empty() && offers[0]["kept"] != json!(true));
    assert_eq!(names(&offers), BTreeSet::from(["song of erin".to_owned()]));
    let done = dora.must(get("song", "erin"), "transfer-completed");
    assert_eq!(done["sources"], json!([{"peer": "erin", "bytes": song.len(), "route": "direct"}]));
    erin.must(json!({"request": "withdraw", "files": ["song"]}), "withdrawn");
    ask_until(&mut erin, "the copy is removed", || copies(&scene).is_empty());
    erin.quit();
    dora.refused(get("song", "erin"), "not-offered");
    dora.quit();
}

#[test]
fn what_does_not_fit_is_not_kept_and_the_same_content_is_kept_once() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "3MB"]);
    let (mut erin, mut dora) = (scene.client(&hub, "erin"), scene.client(&hub, "dora"));
    let song = content("song", 2 * MIB);
    // Both at once.
    erin.place.put("song", &song);
    dora.place.put("tune", &song);
    let ids = (erin.send(keep("song")), dora.send(keep("tune")));
    assert_eq!(
        (&erin.answer(ids.0)["event"], &dora.answer(ids.1)["event"]),
        (&json!("offer-kept"), &json!("offer-kept"))
    );
    assert_eq!(copies(&scene), BTreeSet::from([hash(&song)]));
    erin.place.put("other", &content("other", 2 * MIB));
    erin.refused(keep("other"), "no-room");
    assert_eq!(dora.must(get("other", "erin"), "transfer-completed")["size"], json!(2 * MIB), "offered all the same");
    // One of two takes it away: it stays for the other, and goes with it.
    erin.must(json!({"request": "withdraw", "files": ["song"]}), "withdrawn");
    let mut cleo = scene.client(&hub, "cleo");
    dora.quit();
    table_with(&mut cleo, |offers| offers.iter().any(|offer| offer["kept"] == true));
    cleo.must(get("tune", "dora"), "transfer-completed");
    assert_eq!(cleo.place.got("tune"), song);
    for peer in [erin, cleo] {
        peer.quit();
    }
    let elsewhere = Scene::default();
    let none = elsewhere.hub();
    let mut erin = elsewhere.client(&none, "erin");
    erin.place.put("song", &song);
    erin.refused(keep("song"), "keeps-nothing");
    erin.quit();
}

/// Asks the hub's port for a file by whoever holds this key.
fn fetch_as(identity: &Identity, hub: &Hub, offer: &Value, folder: &Path) -> Result<Vec<u8>, ErrorCode> {
    let listening = &hub.process.seen[0];
    let offer: Offer = serde_json::from_value(offer.clone()).unwrap();
    let port = listening["files_port"].as_u64().unwrap() as u16;
    let source = Source {
        name: "hub".to_owned(),
        address: (Ipv4Addr::LOCALHOST, port).into(),
        key: text(&listening["key"]).parse().unwrap(),
        has: None,
    };
    let mut plan = FetchPlan::of_file(&offer.file, offer.hash, offer.chunking().unwrap(), vec![source]);
    plan.files[0].target = "got".to_owned();
    (plan.on_conflict, plan.share) = (OnConflict::Overwrite, false);
    let token = "0123456789abcdef".to_owned();
    let fetcher =
        Fetcher { token, seed: 0, folder, local: &LocalPeer::new(identity.clone()), store: &ContentStore::default() };
    let fetched = fetch(plan.into(), &fetcher, &|_| (), &Control::default());
    fetched.map(|fetched| fs::read(fetched.path).unwrap()).map_err(|failure| failure.code)
}

#[test]
fn only_who_is_here_may_fetch() {
    let scene = Scene::default();
    let (_dir, mut hub) = hub_with(&scene, &[("menu", b"soup")], &[]);
    let mut dora = scene.client(&hub, "dora");
    let offer = table_with(&mut dora, |offers| offers.len() == 1).remove(0);
    let hers = Home::open(Some(&dora.place.data())).unwrap().identity("dora").unwrap();
    let (stranger, place) = (Identity::ephemeral().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(fetch_as(&hers, &hub, &offer, place.path()), Ok(b"soup".to_vec()));
    assert_eq!(fetch_as(&stranger, &hub, &offer, place.path()), Err(ErrorCode::PeerRefused));
    dora.quit();
    hub.process.then("client-left");
    assert_eq!(fetch_as(&hers, &hub, &offer, place.path()), Err(ErrorCode::PeerRefused));
}

#[test]
fn a_hub_that_is_stopped_does_not_wait_for_a_copy() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--keep-files", "1GiB"]);
    let mut erin = scene.client(&hub, "erin");
    offer_big(&mut erin);
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.exit(), 0);
    hub.process.then("hub-stopped");
}

#[test]
fn a_hub_killed_while_it_makes_a_copy_makes_it_again() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "1GiB"]);
    let mut erin = scene.client(&hub, "erin");
    let id = offer_big(&mut erin);
    let _hub = scene.again(hub, Signal::KILL, &["--keep-files", "1GiB"]);
    let kept = erin.answer(id);
    assert_eq!((&kept["event"], &kept["bytes"]), (&json!("offer-kept"), &json!(BIG)), "{kept}");
    let offer = erin.table()["offers"][0].clone();
    assert_eq!(copies(&scene), BTreeSet::from([text(&offer["hash"])]));
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(folder(&scene).join(text(&offer["hash"]))).unwrap()).unwrap();
    assert_eq!(hasher.finalize().to_hex().to_string(), text(&offer["hash"]));
    erin.quit();
}

#[test]
fn copies_that_are_not_what_they_were_are_not_served() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "10MB"]);
    let mut erin = scene.client(&hub, "erin");
    for file in ["sound", "changed", "short", "gone"] {
        keep_one(&mut erin, file, file.as_bytes());
    }
    erin.quit();
    let path = |file: &str| folder(&scene).join(hash(file.as_bytes()));
    fs::write(path("changed"), "CHANGED").unwrap();
    fs::write(path("short"), "").unwrap();
    fs::remove_file(path("gone")).unwrap();
    // What a crash may leave.
    for left in ["0".repeat(64), format!(".{}.00000000.potluck", "0".repeat(64))] {
        fs::write(folder(&scene).join(left), "left").unwrap();
    }
    let hub = scene.again(hub, Signal::KILL, &["--keep-files", "10MB"]);
    let mut dora = scene.client(&hub, "dora");
    let offers = table_with(&mut dora, |offers| offers.len() == 1);
    assert_eq!(names(&offers), BTreeSet::from(["sound of erin".to_owned()]));
    ask_until(&mut dora, "only the sound one is left", || copies(&scene) == BTreeSet::from([hash(b"sound")]));
    dora.must(get("sound", "erin"), "transfer-completed");
    assert_eq!(dora.place.got("sound"), b"sound");
    dora.quit();
}

#[test]
fn what_cannot_be_served_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let serve = |args: &[&str]| {
        let ended = potluck(dir.path()).args(["serve", "--port", "0"]).args(args).output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    fs::write(dir.path().join("file"), "").unwrap();
    let inside = Path::new("served/hub");
    fs::create_dir_all(dir.path().join(inside)).unwrap();
    for (args, said) in [
        (&["--data", "hub", "--files", "missing"][..], "missing"),
        (&["--data", "hub", "--files", "file"], "file"),
        (&["--ephemeral", "--keep-files", "1GB"], "--ephemeral"),
        (&["--keep-files", "0MB"], "500MB"),
        (&["--keep-files", "many"], "500MB"),
        (&["--data", "served/hub", "--files", "served"], "lie in each other"),
        (&["--data", "served", "--files", "served/hub"], "lie in each other"),
    ] {
        let (code, text) = serve(args);
        assert!(code == Some(2) && text.contains(said), "{args:?}: {code:?} {text}");
    }
}

#[test]
fn who_cannot_be_dialled_comes_to_the_hub_with_what_it_keeps() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "10MB"]);
    let identity = Identity::from_seed([61; 32]);
    // Nobody listens where the hub is told that files are served.
    let mut owner = Raw::enter(hub.port, "owner", identity.clone(), 9);
    owner.say(&json!({"id": 2, "publish": [liar::sevens("sevens", 3 * MIB)], "keep": true}));
    let stored = loop {
        let told = owner.find(|told| told["event"] == "meeting" || told["event"] == "stored");
        if told["event"] == "stored" {
            break told;
        }
        assert_eq!((&told["peer"], &told["name"], told.get("ask")), (&json!(hub.key), &json!("hub"), None));
        liar::serve_sevens(Half::of(hub.port, &told).0, &identity, 3 * MIB);
    };
    assert_eq!(stored.get("code"), None, "{stored}");
    drop(owner);
    let mut reader = scene.client(&hub, "reader");
    let done = reader.must(get("sevens", "owner"), "transfer-completed");
    assert_eq!(fs::read(text(&done["path"])).unwrap(), vec![7; 3 * MIB]);
}
