//! The accepting side: a thread that accepts, and one for each connection.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ServerConfig;

use super::local_peer::LocalPeer;
use super::serve::serve;
use super::stream::ServerStream;
use super::token_bucket::TokenBucket;
use super::uploads::{UploadNotify, Uploads};
use crate::core::Time;
use crate::core::places::{Entry, Places};
use crate::io::content::store::ContentStore;
use crate::io::net::tls::{self, DATA_ALPN};
use crate::io::os::cancel::Cancel;
use crate::io::os::clock::Clock;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// The most connections of all peers at a time.
const MAX_CONNECTIONS: usize = 256;
/// The most connections of one peer: some transfers at a time, each over two.
const MAX_PER_PEER: usize = 32;
/// The most connections at a time of whom nothing is known yet. When there are more, the oldest makes room, so that
/// strangers who stall cannot keep peers out.
const MAX_UNKNOWN: usize = 128;
/// How long a peer's further connection waits for one of the others to end.
const CROWDED: Duration = Duration::from_secs(2);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A connection's thread needs little: its buffers are on the heap.
const STACK: usize = 256 << 10;
/// How long to wait when the system has no file descriptors or memory for another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// How long stopping waits for the connections' threads, which are woken.
const STOPPING: Duration = Duration::from_secs(2);

/// Serves a [`ContentStore`] until it is stopped or dropped.
pub struct DataServer {
    address: SocketAddr,
    listener: Arc<TcpListener>,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

/// What all threads of one server use.
pub(super) struct Shared {
    config: Arc<ServerConfig>,
    up: Option<TokenBucket>,
    pub(super) store: ContentStore,
    pub(super) uploads: Arc<Uploads>,
    pub(super) stop: Cancel,
    clock: Clock,
    slots: Mutex<Slots>,
    /// Told when a slot becomes free.
    freed: Condvar,
}

struct Slots {
    next: u64,
    /// By age.
    taken: BTreeMap<u64, Slot>,
    /// Those of peers.
    places: Places,
}

struct Slot {
    tcp: Arc<TcpStream>,
    /// Whether it has shown that it is a peer's, and there is room for it.
    known: bool,
}

impl Slots {
    /// Gives a connection of a peer its place, if there is one or one can be had from who does not use it.
    fn enter(&mut self, now: Time, number: u64, peer: PublicKey) -> bool {
        match self.places.enter(now, number, peer) {
            Entry::Full => return false,
            Entry::Entered => {}
            Entry::InPlaceOf(other) => self.evict(other),
        }
        true
    }

    /// A connection makes room: its thread notices, and ends.
    fn evict(&mut self, number: u64) {
        if let Some(evicted) = self.taken.remove(&number) {
            let _ = evicted.tcp.shutdown(Shutdown::Both);
        }
    }
}

impl DataServer {
    /// Begins to serve. `notify` is told what becomes of uploads; it is called on the server's
    /// threads and may hold up the one upload that it is told about.
    ///
    /// # Errors
    /// When the listener has no address or no thread can be had.
    pub fn start(
        listener: TcpListener,
        local: &LocalPeer,
        store: ContentStore,
        notify: UploadNotify,
    ) -> io::Result<DataServer> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(false)?;
        let stop = Cancel::default();
        let shared = Arc::new(Shared {
            config: Arc::new(tls::server_config(local, DATA_ALPN)),
            up: local.rates.up.clone(),
            store,
            uploads: Arc::new(Uploads::new(notify, stop.clone())),
            stop,
            clock: Clock::start(),
            slots: Mutex::new(Slots {
                next: 0,
                taken: BTreeMap::new(),
                places: Places::new(MAX_CONNECTIONS, MAX_PER_PEER),
            }),
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

    /// Ends all uploads to who holds this key.
    pub fn cancel_all_of(&self, peer: &PublicKey) {
        self.shared.uploads.cancel_all_of(peer);
    }

    /// Ends every connection and gives the port back. Uploads under way end as `interrupted`.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(accepting) = self.accepting.take() else { return };
        self.shared.stop.cancel();
        // Under the lock, so that whoever looks at the flag and then waits does not miss it.
        for slot in self.shared.slots().taken.values() {
            let _ = slot.tcp.shutdown(Shutdown::Both);
        }
        self.shared.freed.notify_all();
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

    /// Gives a connection a slot and a thread.
    fn admit(self: Arc<Self>, tcp: Arc<TcpStream>) {
        let slot = self.take_slot(&tcp);
        let shared = self.clone();
        let run = move || {
            let _free = FreeSlot { shared: &shared, slot };
            let deadline = Instant::now() + HANDSHAKE;
            let accepted = ServerStream::accept(tcp, shared.config.clone(), shared.stop.clone(), deadline);
            match accepted.map(|stream| (stream.peer_key(), stream)) {
                Ok((Some(peer), mut stream)) => {
                    stream.limits.up.clone_from(&shared.up);
                    let welcome = shared.welcome(slot, peer);
                    serve(&shared, stream, (slot, peer), welcome);
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

    fn take_slot(&self, tcp: &Arc<TcpStream>) -> u64 {
        let mut slots = self.slots();
        let mut unknown = slots.taken.iter().filter(|(_, slot)| !slot.known).map(|(number, _)| *number);
        let (oldest, others) = (unknown.next(), unknown.count());
        if others + 1 >= MAX_UNKNOWN
            && let Some(oldest) = oldest
        {
            slots.evict(oldest);
        }
        slots.next += 1;
        let number = slots.next;
        slots.taken.insert(number, Slot { tcp: tcp.clone(), known: false });
        number
    }

    /// Notes whose connection it is.
    ///
    /// # Errors
    /// `peer-refused` for strangers, and if there is no room for one more and will be none soon.
    fn welcome(&self, slot: u64, peer: PublicKey) -> Result<(), Failure> {
        // Strangers stay unknown, whatever keys they make up.
        if self.store.await_peer(&peer).is_none() {
            return Err(ErrorCode::PeerRefused.into());
        }
        let mut entered = false;
        let waits = |slots: &mut Slots| {
            // It may have made room for another while it waited.
            let ends = self.stop.is_cancelled() || !slots.taken.contains_key(&slot);
            entered = !ends && slots.enter(self.clock.now(), slot, peer);
            !ends && !entered
        };
        let waited = self.freed.wait_timeout_while(self.slots(), CROWDED, waits);
        let mut slots = waited.unwrap_or_else(PoisonError::into_inner).0;
        match slots.taken.get_mut(&slot) {
            // Whoever has been admitted when all ends learns that in its own way.
            Some(slot) if entered || self.stop.is_cancelled() => {
                slot.known = true;
                Ok(())
            }
            Some(_) | None => {
                Err(Failure::new(ErrorCode::PeerRefused, "There are too many connections here; try again later."))
            }
        }
    }

    fn free_slot(&self, slot: u64) {
        let mut slots = self.slots();
        slots.taken.remove(&slot);
        slots.places.leave(slot);
        drop(slots);
        self.freed.notify_all();
    }

    /// Something is asked of a connection: its place is used.
    pub(super) fn begin(&self, slot: u64) {
        self.slots().places.begin(self.clock.now(), slot);
    }

    /// So many bytes have been taken by its peer.
    pub(super) fn moved(&self, slot: u64, bytes: u64) {
        self.slots().places.moved(self.clock.now(), slot, bytes);
    }

    /// Nothing more is asked of it.
    pub(super) fn rest(&self, slot: u64) {
        self.slots().places.rest(self.clock.now(), slot);
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
