//! The hub as meeting point and relay, over real processes.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, Shutdown};
use std::time::{Duration, Instant};

use potluck::io::net::identity::Identity;
use serde_json::{Value, json};

use crate::support::half::Half;
use crate::support::raw::Raw;
use crate::support::{Hub, Scene, content};

/// A hub with two clients, of which the first asks for meetings with the second.
struct Pair {
    _scene: Scene,
    hub: Hub,
    asker: Raw,
    asked: Raw,
    asks: u64,
}

impl Pair {
    fn new(args: &[&str]) -> Self {
        let scene = Scene::default();
        let hub = scene.hub_with(args);
        let [asker, asked] = [("anna", 71), ("ben", 72)]
            .map(|(name, seed)| Raw::enter(hub.port, name, Identity::from_seed([seed; 32]), 9));
        Self { _scene: scene, hub, asker, asked, asks: 0 }
    }

    /// A meeting as both are told of it.
    fn meet(&mut self) -> [Value; 2] {
        self.asks += 1;
        let key = Identity::from_seed([72; 32]).key;
        self.asker.say(&json!({"meet": key, "ask": self.asks, "purpose": "private"}));
        [self.asker.expect("meeting"), self.asked.expect("meeting")]
    }

    /// Two halves that the hub has joined.
    fn joined(&mut self) -> [Half; 2] {
        let [asker, asked] = self.meet();
        let mut halves = [Half::of(self.hub.port, &asker), Half::of(self.hub.port, &asked)];
        halves[0].send("hello");
        halves[1].expect("hello");
        halves
    }

    /// The line of the log about a relayed stream that has ended.
    fn ended(&mut self) -> Value {
        self.hub.process.then("relay-ended")
    }
}

#[test]
fn two_clients_meet_at_the_hub_and_are_relayed_byte_for_byte() {
    let mut pair = Pair::new(&[]);
    let [asker, asked] = pair.meet();
    assert_eq!((&asker["name"], &asker["ask"], &asker["relays"]), (&json!("ben"), &json!(1), &json!(true)));
    assert_eq!((&asked["name"], asked.get("ask"), &asked["meeting"]), (&json!("anna"), None, &asker["meeting"]));
    let mut one = Half::of(pair.hub.port, &asker);
    pair.asker.say(&json!({"meet_at": asker["meeting"], "inner": ["127.0.0.1:1234"]}));
    let seen = pair.asked.expect("meeting-places");
    assert_eq!((&seen["outer"], &seen["inner"]), (&json!([]), &json!(["127.0.0.1:1234"])));
    // What is sent before the other half is there waits.
    one.send("first");
    let mut other = Half::of(pair.hub.port, &asked);
    // Where they come from is told to both at once, when both have come.
    assert_eq!(pair.asker.expect("meeting-places")["outer"], json!([other.address().to_string()]));
    assert_eq!(pair.asked.expect("meeting-places")["outer"], json!([one.address().to_string()]));
    other.expect("first");
    let bytes = content("relayed", 3 << 20);
    std::thread::scope(|scope| {
        let (mut to, bytes) = (Half(other.0.try_clone().unwrap()), &bytes);
        scope.spawn(move || to.send(bytes));
        one.send(bytes);
        one.expect(bytes);
        other.expect(bytes);
    });
    // The end of one direction is passed on, and the other one goes on.
    one.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Half(other.0.try_clone().unwrap()).ended(), b"");
    other.send("last");
    drop(other);
    assert_eq!(one.ended(), b"last");
    let line = pair.ended();
    assert_eq!((&line["by"], &line["with"], &line["why"]), (&json!("anna"), &json!("ben"), &json!("closed")));
    assert_eq!(line["bytes"], json!(2 * (3 << 20) + 9));
}

#[test]
fn when_one_side_is_gone_the_other_one_is_told_at_once() {
    let mut pair = Pair::new(&[]);
    let [one, mut other] = pair.joined();
    // The other side reads nothing, and there is more on the way to it than fits.
    let mut flood = Half(one.0.try_clone().unwrap());
    let flooding = std::thread::spawn(move || while std::io::Write::write_all(&mut flood.0, &[7; 1 << 16]).is_ok() {});
    socket2::SockRef::from(&other.0).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    other.send("words");
    drop(other);
    flooding.join().unwrap();
    one.ended();
    pair.ended();
}

#[test]
fn a_token_counts_once_and_a_stolen_one_hurts_nobody_else() {
    let mut pair = Pair::new(&[]);
    let [asker, asked] = pair.meet();
    let port = pair.hub.port;
    for token in [&"0".repeat(32), "guess", "", "0123456789ABCDEF0123456789ABCDEF"] {
        assert_eq!(Half::show(port, token).ended(), b"", "{token}");
    }
    let (mut one, mut other) = (Half::of(port, &asker), Half::of(port, &asked));
    one.send("through");
    other.expect("through");
    // While both are joined, their tokens are worth nothing, and nothing of what others send gets in.
    for meeting in [&asker, &asked] {
        let mut thief = Half::of(port, meeting);
        let _ = std::io::Write::write_all(&mut thief.0, b"stolen");
        assert_eq!(thief.ended(), b"");
    }
    other.send("and back");
    one.expect("and back");
}

#[test]
fn halves_that_wait_are_closed_in_time_and_nothing_of_what_they_send_is_taken() {
    let mut pair = Pair::new(&[]);
    let [asker, _] = pair.meet();
    let mut half = Half::of(pair.hub.port, &asker);
    // It floods, and is held up: what is not joined is not read.
    half.0.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let taken: usize = (0..1 << 10).map_while(|_| std::io::Write::write(&mut half.0, &[7; 64 << 10]).ok()).sum();
    assert!(taken < 32 << 20, "{taken} bytes were taken");
    let rss = || resident(pair.hub.process.pid());
    assert!(rss() < 100 << 20, "{}", rss());
    let mut silent = [Half::silent(pair.hub.port), Half::silent(pair.hub.port)];
    silent[1].send("POTLUCK-RE");
    assert_eq!(half.ended(), b"");
    silent.into_iter().for_each(|half| assert_eq!(half.ended(), b""));
    // Its token came too late.
    assert_eq!(Half::of(pair.hub.port, &asker).ended(), b"");
}

/// The memory that a process has in use, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

#[test]
fn one_that_reads_nothing_holds_up_nobody_but_its_other_side() {
    let mut pair = Pair::new(&[]);
    let [mut stuck, _unread] = pair.joined();
    stuck.0.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let sent: usize = (0..1 << 10).map_while(|_| std::io::Write::write(&mut stuck.0, &[7; 64 << 10]).ok()).sum();
    assert!(sent < 32 << 20, "{sent} bytes were taken");
    let [mut one, mut other] = pair.joined();
    let bytes = content("others", 4 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| one.send(&bytes));
        other.expect(&bytes);
    });
    assert!(resident(pair.hub.process.pid()) < 100 << 20);
}

#[test]
fn floods_of_meetings_and_of_garbage_tokens_keep_nobody_out() {
    let mut pair = Pair::new(&[]);
    let key = Identity::from_seed([72; 32]).key;
    for ask in 0..2_000 {
        pair.asker.say(&json!({"meet": key, "ask": ask, "purpose": "private"}));
    }
    let port = pair.hub.port;
    let flood = std::thread::spawn(move || {
        for number in 0..10_000_u32 {
            // One in ten never ends its line.
            let end = if number % 10 == 0 { "" } else { "\n" };
            let mut half = Half::silent(port);
            let _ = std::io::Write::write_all(&mut half.0, format!("POTLUCK-RELAY/1 {number:032x}{end}").as_bytes());
        }
    });
    // Somebody else comes, and is heard.
    let mut carl = Raw::enter(port, "carl", Identity::from_seed([73; 32]), 9);
    let answer = carl.ask(2, &json!({"id": 2, "request": "message", "to": "ben", "text": "still here"}));
    assert_eq!(answer["event"], "message-acked");
    flood.join().unwrap();
    let (mut begun, mut refused) = (0, 0);
    while begun + refused < 2_000 {
        match pair.asker.next()["event"].as_str().unwrap() {
            "meeting" => begun += 1,
            "meeting-refused" => refused += 1,
            _ => {}
        }
    }
    assert_eq!(begun, 10);
    carl.ask(3, &json!({"id": 3, "request": "who"}));
    let joined = {
        carl.say(&json!({"meet": key, "ask": 1, "purpose": "private"}));
        let begun = carl.expect("meeting");
        let other = pair.asked.find(|told| told["event"] == "meeting" && told["meeting"] == begun["meeting"]);
        [Half::of(port, &begun), Half::of(port, &other)]
    };
    let [mut one, mut other] = joined;
    one.send("all the same");
    other.expect("all the same");
}

#[test]
fn a_hub_that_relays_nothing_shows_both_where_the_other_is() {
    let mut pair = Pair::new(&["--relay", "off"]);
    let [asker, asked] = pair.meet();
    for meeting in [&asker, &asked] {
        assert_eq!((&meeting["relays"], &meeting["no_relay"]), (&json!(false), &json!("relay-off")));
    }
    let halves = [Half::of(pair.hub.port, &asker), Half::of(pair.hub.port, &asked)];
    for (half, told) in halves.iter().zip([&mut pair.asked, &mut pair.asker]) {
        assert_eq!(told.expect("meeting-places")["outer"], json!([half.address().to_string()]));
    }
}

#[test]
fn streams_and_rates_have_their_limits_and_the_keeper_sees_them() {
    let mut pair = Pair::new(&["--relay-streams", "1", "--relay-rate", "1M"]);
    let [mut one, mut other] = pair.joined();
    let [asker, _] = pair.meet();
    assert_eq!((&asker["relays"], &asker["no_relay"]), (&json!(false), &json!("relay-full")));
    // Whoever was asked has a share of its own.
    let key = Identity::from_seed([71; 32]).key;
    pair.asked.say(&json!({"meet": key, "ask": 1, "purpose": "private"}));
    assert_eq!(pair.asked.expect("meeting")["relays"], true);
    let begun = Instant::now();
    let bytes = content("limited", 3 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| one.send(&bytes));
        other.expect(&bytes);
    });
    // A second's worth may be on the way beyond the rate: what the sockets hold, and one burst.
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
    drop((one, other));
    pair.ended();
    let status = pair.asker.ask(9, &json!({"id": 9, "request": "status"}));
    let relay = &status["relay"];
    assert_eq!((&relay["streams"], &relay["bytes"], &relay["refused"]), (&json!(0), &json!((3 << 20) + 5), &json!(1)));
}

#[test]
fn what_is_relayed_ends_with_the_session_that_it_belongs_to() {
    for gone in [0, 1] {
        let mut pair = Pair::new(&["--grace", "1", "--ack-timeout", "200"]);
        let [one, other] = pair.joined();
        let [asker, asked] = [&mut pair.asker, &mut pair.asked];
        drop(std::mem::replace(
            [asker, asked][gone],
            Raw::enter(pair.hub.port, "dan", Identity::from_seed([74; 32]), 9),
        ));
        assert_eq!((one.ended(), other.ended()), (vec![], vec![]));
        assert_eq!(pair.ended()["why"], "cut by the hub");
    }
}

#[test]
fn over_both_families_both_addresses_are_seen() {
    let mut pair = Pair::new(&["--listen", "::", "--access", "open", "--relay", "on"]);
    let [asker, asked] = pair.meet();
    let mut one = Half::of(pair.hub.port, &asker);
    let second = asker["second_token"].as_str().unwrap();
    let six = Half::show_at((Ipv6Addr::LOCALHOST, pair.hub.port), second);
    let mut other = Half::of(pair.hub.port, &asked);
    let both =
        pair.asked.find(|told| told["event"] == "meeting-places" && told["outer"].as_array().unwrap().len() == 2);
    let seen: BTreeSet<String> =
        both["outer"].as_array().unwrap().iter().map(|place| place.as_str().unwrap().into()).collect();
    assert_eq!(seen, BTreeSet::from([one.address().to_string(), six.address().to_string()]));
    // What came over the other family is not joined.
    one.send("hello");
    other.expect("hello");
    assert_eq!(six.ended(), b"");
}
