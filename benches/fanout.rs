//! How fast a change of the table reaches 200 clients, beside a plain TCP relay in the same run.
//!
//! Everything runs in this process over loopback: the hub with its real driver and TLS or QUIC, the clients, and
//! the relay. So the figures include what the 200 clients cost, for both alike. `POTLUCK_BENCH_CLIENTS` and
//! `POTLUCK_BENCH_CHANGES` change the numbers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use potluck::core::LinkConfig;
use potluck::core::hub::{Access, HubConfig};
use potluck::io::clock::Clock;
use potluck::io::hub::{HubDriver, Message, mailbox};
use potluck::io::identity::Identity;
use potluck::io::store::Store;
use potluck::io::store_writer::{StoreWriter, Told};
use potluck::io::transport::{Conn, LineReader, LineWriter, ListenLimits, Listener, connect};
use potluck::protocol::limits::HubLimits;
use potluck::protocol::wire::{ClientHello, FrameIn, LINK_PROTOCOL};
use potluck::protocol::{Event, EventLine, TransportChoice, to_json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

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

struct HubAt {
    address: SocketAddr,
    stop: tokio::sync::mpsc::Sender<Message>,
    task: tokio::task::JoinHandle<()>,
}

fn start_hub() -> HubAt {
    let identity = Identity::from_seed([1; 32]);
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0).into(), &identity, ListenLimits::default()).expect("a port");
    let clock = Clock::start();
    let config = HubConfig {
        link: LinkConfig::hub(),
        grace: Duration::from_secs(30),
        limits: HubLimits::default(),
        access: Access::Open,
        run: 1,
        epoch: clock.epoch(),
    };
    let (sender, messages) = mailbox();
    let committed = sender.clone();
    let (store, loaded) = Store::ephemeral().expect("a store");
    let store = StoreWriter::spawn(
        store,
        Box::new(move |told| {
            let result = match told {
                Told::Committed(number) => Ok(number),
                Told::Failed(failure) => Err(failure),
                Told::Found(..) | Told::Names(_) => return,
            };
            drop(committed.blocking_send(Message::Committed(result)));
        }),
    );
    let (stop, address) = (sender.clone(), listener.local_addr());
    let driver = HubDriver::new(config, loaded.names, clock, store.expect("a thread"), (sender, messages), |_| ());
    HubAt { address, stop, task: tokio::spawn(driver.run(listener)) }
}

/// A client that does what the link asks for, and no more.
struct Peer {
    reader: LineReader,
    writer: LineWriter,
    sent: u64,
    received: u64,
}

impl Peer {
    async fn enter(address: SocketAddr, index: usize, choice: TransportChoice) -> Self {
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let Conn { reader, writer, .. } =
            connect(address, &Identity::from_seed(seed), None, choice).await.expect("the hub is there");
        let mut peer = Self { reader, writer, sent: 0, received: 0 };
        let hello = ClientHello { hello: LINK_PROTOCOL.into(), session: None, received: 0, port: 9, invite: None };
        peer.write(&to_json(&hello)).await;
        peer.reader.next().await.expect("a hello").expect("a hello");
        peer.send(&format!(r#"{{"id":1,"request":"register","name":"peer{index}"}}"#)).await;
        while !matches!(peer.event().await, Some(Event::RosterUpdated(_))) {}
        peer
    }

    async fn write(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.expect("the hub reads");
        self.writer.flush().await.expect("the hub reads");
    }

    async fn send(&mut self, body: &str) {
        self.sent += 1;
        let line = format!(r#"{{"n":{},"ack":{},"body":{body}}}"#, self.sent, self.received);
        self.write(&line).await;
    }

    /// The next event; none when the hub has ended.
    async fn event(&mut self) -> Option<Event> {
        loop {
            let (event, received, answer) = {
                let line = self.reader.next().await.ok()??;
                if line.starts_with(br#"{"farewell""#) {
                    return None;
                }
                let frame: FrameIn<'_> = serde_json::from_slice(line).expect("a frame");
                let body = frame.body.and_then(|body| EventLine::parse(body.get()).expect("an event"));
                (body.map(|line| line.event), frame.n, frame.probe || frame.n.is_some())
            };
            self.received = received.unwrap_or(self.received);
            if answer {
                let line = format!(r#"{{"ack":{}}}"#, self.received);
                self.write(&line).await;
            }
            if event.is_some() {
                return event;
            }
        }
    }

    async fn publish(&mut self, number: usize) {
        let hash = format!("{number:064x}");
        let content = format!(r#"{{"file":"f{number}","size":1,"hash":"{hash}","chunk_size":1048576,"chunks":1}}"#);
        self.send(&format!(r#"{{"id":{},"publish":[{content}]}}"#, number + 2)).await;
    }
}

async fn enter_all(address: SocketAddr, clients: usize, choice: TransportChoice) -> Vec<Peer> {
    let mut peers = Vec::new();
    for index in 0..clients {
        peers.push(Peer::enter(address, index, choice).await);
    }
    peers
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
    let hub = start_hub();
    let (seen, mut updates) = mpsc::unbounded_channel();
    for peer in enter_all(hub.address, clients, choice).await {
        watch(peer, seen.clone());
    }
    let mut giver = Peer::enter(hub.address, clients, choice).await;
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
    let hub = start_hub();
    let (seen, mut updates) = mpsc::unbounded_channel();
    for peer in enter_all(hub.address, clients, choice).await {
        watch(peer, seen.clone());
    }
    let mut giver = Peer::enter(hub.address, clients, choice).await;
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

async fn end(hub: HubAt) {
    hub.stop.send(Message::Stop("done".into())).await.expect("the hub runs");
    hub.task.await.expect("the hub ends");
}

/// The same bytes to as many receivers, without anything that makes them safe.
async fn relay(clients: usize, changes: usize) -> Vec<Duration> {
    const SIZE: usize = 400;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (all, _) = broadcast::channel::<Arc<[u8]>>(16);
    let sender = all.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket");
            let mut messages = sender.subscribe();
            tokio::spawn(async move {
                while let Ok(bytes) = messages.recv().await {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
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
