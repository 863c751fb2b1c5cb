//! Everything that one client gets from another.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::best::Route;
use crate::support::{Process, content};

/// The ways that clients find.
const FOUND: &[Route] = &[Route::Direct];

/// Whether clients find such a way.
pub fn is_found(way: Route) -> bool {
    FOUND.contains(&way)
}

/// Whoever asks gets a file, a folder and a push from whoever gives, and they talk: all of it takes this way.
pub fn play(asker: &mut Process, giver: &mut Process, _way: Route) {
    let (to, from) = (asker.name.clone(), giver.name.clone());
    let bytes = content(&from, 300_000);
    giver.offer("a.bin", &bytes);
    let tree: BTreeMap<String, Vec<u8>> =
        (0..20).map(|number| (format!("tree/{}/{number}", number % 3), content(&from, number * 2_000))).collect();
    tree.iter().for_each(|(file, bytes)| giver.place.put(file, bytes));
    giver.must(json!({"request": "offer", "files": ["tree"]}), "offer-acked");

    asker.must(json!({"request": "get", "file": "a.bin", "from": from}), "transfer-completed");
    assert!(asker.place.got("a.bin") == bytes, "a.bin has other bytes");
    asker.must(json!({"request": "get", "file": "tree/", "from": from}), "transfer-completed");
    for (file, bytes) in &tree {
        assert!(asker.place.got(file) == *bytes, "{file} has other bytes");
    }

    giver.place.put("gift", &bytes[1..]);
    let pushed = giver.send(json!({"request": "push", "file": "gift", "to": to}));
    let offered = asker.then("push-offered");
    asker.must(json!({"request": "accept", "push": offered["push"]}), "transfer-completed");
    assert_eq!(giver.answer(pushed)["event"], "transfer-completed");
    assert!(asker.place.got("gift") == bytes[1..], "gift has other bytes");

    asker.must(json!({"request": "private", "to": from, "text": "between us"}), "message-acked");
    assert_eq!(giver.then("private-message")["text"], "between us");
    asker.must(json!({"request": "private-close", "to": from}), "private-closed");
    // Both have the same names, so that whoever asks next finds none of them.
    fs::remove_dir_all(asker.place.downloads()).unwrap();
}
