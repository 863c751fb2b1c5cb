//! The hub as meeting point and relay, over real processes.

use std::net::Shutdown;

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
    let seen = pair.asked.expect("meeting-places");
    assert_eq!(seen["outer"], json!([one.address().to_string()]));
    pair.asker.say(&json!({"meet_at": asker["meeting"], "inner": ["127.0.0.1:1234"]}));
    assert_eq!(pair.asked.expect("meeting-places")["inner"], json!(["127.0.0.1:1234"]));
    // What is sent before the other half is there waits.
    one.send("first");
    let mut other = Half::of(pair.hub.port, &asked);
    assert_eq!(pair.asker.expect("meeting-places")["outer"], json!([other.address().to_string()]));
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
