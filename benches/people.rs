//! What is said in a room of 100 and of 1,000: messages delivered in a second, how long each takes at a steady
//! pace, what an idle client costs; and how many messages are on disk and acknowledged in a second.
//!
//! Everything runs in this process over loopback: the hub with its real driver, TLS or QUIC and a store on disk, and
//! clients that read as little as they must. Where they are idle, they are another process, so that only the hub's
//! memory counts. Beside it, in the same run, a plain TCP relay that keeps nothing and protects nothing.
//! `POTLUCK_BENCH_MESSAGES` changes how much is said.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Peer, end, setting, start_hub, start_relay};
use potluck::protocol::{Event, TransportChoice};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The length of a message's text, in bytes.
const TEXT: usize = 100;

/// Requests of the sender that are not answered.
const IN_FLIGHT: u64 = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match std::env::args().collect::<Vec<_>>().as_slice() {
        [_, what, choice, address] if what == IDLE_CLIENTS => {
            return runtime.block_on(idle_clients(address.parse().expect("an address"), named(choice)));
        }
        [_, what, choice] if what == IDLE_HUB => return runtime.block_on(idle_hub(named(choice))),
        _ => {}
    }
    let messages = setting("POTLUCK_BENCH_MESSAGES", 3_000) as u64;
    for receivers in [100, 1_000] {
        println!("one sender, {receivers} receivers in a room, {TEXT} bytes of text:");
        for choice in [TransportChoice::Tcp, TransportChoice::Quic] {
            runtime.block_on(room(choice, receivers, messages));
        }
        runtime.block_on(relay(receivers, messages));
    }
    println!("memory of the hub for each of {IDLE} idle clients; each side is a process of its own:");
    for choice in ["tcp", "quic"] {
        let this = std::env::current_exe().expect("this program");
        let ended = std::process::Command::new(this).args([IDLE_HUB, choice]).status().expect("a process");
        assert!(ended.success(), "{ended}");
    }
    println!("messages on disk and acknowledged, {TEXT} bytes of text, TCP:");
    for senders in [1, 100] {
        runtime.block_on(acknowledged(senders, messages * 5));
    }
}

/// The first arguments of the processes that measure what idle clients cost: the hub, and the clients.
const IDLE_HUB: &str = "idle-hub";
const IDLE_CLIENTS: &str = "idle-clients";

/// How many of them there are.
const IDLE: u64 = 1_000;

fn named(choice: &str) -> TransportChoice {
    if choice == "quic" { TransportChoice::Quic } else { TransportChoice::Tcp }
}

/// Prints what this process, which does nothing else, grows by for each client that is there and says nothing.
async fn idle_hub(choice: TransportChoice) {
    let data = tempfile::tempdir().expect("a folder");
    let hub = start_hub(Some(data.path())).await;
    let before = memory();
    let mut clients = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args([IDLE_CLIENTS, &choice.to_string(), &hub.address().to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("a process");
    let mut ready = std::io::BufReader::new(clients.stdout.take().expect("its output"));
    let waited = tokio::task::spawn_blocking(move || std::io::BufRead::read_line(&mut ready, &mut String::new()));
    waited.await.expect("a thread").expect("they are there");
    println!("  potluck over {choice}: {} KiB", (memory().saturating_sub(before) / IDLE) >> 10);
    drop(clients.stdin.take());
    clients.wait().expect("they end");
    end(hub).await;
}

async fn idle_clients(address: SocketAddr, choice: TransportChoice) {
    let seen = Arc::new(Seen::default());
    for index in 0..IDLE as usize {
        let mut peer = Peer::enter(address, index, choice).await;
        peer.send(r#"{"received":0}"#).await;
        tokio::spawn(listen(peer, Arc::clone(&seen)));
    }
    println!("ready");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let _ = ended.await;
    // Nobody waits for a thousand goodbyes.
    std::process::exit(0);
}

/// What all receivers have seen.
#[derive(Default)]
struct Seen {
    messages: AtomicU64,
}

/// Reads as fast as it can: counts room messages and acknowledges what has come.
async fn listen(mut peer: Peer, seen: Arc<Seen>) {
    let (mut confirmed, mut newest, mut unacked) = (0, 0, 0);
    loop {
        let (mut counted, mut probed) = (0, false);
        {
            let Ok(Some(line)) = peer.reader.next().await else { return };
            probed |= line.ends_with(br#""probe":true}"#);
            if let Some(number) = field(line, br#"{"n":"#) {
                peer.received = number;
                unacked += 1;
            }
            if let Some(at) = find(line, br#""event":"room-message""#) {
                newest = field(&line[at..], br#""number":"#).unwrap_or(newest);
                counted += 1;
            }
        }
        if counted > 0 {
            seen.messages.fetch_add(counted, Ordering::Relaxed);
        }
        // As the real client does: once for what came together, and before the window is full.
        if probed || unacked >= 16 {
            unacked = 0;
            if newest > confirmed {
                confirmed = newest;
                peer.send(&format!(r#"{{"received":{newest}}}"#)).await;
            } else {
                let line = format!(r#"{{"ack":{}}}"#, peer.received);
                peer.write(&line).await;
            }
        }
    }
}

fn find(line: &[u8], what: &[u8]) -> Option<usize> {
    line.windows(what.len()).position(|window| window == what)
}

fn field(line: &[u8], name: &[u8]) -> Option<u64> {
    let start = find(&line[..line.len().min(200)], name)? + name.len();
    let digits = line[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

async fn room(choice: TransportChoice, receivers: usize, messages: u64) {
    let data = tempfile::tempdir().expect("a folder");
    let hub = start_hub(Some(data.path())).await;
    let seen = Arc::new(Seen::default());
    let start = Instant::now();
    // So many enter at once, as after a restart of the hub.
    let mut next = 0..receivers;
    let mut entering = tokio::task::JoinSet::new();
    let mut enter_next = |entering: &mut tokio::task::JoinSet<()>| {
        if let Some(index) = next.next() {
            entering.spawn(enter_room(hub.address(), index, choice, Arc::clone(&seen)));
        }
    };
    // The first one makes the room.
    enter_next(&mut entering);
    while entering.join_next().await.is_some() {
        let free = 32 - entering.len();
        (0..free).for_each(|_| enter_next(&mut entering));
    }
    let joined = start.elapsed();
    let mut sender = Peer::enter(hub.address(), receivers, choice).await;
    sender.ask(r#"{"id":2,"request":"room-join","room":"r"}"#).await;
    let (flood, paced) = (messages.max(1_000), (messages / 10).clamp(100, 300));
    let start = Instant::now();
    sender.say(flood, IN_FLIGHT).await;
    wait_for(&seen, flood * receivers as u64).await;
    let rate = (flood * receivers as u64) as f64 / start.elapsed().as_secs_f64();
    let mut latencies = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    for round in 0..paced {
        pace.tick().await;
        let before = Instant::now();
        sender.say_one(flood + round).await;
        wait_for(&seen, (flood + round + 1) * receivers as u64).await;
        latencies.push(before.elapsed());
    }
    latencies.sort();
    let at = |percent: usize| latencies[(latencies.len() - 1) * percent / 100];
    println!(
        "  potluck over {choice}: {:.0} delivered a second; until the last of all has it, at 100 a second: p50 {:.2?}, p99 {:.2?}; \
         {:.0} entered and joined a second",
        rate,
        at(50),
        at(99),
        receivers as f64 / joined.as_secs_f64(),
    );
    end(hub).await;
}

async fn enter_room(address: SocketAddr, index: usize, choice: TransportChoice, seen: Arc<Seen>) {
    let mut peer = Peer::enter(address, index, choice).await;
    let request = if index == 0 { "room-create" } else { "room-join" };
    peer.ask(&format!(r#"{{"id":2,"request":"{request}","room":"r"}}"#)).await;
    peer.send(r#"{"received":0}"#).await;
    tokio::spawn(listen(peer, seen));
}

async fn wait_for(seen: &Seen, messages: u64) {
    while seen.messages.load(Ordering::Relaxed) < messages {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}

/// Resident memory of this process, in bytes.
fn memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4_096
}

impl Peer {
    /// Asks, and waits for the answer.
    async fn ask(&mut self, request: &str) {
        self.send(request).await;
        loop {
            match self.event().await.expect("the hub answers") {
                Event::Error(error) => panic!("{request}: {error:?}"),
                Event::RoomCreated(_) | Event::RoomJoined(_) => return,
                _ => {}
            }
        }
    }

    async fn say_one(&mut self, number: u64) {
        let text = "x".repeat(TEXT);
        self.send(&format!(r#"{{"id":{},"request":"say","room":"r","text":"{text}"}}"#, number + 10)).await;
        while !matches!(self.event().await, Some(Event::MessageAcked(_))) {}
    }

    /// Says so many things, with so many of them unanswered.
    async fn say(&mut self, count: u64, in_flight: u64) {
        let (mut said, mut acked) = (0, 0);
        let text = "x".repeat(TEXT);
        while acked < count {
            let mut lines = Vec::new();
            while said < count && said - acked < in_flight {
                self.sent += 1;
                let (n, ack, id) = (self.sent, self.received, said + 10);
                let line = format!(
                    r#"{{"n":{n},"ack":{ack},"body":{{"id":{id},"request":"say","room":"r","text":"{text}"}}}}"#
                );
                lines.extend_from_slice(line.as_bytes());
                lines.push(b'\n');
                said += 1;
            }
            if !lines.is_empty() {
                self.writer.write_all(&lines).await.expect("the hub reads");
                self.writer.flush().await.expect("the hub reads");
            }
            match self.event().await.expect("the hub answers") {
                Event::MessageAcked(_) => acked += 1,
                Event::Error(error) => panic!("{error:?}"),
                _ => {}
            }
        }
    }
}

/// Senders, each alone in a room of its own: what is measured is the way to the disk and back.
async fn acknowledged(senders: usize, messages: u64) {
    let data = tempfile::tempdir().expect("a folder");
    let hub = start_hub(Some(data.path())).await;
    let mut peers = Vec::new();
    for index in 0..senders {
        let mut peer = Peer::enter(hub.address(), index, TransportChoice::Tcp).await;
        peer.ask(&format!(r#"{{"id":2,"request":"room-create","room":"r{index}"}}"#)).await;
        peers.push(peer);
    }
    let each = (messages / senders as u64).min(if senders == 1 { 1_000 } else { u64::MAX });
    for in_flight in [1, IN_FLIGHT] {
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for (index, mut peer) in peers.drain(..).enumerate() {
            tasks.spawn(async move {
                peer.say_in(&format!("r{index}"), each, in_flight).await;
                (index, peer)
            });
        }
        let mut back: Vec<(usize, Peer)> = tasks.join_all().await;
        let rate = (each * senders as u64) as f64 / start.elapsed().as_secs_f64();
        println!("  {senders} senders, {in_flight} unanswered each: {rate:.0} a second");
        back.sort_by_key(|(index, _)| *index);
        peers.extend(back.into_iter().map(|(_, peer)| peer));
    }
    end(hub).await;
}

impl Peer {
    async fn say_in(&mut self, room: &str, count: u64, in_flight: u64) {
        let text = "x".repeat(TEXT);
        let (mut said, mut acked) = (0, 0);
        while acked < count {
            while said < count && said - acked < in_flight {
                said += 1;
                let id = 1_000_000 * in_flight + said;
                self.send(&format!(r#"{{"id":{id},"request":"say","room":"{room}","text":"{text}"}}"#)).await;
            }
            if matches!(self.event().await.expect("the hub answers"), Event::MessageAcked(_)) {
                acked += 1;
            }
        }
    }
}

/// The same bytes to as many receivers, without anything that makes them safe.
async fn relay(receivers: usize, messages: u64) {
    const SIZE: usize = 240;
    let (address, all) = start_relay(4_096).await;
    let seen = Arc::new(Seen::default());
    for _ in 0..receivers {
        let mut stream = TcpStream::connect(address).await.expect("the relay is there");
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                bytes += read;
                seen.messages.fetch_add((bytes / SIZE) as u64, Ordering::Relaxed);
                bytes %= SIZE;
            }
        });
    }
    while all.receiver_count() < receivers {
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    for sent in 0..messages {
        all.send(vec![7; SIZE].into()).expect("there are receivers");
        // No further ahead than the channel holds.
        if sent % 1_000 == 999 {
            wait_for(&seen, (sent - 500) * receivers as u64).await;
        }
    }
    wait_for(&seen, messages * receivers as u64).await;
    let rate = (messages * receivers as u64) as f64 / start.elapsed().as_secs_f64();
    let mut latencies = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    for round in 0..100 {
        pace.tick().await;
        let before = Instant::now();
        all.send(vec![7; SIZE].into()).expect("there are receivers");
        wait_for(&seen, (messages + round + 1) * receivers as u64).await;
        latencies.push(before.elapsed());
    }
    latencies.sort();
    println!(
        "  plain TCP relay, a write for each message: {rate:.0} delivered a second; at 100 a second: p50 {:.2?}, p99 {:.2?}",
        latencies[49], latencies[98]
    );
}
