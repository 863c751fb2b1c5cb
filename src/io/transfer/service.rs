//! What the threads of one server share: whom they serve, what, and who has a place.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;

use super::local_peer::LocalPeer;
use super::token_bucket::TokenBucket;
use super::uploads::{UploadNotify, Uploads};
use crate::core::Time;
use crate::core::slots::{Admission, SlotShares};
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

/// What all threads of one server share.
pub(super) struct Service {
    pub(super) config: Arc<ServerConfig>,
    pub(super) up: Option<TokenBucket>,
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
    shares: SlotShares,
}

struct Slot {
    tcp: Arc<TcpStream>,
    /// Whether it has shown that it is a peer's, and there is room for it.
    known: bool,
}

impl Slots {
    /// Gives a connection of a peer its place, if there is one or one can be had from who does not use it.
    fn enter(&mut self, now: Time, number: u64, peer: PublicKey) -> bool {
        match self.shares.enter(now, number, peer) {
            Admission::Full => return false,
            Admission::Admitted => {}
            Admission::InPlaceOf(other) => self.evict(other),
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

impl Service {
    pub(super) fn new(local: &LocalPeer, store: ContentStore, notify: UploadNotify, stop: Cancel) -> Self {
        let shares = SlotShares::new(MAX_CONNECTIONS, MAX_PER_PEER);
        Self {
            config: Arc::new(tls::server_config(local, DATA_ALPN)),
            up: local.rates.up.clone(),
            store,
            uploads: Arc::new(Uploads::new(notify, stop.clone())),
            stop,
            clock: Clock::start(),
            slots: Mutex::new(Slots { next: 0, taken: BTreeMap::new(), shares }),
            freed: Condvar::new(),
        }
    }

    /// Ends every connection, whatever it waits for.
    pub(super) fn end_all(&self) {
        self.stop.cancel();
        // Under the lock, so that whoever looks at the flag and then waits does not miss it.
        for slot in self.slots().taken.values() {
            let _ = slot.tcp.shutdown(Shutdown::Both);
        }
        self.freed.notify_all();
    }

    /// Waits until the last connection has ended, but not for ever.
    pub(super) fn wait_until_empty(&self, patience: Duration) {
        let _ = self.freed.wait_timeout_while(self.slots(), patience, |slots| !slots.taken.is_empty());
    }

    pub(super) fn take_slot(&self, tcp: &Arc<TcpStream>) -> u64 {
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
    pub(super) fn welcome(&self, slot: u64, peer: PublicKey) -> Result<(), Failure> {
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

    pub(super) fn free_slot(&self, slot: u64) {
        let mut slots = self.slots();
        slots.taken.remove(&slot);
        slots.shares.leave(slot);
        drop(slots);
        self.freed.notify_all();
    }

    /// Something is asked of a connection: its place is used.
    pub(super) fn begin(&self, slot: u64) {
        self.slots().shares.begin(self.clock.now(), slot);
    }

    /// So many bytes have been taken by its peer.
    pub(super) fn moved(&self, slot: u64, bytes: u64) {
        self.slots().shares.moved(self.clock.now(), slot, bytes);
    }

    /// Nothing more is asked of it.
    pub(super) fn rest(&self, slot: u64) {
        self.slots().shares.rest(self.clock.now(), slot);
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
