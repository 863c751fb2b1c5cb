use std::collections::BTreeMap;

use super::*;
use crate::core::time::Rng;
use TransportKind::{Quic, Tcp};

fn v4(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 7755))
}

fn v6(last: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, last], 7755))
}

fn ms(millis: u64) -> Time {
    Time(millis * 1_000)
}

/// What comes of an attempt, and after how many milliseconds. An address that is not named never answers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Connects(u64),
    Misses(u64),
    Refuses(u64),
}
use Fate::{Connects, Misses, Refuses};

/// A network: when each name is resolved and to what, and what comes of each attempt.
#[derive(Debug, Default)]
struct Net {
    hosts: Vec<(u64, Vec<SocketAddr>)>,
    fates: BTreeMap<(SocketAddr, bool), Fate>,
}

impl Net {
    fn host(mut self, at: u64, addresses: &[SocketAddr]) -> Self {
        self.hosts.push((at, addresses.to_vec()));
        self
    }

    fn at(mut self, address: SocketAddr, quic: Option<Fate>, tcp: Option<Fate>) -> Self {
        self.fates.extend(quic.map(|fate| ((address, true), fate)));
        self.fates.extend(tcp.map(|fate| ((address, false), fate)));
        self
    }

    fn fate(&self, attempt: &Attempt) -> Option<Fate> {
        self.fates.get(&(attempt.address, attempt.transport == Quic)).copied()
    }
}

/// What was dialled when, by time in milliseconds, and how it ended.
#[derive(Debug, Default)]
struct Played {
    dialled: Vec<(u64, Attempt)>,
    ended: Option<(u64, Output)>,
}

impl Played {
    fn order(&self) -> Vec<(u64, SocketAddr, TransportKind)> {
        self.dialled.iter().map(|(at, attempt)| (*at, attempt.address, attempt.transport)).collect()
    }

    fn winner(&self) -> Option<(u64, Attempt)> {
        let (at, Output::Won(attempt)) = self.ended? else { return None };
        Some((at, self.dialled[attempt].1))
    }
}

/// Plays a race for ten seconds.
fn play(net: &Net, choice: TransportChoice) -> Played {
    let mut race = Race::new(net.hosts.len(), choice);
    let mut played = Played::default();
    let mut happen: Vec<(Time, Input)> = Vec::new();
    for (host, (at, addresses)) in net.hosts.iter().enumerate() {
        happen.push((ms(*at), Input::Resolved(host, addresses.clone())));
    }
    let mut now = Time(0);
    while now < ms(10_000) {
        let next = happen.iter().map(|(at, _)| *at).chain(race.next_timeout()).min();
        let Some(next) = next.filter(|next| *next <= ms(10_000)) else { break };
        assert!(next >= now, "a timer in the past");
        now = next;
        let due = happen.iter().position(|(at, _)| *at == now);
        let input = due.map_or(Input::Tick, |due| happen.swap_remove(due).1);
        race.handle(now, input);
        while let Some(output) = race.poll() {
            assert_eq!(played.ended, None, "nothing comes after the end");
            match output {
                Output::Dial(number, attempt) => {
                    assert_eq!(number, played.dialled.len());
                    played.dialled.push((now.0 / 1_000, attempt));
                    happen.extend(net.fate(&attempt).map(|fate| match fate {
                        Connects(after) => (now + Duration::from_millis(after), Input::Connected(number)),
                        Misses(after) => (now + Duration::from_millis(after), Input::Missed(number)),
                        Refuses(after) => (now + Duration::from_millis(after), Input::Refused(number)),
                    }));
                }
                end @ (Output::Won(_) | Output::Lost) => played.ended = Some((now.0 / 1_000, end)),
            }
        }
        assert!(race.next_timeout().is_none_or(|at| at > now), "a timer that is due would spin");
        assert!(played.ended.is_none() || race.next_timeout().is_none());
    }
    played
}

#[test]
fn families_take_turns_and_the_system_says_which_begins() {
    let loopback = [SocketAddr::from(([127, 0, 0, 1], 1)), "[::1]:1".parse().unwrap()];
    assert_eq!(in_turn(vec![v6(1), v6(2), v4(1), v4(2)]), [v6(1), v4(1), v6(2), v4(2)]);
    assert_eq!(in_turn(vec![v4(1), v4(2), v4(3), v6(1)]), [v4(1), v6(1), v4(2), v4(3)]);
    assert_eq!(in_turn(vec![v4(1), loopback[0], v6(1), loopback[1]]), [loopback[0], loopback[1], v4(1), v6(1)]);
    assert_eq!(in_turn(Vec::new()), []);
}

#[test]
fn silent_addresses_hold_up_the_next_for_a_quarter_of_a_second() {
    let net = Net::default().host(0, &[v6(1), v6(2), v4(1)]).at(v6(2), Some(Connects(30)), None);
    let played = play(&net, TransportChoice::Auto);
    let expected = [
        (0, v6(1), Quic),
        (250, v4(1), Quic),
        (400, v6(1), Tcp),
        (400, v4(1), Tcp),
        (500, v6(2), Quic),
        (500, v6(2), Tcp),
    ];
    assert_eq!(played.order(), expected);
    assert_eq!(played.winner().unwrap().0, 530);
}

#[test]
fn a_failure_starts_the_next_at_once() {
    let dead = Some(Misses(5));
    let net = Net::default().host(0, &[v6(1), v4(1)]).at(v6(1), dead, dead).at(v4(1), Some(Connects(20)), None);
    let played = play(&net, TransportChoice::Auto);
    assert_eq!(played.order(), [(0, v6(1), Quic), (5, v6(1), Tcp), (10, v4(1), Quic)]);
    assert_eq!(played.winner().unwrap().0, 30);
}

#[test]
fn where_udp_does_not_pass_that_is_waited_for_once() {
    let all: Vec<_> = (1..=4).map(v6).collect();
    let net = Net::default().host(0, &all).at(v6(4), None, Some(Connects(10)));
    let played = play(&net, TransportChoice::Auto);
    assert_eq!(played.winner(), Some((760, Attempt { host: 0, address: v6(4), transport: Tcp })));
    let one = Net::default().host(0, &[v4(1)]).at(v4(1), None, Some(Connects(10)));
    assert_eq!(play(&one, TransportChoice::Auto).winner().unwrap().0, 410);
    assert_eq!(play(&one, TransportChoice::Tcp).order(), [(0, v4(1), Tcp)]);
    assert_eq!(play(&one, TransportChoice::Quic).order(), [(0, v4(1), Quic)]);
}

#[test]
fn hosts_are_tried_at_once_and_none_waits_for_the_name_of_another() {
    let net = Net::default().host(3_000, &[v6(1)]).host(0, &[v4(1)]).host(20, &[]).host(10, &[v4(2)]);
    let net = net.at(v4(1), Some(Misses(1)), Some(Misses(1))).at(v4(2), Some(Connects(40)), None);
    let played = play(&net, TransportChoice::Auto);
    assert_eq!(played.order(), [(0, v4(1), Quic), (1, v4(1), Tcp), (10, v4(2), Quic)]);
    assert_eq!(played.winner(), Some((50, Attempt { host: 3, address: v4(2), transport: Quic })));
}

#[test]
fn two_names_of_one_address_are_dialled_once() {
    let net = Net::default().host(0, &[v4(1), v4(1)]).host(0, &[v4(1)]);
    assert_eq!(play(&net, TransportChoice::Quic).order(), [(0, v4(1), Quic)]);
}

#[test]
fn where_somebody_else_answers_only_other_hosts_are_tried_further() {
    let alone = Net::default().host(0, &[v4(1), v4(2)]).at(v4(1), Some(Refuses(10)), None);
    let played = play(&alone, TransportChoice::Auto);
    assert_eq!((played.dialled.len(), played.ended), (1, Some((10, Output::Lost))));
    let two = alone.host(0, &[v6(1), v6(2)]).at(v6(2), Some(Connects(5)), None);
    let played = play(&two, TransportChoice::Auto);
    assert_eq!(played.winner().unwrap().1.address, v6(2));
    assert!(played.dialled.iter().all(|(_, attempt)| attempt.address != v4(2)));
}

#[test]
fn all_that_fails_is_known_at_once_and_silence_is_left_to_the_deadline() {
    let dead = Some(Misses(10));
    let net = Net::default().host(0, &[v4(1), v6(1)]).host(100, &[]).at(v4(1), dead, dead).at(v6(1), dead, dead);
    assert_eq!(play(&net, TransportChoice::Auto).ended, Some((100, Output::Lost)));
    assert_eq!(play(&Net::default().host(7, &[]), TransportChoice::Auto).ended, Some((7, Output::Lost)));
    assert_eq!(play(&Net::default().host(0, &[v4(1)]), TransportChoice::Auto).ended, None);
}

/// Whatever fails or is slow: the race is won by the first that connects; each host's addresses start within a quarter of
/// a second each, and TCP within the head start; nothing is tried after the end, or twice.
#[test]
fn whatever_fails_the_first_that_can_be_reached_wins_within_bounds() {
    for seed in 0..2_000 {
        let mut rng = Rng(seed);
        let mut net = Net::default();
        for host in 0..1 + rng.below(4) {
            let mut addresses = Vec::new();
            for n in 0..rng.below(6) {
                let last = (host * 16 + n) as u8;
                addresses.push(if rng.chance(50) { v4(last) } else { v6(last.into()) });
            }
            net.hosts.push((rng.below(600), addresses));
        }
        let all: Vec<_> = net.hosts.iter().flat_map(|(_, addresses)| addresses.clone()).collect();
        for address in all {
            for quic in [true, false] {
                let most = if rng.chance(80) { 100 } else { 2_000 };
                let after = rng.below(most);
                match rng.below(10) {
                    0..3 => drop(net.fates.insert((address, quic), Connects(after))),
                    3..7 => drop(net.fates.insert((address, quic), Misses(after))),
                    7 => drop(net.fates.insert((address, quic), Refuses(after))),
                    _ => {}
                }
            }
        }
        check(seed, &net, &play(&net, TransportChoice::Auto));
    }
}

fn check(seed: u64, net: &Net, played: &Played) {
    let order = played.order();
    let mut once: Vec<_> = order.iter().map(|(_, address, transport)| (*address, *transport == Quic)).collect();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), order.len(), "seed {seed}: something is tried twice");
    // The first of what was dialled that connects has won, and no other end came before it.
    let connects = played.dialled.iter().filter_map(|(at, attempt)| match net.fate(attempt)? {
        Connects(after) => Some(at + after),
        Misses(_) | Refuses(_) => None,
    });
    let first = connects.min().filter(|at| *at <= 10_000);
    match (first, played.ended) {
        (Some(first), Some((at, Output::Won(_)))) => assert_eq!(first, at, "seed {seed}"),
        // It may come from a host where somebody else has answered before.
        (Some(first), Some((at, Output::Lost))) => assert!(at < first && net.refuses(), "seed {seed}: {played:?}"),
        (None, ended) => assert!(!matches!(ended, Some((_, Output::Won(_)))), "seed {seed}"),
        (Some(_), _) => panic!("seed {seed}: {played:?}"),
    }
    let end = played.ended.map_or(10_000, |(at, _)| at);
    assert!(order.iter().all(|(at, ..)| *at <= end), "seed {seed}");
    let began = order.first().map_or(0, |(at, ..)| *at);
    for (host, (resolved, addresses)) in net.hosts.iter().enumerate() {
        let refused = played
            .dialled
            .iter()
            .filter(|(_, attempt)| attempt.host == host)
            .any(|(at, attempt)| matches!(net.fate(attempt), Some(Refuses(after)) if at + after <= end));
        for (n, address) in in_turn(addresses.clone()).iter().enumerate().filter(|_| !refused) {
            let at = |transport| order.iter().find(|(_, a, t)| a == address && *t == transport).map(|(at, ..)| *at);
            let latest = resolved + 250 * n as u64;
            assert!(at(Quic).is_some_and(|at| at <= latest) || latest >= end, "seed {seed}: {address} at {latest}");
            let latest = latest.max(began + 400);
            assert!(at(Tcp).is_some_and(|at| at <= latest) || latest >= end, "seed {seed}: {address} at {latest}");
        }
    }
}

impl Net {
    fn refuses(&self) -> bool {
        self.fates.values().any(|fate| matches!(fate, Refuses(_)))
    }
}
