//! The queue of downloads: which wait, which have begun, and which places in the queue were told.
//!
//! Whenever a download begins, all others move up. The place of a new download is told at once; the new places of the
//! others only now and then, and only those of the first few. So the cost depends on the time that passes, not on how
//! many wait.
//!
//! `transfers` owns it: it adds and removes downloads by number, asks which one may begin, and tells the user the
//! places that this returns.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::ContentHash;

/// Only the first places are told; later ones say little.
const PLACES_TOLD: usize = 32;

/// How often new places are told at most.
const PLACES_EVERY: Duration = Duration::from_millis(250);

/// The queue of downloads. See the [module](self).
#[derive(Default)]
pub(super) struct DownloadQueue {
    waiting: VecDeque<u64>,
    begun: BTreeSet<u64>,
    /// How many downloads want each content, waiting or begun.
    contents: BTreeMap<ContentHash, usize>,
    /// The places that were told of the first [`PLACES_TOLD`].
    told: BTreeMap<u64, u64>,
    /// When places of downloads that are not new were told last.
    told_at: Option<Time>,
    /// Whether a download has moved up since.
    moved: bool,
}

impl DownloadQueue {
    /// Puts a download at the end.
    pub(super) fn push(&mut self, transfer: u64, hash: ContentHash) {
        self.waiting.push_back(transfer);
        *self.contents.entry(hash).or_default() += 1;
    }

    /// Begins the next one, if fewer than `most` run.
    pub(super) fn begin(&mut self, most: usize) -> Option<u64> {
        if self.begun.len() >= most.max(1) {
            return None;
        }
        let transfer = self.waiting.pop_front()?;
        self.begun.insert(transfer);
        self.told.remove(&transfer);
        self.moved |= !self.waiting.is_empty();
        Some(transfer)
    }

    /// Takes out a download. Returns whether no other wants the same content.
    pub(super) fn take_out(&mut self, transfer: u64, hash: ContentHash) -> bool {
        if !self.begun.remove(&transfer)
            && let Some(at) = self.waiting.iter().position(|waiting| *waiting == transfer)
        {
            self.waiting.remove(at);
            self.told.remove(&transfer);
            self.moved |= at < self.waiting.len();
        }
        let left = self.contents.get(&hash).map_or(0, |count| count - 1);
        match left {
            0 => self.contents.remove(&hash),
            left => self.contents.insert(hash, left),
        };
        left == 0
    }

    /// The place of the newest download, if it waits and its place is to be told.
    pub(super) fn newest(&mut self) -> Option<(u64, u64)> {
        let place = self.waiting.len();
        let transfer = *self.waiting.back().filter(|_| place <= PLACES_TOLD)?;
        let place = place as u64;
        (self.told.insert(transfer, place) != Some(place)).then_some((transfer, place))
    }

    /// The places that have changed and are to be told now.
    pub(super) fn places(&mut self, now: Time) -> Vec<(u64, u64)> {
        if self.places_due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        (self.told_at, self.moved) = (Some(now), false);
        let first = (1..).zip(self.waiting.iter().copied().take(PLACES_TOLD));
        first
            .map(|(place, who)| (who, place))
            .filter(|(who, place)| self.told.insert(*who, *place) != Some(*place))
            .collect()
    }

    /// When changed places are to be told.
    pub(super) fn places_due(&self) -> Option<Time> {
        let moved = self.moved && !self.waiting.is_empty();
        moved.then(|| self.told_at.map_or(Time(0), |told| told + PLACES_EVERY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_cost_what_time_passes_and_not_what_waits() {
        let (mut downloads, mut told) = (DownloadQueue::default(), 0);
        for transfer in 0..4_000 {
            downloads.push(transfer, ContentHash([0; 32]));
            downloads.begin(4);
            told += usize::from(downloads.newest().is_some());
        }
        assert_eq!(told, PLACES_TOLD, "each who is new among the first");
        // One ends each millisecond.
        let mut last = BTreeMap::new();
        for ended in 0..4_000 {
            let now = Time(1_000 * ended);
            downloads.take_out(ended, ContentHash([0; 32]));
            downloads.begin(4);
            let places = downloads.places(now);
            told += places.len();
            last.extend(places);
        }
        assert!(told <= PLACES_TOLD * (2 + 4_000 / 250), "{told}");
        assert!(downloads.places_due().is_none(), "nobody waits");
    }

    #[test]
    fn who_moves_up_hears_it_at_once_and_then_after_a_while() {
        let mut downloads = DownloadQueue::default();
        for transfer in 1..=5 {
            downloads.push(transfer, ContentHash([transfer as u8; 32]));
            downloads.begin(1);
            assert_eq!(downloads.newest(), (transfer > 1).then_some((transfer, transfer - 1)));
        }
        let now = Time(7_000_000);
        assert_eq!((downloads.places(now), downloads.places_due()), (Vec::new(), None));
        assert!(downloads.take_out(3, ContentHash([3; 32])));
        assert_eq!((downloads.places(now), downloads.places_due()), (vec![(4, 2), (5, 3)], None));
        // Soon after, not at once again.
        downloads.take_out(1, ContentHash([1; 32]));
        assert_eq!(downloads.begin(1), Some(2));
        let due = now + PLACES_EVERY;
        assert_eq!((downloads.places(now), downloads.places_due()), (Vec::new(), Some(due)));
        assert_eq!((downloads.places(due), downloads.places_due()), (vec![(4, 1), (5, 2)], None));
        // The last one makes nobody move.
        downloads.take_out(5, ContentHash([5; 32]));
        assert_eq!(downloads.places_due(), None);
    }

    #[test]
    fn a_content_is_wanted_until_the_last_who_wants_it_ends() {
        let (mut downloads, hash) = (DownloadQueue::default(), ContentHash([0; 32]));
        downloads.push(1, hash);
        downloads.push(2, hash);
        downloads.begin(1);
        assert!(!downloads.take_out(1, hash) && downloads.take_out(2, hash));
    }
}
