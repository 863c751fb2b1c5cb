//! Divides the connections that a server can have at a time. Each key has a limited share. If there is no free place,
//! an unused one is given to the newcomer.

use std::collections::BTreeMap;

use super::flow::{Flow, LEAST, TRIAL, Verdict};
use super::time::Time;
use crate::protocol::PublicKey;

/// Whether a place is in use.
#[derive(Debug, Clone)]
enum Use {
    /// Nothing has been asked of the connection since then.
    Idle(Time),
    /// Something is being sent.
    Busy(Flow),
}

#[derive(Debug, Clone)]
struct Place {
    peer: PublicKey,
    used: Use,
}

/// The decision about a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It gets a place.
    Entered,
    /// It gets the place of this connection, which must be closed.
    InPlaceOf(u64),
    /// All places are in use.
    Full,
}

/// The places of a server, by the numbers of the connections that have them.
#[derive(Debug)]
pub struct Places {
    most: usize,
    most_each: usize,
    taken: BTreeMap<u64, Place>,
}

impl Places {
    /// A server with `most` places, of which one key may have `most_each`.
    pub fn new(most: usize, most_each: usize) -> Self {
        Self { most, most_each, taken: BTreeMap::new() }
    }

    /// A connection of `peer` wants a place. A key with a full share gets none. If no place is free, the newcomer gets
    /// one that is not used; if all are used, the newest one of the peer that has the most, unless that peer would then
    /// have fewer than the newcomer.
    pub fn enter(&mut self, now: Time, number: u64, peer: PublicKey) -> Entry {
        let own = self.of(&peer);
        if own >= self.most_each {
            return Entry::Full;
        }
        let entry = if self.taken.len() < self.most {
            Entry::Entered
        } else {
            let Some(left) = self.unused(now).or_else(|| self.of_the_greediest(own)) else { return Entry::Full };
            self.taken.remove(&left);
            Entry::InPlaceOf(left)
        };
        self.taken.insert(number, Place { peer, used: Use::Idle(now) });
        entry
    }

    /// A connection has ended.
    pub fn leave(&mut self, number: u64) {
        self.taken.remove(&number);
    }

    /// Something is asked of a connection: its place is in use.
    pub fn begin(&mut self, now: Time, number: u64) {
        if let Some(place) = self.taken.get_mut(&number)
            && matches!(place.used, Use::Idle(_))
        {
            place.used = Use::Busy(Flow::new(now, LEAST, TRIAL));
        }
    }

    /// The peer has taken this many bytes.
    pub fn moved(&mut self, now: Time, number: u64, bytes: u64) {
        if let Some(Place { used: Use::Busy(flow), .. }) = self.taken.get_mut(&number) {
            flow.moved(now, bytes);
        }
    }

    /// The peer has got what it asked for: its place is not in use.
    pub fn rest(&mut self, now: Time, number: u64) {
        if let Some(place) = self.taken.get_mut(&number) {
            place.used = Use::Idle(now);
        }
    }

    /// The number of places that are taken.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether no place is taken.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    fn of(&self, peer: &PublicKey) -> usize {
        self.taken.values().filter(|place| place.peer == *peer).count()
    }

    /// The place that has been unused for the longest time; otherwise one whose peer takes next to nothing.
    fn unused(&mut self, now: Time) -> Option<u64> {
        let mut idle: Option<(Time, u64)> = None;
        let mut drips = None;
        for (number, place) in &mut self.taken {
            match &mut place.used {
                Use::Idle(since) => idle = Some(idle.map_or((*since, *number), |i| i.min((*since, *number)))),
                Use::Busy(flow) => {
                    let slow = flow.moved(now, 0) > Verdict::Well;
                    drips = drips.or(slow.then_some(*number));
                }
            }
        }
        idle.map(|(_, number)| number).or(drips)
    }

    /// The newest place of the peer that has the most, if it has at least two more than `own`.
    fn of_the_greediest(&self, own: usize) -> Option<u64> {
        let mut counts: BTreeMap<&PublicKey, (usize, u64)> = BTreeMap::new();
        for (number, place) in &self.taken {
            let (count, newest) = counts.entry(&place.peer).or_default();
            (*count, *newest) = (*count + 1, *number);
        }
        let (count, newest) = counts.into_values().max()?;
        (count >= own + 2).then_some(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000_000)
    }

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    #[test]
    fn what_is_idle_makes_room_and_what_is_used_does_not() {
        let mut places = Places::new(3, 2);
        for number in 1..=3 {
            assert_eq!(places.enter(at(number), number, key(number as u8)), Entry::Entered);
        }
        places.begin(at(4), 1);
        assert_eq!(places.enter(at(5), 4, key(4)), Entry::InPlaceOf(2), "the one that is idle for longest");
        [3, 4].into_iter().for_each(|number| places.begin(at(5), number));
        assert_eq!(places.enter(at(6), 5, key(5)), Entry::Full);
        places.moved(at(6), 3, 1 << 20);
        places.rest(at(7), 3);
        assert_eq!(places.enter(at(8), 6, key(5)), Entry::InPlaceOf(3));
        places.leave(6);
        assert_eq!((places.enter(at(9), 7, key(5)), places.len()), (Entry::Entered, 3));
    }

    #[test]
    fn who_takes_a_byte_now_and_then_loses_the_place() {
        let mut places = Places::new(2, 2);
        for number in 1..=2 {
            places.enter(at(0), number, key(number as u8));
            places.begin(at(0), number);
        }
        for second in (5..60).step_by(5) {
            places.moved(at(second), 1, 1);
            places.moved(at(second), 2, 64 << 10);
        }
        assert_eq!(places.enter(at(60), 3, key(3)), Entry::InPlaceOf(1));
        places.begin(at(60), 3);
        assert_eq!(places.enter(at(69), 4, key(4)), Entry::Full);
        assert_eq!(places.enter(at(80), 4, key(4)), Entry::InPlaceOf(2), "who stopped taking anything, too");
    }

    #[test]
    fn nobody_has_more_than_their_share_while_others_have_none() {
        let mut places = Places::new(4, 3);
        for number in 1..=3 {
            assert_eq!(places.enter(at(0), number, key(1)), Entry::Entered);
            places.begin(at(0), number);
        }
        assert_eq!(places.enter(at(1), 4, key(1)), Entry::Full, "their own share is used");
        assert_eq!(places.enter(at(1), 5, key(2)), Entry::Entered);
        places.begin(at(1), 5);
        assert_eq!(places.enter(at(2), 6, key(3)), Entry::InPlaceOf(3));
        places.begin(at(2), 6);
        assert_eq!(places.enter(at(3), 7, key(4)), Entry::InPlaceOf(2));
        places.begin(at(3), 7);
        assert_eq!(places.enter(at(4), 8, key(4)), Entry::Full, "nobody has two more");
        places.rest(at(5), 1);
        assert_eq!(places.enter(at(5), 9, key(1)), Entry::InPlaceOf(1), "what is idle makes room for anybody");
    }
}
