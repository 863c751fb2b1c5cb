//! Races for a connection over routers of each kind: the best way that there is must be found, and every race must end.

use std::time::Duration;

use crate::seeds::play_seeds;
use potluck::core::{Rng, Time};
use potluck::protocol::{ErrorCode, Route};
use potluck::sim::reach::{Kind, ReachConfig, ReachSim};

const SEEDS: u64 = 1_500;
/// No race takes as long.
const LONGEST: Time = Time(25_000_000);

/// The best way from whoever asks to whoever is asked.
fn best([asks, asked]: [Kind; 2]) -> Route {
    match (asks, asked) {
        (_, Kind::Open) => Route::Direct,
        // Whoever is asked dials, and is let in.
        (Kind::Open, _) => Route::Punched,
        (Kind::Symmetric, _) | (_, Kind::Symmetric) => Route::Relayed,
        _ => Route::Punched,
    }
}

fn any(rng: &mut Rng) -> Kind {
    Kind::ALL[rng.below(6) as usize]
}

fn config(seed: u64, rng: &mut Rng) -> ReachConfig {
    let least = rng.below(30_000);
    let delay = (least, least + rng.below(10_000));
    ReachConfig { seed, routers: [any(rng), any(rng)], delay, loss: 0, relays: true, hub_goes: None, comes: true }
}

#[test]
fn the_best_way_is_found_over_routers_of_all_kinds() {
    play_seeds(SEEDS, |seed| {
        let config = config(seed, &mut Rng(seed));
        let ended = ReachSim::new(config).play(LONGEST);
        assert_eq!(ended.used.last(), Some(&best(config.routers)), "{config:?}: {ended:?}");
        assert!(ended.first < Time(2_000_000), "so long until the first way: {config:?}: {ended:?}");
    });
}

#[test]
fn without_a_relay_there_is_a_way_where_both_can_dial_each_other() {
    play_seeds(SEEDS / 3, |seed| {
        let config = ReachConfig { relays: false, ..config(seed, &mut Rng(seed)) };
        let ended = ReachSim::new(config).play(LONGEST);
        match best(config.routers) {
            Route::Relayed => assert_eq!(ended.failure, Some(ErrorCode::PeerUnreachable), "{config:?}: {ended:?}"),
            best => assert_eq!(ended.used, [best], "{config:?}: {ended:?}"),
        }
    });
}

#[test]
fn whatever_is_lost_and_whenever_the_hub_goes_a_race_ends() {
    play_seeds(SEEDS, |seed| {
        let mut rng = Rng(seed);
        let mut config = config(seed, &mut rng);
        config.loss = rng.below(40);
        config.hub_goes = rng.chance(50).then(|| Duration::from_millis(rng.below(2_000)));
        config.relays = rng.chance(80);
        config.comes = rng.chance(80);
        let ended = ReachSim::new(config).play(LONGEST);
        assert_ne!(ended.used.is_empty(), ended.failure.is_none(), "{config:?}: {ended:?}");
    });
}
