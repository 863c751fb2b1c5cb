//! What is going to happen in the simulation, and when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Happening;
use crate::core::time::Time;

/// What is scheduled.
#[derive(Default)]
pub(super) struct Agenda {
    order: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next: u64,
}

impl Agenda {
    /// Schedules something. Of several at one moment, the one that was scheduled first happens first.
    pub(super) fn add(&mut self, at: Time, happening: Happening) {
        self.happenings.insert(self.next, happening);
        self.order.push(Reverse((at, self.next)));
        self.next += 1;
    }

    /// When the next thing happens.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the next thing.
    pub(super) fn pop(&mut self) -> Option<Happening> {
        let Reverse((_, number)) = self.order.pop()?;
        self.happenings.remove(&number)
    }
}
