//! The scheduler by itself.

use proptest::prelude::*;

use super::invariants::Witness;
use super::*;

fn set(chunks: &[u32]) -> ChunkSet {
    chunks.iter().copied().collect()
}

fn plain(count: u32, doubles: bool) -> Swarm {
    Swarm::new(count, None, doubles, 0)
}

#[test]
fn runs_shrink_and_what_a_lost_lane_had_is_given_to_others() {
    let mut swarm = plain(32, true);
    let (one, two) = (swarm.add_source(None), swarm.add_source(None));
    let (a, b) = (swarm.join(one), swarm.join(two));
    assert_eq!(swarm.next(a, 16), Some(0..4));
    assert_eq!(swarm.next(b, 2), Some(4..6));
    assert!(swarm.done(1) && !swarm.done(1));
    swarm.leave(a);
    assert_eq!(swarm.next(a, 16), None);
    assert!(swarm.is_wanting());
    let rest: Vec<u32> = std::iter::from_fn(|| swarm.next(b, 16)).flatten().collect();
    let expected: Vec<u32> = (6..32).chain([0, 2, 3]).collect();
    assert_eq!(rest, expected, "on from where it is, around the end, and chunk 1 is done");
}

#[test]
fn the_last_chunks_of_a_slow_source_are_taken_over_by_another_but_not_by_itself() {
    let mut swarm = plain(1, true);
    let sources = [0; 3].map(|_| swarm.add_source(None));
    let (slow, same) = (swarm.join(sources[0]), swarm.join(sources[0]));
    let (other, late) = (swarm.join(sources[1]), swarm.join(sources[2]));
    assert_eq!(swarm.next(slow, 4), Some(0..1));
    assert_eq!(swarm.next(same, 4), None);
    assert_eq!(sources.map(|source| swarm.is_useful(source)), [false, true, true]);
    assert_eq!(swarm.next(other, 4), Some(0..1));
    assert!(!swarm.is_useful(sources[2]));
    assert_eq!(swarm.next(late, 4), None, "two are enough");
    swarm.leave(slow);
    assert!(!swarm.is_complete() && swarm.done(0) && swarm.is_complete());
    let mut swarm = plain(1, false);
    let sources = [0; 2].map(|_| swarm.add_source(None));
    let (slow, other) = (swarm.join(sources[0]), swarm.join(sources[1]));
    assert_eq!((swarm.next(slow, 4), swarm.next(other, 4)), (Some(0..1), None));
}

#[test]
fn claims_are_confirmed_or_given_up() {
    let mut swarm = plain(3, true);
    swarm.claim(0);
    swarm.claim(2);
    swarm.claim(9);
    let source = swarm.add_source(None);
    let lane = swarm.join(source);
    assert_eq!((swarm.next(lane, 9), swarm.next(lane, 9)), (Some(1..2), None));
    assert_eq!((swarm.next_claimed(0), swarm.next_claimed(1), swarm.next_claimed(3)), (Some(0), Some(2), None));
    assert_eq!(swarm.next_claimed(99), None);
    swarm.disown(0);
    assert!(swarm.done(2));
    assert_eq!(swarm.next(lane, 9), Some(0..1));
}

#[test]
fn the_rarest_come_first_and_only_from_who_has_them() {
    let mut swarm = plain(6, true);
    let all = swarm.add_source(None);
    let some = swarm.add_source(Some(&set(&[0, 1, 2, 9])));
    let few = swarm.add_source(Some(&set(&[1])));
    let (all, some, few) = (swarm.join(all), swarm.join(some), swarm.join(few));
    let one = |swarm: &mut Swarm, lane| swarm.next(lane, 1).map(|run| run.start);
    assert_eq!([one(&mut swarm, all), one(&mut swarm, all)], [Some(3), Some(4)], "nobody else has these");
    assert_eq!([one(&mut swarm, some), one(&mut swarm, few), one(&mut swarm, few)], [Some(0), Some(1), None]);
    swarm.has_more(2, Some(&set(&[5])));
    assert_eq!(one(&mut swarm, few), Some(5));
    assert_eq!([one(&mut swarm, all), one(&mut swarm, few)], [Some(2), None]);
}

#[test]
fn where_it_begins_follows_from_the_seed_and_it_goes_around_the_end() {
    let mut swarm = Swarm::new(10, None, true, 27);
    let source = swarm.add_source(None);
    let lane = swarm.join(source);
    let order: Vec<u32> = std::iter::from_fn(|| swarm.next(lane, 1)).map(|run| run.start).collect();
    assert_eq!(order, [7, 8, 9, 0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn only_what_is_wanted_is_fetched() {
    let mut swarm = Swarm::new(8, Some(set(&[0, 4, 7, 99])), true, 3);
    swarm.claim(2);
    swarm.claim(4);
    let source = swarm.add_source(None);
    let lane = swarm.join(source);
    let order: Vec<u32> = std::iter::from_fn(|| swarm.next(lane, 9)).map(|run| run.start).collect();
    assert_eq!(order, [7, 0]);
    assert_eq!([0, 7, 4].map(|chunk| swarm.done(chunk)), [true; 3]);
    assert!(!swarm.is_complete(), "2 was claimed, and is not checked yet");
    swarm.disown(2);
    assert!(swarm.is_complete() && !swarm.is_whole() && !swarm.is_wanting());
    assert_eq!([1, 2, 3, 5, 6].map(|chunk| swarm.done(chunk)), [true; 5]);
    assert!(swarm.is_whole());
}

#[test]
fn a_dropped_source_takes_all_its_lanes_along() {
    let mut swarm = plain(4, true);
    let part = swarm.add_source(Some(&set(&[0, 1])));
    let (a, b) = (swarm.join(part), swarm.join(part));
    assert_eq!((swarm.next(a, 1), swarm.next(b, 1)), (Some(0..1), Some(1..2)));
    assert!(!swarm.is_starved());
    swarm.drop_source(part);
    assert_eq!((swarm.next(a, 1), swarm.next(b, 1)), (None, None));
    let late = swarm.join(part);
    assert_eq!(swarm.next(late, 1), None);
    assert!(swarm.is_starved() && !swarm.is_useful(part));
    let more = swarm.add_source(Some(&set(&[3])));
    assert!(!swarm.is_starved() && swarm.is_useful(more));
    // It is back, with more than it had, and its old lanes stay ended.
    swarm.source_back(part, Some(&set(&[0, 1, 2])));
    assert!(swarm.is_useful(part));
    let again = swarm.join(part);
    assert_eq!([swarm.next(a, 1), swarm.next(late, 1), swarm.next(again, 1)], [None, None, Some(0..1)]);
    assert_eq!(Witness::default().check(&swarm), Ok(()));
}

#[test]
fn what_is_asked_for_ahead_follows_the_rate() {
    let (mib, chunk) = (1 << 20, 1 << 20);
    assert_eq!(ahead(0, chunk), 2 * mib);
    assert_eq!(ahead(0, 1 << 10), 256 << 10);
    assert_eq!(ahead(10 * mib, chunk), 10 * mib);
    assert_eq!(ahead(u64::MAX, chunk), 64 * mib);
    assert_eq!(ahead(0, 64 * mib), 64 * mib);
    assert_eq!(ahead(1, 1 << 53), 1 << 53, "one chunk, however large");
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
        let mut swarm = Swarm::new(count, wanted.clone(), doubles, seed);
        claimed.iter().for_each(|c| swarm.claim(*c));
        let mut sources = vec![swarm.add_source(None)];
        let mut lanes = vec![swarm.join(sources[0])];
        let mut witness = Witness::default();
        for (what, which, chunk) in steps {
            let lane = lanes[which as usize % lanes.len()];
            let source = sources[which as usize % sources.len()];
            match what {
                0 => lanes.push(swarm.join(source)),
                1 => swarm.leave(lane),
                2 => { swarm.done(chunk); }
                3 => swarm.disown(chunk),
                4 => sources.push(swarm.add_source(Some(&(chunk..chunk + 30).collect()))),
                5 => swarm.has_more(source, (which < 5).then(|| (chunk..chunk + 10).collect()).as_ref()),
                6 => swarm.drop_source(source),
                9 => swarm.source_back(source, (which < 5).then(|| (chunk..chunk + 10).collect()).as_ref()),
                _ => {
                    let useful = swarm.is_useful(swarm.source(lane).unwrap_or(999));
                    let run = swarm.next(lane, chunk);
                    prop_assert!(run.is_some() || !useful, "what is useful is handed out");
                    if let Some(run) = run {
                        prop_assert_eq!(witness.check_run(&swarm, lane, &run, chunk), Ok(()));
                    }
                }
            }
            prop_assert_eq!(witness.check(&swarm), Ok(()));
        }
        lanes.iter().for_each(|l| swarm.leave(*l));
        while let Some(chunk) = swarm.next_claimed(0) {
            swarm.disown(chunk);
        }
        let source = swarm.add_source(None);
        let lane = swarm.join(source);
        while let Some(run) = swarm.next(lane, 7) {
            run.for_each(|c| assert!(swarm.done(c)));
            prop_assert_eq!(witness.check(&swarm), Ok(()));
        }
        prop_assert!(swarm.is_complete());
        let wants = |chunk| wanted.as_ref().is_none_or(|wanted| wanted.contains(chunk));
        prop_assert!((0..count).all(|chunk| !wants(chunk) || swarm.has(chunk)));
    }

    #[test]
    fn the_first_of_a_run_is_as_rare_as_any(
        parts in proptest::collection::vec(proptest::collection::vec(0..40u32, 0..40), 1..6),
        seed: u64,
    ) {
        let mut swarm = Swarm::new(40, None, true, seed);
        let numbers: Vec<u32> = parts.iter().map(|part| swarm.add_source(Some(&set(part)))).collect();
        let lanes: Vec<Lane> = numbers.iter().map(|number| swarm.join(*number)).collect();
        let holders = |chunk: u32| parts.iter().filter(|part| part.contains(&chunk)).count();
        let mut left: Vec<u32> = (0..40).collect();
        for (lane, part) in lanes.iter().zip(&parts).cycle().take(60) {
            let rarest = left.iter().filter(|chunk| part.contains(chunk)).map(|chunk| holders(*chunk)).min();
            if let (Some(rarest), Some(run)) = (rarest, swarm.next(*lane, 3)) {
                prop_assert!(run.clone().all(|chunk| holders(chunk) == rarest && part.contains(&chunk)));
                left.retain(|chunk| !run.contains(chunk));
            }
        }
    }
}
