//! The timers of a machine, in one table.
//!
//! A machine declares its timers as an enum, in which each variant says why it exists, and takes its next deadline from
//! this table. A variant may carry what the timer belongs to, such as a connection; the table is fast with thousands of
//! timers.
//!
//! Hub, session, link and direct connections have one table each.

use std::collections::{BTreeMap, BTreeSet};

use super::time::Time;

/// When each timer fires. A timer that is not set never fires.
#[derive(Debug, Clone)]
pub struct Timers<T> {
    at: BTreeMap<T, Time>,
    order: BTreeSet<(Time, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { at: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<T: Copy + Ord> Timers<T> {
    /// Sets a timer, replacing an earlier deadline.
    pub fn set(&mut self, timer: T, at: Time) {
        let before = self.at.insert(timer, at);
        if before != Some(at) {
            if let Some(before) = before {
                self.order.remove(&(before, timer));
            }
            self.order.insert((at, timer));
        }
    }

    /// Sets a timer, or stops it if `at` is `None`.
    pub fn set_or_stop(&mut self, timer: T, at: Option<Time>) {
        match at {
            Some(at) => self.set(timer, at),
            None => self.stop(timer),
        }
    }

    /// Stops a timer, if it is set.
    pub fn stop(&mut self, timer: T) {
        if let Some(at) = self.at.remove(&timer) {
            self.order.remove(&(at, timer));
        }
    }

    /// Stops all timers.
    pub fn clear(&mut self) {
        self.at.clear();
        self.order.clear();
    }

    /// The deadline of a timer; `None` if it is not set.
    pub fn at(&self, timer: T) -> Option<Time> {
        self.at.get(&timer).copied()
    }

    /// Whether a timer is set and due.
    pub fn is_due(&self, timer: T, now: Time) -> bool {
        self.at(timer).is_some_and(|at| at <= now)
    }

    /// The earliest deadline of all timers.
    pub fn next(&self) -> Option<Time> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Takes a timer that is due: the earliest, and of several with one deadline the smallest.
    pub fn pop_due(&mut self, now: Time) -> Option<T> {
        let (at, timer) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }

    /// The number of timers that are set.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether no timer is set.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Timer {
        Hello,
        Link(u64),
    }

    #[test]
    fn timers_fire_in_order_and_a_timer_that_is_set_again_fires_once() {
        let mut timers = Timers::default();
        assert_eq!((timers.next(), timers.pop_due(Time(9))), (None, None));
        timers.set(Timer::Link(2), Time(5));
        timers.set(Timer::Hello, Time(5));
        timers.set(Timer::Link(1), Time(3));
        timers.set(Timer::Link(2), Time(4));
        timers.set_or_stop(Timer::Link(3), Some(Time(1)));
        timers.set_or_stop(Timer::Link(3), None);
        assert_eq!((timers.next(), timers.at(Timer::Link(2)), timers.len()), (Some(Time(3)), Some(Time(4)), 3));
        assert!(timers.is_due(Timer::Link(1), Time(3)) && !timers.is_due(Timer::Link(3), Time(3)));
        assert_eq!(timers.pop_due(Time(2)), None);
        let fired: Vec<Timer> = std::iter::from_fn(|| timers.pop_due(Time(5))).collect();
        assert_eq!(fired, [Timer::Link(1), Timer::Link(2), Timer::Hello]);
        assert!(timers.is_empty());
    }
}
