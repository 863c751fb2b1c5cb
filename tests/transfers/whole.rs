//! Whole files: every size and name, both ends' story, conflicts, and whom to ask.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use serde_json::{Value, json};

use super::{get, pair};
use crate::support::*;

const MIB: usize = 1 << 20;

#[test]
fn files_of_every_size_arrive_byte_for_byte_and_both_ends_say_so() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    for size in [0, 1, MIB - 1, MIB, MIB + 1, 10 * MIB] {
        let file = format!("{size}.bin");
        let bytes = content(&file, size);
        let offer = erin.offer(&file, &bytes)["offers"][0].clone();
        let id = dora.send(get(&file));
        let done = dora.answer(id);
        assert_eq!(dora.place.got(&file), bytes);

        let events = dora.with_id(id);
        let (first, hash) = (&events[0], offer["hash"].clone());
        assert_eq!(text(&hash), blake3::hash(&bytes).to_hex().to_string());
        let sent = if size == 0 { json!(null) } else { json!([{"peer": "erin", "bytes": size, "route": "direct"}]) };
        for (event, name) in [(first, "transfer-started"), (&done, "transfer-completed")] {
            assert_eq!(event["event"], name, "{events:#?}");
            let fields = [&event["direction"], &event["file"], &event["peer"], &event["size"], &event["hash"]];
            assert_eq!(fields, [&json!("down"), &json!(file), &json!("erin"), &json!(size), &hash]);
            assert!(text(&event["path"]).ends_with(&format!("downloads/{file}")), "{event}");
        }
        assert_eq!((&first["resumed"], &done["sources"]), (&json!(0), &sent));

        for name in ["transfer-started", "transfer-completed"] {
            let event = erin.then(name);
            let fields = [&event["direction"], &event["file"], &event["peer"], &event["size"], &event["hash"]];
            assert_eq!(fields, [&json!("up"), &json!(file), &json!("dora"), &json!(size), &hash]);
            assert!(event.get("path").is_none() && event.get("id").is_none(), "{event}");
        }
    }
    // Nothing is left of what was partial.
    assert_eq!(dora.place.downloaded().len(), 6);
    assert_eq!(dora.must(json!({"request": "transfers"}), "transfers")["transfers"], json!([]));
    erin.quit();
    dora.quit();
}

#[test]
fn names_arrive_as_they_are_and_the_folder_is_made_when_it_is_needed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    assert!(!dora.place.downloads().exists());
    let names = ["two words.txt", "Grüße – déjà vu.txt", "sub/x", "sub/deep er/ÿ", ".hidden", "-rf", "a\"b'c$d"];
    for name in names {
        erin.offer(name, name.as_bytes());
        dora.must(get(name), "transfer-completed");
        assert_eq!(dora.place.got(name), name.as_bytes());
    }
    assert_eq!(dora.place.downloaded(), BTreeSet::from(names.map(str::to_owned)));
    // By hand, too.
    dora.skip();
    dora.line("get \"two words.txt\" erin --to \"an other.txt\"");
    dora.then("transfer-completed");
    assert_eq!(dora.place.got("an other.txt"), b"two words.txt");
    erin.quit();
    dora.quit();
}

#[test]
fn what_is_there_is_replaced_only_when_told() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    erin.offer("a.txt", b"new");
    let target = dora.place.downloads().join("a.txt");
    fs::create_dir(dora.place.downloads()).unwrap();
    fs::write(&target, "old").unwrap();
    let inode = fs::metadata(&target).unwrap().ino();
    let with = |what: &str| json!({"request": "get", "file": "a.txt", "on_conflict": what});

    for refused in [get("a.txt"), with("fail")] {
        assert_eq!(dora.refused(refused, "exists")["message"], "a.txt exists and is another file.");
        assert_eq!(dora.place.got("a.txt"), b"old");
        assert_eq!(fs::metadata(&target).unwrap().ino(), inode);
    }
    let renamed = dora.must(with("rename"), "transfer-completed");
    assert!(text(&renamed["path"]).ends_with("downloads/a (1).txt"), "{renamed}");
    assert_eq!((dora.place.got("a.txt"), dora.place.got("a (1).txt")), (b"old".to_vec(), b"new".to_vec()));
    dora.must(json!({"request": "get", "file": "a.txt", "to": "sub/b.txt"}), "transfer-completed");
    assert_eq!(dora.place.got("sub/b.txt"), b"new");
    erin.offer("c.txt", b"other");
    let refused = dora.refused(json!({"request": "get", "file": "c.txt", "to": "sub/b.txt"}), "exists");
    assert_eq!(refused["message"], "sub/b.txt exists and is another file.");
    let refused = dora.refused(json!({"request": "get", "file": "c.txt", "to": "sub"}), "exists");
    assert_eq!(refused["message"], "sub is a folder.");
    dora.must(with("overwrite"), "transfer-completed");
    assert_eq!(dora.place.got("a.txt"), b"new");
    let expected = ["a.txt", "a (1).txt", "sub/b.txt"].map(str::to_owned);
    assert_eq!(dora.place.downloaded(), BTreeSet::from(expected));
    erin.quit();
    dora.quit();
}

#[test]
fn links_in_the_download_folder_lead_nowhere() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    erin.offer("sub/x", b"new");
    erin.offer("y", b"new");
    let (downloads, outside) = (dora.place.downloads(), dora.place.path().join("outside"));
    fs::create_dir(&downloads).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("y"), "old").unwrap();
    symlink(&outside, downloads.join("sub")).unwrap();
    symlink(outside.join("y"), downloads.join("y")).unwrap();

    dora.refused(get("sub/x"), "not-writable");
    dora.refused(get("y"), "exists");
    dora.must(json!({"request": "get", "file": "y", "on_conflict": "overwrite"}), "transfer-completed");
    // The link itself was replaced, not what it led to.
    assert_eq!(dora.place.got("y"), b"new");
    assert_eq!(fs::read(outside.join("y")).unwrap(), b"old");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    for bad in ["../y", "/tmp/y", "a/../../y", ""] {
        dora.refused(json!({"request": "get", "file": "y", "to": bad}), "bad-name");
    }
    erin.quit();
    dora.quit();
}

#[test]
fn who_is_asked_depends_on_who_offers_what() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let mut finn = scene.client(&hub, "finn");
    let from = |file: &str, owner: &str| json!({"request": "get", "file": file, "from": owner});

    dora.refused(get("nothing"), "not-offered");
    erin.offer("a.txt", b"erin's");
    dora.refused(from("a.txt", "finn"), "not-offered");
    dora.refused(from("a.txt", "nobody"), "not-offered");
    erin.refused(get("a.txt"), "own-file");
    erin.refused(from("a.txt", "erin"), "own-file");

    finn.offer("a.txt", b"finn's");
    assert_eq!(dora.refused(get("a.txt"), "ambiguous")["at"], "/from");
    dora.must(from("a.txt", "FINN"), "transfer-completed");
    assert_eq!(dora.place.got("a.txt"), b"finn's");
    // There is only one other than one's own.
    erin.must(get("a.txt"), "transfer-completed");
    assert_eq!(erin.place.got("a.txt"), b"finn's");

    // The same content from two owners is one file.
    let both = content("both", 20 * MIB);
    erin.offer("both", &both);
    finn.offer("both", &both);
    let done = dora.must(get("both"), "transfer-completed");
    assert_eq!(dora.place.got("both"), both);
    let sources = done["sources"].as_array().unwrap();
    assert_eq!(sources.iter().map(|source| source["bytes"].as_u64().unwrap()).sum::<u64>(), both.len() as u64);
    assert!(sources.iter().all(|source| ["erin", "finn"].contains(&source["peer"].as_str().unwrap())));
    [erin, dora, finn].into_iter().for_each(Process::quit);
}

#[test]
fn several_files_are_got_at_once_and_wait_waits_for_all() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    let files: Vec<String> = (0..10).map(|i| format!("{i}.bin")).collect();
    for file in &files {
        erin.place.put(file, &content(file, 300_000));
    }
    erin.must(json!({"request": "offer", "files": files}), "offer-acked");
    let ids: Vec<u64> = files.iter().map(|file| dora.send(get(file))).collect();
    dora.must(json!({"request": "wait"}), "waited");
    let waited = dora.seen.iter().position(|event| event["event"] == "waited");
    for (id, file) in ids.into_iter().zip(&files) {
        let is_answer = |event: &Value| event["id"] == id && event["final"] == true;
        assert!(dora.seen.iter().position(is_answer) < waited);
        assert_eq!(dora.place.got(file), content(file, 300_000));
    }
    // What is under way at the end of the input is finished.
    fs::remove_dir_all(dora.place.downloads()).unwrap();
    dora.send(get("0.bin"));
    dora.end_input();
    let place = dora.place.clone();
    assert_eq!(dora.end(), 0);
    assert_eq!(place.got("0.bin"), content("0.bin", 300_000));
    erin.quit();
}

#[test]
fn what_is_asked_after_a_registration_sees_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut erin, mut dora) = pair(&scene, &hub);
    erin.offer("a.txt", b"a");
    // All in one go, under a name that the hub has yet to write down.
    let asked = [
        dora.send(json!({"request": "dereg"})),
        dora.send(json!({"request": "register", "name": "dolly"})),
        dora.send(get("a.txt")),
        dora.send(json!({"request": "dereg"})),
        dora.send(json!({"request": "rereg"})),
        dora.send(json!({"request": "get", "file": "a.txt", "to": "b.txt"})),
    ];
    let answers = asked.map(|id| text(&dora.answer(id)["event"]));
    let done = "transfer-completed";
    assert_eq!(answers, ["deregistered", "welcome", done, "deregistered", "welcome", done]);
    erin.quit();
    dora.quit();
}

#[test]
fn clients_of_a_hub_on_the_other_loopback_reach_each_other() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return; // this machine has no IPv6
    }
    for (listen, host) in [("::1", "[::1]"), ("::", "[::1]"), ("::", "127.0.0.1"), ("127.0.0.1", "localhost")] {
        let scene = Scene::default();
        let hub = scene.hub_with(&["--listen", listen, "--access", "open"]);
        let at = format!("{host}:{}", hub.port);
        let [mut erin, mut dora] = ["erin", "dora"].map(|name| scene.client(&at, name));
        let offer = erin.offer("a.txt", b"a");
        let shown = if host == "[::1]" { "::1" } else { "127.0.0.1" };
        assert_eq!(offer["offers"][0]["address"], shown);
        dora.must(get("a.txt"), "transfer-completed");
        erin.quit();
        dora.quit();
    }
}
