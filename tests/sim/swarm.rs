//! Many clients that exchange one content, in simulation: what must hold whoever lies, leaves or stalls.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::seeds::play_seeds;
use potluck::core::{Rng, Time};
use potluck::protocol::{ChunkSet, Route};
use potluck::sim::swarm::{Change, Fault, PeerConfig, SwarmSim};

const SEEDS: u64 = 500;
/// Nothing takes as long.
const LONGEST: Time = Time(3_600_000_000);
const MIB: u64 = 1 << 20;

/// Some of the chunks.
fn some(rng: &mut Rng, chunks: u32, percent: u64) -> ChunkSet {
    (0..chunks).filter(|_| rng.chance(percent)).collect()
}

fn peer(rng: &mut Rng) -> PeerConfig {
    PeerConfig {
        has: None,
        fetches: None,
        comes: Duration::ZERO,
        rate: (8 + rng.below(100)) * MIB,
        delay: Duration::from_micros(100 + rng.below(40_000)),
        fault: Fault::None,
        fault_at: Duration::from_millis(rng.below(3_000)),
        leaves_when_done: false,
        left: BTreeMap::new(),
        lane_rate: None,
        down: None,
        cores: 1 + rng.below(16) as usize,
        changes: Vec::new(),
    }
}

/// From 3 on peers, fewer than `most` more: one has all, some have parts, most fetch; some of them have
/// something wrong with them.
fn crowd(rng: &mut Rng, most: u64, chunks: u32) -> Vec<PeerConfig> {
    let faults = [Fault::Lies, Fault::Leaves, Fault::Changes, Fault::Claims, Fault::Stalls];
    let count = 3 + rng.below(most);
    let mut peers: Vec<PeerConfig> = (0..count).map(|_| peer(rng)).collect();
    let first_is_sound = rng.chance(50);
    let faulty = [20, 40, 80][rng.below(3) as usize];
    for (index, peer) in peers.iter_mut().enumerate().skip(usize::from(first_is_sound)) {
        if rng.chance(faulty) {
            peer.fault = faults[rng.below(5) as usize];
        }
        let percent = rng.below(100);
        match rng.below(10) {
            _ if index == 0 => {}
            0 => {}
            1 | 2 => peer.has = Some(some(rng, chunks, percent)),
            _ => {
                let all = rng.chance(80);
                peer.fetches = Some((!all).then(|| some(rng, chunks, percent)));
                peer.comes = Duration::from_millis(1 + rng.below(1_000));
                peer.leaves_when_done = rng.chance(30);
                if all && rng.chance(30) {
                    peer.left = some(rng, chunks, percent).iter().map(|chunk| (chunk, rng.chance(70))).collect();
                }
            }
        }
        if peer.fault == Fault::Claims && peer.fetches.is_none() {
            peer.has = Some(some(rng, chunks, percent));
        }
    }
    peers
}

/// Plays it to the end, looking after each step.
fn play(sim: &mut SwarmSim) {
    while sim.step().unwrap_or_else(|wrong| panic!("at {:?}: {wrong}", sim.now())) {
        assert!(sim.now() < LONGEST, "it has no end: {:?}", sim.outcomes().collect::<Vec<_>>());
    }
    for (receiver, outcome) in sim.outcomes() {
        match outcome {
            Some(Ok(())) => assert!(sim.is_right(receiver), "receiver {receiver} has other bytes"),
            Some(Err(_)) => {}
            None => panic!("receiver {receiver} waits for ever"),
        }
    }
}

/// The chunks that came from peers of this kind.
fn came(sim: &SwarmSim, peers: &[PeerConfig], of_kind: impl Fn(&PeerConfig) -> bool) -> u32 {
    let receivers = sim.outcomes().flat_map(|(receiver, _)| sim.came_from(receiver));
    receivers.filter(|(source, _)| of_kind(&peers[*source])).map(|(_, (good, _))| good).sum()
}

#[test]
fn everybody_gets_the_right_bytes_or_a_clear_failure_and_bad_peers_cost_one_chunk_each() {
    let played = play_seeds(SEEDS, |seed| {
        let mut rng = Rng(seed);
        let (peers, chunks) = [(12, 40), (12, 40), (12, 40), (4, 150), (48, 30)][rng.below(5) as usize];
        let chunks = 1 + rng.below(chunks) as u32;
        let peers = crowd(&mut rng, peers, chunks);
        let mut sim = SwarmSim::new(seed, chunks, peers.clone());
        play(&mut sim);
        let mut wasted = 0;
        for (receiver, _) in sim.outcomes() {
            for (source, (_, bad)) in sim.came_from(receiver) {
                assert!(bad <= 1, "receiver {receiver} took {bad} bad chunks from {source}");
                wasted += bad;
            }
        }
        let ends: Vec<_> = sim.outcomes().filter_map(|(_, outcome)| outcome).collect();
        let failed = ends.iter().filter(|end| end.is_err()).count();
        [wasted as usize, failed, ends.len() - failed, came(&sim, &peers, |peer| peer.fetches.is_some()) as usize]
    });
    // Otherwise nothing of it was tried.
    if played.len() > 1 {
        let total = |column: usize| played.iter().map(|run| run[column]).sum::<usize>();
        let tried = [0, 1, 2, 3].map(total);
        assert!(tried.iter().all(|count| *count > 50), "bad chunks, failures, successes, chunks traded: {tried:?}");
    }
}

#[test]
fn receivers_that_start_together_at_one_source_trade() {
    play_seeds(25, |seed| {
        let mut rng = Rng(seed);
        let chunks = 120;
        let receivers = 3 + rng.below(6);
        let mut peers: Vec<PeerConfig> = (0..=receivers).map(|_| peer(&mut rng)).collect();
        peers[0].rate = 10 * MIB;
        for receiver in &mut peers[1..] {
            receiver.fetches = Some(None);
            receiver.comes = Duration::from_millis(100);
        }
        let mut sim = SwarmSim::new(seed, chunks, peers.clone());
        play(&mut sim);
        assert!(sim.outcomes().all(|(_, outcome)| outcome == Some(Ok(()))));
        let first = came(&sim, &peers, |peer| peer.fetches.is_none());
        let all = chunks * receivers as u32;
        assert!(2 * first < 5 * chunks && 3 * first < 2 * all, "{first} of {all} chunks came from the first source");
    });
}

#[test]
fn who_has_what_nobody_else_has_is_asked_though_all_connections_are_taken() {
    play_seeds(20, |seed| {
        let mut rng = Rng(seed);
        let mut peers: Vec<PeerConfig> = (0..14).map(|_| peer(&mut rng)).collect();
        for (source, peer) in (0..13).zip(&mut peers) {
            peer.has = Some([source].into_iter().collect());
        }
        peers[13].fetches = Some(None);
        peers[13].comes = Duration::from_millis(500);
        let mut sim = SwarmSim::new(seed, 13, peers);
        play(&mut sim);
        assert_eq!(sim.outcomes().collect::<Vec<_>>(), [(13, Some(Ok(())))]);
    });
}

#[test]
fn the_number_of_connections_settles_where_more_gain_nothing() {
    play_seeds(40, |seed| {
        let mut rng = Rng(seed);
        let mut peers: Vec<PeerConfig> = (0..2).map(|_| peer(&mut rng)).collect();
        let rates = [1, 4, 16, 60];
        let any = |rng: &mut Rng| rates[rng.below(4) as usize] * MIB;
        let (up, lane, down, cores) =
            (any(&mut rng), any(&mut rng), any(&mut rng), [1, 2, 4, 16][rng.below(4) as usize]);
        (peers[0].rate, peers[1].lane_rate, peers[1].down, peers[1].cores) = (up, Some(lane), Some(down), cores);
        (peers[1].fetches, peers[1].comes) = (Some(None), Duration::from_millis(100));
        // As fast as it can be with any number of connections that is allowed to one source.
        let best = up.min(down).min(lane * (cores as u64).clamp(2, 8));
        let chunks = (40 * best / MIB) as u32;
        let mut sim = SwarmSim::new(seed, chunks, peers);
        play(&mut sim);
        let (dialled, _) = sim.lanes(1);
        let took = sim.now() - Time(100_000);
        let late = dialled.iter().filter(|at| **at - Time(0) > took / 2).count();
        let what = format!("up {up}, lane {lane}, down {down}, {cores} cores: {took:?}, {dialled:?}");
        assert!(took < Duration::from_secs(60), "as much as could come in 40 s took longer: {what}");
        assert!(dialled.len() <= 24 && late <= 4, "it does not settle: {what}");
    });
}

/// Something that happens to the ways to a client, and is over after at most `longest`.
fn change(rng: &mut Rng, longest: Duration) -> Change {
    let most = longest.as_millis() as u64;
    match rng.below(6) {
        0 => Change::Breaks,
        1 | 2 => Change::Away(Duration::from_millis(rng.below(most))),
        3 => Change::Moves(Duration::from_millis(rng.below(most.min(1_000)))),
        _ => Change::Way([Route::Direct, Route::Punched, Route::Relayed][rng.below(3) as usize]),
    }
}

#[test]
fn whatever_happens_to_the_ways_for_a_while_everybody_gets_everything() {
    play_seeds(300, |seed| {
        let mut rng = Rng(seed);
        let (count, chunks) = (2 + rng.below(6), 20 + rng.below(150) as u32);
        let mut peers: Vec<PeerConfig> = (0..count).map(|_| peer(&mut rng)).collect();
        for (index, peer) in peers.iter_mut().enumerate() {
            peer.rate = (2 + rng.below(30)) * MIB;
            if index > 0 && (index == 1 || rng.chance(60)) {
                peer.fetches = Some(None);
                peer.comes = Duration::from_millis(1 + rng.below(1_000));
            }
            // Apart, so that nobody is away for half a minute.
            let mut at = Duration::from_millis(1_100);
            for _ in 0..rng.below(4) {
                at += Duration::from_millis(rng.below(3_000));
                let change = change(&mut rng, Duration::from_secs(8));
                peer.changes.push((at, change));
                at += Duration::from_secs(10);
            }
        }
        let mut sim = SwarmSim::new(seed, chunks, peers.clone());
        play(&mut sim);
        let ends: Vec<_> = sim.outcomes().filter(|(_, end)| *end != Some(Ok(()))).collect();
        assert!(ends.is_empty(), "{ends:?} of {peers:#?}");
    });
}

#[test]
fn a_source_that_is_back_is_used_within_three_seconds() {
    let played = play_seeds(200, |seed| {
        let mut rng = Rng(seed);
        let mut peers: Vec<PeerConfig> = (0..2).map(|_| peer(&mut rng)).collect();
        (peers[0].rate, peers[1].fetches, peers[1].comes) = (4 * MIB, Some(None), Duration::from_millis(10));
        let (at, span) = (Duration::from_millis(1_000 + rng.below(2_000)), Duration::from_millis(rng.below(25_000)));
        let moves = rng.chance(30);
        let told = Duration::from_millis(rng.below(500));
        peers[rng.below(2) as usize].changes = vec![(at, if moves { Change::Moves(told) } else { Change::Away(span) })];
        let back = Time(0) + at + if moves { told } else { span };
        let mut sim = SwarmSim::new(seed, 60, peers);
        play(&mut sim);
        assert_eq!(sim.outcomes().collect::<Vec<_>>(), [(1, Some(Ok(())))]);
        let next = sim.written_at(1).iter().copied().find(|written| *written > back);
        let took = next.expect("it was not over") - back;
        assert!(took < Duration::from_secs(3), "it went on only {took:?} after {span:?}, or a move: {moves}");
        took
    });
    assert!(played.iter().any(|took| *took > Duration::from_secs(1)), "nobody had to wait");
}

#[test]
fn a_better_way_is_taken_while_a_transfer_runs_and_nothing_comes_twice() {
    play_seeds(100, |seed| {
        let mut rng = Rng(seed);
        let mut peers: Vec<PeerConfig> = (0..2).map(|_| peer(&mut rng)).collect();
        (peers[0].rate, peers[1].fetches, peers[1].comes) = (8 * MIB, Some(None), Duration::from_millis(10));
        let better = [Route::Punched, Route::Direct][rng.below(2) as usize];
        peers[0].changes = vec![
            (Duration::ZERO, Change::Way(Route::Relayed)),
            (Duration::from_millis(500 + rng.below(2_000)), Change::Way(better)),
        ];
        let mut sim = SwarmSim::new(seed, 60, peers);
        play(&mut sim);
        assert_eq!(sim.outcomes().collect::<Vec<_>>(), [(1, Some(Ok(())))]);
        assert_eq!(sim.routes(1), [Route::Relayed, better]);
        assert_eq!(sim.came(1), 60, "each chunk came once");
    });
}
