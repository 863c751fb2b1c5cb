//! Whatever lanes and sources do, each file comes to one end.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;

const ROOM: Room = Room { bytes: 1 << 40, line: 1 << 40 };

/// A lane of its own.
fn join(files: &mut SmallFiles, source: u32) -> Lane {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let lane = Lane(NEXT.fetch_add(1, Ordering::Relaxed));
    files.join(lane, source);
    lane
}

fn files(count: usize, size: u64, sources: &[u32]) -> Vec<Item> {
    vec![Item { size, line: 100, sources: sources.to_vec() }; count]
}

fn receive(small: &mut SmallFiles, lane: Lane, files: &[u32]) {
    for file in files {
        assert!(small.claim(lane, *file));
        small.done(*file);
    }
}

#[test]
fn batches_keep_to_their_room_and_shrink() {
    let mut small = SmallFiles::new(files(1000, 4096, &[0]), 1, 2);
    let lane = join(&mut small, 0);
    assert_eq!(small.take(lane, Room { bytes: 40_960, line: 10_000 }).len(), 10);
    assert_eq!(small.take(lane, Room { bytes: 1 << 30, line: 500 }).len(), 5);
    assert_eq!(small.take(lane, Room { bytes: 0, line: 0 }).len(), 1, "a file larger than the room still goes");
    receive(&mut small, lane, &(0..16).collect::<Vec<_>>());
    let mut last = usize::MAX;
    while !small.is_over() {
        let taken = small.take(lane, ROOM);
        assert!(taken.len() <= last && (taken.len() >= 16 || small.waiting == 0));
        last = taken.len();
        receive(&mut small, lane, &taken);
    }
}

#[test]
fn no_lane_takes_more_than_its_share_before_others_are_there() {
    for (count, size) in [(1000, 1), (8, 1 << 20)] {
        let mut small = SmallFiles::new(files(count, size, &[0, 1]), 2, 2);
        let early = join(&mut small, 0);
        let mut taken = 0;
        loop {
            match small.take(early, ROOM).len() {
                0 => break,
                more => taken += more,
            }
        }
        assert!((count / 4..=count * 3 / 4).contains(&taken), "{taken} of {count}");
        let late = join(&mut small, 1);
        assert!(small.has_work(late) && !small.take(late, ROOM).is_empty());
    }
}

#[test]
fn files_go_only_to_sources_that_have_them() {
    let mut items = files(10, 1, &[0]);
    items.extend(files(10, 1, &[1]));
    items.extend(files(1, 1, &[]));
    let mut small = SmallFiles::new(items, 2, 2);
    assert_eq!(small.take_failed(), [(20, Failure::new(ErrorCode::SourceGone, "Nobody has the file."))]);
    let lane = join(&mut small, 0);
    assert_eq!(small.take(lane, ROOM), (0..10).collect::<Vec<_>>());
    assert!(!small.has_work(lane));
    assert_eq!(small.next_source(|_| true), Some(1));
    assert_eq!(small.next_source(|source| source != 1), None);
    small.leave(lane);
    assert_eq!(small.next_source(|_| true), Some(0));
    let lane = join(&mut small, 1);
    assert_eq!(small.take(lane, ROOM), (10..20).collect::<Vec<_>>());
}

#[test]
fn what_a_dropped_source_had_goes_to_others_or_fails() {
    let mut items = files(3, 1, &[0, 1]);
    items.extend(files(2, 1, &[0]));
    let mut small = SmallFiles::new(items, 2, 2);
    let (liar, other) = (join(&mut small, 0), join(&mut small, 1));
    assert_eq!(small.take(liar, ROOM).len(), 5);
    assert!(small.claim(liar, 0));
    small.done(0);
    small.drop_source(0, &ErrorCode::BadChunk.into());
    assert!(!small.claim(liar, 1), "it is not the liar's any more");
    let mut failed = small.take_failed();
    failed.sort_by_key(|(file, _)| *file);
    assert_eq!(failed, [(3, ErrorCode::BadChunk.into()), (4, ErrorCode::BadChunk.into())]);
    assert!(small.take(liar, ROOM).is_empty());
    small.leave(liar);
    assert_eq!(small.take(other, ROOM), [1, 2]);
    small.strike(other, 1, ErrorCode::SourceGone.into());
    assert_eq!(small.take_failed(), [(1, ErrorCode::SourceGone.into())]);
    assert!(small.claim(other, 2));
    small.done(2);
    assert!(small.is_over());
}

#[test]
fn an_idle_lane_takes_over_half_of_what_another_source_owes() {
    let mut small = SmallFiles::new(files(8, 1, &[0, 1]), 2, 2);
    let (slow, fast) = (join(&mut small, 0), join(&mut small, 1));
    assert_eq!(small.take(slow, ROOM).len(), 8);
    let same = join(&mut small, 0);
    small.take_over(same);
    assert!(!small.has_work(same), "its own source would not be faster");
    small.take_over(fast);
    assert_eq!(small.take(fast, ROOM), [4, 5, 6, 7]);
    assert!(small.claim(slow, 3) && !small.claim(slow, 4) && small.claim(fast, 4));
    small.take_over(fast);
    assert_eq!(small.take(fast, ROOM), [1, 2], "half of the three that still fly there, rounded up");
}

proptest! {
    #[test]
    fn whatever_happens_each_file_ends_once(
        owners in proptest::collection::vec(proptest::collection::vec(0..4u32, 0..4), 0..60),
        steps in proptest::collection::vec((0..8u8, 0..6usize, 0..60u32), 0..150),
    ) {
        let items: Vec<_> = owners.iter().map(|o| Item { size: 5, line: 9, sources: o.clone() }).collect();
        let mut small = SmallFiles::new(items, 4, 2);
        let mut lanes: Vec<(Lane, Vec<u32>)> = Vec::new();
        let (mut done, mut failed) = (HashSet::new(), HashSet::new());
        for (step, which, file) in steps {
            let at = which.min(lanes.len().saturating_sub(1));
            match (step, lanes.get_mut(at)) {
                (0, _) => lanes.push((join(&mut small, file % 4), Vec::new())),
                (1, Some((lane, had))) => had.extend(small.take(*lane, Room { bytes: u64::from(file), line: 50 })),
                (2 | 3, Some((lane, had))) => {
                    if let Some(file) = had.pop() && small.claim(*lane, file) {
                        small.done(file);
                        prop_assert!(done.insert(file), "claimed by one lane only");
                    }
                }
                (4, Some((lane, had))) => {
                    if let Some(file) = had.pop() {
                        small.strike(*lane, file, ErrorCode::SourceGone.into());
                    }
                }
                (5, Some((lane, _))) => small.take_over(*lane),
                (6, Some(_)) => small.leave(lanes.swap_remove(at).0),
                (7, _) if file % 4 != 3 => small.drop_source(file % 4, &ErrorCode::PeerBroke.into()),
                _ => {}
            }
            failed.extend(small.take_failed().into_iter().map(|(file, _)| file));
        }
        for (lane, _) in lanes {
            small.leave(lane);
        }
        // The faithful ones bring the rest.
        while let Some(source) = small.next_source(|_| true) {
            let lane = join(&mut small, source);
            while let [file, ..] = *small.take(lane, Room { bytes: 0, line: 0 }) {
                prop_assert!(small.claim(lane, file));
                small.done(file);
                prop_assert!(done.insert(file));
            }
            small.leave(lane);
        }
        failed.extend(small.take_failed().into_iter().map(|(file, _)| file));
        prop_assert!(small.is_over());
        prop_assert!(done.is_disjoint(&failed));
        prop_assert_eq!(done.len() + failed.len(), owners.len());
        prop_assert_eq!((small.waiting, small.waiting_bytes), (0, 0));
        prop_assert!(small.lanes.values().all(|l| l.flying == (0, 0)));
    }
}
