//! Tests of which addresses are dialled, and of the two machines with whatever comes in any order.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::core::{Rng, Time};
use crate::protocol::{ErrorCode, Route};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn around(hub: &str) -> Surroundings {
    let interface = |address: &str, prefix| Interface { address: address.parse().unwrap(), prefix };
    Surroundings {
        interfaces: vec![
            interface("127.0.0.1", 8),
            interface("192.168.1.7", 24),
            interface("fe80::7", 64),
            interface("2001:db8:7::7", 64),
        ],
        gateways: vec!["192.168.1.1".parse().unwrap()],
        hub: hub.parse().ok(),
    }
}

#[test]
fn a_hub_on_the_internet_aims_nobody_at_somebodys_home() {
    let around = around("203.0.113.1");
    for refused in [
        "192.168.1.9:5000",
        "10.0.0.1:5000",
        "100.64.0.1:5000",
        "127.0.0.1:5000",
        "169.254.1.1:5000",
        "224.0.0.1:5000",
        "255.255.255.255:5000",
        "0.0.0.0:5000",
        "198.51.100.1:22",
        "198.51.100.1:1023",
        "[::1]:5000",
        "[fe80::1]:5000",
        "[fd00::1]:5000",
        "[ff02::1]:5000",
        "[::]:5000",
        // Not global unicast: site-local, IPv4 in disguise, and through somebody's translator.
        "[fec0::1]:5000",
        "[::192.168.1.9]:5000",
        "[64:ff9b::192.168.1.9]:5000",
        "[::ffff:127.0.0.1]:5000",
        "[::ffff:192.168.1.9]:5000",
    ] {
        assert_eq!(around.places(&[at(refused)], &[]), [], "{refused}");
        let port_aside = SocketAddr::new(at(refused).ip(), 5_000);
        assert_eq!(around.may_dial_direct(&port_aside), at(refused).port() < 1_024, "{refused}");
    }
    for dialled in ["198.51.100.1:1024", "203.0.113.3:65535", "[2001:db8::1]:5000"] {
        assert_eq!(around.places(&[at(dialled)], &[]), [Place { at: at(dialled), inner: false }]);
    }
}

#[test]
fn inner_addresses_are_dialled_in_our_own_network_alone_and_never_our_router() {
    let around = around("203.0.113.1");
    let inner = ["192.168.1.9:5000", "192.168.1.1:5000", "192.168.2.9:5000", "127.0.0.1:5000", "192.168.1.9:80"];
    let places = around.places(&[], &inner.map(at));
    assert_eq!(places, [Place { at: at("192.168.1.9:5000"), inner: true }]);
    let many: Vec<SocketAddr> = (10..30).map(|n| at(&format!("192.168.1.{n}:5000"))).collect();
    assert_eq!(around.places(&[], &many).len(), 4, "no more than four are tried");
}

/// Containers and virtual machines have networks of their own, which are the same on many machines.
#[test]
fn networks_that_are_the_same_everywhere_crowd_out_neither_the_real_one_nor_the_way_through_routers() {
    let interface = |address: &str, prefix| Interface { address: address.parse().unwrap(), prefix };
    let mut around = around("203.0.113.1");
    let containers = (17..22).map(|n| interface(&format!("172.{n}.0.1"), 16));
    around.interfaces.splice(0..0, containers);
    assert_eq!(around.own_places(5_000)[0], at("192.168.1.7:5000"), "the one with a router comes first");
    let theirs: Vec<SocketAddr> = (17..22).map(|n| at(&format!("172.{n}.0.1:6000"))).collect();
    let outer = [at("198.51.100.1:6000"), at("[2001:db8::1]:6000")];
    let places = around.places(&outer, &theirs);
    assert_eq!(places.len(), 4);
    assert!(outer.iter().all(|at| places.contains(&Place { at: *at, inner: false })), "{places:?}");
}

#[test]
fn an_interface_without_a_network_makes_nothing_near() {
    let mut around = around("203.0.113.1");
    around.interfaces.push(Interface { address: "10.64.0.2".parse().unwrap(), prefix: 0 });
    around.interfaces.push(Interface { address: "2001:db8:9::9".parse().unwrap(), prefix: 0 });
    let named = ["10.0.0.1:5000", "198.51.100.1:5000", "[2001:db8::1]:5000"].map(at);
    assert_eq!(around.places(&[], &named), []);
}

#[test]
fn where_the_hub_is_near_others_are_too() {
    let home = around("192.168.1.2");
    assert!(home.may_dial_direct(&at("192.168.1.9:5000")) && home.may_dial_direct(&at("10.1.2.3:5000")));
    assert!(!home.may_dial_direct(&at("127.0.0.1:5000")) && !home.may_dial_direct(&at("192.168.1.1:5000")));
    let here = around("127.0.0.1");
    assert!(here.may_dial_direct(&at("127.0.0.1:5000")) && !here.may_dial_direct(&at("127.0.0.1:0")));
}

#[test]
fn what_others_learn_of_our_addresses_means_something_to_them() {
    let told = |hub| around(hub).own_places(5_000);
    assert_eq!(told("203.0.113.1"), [at("192.168.1.7:5000"), at("[2001:db8:7::7]:5000")]);
    assert_eq!(told("127.0.0.1")[0], at("127.0.0.1:5000"));
}

/// A printer can be named as somebody's place, by a member as an inner one and by the hub as an outer one.
#[test]
fn nothing_is_said_to_what_was_dialled_in_our_own_network_before_it_has_greeted() {
    let now = Time(0);
    let met = Met { meeting: 1, tokens: tokens("ab"), relays: false, no_relay: None };
    let places =
        Places { outer: vec![at("192.168.1.8:9100"), at("198.51.100.1:5000")], inner: vec![at("192.168.1.9:9100")] };
    let mut asked = Answering::new(now, met, 1);
    asked.handle(now, AnsweringInput::Bound(Ok((5_000, around("192.168.1.2")))));
    asked.handle(now, AnsweringInput::Places(places));
    let mut dialled = Vec::new();
    while let Some(output) = asked.poll() {
        if let AnsweringOutput::Dial(line, to) = output {
            dialled.push((to, asked.is_near(line), asked.greeter(line)));
        }
    }
    let expected = [
        (at("192.168.1.9:9100"), true, Greeter::Them),
        (at("192.168.1.8:9100"), true, Greeter::Them),
        (at("198.51.100.1:5000"), false, Greeter::Us),
    ];
    assert_eq!(dialled, expected);
    for (number, (from, greeter)) in (1..).zip([("192.168.1.9:4000", Greeter::Us), ("198.51.100.1:4000", Greeter::Us)])
    {
        asked.handle(now, AnsweringInput::Came(Line::Came(number), at(from)));
        assert_eq!(asked.greeter(Line::Came(number)), greeter, "{from}");
    }
}

fn tokens(half: &str) -> Tokens {
    Tokens { half: half.into(), second: String::new() }
}

fn any_line(rng: &mut Rng) -> Line {
    let number = rng.below(3) as u32;
    [Line::Direct, Line::Half, Line::Dialled(number), Line::Came(number)][rng.below(4) as usize]
}

fn any_places(rng: &mut Rng) -> Places {
    let any = |rng: &mut Rng| {
        let bits = [0xcb00_7102, 0xc0a8_0109, 0x7f00_0001, rng.next_u64() as u32][rng.below(4) as usize];
        SocketAddr::new(IpAddr::V4(bits.into()), rng.next_u64() as u16)
    };
    Places {
        outer: (0..rng.below(9)).map(|_| any(rng)).collect(),
        inner: (0..rng.below(9)).map(|_| any(rng)).collect(),
    }
}

fn bound(rng: &mut Rng) -> Bound {
    if rng.chance(90) { Ok((5_000, around("203.0.113.1"))) } else { Err(ErrorCode::Internal.into()) }
}

fn met(rng: &mut Rng) -> Met {
    Met { meeting: 1, tokens: tokens("ab"), relays: rng.chance(50), no_relay: Some(ErrorCode::RelayOff) }
}

/// How far time goes on: to the machine's own timer, or a bit.
fn later(rng: &mut Rng, now: Time, next: Option<Time>) -> Time {
    let soon = now + Duration::from_micros(rng.below(400_000));
    if rng.chance(50) { next.unwrap_or(soon).max(now) } else { soon }
}

#[test]
fn whoever_asks_ends_whatever_comes_and_dials_no_more_than_it_may() {
    for seed in 0..3_000 {
        let rng = &mut Rng(seed);
        let direct = rng.chance(70).then(|| at("203.0.113.3:4000"));
        let wanted = Wanted { direct, meets: rng.chance(80), at_once: rng.chance(20) };
        let (mut now, mut machine) = (Time(0), Asking::new(Time(0), wanted, seed));
        let (mut used, mut given_up, mut over, mut dials) = (None::<Route>, false, false, 0);
        for step in 0..10_000 {
            while let Some(output) = machine.poll() {
                assert!(!over, "seed {seed}: {output:?} after the end");
                match output {
                    AskingOutput::Use(_, route) => {
                        assert!(used.is_none_or(|used| route < used), "seed {seed}: {route} is no better");
                        used = Some(route);
                    }
                    AskingOutput::GiveUp(_) => given_up = true,
                    AskingOutput::Over => over = true,
                    AskingOutput::Dial(_, to) => {
                        assert!(around("203.0.113.1").places(&[to], &[to]).len() == 1, "seed {seed}: {to}");
                        dials += 1;
                    }
                    AskingOutput::DialDirect(_)
                    | AskingOutput::Ask
                    | AskingOutput::Bind(_)
                    | AskingOutput::Tell(..)
                    | AskingOutput::Prove(_)
                    | AskingOutput::Close(_) => {}
                }
            }
            if over {
                assert!(used.is_none() || !given_up, "seed {seed}");
                break;
            }
            // Lines that are dialled end some time, as every driver's do.
            let input = match rng.below(if step < 60 { 9 } else { 4 }) {
                0 => AskingInput::Failed(any_line(rng), ErrorCode::PeerUnreachable.into()),
                1 => AskingInput::Failed(Line::Direct, ErrorCode::PeerKeyChanged.into()),
                2 | 3 => AskingInput::Tick,
                4 => AskingInput::Met(if rng.chance(80) { Ok(met(rng)) } else { Err(ErrorCode::NotOnline.into()) }),
                5 => AskingInput::Bound(bound(rng)),
                6 => AskingInput::Places(any_places(rng)),
                7 => match rng.below(3) {
                    0 => AskingInput::Came(Line::Came(rng.below(3) as u32), at("203.0.113.9:99")),
                    _ => AskingInput::Open(any_line(rng)),
                },
                _ => AskingInput::Proved(any_line(rng)),
            };
            now = later(rng, now, machine.next_timeout());
            machine.handle(now, input);
        }
        assert!(over, "seed {seed}: it does not end: {machine:?}");
        assert!(dials <= 8 * 6, "seed {seed}: {dials} times");
    }
}

#[test]
fn whoever_was_asked_leaves_once_it_is_settled_how_they_meet() {
    let begun = || {
        let mut machine = Answering::new(Time(0), Met { relays: true, ..met(&mut Rng(1)) }, 1);
        machine.handle(Time(0), AnsweringInput::Bound(Ok((5_000, around("203.0.113.1")))));
        machine.handle(Time(0), AnsweringInput::Open(Line::Half));
        machine.handle(Time(0), AnsweringInput::Came(Line::Came(1), at("198.51.100.1:5000")));
        machine
    };
    let is_over =
        |machine: &mut Answering| std::iter::from_fn(|| machine.poll()).any(|output| output == AnsweringOutput::Over);
    let (second, long) = (Duration::from_secs(1), Duration::from_secs(9));
    // What goes through the hub may be improved; what does not is the best that there is.
    let mut machine = begun();
    machine.handle(Time(9), AnsweringInput::Proved(Line::Half));
    assert!(!is_over(&mut machine));
    machine.handle(Time(9), AnsweringInput::Proved(Line::Came(1)));
    assert!(is_over(&mut machine));
    // Whoever asked is done without the relay.
    let mut machine = begun();
    machine.handle(Time(9), AnsweringInput::Ended(Line::Half));
    assert_eq!((is_over(&mut machine), machine.next_timeout()), (false, Some(Time(9) + second)));
    machine.handle(Time(9) + second, AnsweringInput::Tick);
    assert!(is_over(&mut machine));
    let mut machine = begun();
    machine.handle(Time(9), AnsweringInput::Ended(Line::Came(1)));
    machine.handle(Time(0) + long, AnsweringInput::Tick);
    assert!(!is_over(&mut machine), "there may be others");
}

#[test]
fn whoever_was_asked_leaves_after_its_time_whatever_comes() {
    for seed in 0..3_000 {
        let rng = &mut Rng(seed);
        let (mut now, mut machine) = (Time(0), Answering::new(Time(0), met(rng), seed));
        let (mut over, mut dials) = (false, 0);
        for _ in 0..10_000 {
            while let Some(output) = machine.poll() {
                assert!(!over, "seed {seed}: {output:?} after the end");
                match output {
                    AnsweringOutput::Over => over = true,
                    AnsweringOutput::Dial(..) => dials += 1,
                    AnsweringOutput::Bind(_) | AnsweringOutput::Tell(..) | AnsweringOutput::Serve(..) => {}
                }
            }
            if over {
                break;
            }
            let input = match rng.below(7) {
                6 if rng.chance(80) => AnsweringInput::Ended(any_line(rng)),
                6 => AnsweringInput::Proved(any_line(rng)),
                0 => AnsweringInput::Bound(bound(rng)),
                1 => AnsweringInput::Places(any_places(rng)),
                2 => AnsweringInput::Open(any_line(rng)),
                3 => AnsweringInput::Came(Line::Came(rng.below(3) as u32), at("203.0.113.9:99")),
                4 => AnsweringInput::Failed(any_line(rng)),
                _ => AnsweringInput::Tick,
            };
            now = later(rng, now, machine.next_timeout());
            machine.handle(now, input);
        }
        assert!(over && dials <= 8 * 6, "seed {seed}: {dials} times, {machine:?}");
    }
}
