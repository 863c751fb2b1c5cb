//! How fast a change of the table reaches 200 clients, beside a plain TCP relay in the same run.
//!
//! Everything runs in this process over loopback: the hub with its real driver and TLS or QUIC, the clients, and
//! the relay. So the figures include what the 200 clients cost, for both alike. `POTLUCK_BENCH_CLIENTS` and
//! `POTLUCK_BENCH_CHANGES` change the numbers.

mod common;

use std::time::{Duration, Instant};

use common::{Peer, end, enter_all, setting, start_hub, start_relay};
use potluck::protocol::{Event, TransportChoice};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

fn main() {
    let (clients, changes) = (setting("POTLUCK_BENCH_CLIENTS", 200), setting("POTLUCK_BENCH_CHANGES", 200));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("one change of the table, told to {clients} clients, {changes} changes one after the other:");
    for choice in [TransportChoice::Tcp, TransportChoice::Quic] {
        let seen = runtime.block_on(hub(choice, clients, changes));
        report(&format!("potluck over {choice}"), clients, seen);
    }
    let seen = runtime.block_on(relay(clients, changes));
    report("plain TCP relay, no acknowledgement", clients, seen);
    println!("changes in one burst, until every client has the newest table:");
    for choice in [TransportChoice::Tcp, TransportChoice::Quic] {
        let (elapsed, updates) = runtime.block_on(burst(choice, clients, changes));
        let each = updates as f64 / clients as f64;
        println!("  potluck over {choice}: {changes} changes in {elapsed:.1?}, {each:.1} updates for each client");
    }
}

/// For each change, how long it took until each client had it.
fn report(what: &str, clients: usize, mut latencies: Vec<Duration>) {
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    let rounds = latencies.len() / clients;
    println!("  {what}: p50 {:.2?}, p99 {:.2?}, worst {:.2?} ({rounds} rounds)", at(50), at(99), at(100));
}

/// Watches the table: says the total of every update.
fn watch(mut peer: Peer, seen: mpsc::UnboundedSender<(u64, Instant)>) {
    tokio::spawn(async move {
        while let Some(event) = peer.event().await {
            if let Event::TableUpdated(update) = event
                && seen.send((update.total, Instant::now())).is_err()
            {
                return;
            }
        }
    });
}

async fn hub(choice: TransportChoice, clients: usize, changes: usize) -> Vec<Duration> {
    let hub = start_hub(None).await;
    let (seen, mut updates) = mpsc::unbounded_channel();
    for peer in enter_all(hub.address(), clients, choice).await {
        watch(peer, seen.clone());
    }
    let mut giver = Peer::enter(hub.address(), clients, choice).await;
    let mut latencies = Vec::new();
    for change in 0..changes {
        let start = Instant::now();
        giver.publish(change).await;
        let mut missing = clients;
        while missing > 0 {
            let (total, at) = tokio::select! {
                update = updates.recv() => update.expect("the watchers are there"),
                _ = giver.event() => continue,
            };
            if total == change as u64 + 1 {
                missing -= 1;
                latencies.push(at - start);
            }
        }
    }
    end(hub).await;
    latencies
}

async fn burst(choice: TransportChoice, clients: usize, changes: usize) -> (Duration, usize) {
    let hub = start_hub(None).await;
    let (seen, mut updates) = mpsc::unbounded_channel();
    for peer in enter_all(hub.address(), clients, choice).await {
        watch(peer, seen.clone());
    }
    let mut giver = Peer::enter(hub.address(), clients, choice).await;
    let start = Instant::now();
    for change in 0..changes {
        giver.publish(change).await;
    }
    let (mut missing, mut count) = (clients, 0);
    while missing > 0 {
        let (total, _) = tokio::select! {
            update = updates.recv() => update.expect("the watchers are there"),
            _ = giver.event() => continue,
        };
        count += 1;
        missing -= usize::from(total == changes as u64);
    }
    let elapsed = start.elapsed();
    end(hub).await;
    (elapsed, count)
}

/// The same bytes to as many receivers, without anything that makes them safe.
async fn relay(clients: usize, changes: usize) -> Vec<Duration> {
    const SIZE: usize = 400;
    let (address, all) = start_relay(16).await;
    let (seen, mut arrivals) = mpsc::unbounded_channel();
    for _ in 0..clients {
        let mut stream = TcpStream::connect(address).await.expect("the relay is there");
        let seen = seen.clone();
        tokio::spawn(async move {
            let mut message = [0; SIZE];
            while stream.read_exact(&mut message).await.is_ok() {
                if seen.send(Instant::now()).is_err() {
                    return;
                }
            }
        });
    }
    while all.receiver_count() < clients {
        tokio::task::yield_now().await;
    }
    let mut latencies = Vec::new();
    for _ in 0..changes {
        let start = Instant::now();
        all.send(vec![7; SIZE].into()).expect("there are receivers");
        for _ in 0..clients {
            latencies.push(arrivals.recv().await.expect("the receivers are there") - start);
        }
    }
    latencies
}
