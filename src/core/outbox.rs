//! What waits for a reader who may be slow, in bounded memory.
//!
//! There are three classes. **Answers** keep their order and are never dropped: whoever asks does not
//! begin more than there is room for. **Facts** (messages, what happens) keep their order, too, and are not
//! dropped while there is room; where there is none, they are counted into a *gap*, which stands at
//! the place of the first one that was lost. **State** (the table, the roster, a transfer's progress)
//! is only worth its newest value: an item that still waits is taken out, merged with the newer one,
//! and the result goes to the back. It must not stay at its old place, where it would tell of a
//! revision before the facts that led there.
//!
//! Facts are bounded by number and bytes. State needs no bound of its own: there is at most one item
//! for each [`StateKey`]. There are no more gaps than facts and answers, plus one.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::event::Kind;

/// What the outbox must know of an item.
pub trait Queued {
    /// A number by which a reader can ask for the item again, if it was lost; it grows from fact to fact.
    fn stamp(&self) -> u64;
    /// Roughly how much memory the item holds, in bytes.
    fn bytes(&self) -> usize;
}

/// Which state an item tells of. Whoever pushes bounds how many transfers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateKey {
    /// The event that tells it.
    pub kind: Kind,
    /// The number of what it is the state of, such as a transfer's; 0 where there is only one.
    pub of: u64,
}

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Facts.
    pub facts: usize,
    /// Bytes of facts. A single fact may be larger, when no other waits.
    pub bytes: usize,
}

/// Facts that were dropped in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The stamp of the first one.
    pub first: u64,
    /// The stamp of the last one.
    pub last: u64,
    /// How many.
    pub dropped: u64,
}

/// What comes out, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Popped<T> {
    /// A fact or a state.
    Item(T),
    /// Here facts are missing.
    Gap(Gap),
}

#[derive(Debug)]
enum Slot<T> {
    Answer(T),
    Fact(T),
    State(StateKey, T),
    /// Its state moved to the back.
    Moved,
    Gap(Gap),
}

/// The queue. See the [module](self) for what it promises.
#[derive(Debug)]
pub struct Outbox<T> {
    bounds: Bounds,
    slots: VecDeque<Slot<T>>,
    /// How many slots have ever left the front: slot numbers stay valid while others leave.
    left: u64,
    /// The slot number of each state that waits.
    states: BTreeMap<StateKey, u64>,
    /// The slot number of the last gap, if no fact waits behind it.
    open_gap: Option<u64>,
    facts: usize,
    bytes: usize,
    answers: usize,
    answer_bytes: usize,
}

impl<T: Queued> Outbox<T> {
    /// An empty outbox.
    pub fn new(bounds: Bounds) -> Self {
        let (slots, states) = (VecDeque::new(), BTreeMap::new());
        Self { bounds, slots, left: 0, states, open_gap: None, facts: 0, bytes: 0, answers: 0, answer_bytes: 0 }
    }

    /// Puts an answer at the back, whatever waits.
    pub fn push_answer(&mut self, answer: T) {
        self.answers += 1;
        self.answer_bytes += answer.bytes();
        self.open_gap = None;
        self.slots.push_back(Slot::Answer(answer));
    }

    /// Puts a fact at the back; or into the gap, if it does not fit. Says whether it did.
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

    /// Puts a state at the back. If one with the same key waits, `merge` puts the newer one (its second
    /// argument) into it first.
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

    /// Takes out what comes next.
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

    /// Roughly how much memory facts and answers hold that wait, in bytes.
    pub fn unread(&self) -> usize {
        self.bytes + self.answer_bytes
    }

    /// Whether nothing waits.
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

    /// Empty slots may not gather behind a reader who has stopped: once they are most of the queue,
    /// it is written anew. So each push pays for this with a constant share.
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
                // Only the last gap can be open.
                Slot::Gap(_) if self.open_gap.is_some() => self.open_gap = Some(at),
                Slot::Gap(_) | Slot::Answer(_) | Slot::Fact(_) | Slot::Moved => {}
            }
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
