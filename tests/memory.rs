//! Memory stays small, however large a file is.

mod common;

use std::fs::File;

use common::peers::{Hub, Peer};
use serde_json::json;

const GIB: u64 = 1 << 30;
/// What either end may have used at most, in KiB.
const MOST: u64 = 64 << 10;

/// The most memory that a process ever had, in KiB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_gibibyte_passes_through_little_memory() {
    let hub = Hub::start(&[]);
    let mut erin = Peer::join(hub.port, "erin", &[]);
    let mut dora = Peer::join(hub.port, "dora", &[]);
    // Nothing on its owner's disk; many chunks of many kinds are not what this is about.
    File::create(erin.place.shared("big")).unwrap().set_len(GIB).unwrap();
    erin.must(json!({"request": "offer", "files": ["big"]}), "offer-acked");
    dora.must(json!({"request": "get", "file": "big"}), "transfer-completed");
    erin.expect("transfer-completed");
    assert_eq!(std::fs::metadata(dora.place.downloads().join("big")).unwrap().len(), GIB);
    for peer in [&erin, &dora] {
        let peak = peak(peer.process.pid());
        assert!(peak < MOST, "{} used {peak} KiB", peer.name);
    }
    erin.quit();
    dora.quit();
}
