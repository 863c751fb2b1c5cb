//! A network in which anybody announces anything, and a driver that answers in any order.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use potluck::core::nearby::{
    Announced, Answer, Ended, Input, LOOK_TIME, MOST_PLACES, Output, SEEK_TIME, SEEK_TRIES, SETTLE_TIME, Search,
};
use potluck::core::{Rng, Time};
use potluck::protocol::PublicKey;

use crate::seeds::{all_are_played, play_seeds};

fn announced(rng: &mut Rng, crowd: u64) -> Announced {
    let (key, host) = (rng.below(4) as u8, rng.below(crowd) as u8);
    Announced { at: SocketAddr::from(([10, 0, 0, host], 50_000)), key: PublicKey([key; 32]) }
}

/// Plays one search. Whoever is found has said yes, and nobody else has; it ends in its time, once, and asks no more than
/// it may. Returns whether somebody was found.
fn search_run(seed: u64) -> bool {
    let mut rng = Rng(seed);
    let (start, crowd, eager) = (Time(0), [2, 8, 60][rng.below(3) as usize], [0, 2, 5, 40][rng.below(4) as usize]);
    let (mut search, mut now) = (Search::new(start), start);
    let (mut asked, mut claims): (Vec<(Announced, u32)>, BTreeSet<PublicKey>) = Default::default();
    let longest = LOOK_TIME + SEEK_TIME * SEEK_TRIES + SETTLE_TIME;
    loop {
        let tick = search.next_timeout().expect("it waits for something until it ends");
        assert!(now - start <= longest, "it ends in its time");
        now = if rng.chance(3) { tick.max(now) } else { (now + Duration::from_millis(rng.below(100))).min(tick) };
        let input = match rng.below(10) {
            0..3 => Input::Announced(announced(&mut rng, crowd)),
            3..7 => {
                let number = rng.below(asked.len() as u64 + 2) as usize;
                let says = if rng.chance(eager) { Answer::Has } else { Answer::HasNot };
                let answer = if rng.chance(30) { Answer::Nothing } else { says };
                if let (Some((place, _)), Answer::Has) = (asked.get(number), answer) {
                    claims.insert(place.key);
                }
                Input::Answered(number, answer)
            }
            _ => Input::Tick,
        };
        search.handle(now, input);
        while let Some(output) = search.poll() {
            match output {
                Output::Ask(number, place) => {
                    assert!(number <= asked.len(), "numbers are given in order");
                    if number == asked.len() {
                        assert!(asked.iter().all(|(known, _)| *known != place), "a place is asked twice");
                        asked.push((place, 0));
                    }
                    asked[number].1 += 1;
                    assert!(asked[number].0 == place && asked[number].1 <= SEEK_TRIES && asked.len() <= MOST_PLACES);
                }
                Output::Ended(ended) => return is_over(search, now, &ended, &claims),
            }
        }
    }
}

fn is_over(mut search: Search, now: Time, ended: &Ended, claims: &BTreeSet<PublicKey>) -> bool {
    search.handle(now + LOOK_TIME, Input::Tick);
    assert!(search.poll().is_none() && search.next_timeout().is_none(), "nothing follows the end");
    match ended {
        Ended::Found(hub) => assert!(claims.contains(&hub.key) && !hub.at.is_empty()),
        Ended::Several(hubs) => {
            let keys: BTreeSet<_> = hubs.iter().map(|hub| hub.key).collect();
            assert!(keys.len() == hubs.len() && keys.len() > 1 && keys.is_subset(claims));
        }
        Ended::Nobody { .. } | Ended::Crowded => {}
    }
    matches!(ended, Ended::Found(_))
}

#[test]
fn a_search_ends_in_its_time_and_believes_nobody_who_is_not_alone() {
    let found = play_seeds(3_000, search_run).into_iter().filter(|found| *found).count();
    assert!(!all_are_played() || (100..2_900).contains(&found), "{found} were found");
}
