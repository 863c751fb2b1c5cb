//! Room for long lines. Most lines are short, and every connection may keep one of those; a longer one is read only when
//! there is room for it, so that many sessions, each with a long line under way, cannot fill the memory.
//!
//! There is a number of places for long lines, and of those some for very long ones. Each key and each address has a share
//! of either. Who finds none waits in turn, and is not read on meanwhile. A place is kept until the line has been handled,
//! and a line has a time in which it must come. Who needs a larger place keeps the smaller one until they have it; those in
//! the largest wait for nobody, so all get on.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::limits::{LONG_LINE, LONG_LINES, MAX_FRAME, SHORT_LINE, VERY_LONG_LINES};
use crate::protocol::{Network, PublicKey};

/// How long a place may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Length {
    Long,
    VeryLong,
}

impl Length {
    pub(crate) const ALL: [Self; 2] = [Self::Long, Self::VeryLong];

    /// In bytes.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Long => LONG_LINE,
            Self::VeryLong => MAX_FRAME,
        }
    }

    /// In which a line of this length must have come: on a slow connection (350 kbit/s) it does.
    pub(crate) fn time(self) -> Duration {
        Duration::from_secs(match self {
            Self::Long => 15,
            Self::VeryLong => 120,
        })
    }
}

/// Whoever has a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Key(PublicKey),
    Network(Network),
}

/// The places for long lines of many connections.
pub struct LineRoom {
    places: [(usize, Arc<Semaphore>); 2],
    shares: Mutex<HashMap<(Length, Holder), Weak<Semaphore>>>,
    /// Into how many parts the places are cut of which a key has one, and an address.
    parts: (usize, usize),
    /// What each connection may have on its way besides.
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

    /// For one connection whose lines may wait before they are handled.
    pub fn of_one() -> Self {
        Self::new([8, 2], (1, 1), MAX_FRAME)
    }

    fn places(&self, length: Length) -> &(usize, Arc<Semaphore>) {
        let [long, very_long] = &self.places;
        match length {
            Length::Long => long,
            Length::VeryLong => very_long,
        }
    }

    /// What one connection may take of it.
    pub(crate) fn seat(self: &Arc<Self>, key: PublicKey, address: IpAddr) -> Seat {
        let network = Network::of(address);
        let mut holders = vec![(Holder::Key(key), self.parts.0)];
        // This machine is everybody here, and has no share.
        holders.extend((!network.is_loopback()).then_some((Holder::Network(network), self.parts.1)));
        let shares = Length::ALL.map(|length| {
            let of = |(holder, parts): &(Holder, usize)| self.share(length, *holder, *parts);
            (length, holders.iter().map(of).collect())
        });
        Seat { room: Arc::clone(self), shares }
    }

    fn share(&self, length: Length, holder: Holder, parts: usize) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&(length, holder)).and_then(Weak::upgrade) {
            return share;
        }
        // Those whose connections are gone are let go of, at a constant cost for each.
        if shares.len() == shares.capacity() {
            shares.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new((self.places(length).0 / parts).max(1)));
        shares.insert((length, holder), Arc::downgrade(&share));
        share
    }
}

/// What one connection may take.
pub(crate) struct Seat {
    room: Arc<LineRoom>,
    shares: [(Length, Vec<Arc<Semaphore>>); 2],
}

impl Seat {
    /// What the connection may have on its way though its lines are short, in bytes.
    pub(crate) fn ahead(&self) -> usize {
        self.room.ahead
    }

    /// Waits for a place for a line of this length.
    pub(crate) async fn take(&self, length: Length) -> Place {
        let shares = self.shares.iter().filter(|(of, _)| *of == length).flat_map(|(_, shares)| shares);
        let mut permits = Vec::new();
        // One's own first: whoever has taken all of those waits among themselves.
        for semaphore in shares.chain([&self.room.places(length).1]) {
            permits.extend(Arc::clone(semaphore).acquire_owned().await.ok());
        }
        Place { _permits: permits }
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permits: Vec<OwnedSemaphorePermit>,
}

/// A line that was read, and its place if it is a long one.
#[derive(Debug)]
pub struct Line {
    bytes: Vec<u8>,
    _place: Option<Place>,
}

impl Line {
    pub(crate) fn new(bytes: Vec<u8>, place: Option<Place>) -> Self {
        Self { bytes, _place: place }
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
    fn taken(seats: &[&Seat], length: Length) -> Vec<Place> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut places = Vec::new();
            for seat in seats {
                tokio::select! {
                    biased;
                    place = seat.take(length) => places.push(place),
                    () = std::future::ready(()) => {}
                }
            }
            places
        })
    }

    #[test]
    fn a_key_and_an_address_have_a_share_and_all_together_no_more_than_there_is() {
        let room = Arc::new(LineRoom::of_many());
        let seat = |key: u8, address: [u8; 4]| room.seat(PublicKey([key; 32]), IpAddr::from(address));
        let greedy = seat(1, [10, 0, 0, 1]);
        let of_key = taken(&[&greedy; LONG_LINES], Length::Long);
        assert_eq!(of_key.len(), LONG_LINES / 8);
        let others: Vec<Seat> = (2..20).map(|key| seat(key, [10, 0, 0, 1])).collect();
        let all: Vec<&Seat> = others.iter().flat_map(|seat| [seat; LONG_LINES / 8]).collect();
        let of_address = taken(&all, Length::Long);
        assert_eq!(of_key.len() + of_address.len(), LONG_LINES / 4);
        let elsewhere: Vec<Seat> = (20..60).map(|key| seat(key, [10, 0, 0, key])).collect();
        assert_eq!(taken(&[&elsewhere[0]], Length::Long).len(), 1, "others have theirs");
        let all: Vec<&Seat> = elsewhere.iter().flat_map(|seat| [seat; LONG_LINES / 8]).collect();
        let rest = taken(&all, Length::Long);
        assert_eq!(of_key.len() + of_address.len() + rest.len(), LONG_LINES);
        assert_eq!(taken(&[&greedy], Length::VeryLong).len(), 1, "who has a place gets on");
        drop((of_key, of_address, rest));
        assert_eq!(taken(&[&greedy; 2], Length::Long).len(), 2);
    }

    #[test]
    fn shares_of_those_who_are_gone_are_forgotten() {
        let room = Arc::new(LineRoom::of_many());
        for key in 0..10_000_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&key.to_le_bytes());
            room.seat(PublicKey(bytes), IpAddr::from([127, 0, 0, 1]));
        }
        assert!(room.shares.lock().unwrap().len() < 100);
    }
}
