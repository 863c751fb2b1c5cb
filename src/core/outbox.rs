//! A queue of events for a reader that may be slow, in bounded memory.
//!
//! There are three classes. **Answers** keep their order and are never dropped; the caller must bound them: it starts a
//! request only while [`Outbox::unread`] is small enough. **Facts** (messages, things that happened) keep their order,
//! too. Where there is no room for them, they are dropped and counted in a *gap*, which stands at the place of the
//! first dropped fact. **State** (the table, the roster, the progress of a transfer) is worth only its newest value: a
//! waiting item is removed, merged with the newer one, and the result goes to the back. At its old place, the newer
//! value would be read before the facts that led to it.
//!
//! Facts are bounded by number and bytes. State needs no bound, since there is at most one item for each [`StateKey`].
//! Gaps need none either: facts or answers stand between any two of them.
//!
//! `io::drive::output` puts one in front of every slow reader: the standard output of a client, the log of a hub, the
//! events of the library. Class and weight of an event come from [`told`](super::told).

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::event::Kind;

/// The properties of an item that the outbox uses.
pub trait Queued {
    /// The item's time, or another number that never falls from fact to fact. A gap has those of the first and the last
    /// dropped fact, by which a reader can ask for them again.
    fn stamp(&self) -> u64;
    /// The approximate memory of the item in bytes.
    fn bytes(&self) -> usize;
}

/// Identifies the state that an item tells. The caller bounds how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// The kind of event that tells it.
    pub kind: Kind,
    /// The number of what it describes, such as a transfer; 0 if there is only one.
    pub of: u64,
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The highest number of facts.
    pub facts: usize,
    /// The most bytes of facts. A single fact may be larger if no other waits.
    pub bytes: usize,
}

/// A run of dropped facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The stamp of the first dropped fact.
    pub first: u64,
    /// The stamp of the last dropped fact.
    pub last: u64,
    /// The number of dropped facts.
    pub dropped: u64,
}

/// What leaves the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Popped<T> {
    /// An answer, fact or state.
    Item(T),
    /// Facts were dropped here.
    Gap(Gap),
}

#[derive(Debug)]
enum Slot<T> {
    Answer(T),
    Fact(T),
    State(StateKey, T),
    /// The state of this slot has moved to the back.
    Moved,
    Gap(Gap),
}

/// The queue. See the [module](self) for its promises.
#[derive(Debug)]
pub struct Outbox<T> {
    bounds: Bounds,
    slots: VecDeque<Slot<T>>,
    /// How many slots have ever left the front. Slot numbers count these, so they stay valid.
    left: u64,
    /// The slot number of each waiting state.
    states: BTreeMap<StateKey, u64>,
    /// The slot number of the last gap, if no fact waits behind it: further dropped facts are counted there.
    open_gap: Option<u64>,
    facts: usize,
    bytes: usize,
    answers: usize,
    answer_bytes: usize,
}

impl<T: Queued> Outbox<T> {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        let (slots, states) = (VecDeque::new(), BTreeMap::new());
        Self { bounds, slots, left: 0, states, open_gap: None, facts: 0, bytes: 0, answers: 0, answer_bytes: 0 }
    }

    /// Appends an answer. The bounds do not apply to answers.
    pub fn push_answer(&mut self, answer: T) {
        self.answers += 1;
        self.answer_bytes += answer.bytes();
        self.open_gap = None;
        self.slots.push_back(Slot::Answer(answer));
    }

    /// Appends a fact, or counts it in a gap if there is no room. Returns whether it was appended.
    pub fn push_fact(&mut self, fact: T) -> bool {
        let bytes = fact.bytes();
        let fits = self.facts < self.bounds.facts && self.bytes.saturating_add(bytes) <= self.bounds.bytes;
        if !fits && self.facts > 0 {
            self.drop_fact(fact.stamp());
            return false;
        }
        self.facts += 1;
        self.bytes += bytes;
        self.open_gap = None;
        self.slots.push_back(Slot::Fact(fact));
        true
    }

    /// Appends a state. If one with the same key waits, it is removed and `merge` merges `newer`, its second argument,
    /// into it.
    pub fn push_state(&mut self, key: StateKey, newer: T, merge: fn(&mut T, T)) {
        let mut state = newer;
        if let Some(Slot::State(_, mut older)) = self.states.get(&key).copied().map(|at| self.take(at)) {
            merge(&mut older, state);
            state = older;
        }
        self.compact();
        self.states.insert(key, self.left + self.slots.len() as u64);
        self.slots.push_back(Slot::State(key, state));
    }

    /// Takes the next item.
    pub fn pop(&mut self) -> Option<Popped<T>> {
        while let Some(slot) = self.slots.pop_front() {
            self.left += 1;
            match slot {
                Slot::Moved => {}
                Slot::Gap(gap) => {
                    self.open_gap = self.open_gap.filter(|at| *at >= self.left);
                    return Some(Popped::Gap(gap));
                }
                Slot::State(key, state) => {
                    self.states.remove(&key);
                    return Some(Popped::Item(state));
                }
                Slot::Answer(answer) => {
                    self.answers -= 1;
                    self.answer_bytes -= answer.bytes();
                    return Some(Popped::Item(answer));
                }
                Slot::Fact(fact) => {
                    self.facts -= 1;
                    self.bytes -= fact.bytes();
                    return Some(Popped::Item(fact));
                }
            }
        }
        None
    }

    /// The approximate memory in bytes of waiting facts and answers.
    pub fn unread(&self) -> usize {
        self.bytes + self.answer_bytes
    }

    /// Whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.facts == 0
            && self.answers == 0
            && self.states.is_empty()
            && self.slots.iter().all(|slot| matches!(slot, Slot::Moved))
    }

    fn drop_fact(&mut self, stamp: u64) {
        if let Some(Slot::Gap(gap)) = self.open_gap.and_then(|at| self.slot(at)) {
            gap.last = stamp;
            gap.dropped += 1;
            return;
        }
        self.open_gap = Some(self.left + self.slots.len() as u64);
        self.slots.push_back(Slot::Gap(Gap { first: stamp, last: stamp, dropped: 1 }));
    }

    fn slot(&mut self, at: u64) -> Option<&mut Slot<T>> {
        let index = usize::try_from(at.checked_sub(self.left)?).ok()?;
        self.slots.get_mut(index)
    }

    fn take(&mut self, at: u64) -> Slot<T> {
        self.slot(at).map_or(Slot::Moved, |slot| std::mem::replace(slot, Slot::Moved))
    }

    /// Removes empty slots once they are most of the queue, so that they cannot accumulate behind a reader that has
    /// stopped. Spread over the pushes, this takes constant time for each.
    fn compact(&mut self) {
        let used = 2 * (self.facts + self.answers) + self.states.len() + 16;
        if self.slots.len() < 2 * used {
            return;
        }
        self.left += self.slots.len() as u64;
        self.slots.retain(|slot| !matches!(slot, Slot::Moved));
        self.left -= self.slots.len() as u64;
        for (at, slot) in (self.left..).zip(&self.slots) {
            match slot {
                Slot::State(key, _) => drop(self.states.insert(*key, at)),
                // Only the last gap can still count further facts.
                Slot::Gap(_) if self.open_gap.is_some() => self.open_gap = Some(at),
                Slot::Gap(_) | Slot::Answer(_) | Slot::Fact(_) | Slot::Moved => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
