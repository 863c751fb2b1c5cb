//! A hub whose data cannot be used says so, ends, and leaves everything as it was.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;

/// Every file in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// A hub's folder with things in it, and the name of its database.
fn lived_in(scene: &Scene) -> String {
    let mut hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    for n in 0..200 {
        erin.must(say("lobby", &format!("{n} {}", "words ".repeat(100))), "message-acked");
    }
    part(erin);
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.exit(), 0);
    let databases = files(&scene.path("hub")).into_iter().filter(|(_, bytes)| bytes.starts_with(b"SQLite format 3"));
    let databases: Vec<String> = databases.map(|(name, _)| name).collect();
    assert_eq!(databases.len(), 1, "{databases:?}");
    databases.into_iter().next().unwrap()
}

#[test]
fn a_damaged_store_is_named_and_not_touched() {
    let scene = Scene::default();
    let database = lived_in(&scene);
    let path = scene.path("hub").join(&database);
    let whole = std::fs::read(&path).unwrap();
    assert!(whole.len() > 100_000, "there is something to damage");
    let mut damages: Vec<(&str, Vec<u8>)> = Vec::new();
    damages.push(("cut in the middle", whole[..whole.len() / 2].to_vec()));
    damages.push(("cut to its first page", whole[..4096].to_vec()));
    let mut head = whole.clone();
    head[..16].fill(b'x');
    damages.push(("another file", head));
    let mut schema = whole.clone();
    schema[100..4096].fill(0xff);
    damages.push(("a first page of nonsense", schema));
    damages.push(("of another program", another_program(&scene)));
    for (what, damaged) in damages {
        std::fs::write(&path, &damaged).unwrap();
        let before = files(&scene.path("hub"));
        let ended = scene.run(["serve", "--port", "0", "--data", "hub"], "");
        assert_eq!((ended.code, ended.text().as_str()), (9, ""), "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains("store-corrupt") && ended.stderr.contains("hint:"), "{what}: {}", ended.stderr);
        assert!(std::fs::read(&path).unwrap() == damaged, "{what}: it is as it was");
        let kept = files(&scene.path("hub"));
        assert!(before.iter().all(|(name, bytes)| name.ends_with("-shm") || kept.get(name) == Some(bytes)), "{what}");
    }
    // With the copy that its owner has, everything is there again.
    std::fs::write(&path, &whole).unwrap();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let history = erin.must(json!({"request": "history", "limit": 500, "lobby": true}), "history");
    assert_eq!(history["messages"].as_array().unwrap().len(), 200);
}

/// A database that is none of ours.
fn another_program(scene: &Scene) -> Vec<u8> {
    let path = scene.path("other.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');").unwrap();
    drop(other);
    std::fs::read(&path).unwrap()
}

#[test]
fn a_store_in_use_is_named_and_its_hub_goes_on() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    erin.must(say("lobby", "one"), "message-acked");
    for _ in 0..3 {
        let ended = scene.run(["serve", "--port", "0", "--data", "hub"], "");
        assert_eq!((ended.code, ended.text().as_str()), (9, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("store-locked") && ended.stderr.contains("--data"), "{}", ended.stderr);
        erin.must(say("lobby", "more"), "message-acked");
    }
    // A hub that was killed leaves no lock behind.
    let hub = scene.again(hub, Signal::KILL, &[]);
    let mut dora = scene.client(&hub, "dora");
    let history = dora.must(json!({"request": "history"}), "history");
    assert_eq!(texts(&history), ["one", "more", "more", "more"]);
}
