//! Files between real processes: whole, broken off, and lied about.

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod hostile;
mod whole;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use common::peers::{Hub, Peer};
use serde_json::{Value, json};

/// Large enough to be caught while it is under way; sparse, so that it costs nothing at its owner's.
const BIG: u64 = 512 << 20;

/// An owner and a receiver, both registered.
fn pair(hub: &Hub) -> (Peer, Peer) {
    (Peer::join(hub.port, "erin", &[]), Peer::join(hub.port, "dora", &[]))
}

fn get(file: &str) -> Value {
    json!({"request": "get", "file": file})
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
