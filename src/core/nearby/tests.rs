//! Searches under a virtual clock, in networks where others announce hubs as they like.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::core::reach::{Interface, Surroundings};
use crate::core::time::Rng;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn key(n: u8) -> PublicKey {
    PublicKey([n; 32])
}

fn place(n: u8, host: u8) -> Announced {
    Announced { at: SocketAddr::from(([10, 0, 0, host], 5_000)), key: key(n) }
}

/// A place that announces itself, and how it answers: after how long, from which question on, and what.
#[derive(Debug, Clone, Copy)]
struct Host {
    announced: Announced,
    comes: Duration,
    takes: Duration,
    from_question: u32,
    says: Answer,
}

impl Host {
    fn new(n: u8, says: Answer) -> Self {
        Self { announced: place(n, n), comes: ms(60), takes: ms(5), from_question: 1, says }
    }

    fn comes(self, millis: u64) -> Self {
        Self { comes: ms(millis), ..self }
    }

    fn takes(self, millis: u64) -> Self {
        Self { takes: ms(millis), ..self }
    }
}

/// Plays a search to its end. Returns how it ended, when, and how many questions there were.
fn play(hosts: &[Host]) -> (Ended, Duration, usize) {
    let start = Time::default();
    let mut search = Search::new(start);
    let mut due: BTreeMap<(Time, usize), Input> = BTreeMap::new();
    let mut questions = vec![0; hosts.len()];
    for (n, host) in hosts.iter().enumerate() {
        due.insert((start + host.comes, n), Input::Announced(host.announced));
    }
    let (mut now, mut next) = (start, hosts.len());
    loop {
        while let Some(output) = search.poll() {
            match output {
                Output::Ask(number, announced) => {
                    let host = hosts.iter().position(|host| host.announced == announced).unwrap();
                    questions[host] += 1;
                    assert!(questions[host] <= SEEK_TRIES as usize, "a place is asked too often");
                    let Host { takes, from_question, says, .. } = hosts[host];
                    // A driver gives a question up at its deadline.
                    if questions[host] >= from_question as usize && takes < SEEK_TIME {
                        due.insert((now + takes, next), Input::Answered(number, says));
                        next += 1;
                    }
                }
                Output::Ended(ended) => {
                    assert_eq!(search.next_timeout(), None);
                    return (ended, now - start, questions.iter().sum());
                }
            }
        }
        let tick = search.next_timeout().expect("a search that runs waits for something");
        assert!(tick > now, "a search never waits for what is past");
        match due.first_key_value() {
            Some((&(at, n), _)) if at <= tick => {
                now = now.max(at);
                let input = due.remove(&(at, n)).unwrap();
                search.handle(now, input);
            }
            Some(_) | None => {
                now = tick;
                search.handle(now, Input::Tick);
            }
        }
    }
}

fn found(ended: &Ended) -> Option<PublicKey> {
    match ended {
        Ended::Found(hub) => Some(hub.key),
        Ended::Several(_) | Ended::Crowded | Ended::Nobody { .. } => None,
    }
}

#[test]
fn one_hub_that_has_the_number_is_the_one_after_a_settling_time() {
    let (ended, took, _) = play(&[Host::new(1, Answer::Has), Host::new(2, Answer::HasNot)]);
    assert_eq!(ended, Ended::Found(FoundHub { key: key(1), at: vec![place(1, 1).at] }));
    assert_eq!(took, LISTEN_TIME);
    let late = ms(4_000);
    let (ended, took, _) = play(&[Host::new(1, Answer::Has).comes(4_000)]);
    assert_eq!((found(&ended), took), (Some(key(1)), late + ms(5) + SETTLE_TIME));
}

#[test]
fn a_second_claimant_leaves_nobody_who_is_the_one() {
    for second in [60, 1_000, 1_700] {
        let hosts = [Host::new(1, Answer::Has), Host::new(2, Answer::Has).comes(second)];
        let Ended::Several(hubs) = play(&hosts).0 else { panic!("two say that they have it") };
        assert_eq!(hubs.iter().map(|hub| hub.key).collect::<Vec<_>>(), [key(1), key(2)]);
    }
}

#[test]
fn a_hub_that_answers_slowly_is_waited_for() {
    // A false hub is quick; the right one answers late, or only when it is asked again.
    for slow in [
        Host::new(1, Answer::Has).takes(2_900),
        Host { from_question: 2, ..Host::new(1, Answer::Has).takes(2_900) },
        Host::new(1, Answer::Has).comes(1_700).takes(2_900),
    ] {
        let (ended, ..) = play(&[Host::new(2, Answer::Has), slow]);
        assert!(matches!(ended, Ended::Several(_)), "{slow:?}: {ended:?}");
    }
}

#[test]
fn whoever_is_silent_holds_the_search_up_for_no_longer_than_its_questions_last() {
    let silent = Host::new(2, Answer::Nothing).takes(1_000_000);
    let (ended, took, _) = play(&[Host::new(1, Answer::Has), silent]);
    assert_eq!((found(&ended), took), (Some(key(1)), ms(60) + 2 * SEEK_TIME));
    // Of the hub itself it is enough that it has answered somewhere.
    let elsewhere = Host { announced: place(1, 9), ..silent };
    let (ended, took, _) = play(&[Host::new(1, Answer::Has), elsewhere]);
    assert_eq!((found(&ended), took), (Some(key(1)), LISTEN_TIME));
}

#[test]
fn a_hub_with_several_addresses_is_one() {
    let other = Host { announced: place(1, 9), ..Host::new(1, Answer::Has).takes(30) };
    let (ended, ..) = play(&[Host::new(1, Answer::Has), other]);
    assert_eq!(ended, Ended::Found(FoundHub { key: key(1), at: vec![place(1, 1).at, place(1, 9).at] }));
}

#[test]
fn where_nobody_has_it_the_search_ends_and_says_whom_it_has_seen() {
    assert_eq!(play(&[]), (Ended::Nobody { others: 0, silent: vec![] }, LOOK_TIME, 0));
    let twice = Host { announced: place(1, 9), ..Host::new(1, Answer::HasNot) };
    let refused = Host::new(2, Answer::Nothing);
    let (ended, took, questions) = play(&[Host::new(1, Answer::HasNot), twice, refused]);
    assert_eq!((took, questions), (LOOK_TIME, 4));
    assert_eq!(ended, Ended::Nobody { others: 1, silent: vec![place(2, 2).at] });
    // What is announced in the end is not asked any more, so that nobody draws a search out.
    let (ended, took, questions) = play(&[Host::new(1, Answer::HasNot), Host::new(2, Answer::Has).comes(8_000)]);
    assert_eq!((ended, took, questions), (Ended::Nobody { others: 1, silent: vec![] }, LOOK_TIME, 1));
}

#[test]
fn a_crowd_in_which_somebody_could_hide_is_left_alone() {
    let mut hosts: Vec<_> = (0..=MOST_PLACES)
        .map(|n| Host { announced: place(n as u8 + 1, n as u8 + 1), ..Host::new(1, Answer::HasNot) })
        .collect();
    hosts[0].says = Answer::Has;
    assert_eq!(found(&play(&hosts[..MOST_PLACES]).0), Some(key(1)));
    assert_eq!(play(&hosts).0, Ended::Crowded);
    let mut search = Search::new(Time::default());
    search.handle(Time::default(), Input::Crowded);
    assert_eq!(search.poll(), Some(Output::Ended(Ended::Crowded)));
}

/// An adversary that announces what it likes, when it likes, and answers as it likes: it gets no exchange as long as the
/// right hub is heard while others are, and answers in its time. Neither does it make the search endless.
#[test]
fn a_false_announcement_beside_the_right_one_never_gets_a_guess() {
    let (mut right, mut several) = (0, 0);
    for seed in 0..5_000 {
        let mut rng = Rng(seed);
        let mut upto = |most: u64| rng.next_u64() % (most + 1);
        let honest = Host {
            from_question: 1 + upto(1) as u32,
            ..Host::new(1, Answer::Has).comes(upto(1_700)).takes(upto(2_900))
        };
        let mut hosts = vec![honest];
        for n in 0..upto(20) as u8 {
            let says = [Answer::Has, Answer::HasNot, Answer::Nothing, Answer::HasNot][upto(3) as usize];
            let false_hub = Host { from_question: 1 + upto(2) as u32, ..Host::new(2 + n, says) };
            hosts.push(false_hub.comes(upto(9_000)).takes(upto(4_000)));
        }
        let (ended, took, questions) = play(&hosts);
        assert!(took <= LOOK_TIME + 2 * SEEK_TIME + SETTLE_TIME, "seed {seed}: {took:?}");
        assert!(questions <= hosts.len() * SEEK_TRIES as usize, "seed {seed}");
        match ended {
            Ended::Found(hub) => {
                assert_eq!(hub.key, key(1), "seed {seed}");
                right += 1;
            }
            Ended::Several(hubs) => {
                assert!(hubs.len() > 1 && hubs.iter().any(|hub| hub.key == key(1)), "seed {seed}");
                several += 1;
            }
            Ended::Crowded | Ended::Nobody { .. } => panic!("seed {seed}: {ended:?}"),
        }
    }
    assert!(right > 500 && several > 500, "{right} found, {several} refused");
}

#[test]
fn only_places_in_our_own_networks_are_asked() {
    let interface = |address: &str, prefix| Interface { address: address.parse().unwrap(), prefix };
    let interfaces = vec![
        interface("127.0.0.1", 8),
        interface("10.99.1.2", 24),
        interface("2600::1:2", 64),
        interface("fe80::2", 64),
    ];
    let around = Surroundings { interfaces, gateways: Vec::new(), hub: None };
    let asked = |place: &str, reach| is_worth_asking(&place.parse().unwrap(), &around, reach);
    for place in ["10.99.1.3:50000", "10.99.1.2:10000", "[2600::7]:50000", "[::ffff:10.99.1.3]:50000"] {
        assert!(asked(place, Reach::Network), "{place}");
    }
    for place in [
        "10.99.1.3:9100",
        "10.99.1.3:0",
        "10.99.2.3:50000",
        "8.8.8.8:50000",
        "127.0.0.1:50000",
        "224.0.0.251:50000",
        "255.255.255.255:50000",
        "0.0.0.0:50000",
        "169.254.0.1:50000",
        "[::1]:50000",
        "[::]:50000",
        "[fe80::3]:50000",
        "[ff02::fb]:50000",
        "[2600:1::7]:50000",
        "[::ffff:127.0.0.1]:50000",
    ] {
        assert!(!asked(place, Reach::Network), "{place}");
    }
    assert!(asked("127.0.0.1:50000", Reach::ThisMachine) && !asked("10.99.1.3:50000", Reach::ThisMachine));
}
