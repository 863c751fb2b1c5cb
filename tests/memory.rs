//! Memory stays small, however large a file is and however much is said at once.

mod support;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use potluck::io::net::connect;
use potluck::io::net::identity::Identity;
use potluck::protocol::TransportChoice;
use serde_json::json;
use support::*;

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
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    // Nothing on its owner's disk; many chunks of many kinds are not what this is about.
    File::create(erin.place.shared("big")).unwrap().set_len(GIB).unwrap();
    erin.must(json!({"request": "offer", "files": ["big"]}), "offer-acked");
    dora.must(json!({"request": "get", "file": "big"}), "transfer-completed");
    erin.then("transfer-completed");
    assert_eq!(std::fs::metadata(dora.place.downloads().join("big")).unwrap().len(), GIB);
    for peer in [&erin, &dora] {
        let peak = peak(peer.pid());
        assert!(peak < MOST, "{} used {peak} KiB", peer.name);
    }
    erin.quit();
    dora.quit();
}

/// Says hello, and then a part of a frame that never ends.
async fn drone_on(hub: SocketAddr, key: u8, choice: TransportChoice, droning: Arc<AtomicUsize>) {
    let mut conn = connect(hub, &Identity::from_seed([key; 32]), None, choice).await.unwrap();
    let hello = r#"{"hello":"potluck-link/1","received":0,"port":1,"link_port":1,"instance":""}"#;
    conn.writer.write_all(format!("{hello}\n").as_bytes()).await.unwrap();
    conn.writer.flush().await.unwrap();
    conn.reader.next().await.unwrap().unwrap();
    droning.fetch_add(1, SeqCst);
    let _ = conn.writer.write_all(br#"{"n":1,"ack":0,"body":{"request":"message","to":"all","text":""#).await;
    let _ = conn.writer.write_all(&[b'x'; 3 << 20]).await;
    let _ = conn.writer.flush().await;
    // It reads and does not answer, until the hub has had enough.
    while let Ok(Some(_)) = conn.reader.next().await {}
}

#[test]
fn many_sessions_with_a_long_line_each_take_little_memory_and_hold_up_nobody() {
    const MANY: u8 = 150;
    let scene = Scene::default();
    let hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    for n in 0..1_000 {
        dora.place.put(&format!("d/{n}-{}", "x".repeat(200)), b"");
    }
    let before = peak(hub.process.pid());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (address, droning) = (SocketAddr::from((Ipv4Addr::LOCALHOST, hub.port)), Arc::new(AtomicUsize::new(0)));
    let drones: Vec<_> = (0..MANY)
        .map(|key| {
            let choice = if key % 2 == 0 { TransportChoice::Tcp } else { TransportChoice::Quic };
            runtime.spawn(drone_on(address, key, choice, droning.clone()))
        })
        .collect();
    let deadline = std::time::Instant::now() + PATIENCE;
    while droning.load(SeqCst) < usize::from(MANY) && std::time::Instant::now() < deadline {
        assert_eq!(dora.ask(json!({"request": "who"}))["event"], "roster");
    }
    assert_eq!(droning.load(SeqCst), usize::from(MANY));
    // A long line of an honest client comes through.
    dora.must(json!({"request": "offer", "files": ["d"]}), "offer-acked");
    for drone in drones {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, drone).await }).unwrap().unwrap();
    }
    let more = peak(hub.process.pid()) - before;
    assert!(more < 160 << 10, "{more} KiB for {MANY} lines of 3 MiB");
    println!("{more} KiB");
    dora.quit();
}
