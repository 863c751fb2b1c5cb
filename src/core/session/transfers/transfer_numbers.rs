//! The numbers of transfers. A push keeps one number from its announcement to the end of its transfer.

use std::collections::BTreeSet;

/// How many numbers may be in use ahead of the next one.
const AHEAD: usize = 1_024;

/// The highest number that is taken over from a hub. JSON holds it exactly, and there are always numbers left above it.
const MOST: u64 = 1 << 40;

/// The numbers that are in use. They count from 1, and each is used for one thing.
#[derive(Debug)]
pub(super) struct TransferNumbers {
    /// The lowest that may be free.
    next: u64,
    /// The numbers above `next` that are in use.
    ahead: BTreeSet<u64>,
}

impl Default for TransferNumbers {
    fn default() -> Self {
        Self { next: 1, ahead: BTreeSet::new() }
    }
}

impl TransferNumbers {
    /// The number that [`take`](Self::take) gives next.
    pub(super) fn peek(&self) -> u64 {
        (self.next..).find(|number| !self.ahead.contains(number)).unwrap_or(self.next)
    }

    /// Takes a new number.
    pub(super) fn take(&mut self) -> u64 {
        let number = self.peek();
        self.reserve(number);
        number
    }

    /// Takes the hub's number for something, if that is free here, or a new one.
    pub(super) fn take_over(&mut self, number: u64) -> u64 {
        if number > MOST || !self.is_free(number) {
            return self.take();
        }
        self.reserve(number);
        number
    }

    /// Whether a number has never been used.
    pub(super) fn is_free(&self, number: u64) -> bool {
        number >= self.next && !self.ahead.contains(&number)
    }

    /// Marks a number as in use.
    pub(super) fn reserve(&mut self, number: u64) {
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
        let mut numbers = TransferNumbers::default();
        assert_eq!([numbers.take_over(3), numbers.take(), numbers.take()], [3, 1, 2]);
        // That of a hub that counts anew.
        assert_eq!([numbers.take_over(3), numbers.take_over(4), numbers.take_over(7)], [4, 5, 7]);
        assert_eq!([numbers.take(), numbers.take()], [6, 8]);
        assert!(!numbers.is_free(7) && numbers.is_free(9));
        assert_eq!(numbers.take_over(u64::MAX), 9);
    }

    #[test]
    fn a_hub_cannot_make_them_cost_much() {
        let mut numbers = TransferNumbers::default();
        for number in 0..10_000 {
            numbers.take_over(10 * number + 10);
        }
        assert!(numbers.ahead.len() <= AHEAD);
        assert!(!numbers.is_free(10) && !numbers.is_free(100_000) && numbers.is_free(numbers.peek()));
    }
}
