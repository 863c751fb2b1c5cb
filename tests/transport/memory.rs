//! What an idle client costs the hub. It measures and prints, so it runs only when asked to, one transport
//! in a process: `cargo test --test transport -- --ignored --exact memory::idle_over_quic --nocapture`

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::link::*;
use potluck::protocol::TransportChoice;

const CLIENTS: usize = 1000;
const HUB: &str = "POTLUCK_TEST_HUB";

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Accepts until `count` clients have said hello and heard something of a usual size.
async fn gather(listener: &mut potluck::io::net::Listener, count: usize) {
    let (sender, mut greeted) = tokio::sync::mpsc::channel(64);
    for _ in 0..count {
        let mut conn = soon(listener.accept()).await;
        let sender = sender.clone();
        tokio::spawn(async move {
            conn.reader.next().await.unwrap();
            conn.writer.write_all(&[&[b'x'; 2000][..], b"\n"].concat()).await.unwrap();
            conn.writer.flush().await.unwrap();
            sender.send(()).await.unwrap();
            drop(sender);
            while let Ok(Some(_)) = conn.reader.next().await {}
        });
    }
    drop(sender);
    while soon(greeted.recv()).await.is_some() {}
}

async fn measure(choice: TransportChoice) {
    let mut listener = listen();
    let mut before = resident_kib();
    // The first hundred pay for what is made once.
    for count in [100, CLIENTS] {
        let mut clients = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "memory::clients", "--nocapture"])
            .env(HUB, format!("{} {choice} {count}", listener.local_addr()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        gather(&mut listener, count).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = resident_kib();
        println!("{choice}: {:.1} KiB for each of {count}", (now - before) as f64 / count as f64);
        drop(clients.stdin.take());
        clients.wait().unwrap();
        tokio::time::sleep(Duration::from_secs(2)).await;
        before = resident_kib();
        println!("{choice}: {} KiB resident after they left", before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn idle_over_quic() {
    measure(TransportChoice::Quic).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn idle_over_tcp() {
    measure(TransportChoice::Tcp).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of a measurement"]
async fn clients() {
    let Ok(hub) = std::env::var(HUB) else { return };
    let words: Vec<_> = hub.split(' ').collect();
    let choice = if words[1] == "quic" { TransportChoice::Quic } else { TransportChoice::Tcp };
    let mut kept = Vec::new();
    for _ in 0..words[2].parse().unwrap() {
        let mut conn = dial(words[0].parse().unwrap(), choice).await.unwrap();
        say(&mut conn, b"hello\n").await;
        conn.reader.next().await.unwrap();
        kept.push(conn);
    }
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}
