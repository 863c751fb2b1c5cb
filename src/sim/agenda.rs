//! What is going to happen in the simulation, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::core::time::Time;

/// What is scheduled.
pub(super) struct Agenda<H> {
    order: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, H>,
    next: u64,
}

impl<H> Default for Agenda<H> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), happenings: BTreeMap::new(), next: 0 }
    }
}

impl<H> Agenda<H> {
    /// Schedules something. Of several at one moment, the one that was scheduled first happens first.
    pub(super) fn add(&mut self, at: Time, happening: H) {
        self.happenings.insert(self.next, happening);
        self.order.push(Reverse((at, self.next)));
        self.next += 1;
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the next thing.
    pub(super) fn pop(&mut self) -> Option<H> {
        let Reverse((_, number)) = self.order.pop()?;
        self.happenings.remove(&number)
    }
}
