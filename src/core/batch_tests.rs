//! Whatever lanes and sources do, each file comes to one end.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const ROOM: Room = Room { bytes: 1 << 40, line: 1 << 40 };

fn files(count: usize, size: u64, sources: &[u32]) -> Vec<Item> {
    vec![Item { size, line: 100, sources: sources.to_vec() }; count]
}

fn receive(batch: &mut Batch, lane: Lane, files: &[u32]) {
    for file in files {
        assert!(batch.claim(lane, *file));
        batch.done(*file);
    }
}

#[test]
fn batches_keep_to_their_room_and_shrink() {
    let mut batch = Batch::new(files(1000, 4096, &[0]), 1, 2);
    let lane = batch.join(0);
    assert_eq!(batch.take(lane, Room { bytes: 40_960, line: 10_000 }).len(), 10);
    assert_eq!(batch.take(lane, Room { bytes: 1 << 30, line: 500 }).len(), 5);
    assert_eq!(batch.take(lane, Room { bytes: 0, line: 0 }).len(), 1, "a file larger than the room still goes");
    receive(&mut batch, lane, &(0..16).collect::<Vec<_>>());
    let mut last = usize::MAX;
    while !batch.is_over() {
        let taken = batch.take(lane, ROOM);
        assert!(taken.len() <= last && (taken.len() >= 16 || batch.waiting == 0));
        last = taken.len();
        receive(&mut batch, lane, &taken);
    }
}

#[test]
fn no_lane_takes_more_than_its_share_before_others_are_there() {
    for (count, size) in [(1000, 1), (8, 1 << 20)] {
        let mut batch = Batch::new(files(count, size, &[0, 1]), 2, 2);
        let early = batch.join(0);
        let mut taken = 0;
        loop {
            match batch.take(early, ROOM).len() {
                0 => break,
                more => taken += more,
            }
        }
        assert!((count / 4..=count * 3 / 4).contains(&taken), "{taken} of {count}");
        let late = batch.join(1);
        assert!(batch.has_work(late) && !batch.take(late, ROOM).is_empty());
    }
}

#[test]
fn files_go_only_to_sources_that_have_them() {
    let mut items = files(10, 1, &[0]);
    items.extend(files(10, 1, &[1]));
    items.extend(files(1, 1, &[]));
    let mut batch = Batch::new(items, 2, 2);
    assert_eq!(batch.take_failed(), [(20, Failure::new(ErrorCode::SourceGone, "Nobody has the file."))]);
    let lane = batch.join(0);
    assert_eq!(batch.take(lane, ROOM), (0..10).collect::<Vec<_>>());
    assert!(!batch.has_work(lane));
    assert_eq!(batch.next_source(|_| true), Some(1));
    assert_eq!(batch.next_source(|source| source != 1), None);
    batch.leave(lane);
    assert_eq!(batch.next_source(|_| true), Some(0));
    let lane = batch.join(1);
    assert_eq!(batch.take(lane, ROOM), (10..20).collect::<Vec<_>>());
}

#[test]
fn what_a_dropped_source_had_goes_to_others_or_fails() {
    let mut items = files(3, 1, &[0, 1]);
    items.extend(files(2, 1, &[0]));
    let mut batch = Batch::new(items, 2, 2);
    let (liar, other) = (batch.join(0), batch.join(1));
    assert_eq!(batch.take(liar, ROOM).len(), 5);
    assert!(batch.claim(liar, 0));
    batch.done(0);
    batch.drop_source(0, &ErrorCode::BadChunk.into());
    assert!(!batch.claim(liar, 1), "it is not the liar's any more");
    let mut failed = batch.take_failed();
    failed.sort_by_key(|(file, _)| *file);
    assert_eq!(failed, [(3, ErrorCode::BadChunk.into()), (4, ErrorCode::BadChunk.into())]);
    assert!(batch.take(liar, ROOM).is_empty());
    batch.leave(liar);
    assert_eq!(batch.take(other, ROOM), [1, 2]);
    batch.strike(other, 1, ErrorCode::SourceGone.into());
    assert_eq!(batch.take_failed(), [(1, ErrorCode::SourceGone.into())]);
    assert!(batch.claim(other, 2));
    batch.done(2);
    assert!(batch.is_over());
}

#[test]
fn an_idle_lane_takes_over_half_of_what_another_source_owes() {
    let mut batch = Batch::new(files(8, 1, &[0, 1]), 2, 2);
    let (slow, fast) = (batch.join(0), batch.join(1));
    assert_eq!(batch.take(slow, ROOM).len(), 8);
    let same = batch.join(0);
    batch.take_over(same);
    assert!(!batch.has_work(same), "its own source would not be faster");
    batch.take_over(fast);
    assert_eq!(batch.take(fast, ROOM), [4, 5, 6, 7]);
    assert!(batch.claim(slow, 3) && !batch.claim(slow, 4) && batch.claim(fast, 4));
    batch.take_over(fast);
    assert_eq!(batch.take(fast, ROOM), [1, 2], "half of the three that still fly there, rounded up");
}

proptest! {
    #[test]
    fn whatever_happens_each_file_ends_once(
        owners in proptest::collection::vec(proptest::collection::vec(0..4u32, 0..4), 0..60),
        steps in proptest::collection::vec((0..8u8, 0..6usize, 0..60u32), 0..150),
    ) {
        let items: Vec<_> = owners.iter().map(|o| Item { size: 5, line: 9, sources: o.clone() }).collect();
        let mut batch = Batch::new(items, 4, 2);
        let mut lanes: Vec<(Lane, Vec<u32>)> = Vec::new();
        let (mut done, mut failed) = (HashSet::new(), HashSet::new());
        for (step, which, file) in steps {
            let at = which.min(lanes.len().saturating_sub(1));
            match (step, lanes.get_mut(at)) {
                (0, _) => lanes.push((batch.join(file % 4), Vec::new())),
                (1, Some((lane, had))) => had.extend(batch.take(*lane, Room { bytes: u64::from(file), line: 50 })),
                (2 | 3, Some((lane, had))) => {
                    if let Some(file) = had.pop() && batch.claim(*lane, file) {
                        batch.done(file);
                        prop_assert!(done.insert(file), "claimed by one lane only");
                    }
                }
                (4, Some((lane, had))) => {
                    if let Some(file) = had.pop() {
                        batch.strike(*lane, file, ErrorCode::SourceGone.into());
                    }
                }
                (5, Some((lane, _))) => batch.take_over(*lane),
                (6, Some(_)) => batch.leave(lanes.swap_remove(at).0),
                (7, _) if file % 4 != 3 => batch.drop_source(file % 4, &ErrorCode::PeerBroke.into()),
                _ => {}
            }
            failed.extend(batch.take_failed().into_iter().map(|(file, _)| file));
        }
        for (lane, _) in lanes {
            batch.leave(lane);
        }
        // The faithful ones bring the rest.
        while let Some(source) = batch.next_source(|_| true) {
            let lane = batch.join(source);
            while let [file, ..] = *batch.take(lane, Room { bytes: 0, line: 0 }) {
                prop_assert!(batch.claim(lane, file));
                batch.done(file);
                prop_assert!(done.insert(file));
            }
            batch.leave(lane);
        }
        failed.extend(batch.take_failed().into_iter().map(|(file, _)| file));
        prop_assert!(batch.is_over());
        prop_assert!(done.is_disjoint(&failed));
        prop_assert_eq!(done.len() + failed.len(), owners.len());
        prop_assert_eq!((batch.waiting, batch.waiting_bytes), (0, 0));
        prop_assert!(batch.lanes.iter().all(|l| l.flying == (0, 0)));
    }
}
