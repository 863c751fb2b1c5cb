//! What benches share: a hub in this process, and clients that do what the link asks for and no more.
#![allow(dead_code)] // each bench uses its part

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use potluck::hub::{Hub, HubLimits, LinkConfig};
use potluck::io::net::identity::Identity;
use potluck::io::net::{Conn, LineReader, LineWriter, connect};
use potluck::protocol::wire::{ClientHello, FrameIn, LINK_PROTOCOL};
use potluck::protocol::{Event, EventLine, Follows, TransportChoice, to_json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast;

/// A number from the environment.
pub fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Starts a hub in this process, with its store in a folder or in memory.
pub async fn start_hub(data: Option<&Path>) -> Hub {
    let limits = HubLimits { message_rate: 1_000_000, request_rate: 1_000_000, ..HubLimits::default() };
    let link = LinkConfig { ack_timeout: Duration::from_secs(5), ..LinkConfig::hub() };
    let hub = Hub::builder().limits(limits).link_timers(link);
    let hub = data.into_iter().fold(hub, |hub, data| hub.data(data));
    hub.start().await.expect("a hub")
}

/// A client that does what the link asks for, and no more.
pub struct Peer {
    pub reader: LineReader,
    pub writer: LineWriter,
    pub sent: u64,
    pub received: u64,
}

impl Peer {
    pub async fn enter(address: SocketAddr, index: usize, choice: TransportChoice) -> Self {
        let mut peer = Self::enter_following(address, index, choice, Follows::default()).await;
        while !matches!(peer.event().await, Some(Event::RosterUpdated(_))) {}
        peer
    }

    /// Enters, and waits until it has been welcomed.
    pub async fn enter_following(address: SocketAddr, index: usize, choice: TransportChoice, follow: Follows) -> Self {
        let mut seed = [2; 32];
        seed[..8].copy_from_slice(&(index as u64).to_be_bytes());
        let Conn { reader, writer, .. } =
            connect(address, &Identity::from_seed(seed), None, choice).await.expect("the hub is there");
        let mut peer = Self { reader, writer, sent: 0, received: 0 };
        let hello = ClientHello {
            follow,
            hello: LINK_PROTOCOL.into(),
            session: None,
            received: 0,
            port: 9,
            link_port: 0,
            instance: format!("{index:016x}"),
            asked: 0,
            invite: None,
            guest: false,
        };
        peer.write(&to_json(&hello)).await;
        peer.reader.next().await.expect("a hello").expect("a hello");
        peer.send(&format!(r#"{{"id":1,"request":"register","name":"peer{index}"}}"#)).await;
        while !matches!(peer.event().await, Some(Event::Welcome(_))) {}
        peer
    }

    pub async fn write(&mut self, line: &str) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.expect("the hub reads");
        self.writer.flush().await.expect("the hub reads");
    }

    pub async fn send(&mut self, body: &str) {
        self.sent += 1;
        let line = format!(r#"{{"n":{},"ack":{},"body":{body}}}"#, self.sent, self.received);
        self.write(&line).await;
    }

    /// The next event; none when the hub has ended.
    pub async fn event(&mut self) -> Option<Event> {
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

    pub async fn publish(&mut self, number: usize) {
        let hash = format!("{number:064x}");
        let content = format!(r#"{{"file":"f{number}","size":1,"hash":"{hash}","chunk_size":1048576,"chunks":1}}"#);
        self.send(&format!(r#"{{"id":{},"publish":[{content}]}}"#, number + 2)).await;
    }
}

pub async fn enter_all(address: SocketAddr, clients: usize, choice: TransportChoice) -> Vec<Peer> {
    let mut peers = Vec::new();
    for index in 0..clients {
        peers.push(Peer::enter(address, index, choice).await);
    }
    peers
}

/// Stops a hub.
pub async fn end(hub: Hub) {
    hub.stop().await.expect("the hub ends well");
}

/// Starts a plain TCP relay: what is sent on the channel goes to everybody who has connected, a write for each message,
/// kept nowhere and protected by nothing. `waiting` messages may wait for a slow receiver.
pub async fn start_relay(waiting: usize) -> (SocketAddr, broadcast::Sender<Arc<[u8]>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (all, _) = broadcast::channel::<Arc<[u8]>>(waiting);
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
    (address, all)
}
