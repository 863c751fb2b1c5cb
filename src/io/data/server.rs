//! The accepting side: a thread that accepts, and one for each connection.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::serve::serve;
use super::shelf::Shelf;
use super::stream::ServerStream;
use super::throttle::Throttle;
use super::uploads::{UploadNotify, Uploads};
use crate::io::cancel::Cancel;
use crate::io::identity::Identity;
use crate::io::tls::{self, DATA_ALPN};
use crate::protocol::PublicKey;

/// The most connections at a time. When they are taken, the oldest that has not yet shown its key
/// makes room, so that strangers who stall cannot keep peers out.
const MAX_CONNECTIONS: usize = 64;
/// The most connections of one peer: some transfers at a time, each over two.
const MAX_PER_PEER: usize = 16;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection's thread needs little: its buffers are on the heap.
const STACK: usize = 256 << 10;
/// How long to wait when the system has no file descriptors or memory for another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long stopping waits for the connections' threads, which look at the flag every 50 ms.
const STOPPING: Duration = Duration::from_secs(2);

/// Serves a [`Shelf`] until it is stopped or dropped.
pub struct DataServer {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all threads of one server use.
pub(super) struct Shared {
    config: Arc<ServerConfig>,
    up: Option<Throttle>,
    pub(super) shelf: Shelf,
    pub(super) uploads: Arc<Uploads>,
    pub(super) stop: Cancel,
    slots: Mutex<Slots>,
    /// Told when a slot becomes free.
    freed: Condvar,
}

#[derive(Default)]
struct Slots {
    next: u64,
    /// By age.
    taken: BTreeMap<u64, Slot>,
}

struct Slot {
    tcp: Arc<TcpStream>,
    /// `None` until the handshake is done.
    peer: Option<PublicKey>,
}

impl DataServer {
    /// Begins to serve. `notify` is told what becomes of uploads; it is called on the server's
    /// threads and may hold up the one upload that it is told about.
    ///
    /// # Errors
    /// When the listener has no address or no thread can be had.
    pub fn start(
        listener: TcpListener,
        identity: &Identity,
        shelf: Shelf,
        notify: UploadNotify,
    ) -> io::Result<DataServer> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(false)?;
        let shared = Arc::new(Shared {
            config: Arc::new(tls::server_config(identity, DATA_ALPN)),
            up: identity.rates.up.clone(),
            shelf,
            uploads: Arc::new(Uploads::new(notify)),
            stop: Cancel::default(),
            slots: Mutex::default(),
            freed: Condvar::new(),
        });
        let listener = Arc::new(listener);
        let accepting = {
            let (listener, shared) = (listener.clone(), shared.clone());
            thread::Builder::new()
                .name("data-accept".into())
                .stack_size(STACK)
                .spawn(move || shared.accept(&listener))?
        };
        Ok(DataServer { address, listener, shared, accepting: Some(accepting) })
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends an upload, by the number that its notes have.
    pub fn cancel(&self, upload: u64) {
        self.shared.uploads.cancel(upload);
    }

    /// Ends every connection and gives the port back. Uploads under way end as `interrupted`.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.stop.cancel();
        // Either of the two wakes the accepting thread; which one does depends on the system.
        let shut = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        let mut own = self.address;
        match own {
            SocketAddr::V4(ref mut a) if a.ip().is_unspecified() => a.set_ip(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(ref mut a) if a.ip().is_unspecified() => a.set_ip(Ipv6Addr::LOCALHOST),
            SocketAddr::V4(_) | SocketAddr::V6(_) => {}
        }
        let dialled = TcpStream::connect_timeout(&own, EXHAUSTED);
        if shut.is_ok() || dialled.is_ok() {
            accepting.join().expect("accepting does not panic");
        }
        let slots = self.shared.slots();
        let _ = self.shared.freed.wait_timeout_while(slots, STOPPING, |s| !s.taken.is_empty());
    }
}

impl Drop for DataServer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn accept(self: Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.stop.is_cancelled() {
                return;
            }
            match accepted {
                Ok((tcp, _)) => self.clone().admit(Arc::new(tcp)),
                // A client that gave up meanwhile is no reason to wait; a lack of resources is.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => thread::sleep(EXHAUSTED),
            }
        }
    }

    /// Gives a connection a slot and a thread, or closes it.
    fn admit(self: Arc<Self>, tcp: Arc<TcpStream>) {
        let Some(slot) = self.take_slot(&tcp) else { return };
        let shared = self.clone();
        let run = move || {
            let _free = FreeSlot { shared: &shared, slot };
            let deadline = Instant::now() + HANDSHAKE;
            let accepted = ServerStream::accept(tcp, shared.config.clone(), shared.stop.clone(), deadline);
            match accepted.map(|stream| (stream.peer_key(), stream)) {
                Ok((Some(peer), mut stream)) => {
                    stream.pace.up.clone_from(&shared.up);
                    let welcome = shared.identify(slot, peer);
                    serve(&shared, stream, peer, welcome);
                }
                Ok((None, _)) => {}
                Err(broken) => tracing::debug!(%broken, "data handshake"),
            }
        };
        if let Err(e) = thread::Builder::new().name("data-serve".into()).stack_size(STACK).spawn(run) {
            tracing::debug!(%e, "no thread for a data connection");
            self.free_slot(slot);
        }
    }

    fn take_slot(&self, tcp: &Arc<TcpStream>) -> Option<u64> {
        let mut slots = self.slots();
        if slots.taken.len() >= MAX_CONNECTIONS {
            let oldest = slots.taken.iter().find(|(_, s)| s.peer.is_none()).map(|(n, _)| *n)?;
            let evicted = slots.taken.remove(&oldest)?;
            // Its thread notices, and ends.
            let _ = evicted.tcp.shutdown(Shutdown::Both);
        }
        slots.next += 1;
        let number = slots.next;
        slots.taken.insert(number, Slot { tcp: tcp.clone(), peer: None });
        Some(number)
    }

    /// Notes whose connection it is; false if that peer has too many.
    fn identify(&self, slot: u64, peer: PublicKey) -> bool {
        let mut slots = self.slots();
        let others = slots.taken.values().filter(|s| s.peer == Some(peer)).count();
        if let Some(slot) = slots.taken.get_mut(&slot) {
            slot.peer = Some(peer);
        }
        others < MAX_PER_PEER
    }

    fn free_slot(&self, slot: u64) {
        self.slots().taken.remove(&slot);
        self.freed.notify_all();
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Frees the slot however the thread ends.
struct FreeSlot<'a> {
    shared: &'a Shared,
    slot: u64,
}

impl Drop for FreeSlot<'_> {
    fn drop(&mut self) {
        self.shared.free_slot(self.slot);
    }
}
