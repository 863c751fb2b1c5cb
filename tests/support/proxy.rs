//! A bad network on loopback: forwards UDP and TCP from one port to another, and drops, delays or stops packets. It
//! uses plain threads, so that tests with and without an async runtime can use it.
#![allow(dead_code)] // no single test file uses all of it

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// How often a waiting thread checks whether it should end.
const LOOK: Duration = Duration::from_millis(50);
/// The packets that wait at most. Further ones are dropped (UDP) or wait (TCP).
const QUEUE: usize = 4096;

/// A running proxy. Dropping it stops forwarding.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    loss_permille: AtomicU32,
    delay_ms: AtomicU64,
    cut: AtomicBool,
    stop: AtomicBool,
    random: Mutex<u64>,
}

impl Proxy {
    /// Forwards a free port of 127.0.0.1, UDP and TCP, to `target`. The seed decides which packets are lost.
    pub fn start(target: SocketAddr, seed: u64) -> Self {
        let state = Arc::new(State {
            target,
            loss_permille: AtomicU32::new(0),
            delay_ms: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            random: Mutex::new(seed | 1),
        });
        let (tcp, udp) = bind_both();
        let address = tcp.local_addr().unwrap();
        let (for_tcp, for_udp) = (state.clone(), state.clone());
        spawn(move || forward_tcp(&for_tcp, &tcp));
        spawn(move || forward_udp(&for_udp, &Arc::new(udp)));
        Self { address, state }
    }

    /// Loses this fraction of UDP packets, 0 to 1, in each direction. TCP is not affected.
    pub fn set_loss(&self, probability: f64) {
        self.state.loss_permille.store((probability * 1000.0) as u32, Relaxed);
    }

    /// Delays everything by this time, in each direction.
    pub fn set_delay(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, Relaxed);
    }

    /// Stops everything: UDP is lost; TCP connections stay open and hold what arrives until [`mend`](Self::mend).
    pub fn cut(&self) {
        self.state.cut.store(true, Relaxed);
    }

    pub fn mend(&self) {
        self.state.cut.store(false, Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.stop.store(true, Relaxed);
    }
}

impl State {
    fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    fn due(&self) -> Instant {
        Instant::now() + Duration::from_millis(self.delay_ms.load(Relaxed))
    }

    /// Whether this packet is lost (xorshift64).
    fn loses(&self) -> bool {
        let mut x = self.random.lock().unwrap();
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        self.is_cut() || (*x >> 11) % 1000 < u64::from(self.loss_permille.load(Relaxed))
    }
}

fn bind_both() -> (TcpListener, UdpSocket) {
    for _ in 0..64 {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (tcp, udp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// Delivers items at their times, in order, until the channel is closed or the proxy stops.
fn deliver<T>(state: &State, queue: &Receiver<(Instant, T)>, mut out: impl FnMut(T) -> bool) {
    while !state.stopped() {
        match queue.recv_timeout(LOOK) {
            Ok((due, what)) => {
                sleep(due.saturating_duration_since(Instant::now()));
                if !out(what) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Receives packets until the proxy stops, and drops the lost ones.
fn receive(state: &State, socket: &UdpSocket, mut take: impl FnMut(SocketAddr, &[u8])) {
    socket.set_read_timeout(Some(LOOK)).unwrap();
    let mut packet = vec![0; 65536];
    while !state.stopped() {
        // An ICMP refusal shows up here as an error; it concerns one packet only.
        if let Ok((length, from)) = socket.recv_from(&mut packet)
            && !state.loses()
        {
            take(from, &packet[..length]);
        }
    }
}

/// A packet that cannot be sent counts as lost.
fn forget(_sent: std::io::Result<usize>) -> bool {
    true
}

fn forward_udp(state: &Arc<State>, front: &Arc<UdpSocket>) {
    let mut clients: HashMap<SocketAddr, SyncSender<(Instant, Vec<u8>)>> = HashMap::new();
    receive(state, front, |client, packet| {
        let queue = clients.entry(client).or_insert_with(|| udp_client(state, front, client));
        let _ = queue.try_send((state.due(), packet.to_vec()));
    });
}

/// One socket for each client, so that the hub sees as many addresses as there are clients.
fn udp_client(state: &Arc<State>, front: &Arc<UdpSocket>, client: SocketAddr) -> SyncSender<(Instant, Vec<u8>)> {
    let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let (there, there_queue) = sync_channel(QUEUE);
    let (home, home_queue) = sync_channel::<(Instant, Vec<u8>)>(QUEUE);
    let (s, socket) = (state.clone(), back.clone());
    spawn(move || deliver(&s, &there_queue, |packet: Vec<u8>| forget(socket.send_to(&packet, s.target))));
    let (s, socket) = (state.clone(), front.clone());
    spawn(move || deliver(&s, &home_queue, |packet| forget(socket.send_to(&packet, client))));
    let s = state.clone();
    spawn(move || receive(&s, &back, |_, packet| drop(home.try_send((s.due(), packet.to_vec())))));
    there
}

fn forward_tcp(state: &Arc<State>, front: &TcpListener) {
    front.set_nonblocking(true).unwrap();
    while !state.stopped() {
        let Ok((client, _)) = front.accept() else {
            sleep(LOOK / 10);
            continue;
        };
        client.set_nonblocking(false).unwrap();
        let state = state.clone();
        spawn(move || {
            // While the network is cut, the client's system believes that the connection stands.
            while state.is_cut() && !state.stopped() {
                sleep(LOOK / 10);
            }
            if let Ok(hub) = TcpStream::connect(state.target) {
                pump(&state, client.try_clone().unwrap(), hub.try_clone().unwrap());
                pump(&state, hub, client);
            }
        });
    }
}

/// Copies one direction, including its end: one thread reads, the other writes later.
fn pump(state: &Arc<State>, mut from: TcpStream, mut to: TcpStream) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    to.set_nodelay(true).unwrap();
    let (sender, queue) = sync_channel::<(Instant, Vec<u8>)>(64);
    let s = state.clone();
    spawn(move || {
        let mut buffer = vec![0; 65536];
        while !s.stopped() {
            let mut item = match from.read(&mut buffer) {
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Ok(length) if length > 0 => Some((s.due(), buffer[..length].to_vec())),
                _ => return, // drops the sender, which tells the writer
            };
            while let Some(waiting) = item.take() {
                match sender.try_send(waiting) {
                    Err(TrySendError::Full(back)) if !s.stopped() => {
                        item = Some(back);
                        sleep(LOOK / 10);
                    }
                    _ => {}
                }
            }
        }
    });
    let s = state.clone();
    spawn(move || {
        deliver(&s, &queue, |bytes| {
            while s.is_cut() && !s.stopped() {
                sleep(LOOK / 10);
            }
            to.write_all(&bytes).is_ok()
        });
        let _ = to.shutdown(Shutdown::Write);
    });
}
