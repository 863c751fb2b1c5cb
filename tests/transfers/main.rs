//! Files between real processes: whole, broken off, and lied about.

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod disk;
mod folders;
mod hostile;
mod hub_files;
mod interrupted;
mod names;
mod pushes;
mod pushes_hostile;
mod queue;
mod spoken;
mod swarm;
mod watched;
mod whole;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::peers::{Hub, PATIENCE, Peer};

/// Large enough to be caught while it is under way; sparse, so that it costs nothing at its owner's.
const BIG: u64 = 512 << 20;

/// An owner and a receiver, both registered.
fn pair(hub: &Hub) -> (Peer, Peer) {
    (Peer::join(hub.port, "erin", &[]), Peer::join(hub.port, "dora", &[]))
}

fn get(file: &str) -> Value {
    json!({"request": "get", "file": file})
}

fn get_chunks(file: &str, chunks: impl IntoIterator<Item = u32>) -> Value {
    json!({"request": "get", "file": file, "chunks": chunks.into_iter().collect::<Vec<_>>()})
}

/// Looks again and again until it is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Offers a file in at most so many chunks.
fn offer_cut(owner: &mut Peer, file: &str, bytes: &[u8], chunks: u32) -> Value {
    owner.place.put(file, bytes);
    let offer = json!({"request": "offer", "files": [file], "chunks": chunks});
    owner.must(offer, "offer-acked")["offers"][0].clone()
}

/// Offers a folder.
fn offer_tree(owner: &mut Peer, folder: &str) -> Value {
    owner.must(json!({"request": "offer", "files": [folder]}), "offer-acked")
}

/// Offers a big file, which has this label at its end.
fn offer_big(owner: &mut Peer, label: &str) -> Value {
    let file = File::create(owner.place.shared("big")).unwrap();
    file.set_len(BIG).unwrap();
    file.write_all_at(label.as_bytes(), BIG - label.len() as u64).unwrap();
    let answer = owner.must(json!({"request": "offer", "files": ["big"]}), "offer-acked");
    answer["offers"][0].clone()
}

/// The hash of a file, as potluck writes it.
fn hash(path: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).unwrap()).unwrap();
    hasher.finalize().to_hex().to_string()
}

fn error_code(answer: &Value) -> &str {
    assert_eq!(answer["event"], "error", "{answer}");
    answer["code"].as_str().unwrap()
}
