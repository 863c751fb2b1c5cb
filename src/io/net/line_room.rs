//! A budget for long lines. Most lines are short, and every connection may buffer one of those. A longer line is read only
//! with a permit, so that many sessions, each with a long line under way, cannot fill the memory.
//!
//! There is a fixed number of permits for long lines, and a smaller one for very long lines. Each key and each network has
//! a share of either. A connection without a permit waits in turn, and is not read meanwhile. A permit is held until the
//! line has been handled, and the line must arrive within a time. A connection that needs a larger permit keeps its
//! smaller one until it has that; those that hold the largest wait for nobody, so there is no deadlock.
//!
//! A hub has one [`LineRoom`] for all its connections, a client one for its hub and one for direct connections.
//! `connection.rs` asks for a permit before it reads the rest of a long line; the permit travels with the [`Line`] to
//! the machine that handles it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::limits::{LONG_LINE, LONG_LINES, MAX_FRAME, SHORT_LINE, VERY_LONG_LINES};
use crate::protocol::{Network, PublicKey};

/// The two sizes of permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LineClass {
    Long,
    VeryLong,
}

impl LineClass {
    pub(crate) const ALL: [Self; 2] = [Self::Long, Self::VeryLong];

    /// The longest line of this class, in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Long => LONG_LINE,
            Self::VeryLong => MAX_FRAME,
        }
    }

    /// Within which time a line of this class must have arrived: a slow connection (350 kbit/s) manages it.
    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Long => 15,
            Self::VeryLong => 120,
        })
    }
}

/// Who has a share of the permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ShareOwner {
    Key(PublicKey),
    Network(Network),
}

/// The permits for long lines of many connections.
pub struct LineRoom {
    places: [(usize, Arc<Semaphore>); 2],
    shares: Mutex<HashMap<(LineClass, ShareOwner), Weak<Semaphore>>>,
    /// A key may hold one part in `parts.0` of the permits, a network one in `parts.1`.
    parts: (usize, usize),
    /// How many bytes each connection may have in flight though its lines are short.
    ahead: usize,
}

impl LineRoom {
    fn new(places: [usize; 2], parts: (usize, usize), ahead: usize) -> Self {
        let places = places.map(|places| (places, Arc::new(Semaphore::new(places))));
        Self { places, shares: Mutex::default(), parts, ahead }
    }

    /// For all connections of a hub, or of others to a client.
    pub fn of_many() -> Self {
        Self::new([LONG_LINES, VERY_LONG_LINES], (8, 4), 2 * SHORT_LINE)
    }

    /// For a single connection whose lines may wait before they are handled.
    pub fn of_one() -> Self {
        Self::new([8, 2], (1, 1), MAX_FRAME)
    }

    fn places(&self, length: LineClass) -> &(usize, Arc<Semaphore>) {
        let [long, very_long] = &self.places;
        match length {
            LineClass::Long => long,
            LineClass::VeryLong => very_long,
        }
    }

    /// The share of one connection, which its key and its network limit.
    pub(crate) fn share_of(self: &Arc<Self>, key: PublicKey, address: IpAddr) -> LineShare {
        let network = Network::of(address);
        let mut holders = vec![(ShareOwner::Key(key), self.parts.0)];
        // Loopback addresses stand for everybody on this machine, and have no share.
        holders.extend((!network.is_loopback()).then_some((ShareOwner::Network(network), self.parts.1)));
        let shares = LineClass::ALL.map(|length| {
            let of = |(holder, parts): &(ShareOwner, usize)| self.share(length, *holder, *parts);
            (length, holders.iter().map(of).collect())
        });
        LineShare { room: Arc::clone(self), shares }
    }

    fn share(&self, length: LineClass, holder: ShareOwner, parts: usize) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&(length, holder)).and_then(Weak::upgrade) {
            return share;
        }
        // Forgets shares whose connections are gone, at an amortized constant cost.
        if shares.len() == shares.capacity() {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new((self.places(length).0 / parts).max(1)));
        shares.insert((length, holder), Arc::downgrade(&share));
        share
    }
}

/// What one connection may take of the permits.
pub(crate) struct LineShare {
    room: Arc<LineRoom>,
    shares: [(LineClass, Vec<Arc<Semaphore>>); 2],
}

impl LineShare {
    /// How many bytes the connection may have in flight though its lines are short.
    pub(crate) fn ahead(&self) -> usize {
        self.room.ahead
    }

    /// Waits for a permit of this class.
    pub(crate) async fn take(&self, length: LineClass) -> LinePermit {
        let shares = self.shares.iter().filter(|(of, _)| *of == length).flat_map(|(_, shares)| shares);
        let mut permits = Vec::new();
        // The own shares first: who has used those up waits without holding a common permit.
        for semaphore in shares.chain([&self.room.places(length).1]) {
            permits.extend(Arc::clone(semaphore).acquire_owned().await.ok());
        }
        LinePermit { _permits: permits }
    }
}

/// A permit, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct LinePermit {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// A line that was read, with its permit if it is a long one.
#[derive(Debug)]
pub struct Line {
    bytes: Vec<u8>,
    _permit: Option<LinePermit>,
}

impl Line {
    pub(crate) fn new(bytes: Vec<u8>, permit: Option<LinePermit>) -> Self {
        Self { bytes, _permit: permit }
    }
}

impl Deref for Line {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places that can be had at once, by these.
    fn taken(seats: &[&LineShare], length: LineClass) -> Vec<LinePermit> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut places = Vec::new();
            for share_of in seats {
                tokio::select! {
                    biased;
                    place = share_of.take(length) => places.push(place),
                    () = std::future::ready(()) => {}
                }
            }
            places
        })
    }

    #[test]
    fn a_key_and_an_address_have_a_share_and_all_together_no_more_than_there_is() {
        let room = Arc::new(LineRoom::of_many());
        let share_of = |key: u8, address: [u8; 4]| room.share_of(PublicKey([key; 32]), IpAddr::from(address));
        let greedy = share_of(1, [10, 0, 0, 1]);
        let of_key = taken(&[&greedy; LONG_LINES], LineClass::Long);
        assert_eq!(of_key.len(), LONG_LINES / 8);
        let others: Vec<LineShare> = (2..20).map(|key| share_of(key, [10, 0, 0, 1])).collect();
        let all: Vec<&LineShare> = others.iter().flat_map(|share_of| [share_of; LONG_LINES / 8]).collect();
        let of_address = taken(&all, LineClass::Long);
        assert_eq!(of_key.len() + of_address.len(), LONG_LINES / 4);
        let elsewhere: Vec<LineShare> = (20..60).map(|key| share_of(key, [10, 0, 0, key])).collect();
        assert_eq!(taken(&[&elsewhere[0]], LineClass::Long).len(), 1, "others have theirs");
        let all: Vec<&LineShare> = elsewhere.iter().flat_map(|share_of| [share_of; LONG_LINES / 8]).collect();
        let rest = taken(&all, LineClass::Long);
        assert_eq!(of_key.len() + of_address.len() + rest.len(), LONG_LINES);
        assert_eq!(taken(&[&greedy], LineClass::VeryLong).len(), 1, "who has a place gets on");
        drop((of_key, of_address, rest));
        assert_eq!(taken(&[&greedy; 2], LineClass::Long).len(), 2);
    }

    #[test]
    fn shares_of_those_who_are_gone_are_forgotten() {
        let room = Arc::new(LineRoom::of_many());
        for key in 0..10_000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&key.to_le_bytes());
            room.share_of(PublicKey(bytes), IpAddr::from([127, 0, 0, 1]));
        }
        assert!(room.shares.lock().unwrap().len() < 100);
    }
}
