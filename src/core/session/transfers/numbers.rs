//! The numbers of transfers: a push has one number from its offer to its end, which is that of its transfer, too.

use std::collections::BTreeSet;

/// How many numbers may be in use ahead of the next one.
const AHEAD: usize = 1_024;

/// The highest number that is taken over from a hub: each up to it is exact in JSON, and none is ever the last.
const MOST: u64 = 1 << 40;

/// Which numbers have been used, each for one thing. They count from 1.
#[derive(Debug)]
pub(super) struct Numbers {
    /// The lowest that may be free.
    next: u64,
    /// Those from there on that are not.
    ahead: BTreeSet<u64>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { next: 1, ahead: BTreeSet::new() }
    }
}

impl Numbers {
    /// The number that [`take`](Self::take) gives next.
    pub(super) fn peek(&self) -> u64 {
        (self.next..).find(|number| !self.ahead.contains(number)).unwrap_or(self.next)
    }

    /// A new number.
    pub(super) fn take(&mut self) -> u64 {
        let number = self.peek();
        self.mark(number);
        number
    }

    /// The hub's number for something, if that is free here, or a new one.
    pub(super) fn take_over(&mut self, number: u64) -> u64 {
        if number > MOST || !self.is_free(number) {
            return self.take();
        }
        self.mark(number);
        number
    }

    /// Whether a number has never been used.
    pub(super) fn is_free(&self, number: u64) -> bool {
        number >= self.next && !self.ahead.contains(&number)
    }

    /// From now on, this number is in use.
    pub(super) fn mark(&mut self, number: u64) {
        if number < self.next {
            return;
        }
        self.ahead.insert(number);
        if self.ahead.len() > AHEAD
            && let Some(first) = self.ahead.first()
        {
            self.next = *first;
        }
        while self.ahead.remove(&self.next) {
            self.next = self.next.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_used_for_one_thing() {
        let mut numbers = Numbers::default();
        assert_eq!([numbers.take_over(3), numbers.take(), numbers.take()], [3, 1, 2]);
        // That of a hub that counts anew.
        assert_eq!([numbers.take_over(3), numbers.take_over(4), numbers.take_over(7)], [4, 5, 7]);
        assert_eq!([numbers.take(), numbers.take()], [6, 8]);
        assert!(!numbers.is_free(7) && numbers.is_free(9));
        assert_eq!(numbers.take_over(u64::MAX), 9);
    }

    #[test]
    fn a_hub_cannot_make_them_cost_much() {
        let mut numbers = Numbers::default();
        for number in 0..10_000 {
            numbers.take_over(10 * number + 10);
        }
        assert!(numbers.ahead.len() <= AHEAD);
        assert!(!numbers.is_free(10) && !numbers.is_free(100_000) && numbers.is_free(numbers.peek()));
    }
}
