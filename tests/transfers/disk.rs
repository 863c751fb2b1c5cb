//! A disk that is really full: a small file system of its own for the downloads, where the system lets us have one.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use super::{get, offer_cut, offer_tree};
use crate::support::environment::started_by;
use crate::support::scene::welcomed;
use crate::support::*;

const KIB: usize = 1 << 10;

/// A client whose download folder is a file system of 1 MiB, and where that is seen; `None` if the system does not
/// let us make one.
fn join_small(scene: &Scene, hub: &Hub) -> Option<(Process, PathBuf)> {
    let place = scene.place("dora");
    fs::create_dir_all(place.downloads()).unwrap();
    let mount = r#"mount -t tmpfs -o size=1m tmpfs dora/downloads && exec "$0" "$@""#;
    let unshare = |inner: &Command| started_by("unshare", &["-Urm", "sh", "-c", mount], inner);
    let probe = unshare(&scene.command(["--version"])).output();
    if !probe.as_ref().is_ok_and(|probe| probe.status.success()) {
        println!("skipped: no file system can be mounted here: {probe:?}");
        return None;
    }
    let dora = welcomed(place.start(unshare(&scene.join(&hub.address, "dora", &[])), "dora"));
    // Only there it is mounted.
    let root = PathBuf::from(format!("/proc/{}/root", dora.pid()));
    let seen = root.join(place.downloads().strip_prefix("/").unwrap());
    Some((dora, seen))
}

#[test]
fn on_a_full_disk_nothing_is_lost_and_when_there_is_room_it_goes_on() {
    let scene = Scene::default();
    let hub = scene.hub();
    let Some((mut dora, downloads)) = join_small(&scene, &hub) else { return };
    let mut erin = scene.client(&hub, "erin");
    let bytes = content("full", 600 * KIB);
    offer_cut(&mut erin, "a.bin", &bytes, 38);
    fs::write(downloads.join("a.bin"), "old").unwrap();
    fs::write(downloads.join("ballast"), vec![1; 700 * KIB]).unwrap();

    let overwrite = json!({"request": "get", "file": "a.bin", "on_conflict": "overwrite"});
    let refused = dora.refused(overwrite.clone(), "disk-full");
    let message = text(&refused["message"]);
    let missing: usize = message.split_whitespace().find_map(|word| word.parse().ok()).expect(&message);
    assert!((200 * KIB..400 * KIB).contains(&missing), "{message}");
    assert_eq!(fs::read(downloads.join("a.bin")).unwrap(), b"old");
    assert_eq!(dora.then("transfer-failed")["code"], "disk-full");

    // Some chunks fit; then the disk is filled by somebody else, and made free again.
    fs::remove_file(downloads.join("ballast")).unwrap();
    let chunks: Vec<u32> = (0..10).collect();
    let some = json!({"request": "get", "file": "a.bin", "chunks": chunks, "on_conflict": "overwrite"});
    dora.must(some, "transfer-completed");
    fs::write(downloads.join("ballast"), vec![1; 700 * KIB]).unwrap();
    dora.refused(overwrite.clone(), "disk-full");
    assert_eq!(fs::read(downloads.join("a.bin")).unwrap(), b"old");
    fs::remove_file(downloads.join("ballast")).unwrap();
    let done = dora.must(overwrite, "transfer-completed");
    assert!(done["resumed"].as_u64().unwrap() >= 160 * KIB as u64, "{done}");
    assert_eq!(fs::read(downloads.join("a.bin")).unwrap(), bytes);
    assert_eq!(fs::read_dir(&downloads).unwrap().count(), 1);
    erin.quit();
    dora.quit();
}

#[test]
fn a_folder_that_has_no_room_is_not_begun_and_comes_when_there_is() {
    let scene = Scene::default();
    let hub = scene.hub();
    let Some((mut dora, downloads)) = join_small(&scene, &hub) else { return };
    let mut erin = scene.client(&hub, "erin");
    for file in 0..20 {
        erin.place.put(&format!("t/{file}"), &content(&file.to_string(), 20 * KIB));
    }
    offer_tree(&mut erin, "t");
    fs::write(downloads.join("ballast"), vec![1; 800 * KIB]).unwrap();
    let refused = dora.refused(get("t/"), "disk-full");
    assert!(text(&refused["message"]).contains("bytes are missing"), "{refused}");
    assert_eq!(fs::read_dir(&downloads).unwrap().count(), 1, "nothing was begun");
    fs::remove_file(downloads.join("ballast")).unwrap();
    dora.must(get("t/"), "transfer-completed");
    assert_eq!(fs::read(downloads.join("t/7")).unwrap(), content("7", 20 * KIB));
    assert_eq!(dora.ask(get("nothing"))["code"], "not-offered");
    erin.quit();
    dora.quit();
}
