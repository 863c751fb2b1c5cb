//! A store that cannot be written for a while, or that is taken away from under a running hub.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// A small disk below the hub's folder, where one can be had.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|done| done.status.success()).then_some(Self(at))
    }

    /// Uses all the room that there is.
    fn fill(&self) {
        let mut filler = std::fs::File::create(self.0.join("filler")).unwrap();
        while std::io::Write::write(&mut filler, &[7; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The hub may still be closing its files; a lazy unmount waits for it by itself.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What needs no disk goes on.
fn the_rest_goes_on(scene: &Scene, hub: &Hub, erin: &mut Process, code: &str) {
    let status = erin.must(request("status"), "status");
    assert_eq!(status["store"]["code"], code, "{status}");
    scene.file("erin/shared/notes.txt", "soup");
    erin.must(json!({"request": "offer", "files": ["notes.txt"]}), "offer-acked");
    // Somebody who is known comes, sees, fetches and talks past the hub.
    let mut dora = scene.client(hub, "dora");
    dora.must(request("who"), "roster");
    dora.must(json!({"request": "get", "file": "notes.txt"}), "transfer-completed");
    dora.must(json!({"request": "private", "to": "erin", "text": "psst"}), "message-acked");
    dora.refused(message("erin", "lost"), code);
    dora.refused(json!({"request": "block", "name": "erin"}), code);
    dora.refused(json!({"request": "room-create", "room": "attic"}), code);
    let blocks = dora.must(request("blocks"), "blocks");
    assert_eq!(blocks["names"], json!([]), "what was refused has not happened");
    dora.must(json!({"request": "history"}), "history");
    part(dora);
}

#[test]
fn a_lock_held_by_another_program_is_waited_out() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    part(scene.client(&hub, "dora"));
    let mut erin = scene.client(&hub, "erin");
    erin.must(say("lobby", "before"), "message-acked");
    let other = rusqlite::Connection::open(scene.path("hub/hub.sqlite3")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    // What is on its way to the disk when that happens is given up after a while.
    erin.refused(say("lobby", "on its way"), "store-busy");
    let degraded = hub.process.expect("store-degraded");
    assert_eq!(degraded["code"], "store-busy", "{degraded}");
    let refusal = erin.refused(say("lobby", "refused"), "store-busy");
    assert_eq!((&refusal["retry"], &refusal["wait"]), (&json!("later"), &json!(1_000)), "{refusal}");
    the_rest_goes_on(&scene, &hub, &mut erin, "store-busy");
    other.execute_batch("ROLLBACK").unwrap();
    hub.process.expect("store-recovered");
    assert!(!hub.process.has_said(|line| line["event"] == "store-degraded"), "it is said once");
    erin.must(say("lobby", "after"), "message-acked");
    assert_eq!(erin.must(request("status"), "status").get("store"), None);
    let hub = scene.again(hub, Signal::KILL, &[]);
    let mut dora = scene.client(&hub, "dora");
    assert_eq!(texts(&dora.must(json!({"request": "history", "lobby": true}), "history")), ["before", "after"]);
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_and_loses_nothing_else() {
    let scene = Scene::default();
    let Some(disk) = SmallDisk::mount(scene.path("hub"), "size=16m") else {
        eprintln!("skipped: no small disk can be mounted here, which takes root");
        return;
    };
    let mut hub = scene.hub();
    part(scene.client(&hub, "dora"));
    let mut erin = scene.client(&hub, "erin");
    let text = "words ".repeat(2_000);
    let said: BTreeSet<u64> = (1_000..1_200).collect();
    for n in &said {
        if *n == 1_050 {
            disk.fill();
        }
        erin.line(&json!({"id": n, "request": "say", "room": "lobby", "text": format!("{n} {text}")}).to_string());
    }
    assert_eq!(hub.process.expect("store-degraded")["code"], "store-full");
    erin.refusal("store-full");
    the_rest_goes_on(&scene, &hub, &mut erin, "store-full");
    disk.make_room();
    hub.process.expect("store-recovered");
    erin.must(say("lobby", "after"), "message-acked");
    // The refusal that was waited for is one more.
    let answers: Vec<Value> = erin.passed_over(|event| event["id"].as_u64().is_some_and(|id| said.contains(&id)));
    let acked: BTreeSet<u64> = answers
        .iter()
        .filter(|event| event["event"] == "message-acked")
        .map(|event| event["id"].as_u64().unwrap())
        .collect();
    assert_eq!(answers.len(), said.len() - 1, "each is answered once");
    assert!(acked.len() < said.len() - 1, "{} were taken", acked.len());
    let hub = scene.again(hub, Signal::KILL, &[]);
    let mut dora = scene.client(&hub, "dora");
    let history = dora.must(json!({"request": "history", "lobby": true, "limit": 500}), "history");
    let kept =
        texts(&history).into_iter().filter_map(|text| text.split(' ').next()?.parse().ok()).collect::<Vec<u64>>();
    assert_eq!(kept, acked.into_iter().collect::<Vec<_>>(), "what was acknowledged is there, once, and nothing else");
    drop(hub);
}

#[test]
fn a_hub_whose_disk_is_full_does_not_start_and_says_so_by_its_exit_code() {
    let scene = Scene::default();
    let Some(disk) = SmallDisk::mount(scene.path("hub"), "size=1m") else {
        eprintln!("skipped: no small disk can be mounted here, which takes root");
        return;
    };
    disk.fill();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_potluck"));
    let ended = serve.args(["serve", "--port", "0", "--data"]).arg(scene.path("hub/data")).output().unwrap();
    assert_eq!(ended.status.code(), Some(9), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_database_that_is_taken_away_ends_the_hub() {
    for replaced in [false, true] {
        let scene = Scene::default();
        let mut hub = scene.hub();
        let mut erin = scene.client(&hub, "erin");
        erin.must(say("lobby", "one"), "message-acked");
        let file = scene.path("hub/hub.sqlite3");
        let copy = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        if replaced {
            std::fs::write(&file, copy).unwrap();
        }
        let failed = hub.process.expect("store-failed");
        assert!(failed["message"].as_str().unwrap().contains("removed or replaced"), "{failed}");
        assert_ne!(hub.process.exit(), 0);
        let ended = hub.process.finish();
        assert!(ended.stderr.contains("removed or replaced") && ended.stderr.contains("hint:"), "{}", ended.stderr);
    }
}

#[test]
fn a_key_without_its_database_is_refused() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.exit(), 0);
    let folder = scene.path("hub");
    for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.file_name().unwrap().to_str().unwrap().starts_with("hub.sqlite3") {
            std::fs::rename(&entry, scene.path("copy")).unwrap();
        }
    }
    let ended = scene.run(["serve", "--port", "0", "--data", "hub"], "");
    assert!(ended.code != 0 && ended.text().is_empty(), "{ended:?}");
    assert!(ended.stderr.contains("store-corrupt") && ended.stderr.contains("hint:"), "{}", ended.stderr);
    assert!(!folder.join("hub.sqlite3").exists(), "nothing is made");
    // Put back, all is well.
    std::fs::rename(scene.path("copy"), folder.join("hub.sqlite3")).unwrap();
    drop(scene.hub());
}
