//! The scheduler by itself.

use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::invariants::Witness;
use super::*;

fn set(chunks: &[u32]) -> ChunkSet {
    chunks.iter().copied().collect()
}

/// A lane of its own.
fn join(chunks: &mut Chunks, source: u32) -> Lane {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let lane = Lane(NEXT.fetch_add(1, Ordering::Relaxed));
    chunks.join(lane, source);
    lane
}

fn plain(count: u32, doubles: bool) -> Chunks {
    Chunks::new(count, None, doubles, 0)
}

#[test]
fn runs_shrink_and_what_a_lost_lane_had_is_given_to_others() {
    let mut chunks = plain(32, true);
    let (one, two) = (chunks.add_source(None), chunks.add_source(None));
    let (a, b) = (join(&mut chunks, one), join(&mut chunks, two));
    assert_eq!(chunks.next(a, 16), Some(0..4));
    assert_eq!(chunks.next(b, 2), Some(4..6));
    assert!(chunks.done(1) && !chunks.done(1));
    chunks.leave(a);
    assert_eq!(chunks.next(a, 16), None);
    assert!(chunks.is_wanting());
    let rest: Vec<u32> = std::iter::from_fn(|| chunks.next(b, 16)).flatten().collect();
    let expected: Vec<u32> = (6..32).chain([0, 2, 3]).collect();
    assert_eq!(rest, expected, "on from where it is, around the end, and chunk 1 is done");
}

#[test]
fn the_last_chunks_of_a_slow_source_are_taken_over_by_another_but_not_by_itself() {
    let mut chunks = plain(1, true);
    let sources = [0; 3].map(|_| chunks.add_source(None));
    let (slow, same) = (join(&mut chunks, sources[0]), join(&mut chunks, sources[0]));
    let (other, late) = (join(&mut chunks, sources[1]), join(&mut chunks, sources[2]));
    assert_eq!(chunks.next(slow, 4), Some(0..1));
    assert_eq!(chunks.next(same, 4), None);
    assert_eq!(sources.map(|source| chunks.is_useful(source)), [false, true, true]);
    assert_eq!(chunks.next(other, 4), Some(0..1));
    assert!(!chunks.is_useful(sources[2]));
    assert_eq!(chunks.next(late, 4), None, "two are enough");
    chunks.leave(slow);
    assert!(!chunks.is_complete() && chunks.done(0) && chunks.is_complete());
    let mut chunks = plain(1, false);
    let sources = [0; 2].map(|_| chunks.add_source(None));
    let (slow, other) = (join(&mut chunks, sources[0]), join(&mut chunks, sources[1]));
    assert_eq!((chunks.next(slow, 4), chunks.next(other, 4)), (Some(0..1), None));
}

#[test]
fn claims_are_confirmed_or_given_up() {
    let mut chunks = plain(3, true);
    chunks.claim(0);
    chunks.claim(2);
    chunks.claim(9);
    let source = chunks.add_source(None);
    let lane = join(&mut chunks, source);
    assert_eq!((chunks.next(lane, 9), chunks.next(lane, 9)), (Some(1..2), None));
    assert_eq!((chunks.next_claimed(0), chunks.next_claimed(1), chunks.next_claimed(3)), (Some(0), Some(2), None));
    assert_eq!(chunks.next_claimed(99), None);
    chunks.disown(0);
    assert!(chunks.done(2));
    assert_eq!(chunks.next(lane, 9), Some(0..1));
}

#[test]
fn the_rarest_come_first_and_only_from_who_has_them() {
    let mut chunks = plain(6, true);
    let all = chunks.add_source(None);
    let some = chunks.add_source(Some(&set(&[0, 1, 2, 9])));
    let few = chunks.add_source(Some(&set(&[1])));
    let (all, some, few) = (join(&mut chunks, all), join(&mut chunks, some), join(&mut chunks, few));
    let one = |chunks: &mut Chunks, lane| chunks.next(lane, 1).map(|run| run.start);
    assert_eq!([one(&mut chunks, all), one(&mut chunks, all)], [Some(3), Some(4)], "nobody else has these");
    assert_eq!([one(&mut chunks, some), one(&mut chunks, few), one(&mut chunks, few)], [Some(0), Some(1), None]);
    chunks.has_more(2, Some(&set(&[5])));
    assert_eq!(one(&mut chunks, few), Some(5));
    assert_eq!([one(&mut chunks, all), one(&mut chunks, few)], [Some(2), None]);
}

#[test]
fn where_it_begins_follows_from_the_seed_and_it_goes_around_the_end() {
    let mut chunks = Chunks::new(10, None, true, 27);
    let source = chunks.add_source(None);
    let lane = join(&mut chunks, source);
    let order: Vec<u32> = std::iter::from_fn(|| chunks.next(lane, 1)).map(|run| run.start).collect();
    assert_eq!(order, [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn only_what_is_wanted_is_fetched() {
    let mut chunks = Chunks::new(8, Some(set(&[0, 4, 7, 99])), true, 3);
    chunks.claim(2);
    chunks.claim(4);
    let source = chunks.add_source(None);
    let lane = join(&mut chunks, source);
    let order: Vec<u32> = std::iter::from_fn(|| chunks.next(lane, 9)).map(|run| run.start).collect();
    assert_eq!(order, [7, 0]);
    assert_eq!([0, 7, 4].map(|chunk| chunks.done(chunk)), [true; 3]);
    assert!(!chunks.is_complete(), "2 was claimed, and is not checked yet");
    chunks.disown(2);
    assert!(chunks.is_complete() && !chunks.is_whole() && !chunks.is_wanting());
    assert_eq!([1, 2, 3, 5, 6].map(|chunk| chunks.done(chunk)), [true; 5]);
    assert!(chunks.is_whole());
}

#[test]
fn a_dropped_source_takes_all_its_lanes_along() {
    let mut chunks = plain(4, true);
    let part = chunks.add_source(Some(&set(&[0, 1])));
    let (a, b) = (join(&mut chunks, part), join(&mut chunks, part));
    assert_eq!((chunks.next(a, 1), chunks.next(b, 1)), (Some(0..1), Some(1..2)));
    assert!(!chunks.is_starved());
    chunks.drop_source(part);
    assert_eq!((chunks.next(a, 1), chunks.next(b, 1)), (None, None));
    let late = join(&mut chunks, part);
    assert_eq!(chunks.next(late, 1), None);
    assert!(chunks.is_starved() && !chunks.is_useful(part));
    let more = chunks.add_source(Some(&set(&[3])));
    assert!(!chunks.is_starved() && chunks.is_useful(more));
    // It is back, with more than it had, and its old lanes stay ended.
    chunks.source_back(part, Some(&set(&[0, 1, 2])));
    assert!(chunks.is_useful(part));
    let again = join(&mut chunks, part);
    assert_eq!([chunks.next(a, 1), chunks.next(late, 1), chunks.next(again, 1)], [None, None, Some(0..1)]);
    assert_eq!(Witness::default().check(&chunks), Ok(()));
}

proptest! {
    #[test]
    fn whatever_happens_a_faithful_lane_completes_it(
        count in 0..200u32,
        doubles: bool,
        seed: u64,
        wanted in proptest::option::of(proptest::collection::vec(0..210u32, 0..80)),
        claimed in proptest::collection::vec(0..200u32, 0..50),
        steps in proptest::collection::vec((0..10u8, 0..6u32, 0..200u32), 0..100),
    ) {
        let wanted = wanted.map(|wanted| set(&wanted));
        let mut chunks = Chunks::new(count, wanted.clone(), doubles, seed);
        claimed.iter().for_each(|c| chunks.claim(*c));
        let mut sources = vec![chunks.add_source(None)];
        let mut lanes = vec![join(&mut chunks, sources[0])];
        let mut witness = Witness::default();
        for (what, which, chunk) in steps {
            let lane = lanes[which as usize % lanes.len()];
            let source = sources[which as usize % sources.len()];
            match what {
                0 => lanes.push(join(&mut chunks, source)),
                1 => chunks.leave(lane),
                2 => { chunks.done(chunk); }
                3 => chunks.disown(chunk),
                4 => sources.push(chunks.add_source(Some(&(chunk..chunk + 30).collect()))),
                5 => chunks.has_more(source, (which < 5).then(|| (chunk..chunk + 10).collect()).as_ref()),
                6 => chunks.drop_source(source),
                9 => chunks.source_back(source, (which < 5).then(|| (chunk..chunk + 10).collect()).as_ref()),
                _ => {
                    let useful = chunks.is_useful(chunks.source(lane).unwrap_or(999));
                    let run = chunks.next(lane, chunk);
                    prop_assert!(run.is_some() || !useful, "what is useful is handed out");
                    if let Some(run) = run {
                        prop_assert_eq!(witness.check_run(&chunks, lane, &run, chunk), Ok(()));
                    }
                }
            }
            prop_assert_eq!(witness.check(&chunks), Ok(()));
        }
        lanes.iter().for_each(|l| chunks.leave(*l));
        while let Some(chunk) = chunks.next_claimed(0) {
            chunks.disown(chunk);
        }
        let source = chunks.add_source(None);
        let lane = join(&mut chunks, source);
        while let Some(run) = chunks.next(lane, 7) {
            run.for_each(|c| assert!(chunks.done(c)));
            prop_assert_eq!(witness.check(&chunks), Ok(()));
        }
        prop_assert!(chunks.is_complete());
        let wants = |chunk| wanted.as_ref().is_none_or(|wanted| wanted.contains(chunk));
        prop_assert!((0..count).all(|chunk| !wants(chunk) || chunks.has(chunk)));
    }

    #[test]
    fn the_first_of_a_run_is_as_rare_as_any(
        parts in proptest::collection::vec(proptest::collection::vec(0..40u32, 0..40), 1..6),
        seed: u64,
    ) {
        let mut chunks = Chunks::new(40, None, true, seed);
        let numbers: Vec<u32> = parts.iter().map(|part| chunks.add_source(Some(&set(part)))).collect();
        let lanes: Vec<Lane> = numbers.iter().map(|number| join(&mut chunks, *number)).collect();
        let holders = |chunk: u32| parts.iter().filter(|part| part.contains(&chunk)).count();
        let mut left: Vec<u32> = (0..40).collect();
        for (lane, part) in lanes.iter().zip(&parts).cycle().take(60) {
            let rarest = left.iter().filter(|chunk| part.contains(chunk)).map(|chunk| holders(*chunk)).min();
            if let (Some(rarest), Some(run)) = (rarest, chunks.next(*lane, 3)) {
                prop_assert!(run.clone().all(|chunk| holders(chunk) == rarest && part.contains(&chunk)));
                left.retain(|chunk| !run.contains(chunk));
            }
        }
    }
}
