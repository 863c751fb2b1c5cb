//! Permits for reading long lines, so that many connections with a long line each cannot fill the memory.
//!
//! A line of up to [`SHORT_LINE`] bytes needs no permit: every connection may buffer one. A line of up to [`LONG_LINE`]
//! bytes needs a long permit, and one of up to [`MAX_FRAME`] bytes a very long permit. A [`LineRoom`] has a fixed
//! number of each, and each key and each network may hold only a share of them.
//!
//! `connection.rs` takes a permit before it reads the rest of a long line. If none is free, it waits in a queue (first
//! come, first served), and reads nothing from its connection meanwhile. With the permit, the line must arrive within
//! `LineClass::time`, or the connection breaks. The permit travels with the [`Line`] to the machine, and is given
//! back when the machine has handled the line.
//!
//! A connection learns how long a line is only by reading it: it takes a long permit first, and a very long one if the
//! line does not end. It keeps the long permit until it has the very long one. Who holds a very long permit waits for
//! no other, so there is no deadlock.
//!
//! A hub has one [`LineRoom`] for all its connections. A client has one for its hub, and one for all direct
//! connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::limits::{LONG_LINE, LONG_LINES, MAX_FRAME, SHORT_LINE, VERY_LONG_LINES};
use crate::protocol::{Network, PublicKey};

/// The two sizes of permits, by the lines that they allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LineClass {
    Long,
    VeryLong,
}

impl LineClass {
    pub(crate) const ALL: [Self; 2] = [Self::Long, Self::VeryLong];

    /// The longest line that a permit of this class allows, in bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Long => LONG_LINE,
            Self::VeryLong => MAX_FRAME,
        }
    }

    /// How long the rest of a line may take to arrive once there is a permit for it: long enough for a slow connection
    /// (350 kbit/s).
    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Long => 15,
            Self::VeryLong => 120,
        })
    }
}

/// Who may hold only a share of the permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ShareOwner {
    Key(PublicKey),
    Network(Network),
}

/// The permits that a group of connections shares.
pub struct LineRoom {
    /// The number of all permits of each class, and a semaphore with those that are free.
    places: [(usize, Arc<Semaphore>); 2],
    /// The free permits in each share that a connection has.
    shares: Mutex<HashMap<(LineClass, ShareOwner), Weak<Semaphore>>>,
    /// A key may hold 1 / `parts.0` of the permits of each class, a network 1 / `parts.1`; each at least one permit.
    parts: (usize, usize),
    /// How many bytes the other side of each connection may send before they are read, over QUIC.
    ahead: usize,
}

impl LineRoom {
    fn new(places: [usize; 2], parts: (usize, usize), ahead: usize) -> Self {
        let places = places.map(|places| (places, Arc::new(Semaphore::new(places))));
        Self { places, shares: Mutex::default(), parts, ahead }
    }

    /// The permits for all connections of a hub, or for all direct connections of a client: [`LONG_LINES`] and
    /// [`VERY_LONG_LINES`]. A key may hold an eighth of them, a network a quarter.
    pub fn of_many() -> Self {
        Self::new([LONG_LINES, VERY_LONG_LINES], (8, 4), 2 * SHORT_LINE)
    }

    /// The permits for the one connection of a client to its hub: 8 and 2, so that several long lines may wait to be
    /// handled. It may hold them all.
    pub fn of_one() -> Self {
        Self::new([8, 2], (1, 1), MAX_FRAME)
    }

    /// The permits of a class: how many there are, and those that are free.
    fn places(&self, length: LineClass) -> &(usize, Arc<Semaphore>) {
        let [long, very_long] = &self.places;
        match length {
            LineClass::Long => long,
            LineClass::VeryLong => very_long,
        }
    }

    /// The shares from which a connection takes its permits: that of its key and that of its network. Connections of
    /// the same key or network share them.
    pub(crate) fn share_of(self: &Arc<Self>, key: PublicKey, address: IpAddr) -> LineShare {
        let network = Network::of(address);
        let mut holders = vec![(ShareOwner::Key(key), self.parts.0)];
        // Everybody on this machine has a loopback address, so loopback has no share of its own, and no limit.
        holders.extend((!network.is_loopback()).then_some((ShareOwner::Network(network), self.parts.1)));
        let shares = LineClass::ALL.map(|length| {
            let of = |(holder, parts): &(ShareOwner, usize)| self.share(length, *holder, *parts);
            (length, holders.iter().map(of).collect())
        });
        LineShare { room: Arc::clone(self), shares }
    }

    /// The share of a key or network, which is made if no connection uses it.
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

/// Takes permits for one connection, within the shares of its key and its network.
pub(crate) struct LineShare {
    room: Arc<LineRoom>,
    shares: [(LineClass, Vec<Arc<Semaphore>>); 2],
}

impl LineShare {
    /// How many bytes the other side may send before they are read (the flow-control window of QUIC). It is set once
    /// the connection has been greeted, and is larger than a short line, because a distant side would be slowed down
    /// otherwise.
    pub(crate) fn ahead(&self) -> usize {
        self.room.ahead
    }

    /// Waits until its key, its network and the whole room have a free permit of this class, and takes it.
    pub(crate) async fn take(&self, length: LineClass) -> LinePermit {
        let shares = self.shares.iter().filter(|(of, _)| *of == length).flat_map(|(_, shares)| shares);
        let mut permits = Vec::new();
        // The shares first: a connection whose shares are used up then waits without holding a permit of the room.
        for semaphore in shares.chain([&self.room.places(length).1]) {
            permits.extend(Arc::clone(semaphore).acquire_owned().await.ok());
        }
        LinePermit { _permits: permits }
    }
}

/// A permit to read one long line. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct LinePermit {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// A line that was read, with its permit if it needed one. Dropping it gives the permit back.
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

    /// Lets each of these take a permit, one after the other. Returns the permits of those that need not wait.
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
