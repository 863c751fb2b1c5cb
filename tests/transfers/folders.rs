//! Whole folders between real processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{get, offer_tree, pair};
use crate::support::*;

/// A tree of some hundred files: empty and large ones, in folders within folders, with times and modes of their own.
fn plant(owner: &Process) -> BTreeMap<String, Vec<u8>> {
    let mut tree = BTreeMap::new();
    for number in 0..300 {
        let size = if number % 20 == 0 { 0 } else { number * 37 % 5_000 };
        let folder = ["tree", "tree/b", "tree/b/c d", "tree/é"][number % 4];
        tree.insert(format!("{folder}/{number}"), content(&number.to_string(), size));
    }
    tree.insert("tree/large".into(), content("large", (3 << 20) + 1));
    tree.insert("tree/b/larger".into(), content("larger", 5 << 20));
    for (number, (file, bytes)) in (1..).zip(&tree) {
        owner.place.put(file, bytes);
        let path = owner.place.shared(file);
        // Whatever it is at its owner's, it is a plain file elsewhere.
        let mode = [0o644, 0o4755, 0o2777, 0o666, 0o600][number as usize % 5];
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time(number)).unwrap();
    }
    tree
}

fn time(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_500_000_000_123 + number * 86_400_000)
}

fn is_tree(tree: &BTreeMap<String, Vec<u8>>, downloads: &Path) {
    for (number, (file, bytes)) in (1..).zip(tree) {
        let path = downloads.join(file);
        assert!(fs::read(&path).unwrap() == *bytes, "{file} has other bytes");
        let meta = fs::metadata(&path).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7133, 0, "{file}: {:o}", meta.permissions().mode());
        assert_eq!(meta.modified().unwrap(), time(number), "{file}");
    }
}

/// The hash that a folder has: that of what `b3sum` prints for its files.
fn tree_hash(tree: &BTreeMap<String, Vec<u8>>) -> String {
    let line = |(file, bytes): (&String, &Vec<u8>)| format!("{}  {file}\n", blake3::hash(bytes).to_hex());
    blake3::hash(tree.iter().map(line).collect::<String>().as_bytes()).to_hex().to_string()
}

#[test]
fn a_tree_arrives_as_it_is_and_links_and_hidden_files_stay_where_they_are() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let tree = plant(&erin);
    erin.place.put("tree/.hidden", b"hidden");
    erin.place.put("tree/.git/config", b"hidden");
    fs::write(erin.place.path().join("secret"), "secret").unwrap();
    symlink(erin.place.path().join("secret"), erin.place.shared("tree/link")).unwrap();
    symlink(erin.place.path(), erin.place.shared("tree/b/up")).unwrap();
    let acked = offer_tree(&mut erin, "tree");
    assert_eq!(acked["offers"].as_array().unwrap().len(), tree.len());
    let links = [("tree/b/up", "link"), ("tree/link", "link")].map(|(file, why)| json!({"file": file, "reason": why}));
    let mut skipped = acked["skipped"].as_array().unwrap().clone();
    skipped.sort_by_key(|skipped| text(&skipped["file"]));
    assert_eq!(skipped, links);

    let id = dora.send(get("tree/"));
    let done = dora.answer(id);
    is_tree(&tree, &dora.place.downloads());
    assert_eq!(dora.place.downloaded(), tree.keys().cloned().collect(), "and nothing else");
    let size = tree.values().map(Vec::len).sum::<usize>();
    let fields = [&done["event"], &done["file"], &done["files"], &done["size"], &done["hash"], &done["resumed"]];
    let expected =
        [json!("transfer-completed"), json!("tree/"), json!(302), json!(size), json!(tree_hash(&tree)), json!(0)];
    assert_eq!(fields, expected.each_ref());
    assert_eq!(done["sources"], json!([{"peer": "erin", "bytes": size, "route": "direct"}]));
    assert!(text(&done["path"]).ends_with("downloads/tree"), "{done}");
    for file in ["tree/link", "tree/b/up/secret", "tree/.hidden"] {
        dora.refused(get(file), "not-offered");
    }
    // Again: all of it is there.
    let again = dora.must(get("tree/"), "transfer-completed");
    assert_eq!((&again["resumed"], again.get("sources")), (&json!(size), None));
    // To another place, and with what is hidden.
    erin.must(json!({"request": "offer", "files": ["tree"], "hidden": true}), "offer-acked");
    let to = json!({"request": "get", "file": "tree/", "to": "else/where"});
    assert_eq!(dora.must(to, "transfer-completed")["files"], 304);
    assert_eq!(dora.place.got("else/where/.git/config"), b"hidden");
    assert_eq!(dora.place.got("else/where/b/c d/2"), tree["tree/b/c d/2"]);
    erin.must(json!({"request": "withdraw", "files": ["tree/"]}), "withdrawn");
    dora.refused(get("tree/"), "not-offered");
    erin.quit();
    dora.quit();
}

#[test]
fn a_folder_that_was_broken_off_goes_on_whoever_was_killed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let tree: BTreeMap<String, Vec<u8>> =
        (0..60).map(|file| (format!("t/{}/{file}", file % 3), content(&file.to_string(), 10_000))).collect();
    tree.iter().for_each(|(file, bytes)| erin.place.put(file, bytes));
    offer_tree(&mut erin, "t");
    let mut dora = scene.client_with(&hub, "dora", &["--down", "200k"]);
    dora.send(get("t/"));
    dora.then("transfer-progress");
    dora.kill();

    let mut dora = scene.client_with(&hub, "dora", &["--down", "200k"]);
    let id = dora.send(get("t/"));
    let first = dora.then("transfer-started")["resumed"].as_u64().unwrap();
    assert!(first > 0 && first < 600_000, "{first}");
    dora.then("transfer-progress");
    erin.kill();
    assert_eq!(dora.answer(id)["event"], "error");

    let mut erin = scene.client(&hub, "erin");
    offer_tree(&mut erin, "t");
    let done = dora.must(get("t/"), "transfer-completed");
    let resumed = done["resumed"].as_u64().unwrap();
    assert!(resumed >= first, "{done}");
    assert_eq!(done["sources"], json!([{"peer": "erin", "bytes": 600_000 - resumed, "route": "direct"}]));
    for (file, bytes) in &tree {
        assert_eq!(dora.place.got(file), *bytes);
    }
    assert_eq!(dora.place.downloaded(), tree.keys().cloned().collect(), "nothing partial is left");
    erin.quit();
    dora.quit();
}

/// The files that failed, each with its code.
fn failed(peer: &Process, id: u64) -> BTreeMap<String, String> {
    let events = peer.with_id(id).into_iter().filter(|event| event["event"] == "file-failed");
    events.map(|event| (text(&event["file"]), text(&event["code"]))).collect()
}

#[test]
fn what_cannot_be_placed_fails_alone() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    for file in ["t/a", "t/b", "t/same", "t/out/c", "t/out/d", "t/deep/e", "t/large"] {
        let size = if file == "t/large" { 2 << 20 } else { 100 };
        erin.place.put(file, &content(file, size));
    }
    offer_tree(&mut erin, "t");
    let (downloads, outside) = (dora.place.downloads(), dora.place.path().join("outside"));
    fs::create_dir_all(downloads.join("t")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, downloads.join("t/out")).unwrap();
    fs::write(outside.join("large"), "old").unwrap();
    symlink(outside.join("large"), downloads.join("t/large")).unwrap();
    fs::write(downloads.join("t/b"), "mine").unwrap();
    fs::write(downloads.join("t/same"), content("t/same", 100)).unwrap();

    let id = dora.send(get("t/"));
    let answer = dora.answer(id);
    assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("exists")), "{answer}");
    let expected = [("t/b", "exists"), ("t/large", "exists"), ("t/out/c", "not-writable"), ("t/out/d", "not-writable")];
    assert_eq!(failed(&dora, id), BTreeMap::from(expected.map(|(file, code)| (file.to_owned(), code.to_owned()))));
    for failed in dora.with_id(id).iter().filter(|event| event["event"] == "file-failed" && event["code"] == "exists") {
        assert_eq!(failed["message"], format!("{} exists and is another file.", text(&failed["file"])));
    }
    assert_eq!(dora.place.got("t/b"), b"mine");
    for file in ["t/a", "t/same", "t/deep/e"] {
        assert_eq!(dora.place.got(file), content(file, 100), "{file}");
    }
    // Nothing went through the links.
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(outside.join("large")).unwrap(), b"old");

    fs::remove_file(downloads.join("t/out")).unwrap();
    let overwrite = json!({"request": "get", "file": "t/", "on_conflict": "overwrite"});
    dora.must(overwrite, "transfer-completed");
    assert_eq!((dora.place.got("t/b"), dora.place.got("t/large")), (content("t/b", 100), content("t/large", 2 << 20)));
    assert_eq!(fs::read(outside.join("large")).unwrap(), b"old", "the link was replaced, not what it led to");
    erin.quit();
    dora.quit();
}

#[test]
fn a_folder_of_several_people_comes_from_all_of_them() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let mut finn = scene.client(&hub, "finn");
    for file in 0..40 {
        let bytes = content(&file.to_string(), 50_000);
        let owners = [vec![&erin, &finn], vec![&erin], vec![&finn]];
        owners[file % 3].iter().for_each(|owner| owner.place.put(&format!("t/{file}"), &bytes));
    }
    offer_tree(&mut erin, "t");
    offer_tree(&mut finn, "t");
    let done = dora.must(get("t/"), "transfer-completed");
    let sent = |name: &str| {
        let sources = done["sources"].as_array().unwrap().iter();
        sources.filter(|source| source["peer"] == name).map(|source| source["bytes"].as_u64().unwrap()).sum::<u64>()
    };
    // Of some files each is the only one who has them.
    assert!(sent("erin") >= 13 * 50_000 && sent("finn") >= 13 * 50_000, "{done}");
    assert_eq!(sent("erin") + sent("finn"), 40 * 50_000);
    (0..40).for_each(|file| assert_eq!(dora.place.got(&format!("t/{file}")), content(&file.to_string(), 50_000)));
    // Two who offer another content under one name: whose it shall be must be said.
    finn.place.put("t/0", b"finn's");
    finn.must(json!({"request": "offer", "files": ["t/0"]}), "offer-acked");
    dora.refused(json!({"request": "get", "file": "t/", "to": "u"}), "ambiguous");
    let from: Value = json!({"request": "get", "file": "t/", "from": "FINN", "to": "u"});
    assert_eq!(dora.must(from, "transfer-completed")["files"], 27);
    assert_eq!(dora.place.got("u/0"), b"finn's");
    [erin, finn, dora].into_iter().for_each(Process::quit);
}
