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
mod redialled;
mod spoken;
mod swarm;
mod watched;
mod whole;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::{Value, json};
use support::*;

/// Large enough to be caught while it is under way; sparse, so that it costs nothing at its owner's.
const BIG: u64 = 512 << 20;

/// An owner and a receiver, both registered.
fn pair(scene: &Scene, hub: &Hub) -> (Process, Process) {
    (scene.client(hub, "erin"), scene.client(hub, "dora"))
}

fn get(file: &str) -> Value {
    json!({"request": "get", "file": file})
}

fn get_chunks(file: &str, chunks: impl IntoIterator<Item = u32>) -> Value {
    json!({"request": "get", "file": file, "chunks": chunks.into_iter().collect::<Vec<_>>()})
}

/// Offers a file in at most so many chunks.
fn offer_cut(owner: &mut Process, file: &str, bytes: &[u8], chunks: u32) -> Value {
    owner.place.put(file, bytes);
    let offer = json!({"request": "offer", "files": [file], "chunks": chunks});
    owner.must(offer, "offer-acked")["offers"][0].clone()
}

/// Dora gets `a.bin` of erin, who gives it slowly, and has some of it. Returns both, and her request.
fn slowly_given(scene: &Scene, hub: &Hub, bytes: &[u8]) -> (Process, Process, u64) {
    let mut erin = scene.client_with(hub, "erin", &["--up", "200k"]);
    let mut dora = scene.client(hub, "dora");
    offer_cut(&mut erin, "a.bin", bytes, 32);
    let id = dora.send(get("a.bin"));
    dora.then("transfer-progress");
    (erin, dora, id)
}

/// Offers a folder.
fn offer_tree(owner: &mut Process, folder: &str) -> Value {
    owner.must(json!({"request": "offer", "files": [folder]}), "offer-acked")
}

/// Offers a big file, which has this label at its end.
fn offer_big(owner: &mut Process, label: &str) -> Value {
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
