//! Divides the connections that a server can have at a time. Each key has a limited share. If there is no free slot,
//! an unused one is given to the newcomer.
//!
//! The server of files uses it: it reports each connection and what happens on it, and is told which connection must be
//! closed for a newcomer.

use std::collections::BTreeMap;

use super::flow::{Flow, LEAST, TRIAL, Verdict};
use super::time::Time;
use crate::protocol::PublicKey;

/// Whether a slot is in use.
#[derive(Debug, Clone)]
enum Use {
    /// Nothing has been asked of the connection since then.
    Idle(Time),
    /// Something is being sent.
    Busy(Flow),
}

#[derive(Debug, Clone)]
struct Slot {
    peer: PublicKey,
    used: Use,
}

/// The decision about a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It gets a slot.
    Admitted,
    /// It gets the slot of this connection, which must be closed.
    InPlaceOf(u64),
    /// All slots are in use.
    Full,
}

/// The slots of a server, by the numbers of the connections that have them.
#[derive(Debug)]
pub struct SlotShares {
    most: usize,
    most_each: usize,
    taken: BTreeMap<u64, Slot>,
}

impl SlotShares {
    /// A server with `most` slots, of which one key may have `most_each`.
    pub fn new(most: usize, most_each: usize) -> Self {
        Self { most, most_each, taken: BTreeMap::new() }
    }

    /// A connection of `peer` wants a slot. A key with a full share gets none. If no slot is free, the newcomer gets
    /// one that is not used; if all are used, the newest one of the peer that has the most, unless that peer would then
    /// have fewer than the newcomer.
    pub fn enter(&mut self, now: Time, number: u64, peer: PublicKey) -> Admission {
        let own = self.of(&peer);
        if own >= self.most_each {
            return Admission::Full;
        }
        let entry = if self.taken.len() < self.most {
            Admission::Admitted
        } else {
            let Some(left) = self.unused(now).or_else(|| self.of_the_greediest(own)) else { return Admission::Full };
            self.taken.remove(&left);
            Admission::InPlaceOf(left)
        };
        self.taken.insert(number, Slot { peer, used: Use::Idle(now) });
        entry
    }

    /// A connection has ended.
    pub fn leave(&mut self, number: u64) {
        self.taken.remove(&number);
    }

    /// Something is asked of a connection: its slot is in use.
    pub fn begin(&mut self, now: Time, number: u64) {
        if let Some(slot) = self.taken.get_mut(&number)
            && matches!(slot.used, Use::Idle(_))
        {
            slot.used = Use::Busy(Flow::new(now, LEAST, TRIAL));
        }
    }

    /// The peer has taken this many bytes.
    pub fn moved(&mut self, now: Time, number: u64, bytes: u64) {
        if let Some(Slot { used: Use::Busy(flow), .. }) = self.taken.get_mut(&number) {
            flow.moved(now, bytes);
        }
    }

    /// The peer has got what it asked for: its slot is not in use.
    pub fn rest(&mut self, now: Time, number: u64) {
        if let Some(slot) = self.taken.get_mut(&number) {
            slot.used = Use::Idle(now);
        }
    }

    /// The number of slots that are taken.
    pub fn len(&self) -> usize {
        self.taken.len()
    }

    /// Whether no slot is taken.
    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    fn of(&self, peer: &PublicKey) -> usize {
        self.taken.values().filter(|slot| slot.peer == *peer).count()
    }

    /// The slot that has been unused for the longest time; otherwise one whose peer takes next to nothing.
    fn unused(&mut self, now: Time) -> Option<u64> {
        let mut idle: Option<(Time, u64)> = None;
        let mut drips = None;
        for (number, slot) in &mut self.taken {
            match &mut slot.used {
                Use::Idle(since) => idle = Some(idle.map_or((*since, *number), |i| i.min((*since, *number)))),
                Use::Busy(flow) => {
                    let slow = flow.moved(now, 0) > Verdict::Well;
                    drips = drips.or(slow.then_some(*number));
                }
            }
        }
        idle.map(|(_, number)| number).or(drips)
    }

    /// The newest slot of the peer that has the most, if it has at least two more than `own`.
    fn of_the_greediest(&self, own: usize) -> Option<u64> {
        let mut counts: BTreeMap<&PublicKey, (usize, u64)> = BTreeMap::new();
        for (number, slot) in &self.taken {
            let (count, newest) = counts.entry(&slot.peer).or_default();
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
        let mut slots = SlotShares::new(3, 2);
        for number in 1..=3 {
            assert_eq!(slots.enter(at(number), number, key(number as u8)), Admission::Admitted);
        }
        slots.begin(at(4), 1);
        assert_eq!(slots.enter(at(5), 4, key(4)), Admission::InPlaceOf(2), "the one that is idle for longest");
        [3, 4].into_iter().for_each(|number| slots.begin(at(5), number));
        assert_eq!(slots.enter(at(6), 5, key(5)), Admission::Full);
        slots.moved(at(6), 3, 1 << 20);
        slots.rest(at(7), 3);
        assert_eq!(slots.enter(at(8), 6, key(5)), Admission::InPlaceOf(3));
        slots.leave(6);
        assert_eq!((slots.enter(at(9), 7, key(5)), slots.len()), (Admission::Admitted, 3));
    }

    #[test]
    fn who_takes_a_byte_now_and_then_loses_the_place() {
        let mut slots = SlotShares::new(2, 2);
        for number in 1..=2 {
            slots.enter(at(0), number, key(number as u8));
            slots.begin(at(0), number);
        }
        for second in (5..60).step_by(5) {
            slots.moved(at(second), 1, 1);
            slots.moved(at(second), 2, 64 << 10);
        }
        assert_eq!(slots.enter(at(60), 3, key(3)), Admission::InPlaceOf(1));
        slots.begin(at(60), 3);
        assert_eq!(slots.enter(at(69), 4, key(4)), Admission::Full);
        assert_eq!(slots.enter(at(80), 4, key(4)), Admission::InPlaceOf(2), "who stopped taking anything, too");
    }

    #[test]
    fn nobody_has_more_than_their_share_while_others_have_none() {
        let mut slots = SlotShares::new(4, 3);
        for number in 1..=3 {
            assert_eq!(slots.enter(at(0), number, key(1)), Admission::Admitted);
            slots.begin(at(0), number);
        }
        assert_eq!(slots.enter(at(1), 4, key(1)), Admission::Full, "their own share is used");
        assert_eq!(slots.enter(at(1), 5, key(2)), Admission::Admitted);
        slots.begin(at(1), 5);
        assert_eq!(slots.enter(at(2), 6, key(3)), Admission::InPlaceOf(3));
        slots.begin(at(2), 6);
        assert_eq!(slots.enter(at(3), 7, key(4)), Admission::InPlaceOf(2));
        slots.begin(at(3), 7);
        assert_eq!(slots.enter(at(4), 8, key(4)), Admission::Full, "nobody has two more");
        slots.rest(at(5), 1);
        assert_eq!(slots.enter(at(5), 9, key(1)), Admission::InPlaceOf(1), "what is idle makes room for anybody");
    }
}
