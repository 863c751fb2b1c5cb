//! What a client does costs the same however many others are there: how much is gone through is counted.

use super::super::sessions::scanned::steps;
use super::*;

/// A hub with so many people, each with a room, an offer and a message to somebody, and one who has done nothing yet.
fn crowd(count: u64) -> Rig {
    let limits = HubLimits {
        rooms_per_key: 1_000,
        names_per_key: 1_000,
        names_per_address: 1_000,
        clients_per_key: 1_000,
        clients_per_address: 1_000,
        rooms: 1_000,
        message_rate: 1_000_000,
        request_rate: 1_000_000,
        ..HubLimits::default()
    };
    let mut rig = Rig::new(HubConfig { limits, ..config() });
    for conn in 1..=count {
        // Nobody follows anything: what they would be told is not what this is about.
        rig.connect_from(conn, (conn % 200) as u8 + 1, "10.0.0.1:5000");
        let follows_nothing =
            HELLO.replace(r#""received":0"#, r#""received":0,"follow":{"table":"none","roster":"none"}"#);
        rig.line(conn, &follows_nothing);
        rig.register(conn, &format!("name-{conn}"));
        rig.commit();
        rig.ask(conn, &format!(r#"{{"id":2,"request":"room-create","room":"room-{conn}"}}"#));
        rig.offer(conn, 3, &[format!("song-{conn}.ogg")]);
        rig.commit();
        assert!(rig.welcomed(conn) && rig.refusal(conn, 2).is_none());
    }
    rig.pass(1_000);
    rig.hello_from(1_000, 250, "10.0.0.2:5000");
    steps();
    rig
}

/// What each of these costs, in people and rooms that are gone through.
fn costs(count: u64) -> Vec<(&'static str, usize)> {
    let mut rig = crowd(count);
    let mut costs = Vec::new();
    let mut id = 10;
    let mut ask = |rig: &mut Rig, what: &'static str, request: &str| {
        id += 1;
        rig.ask(1_000, &format!(r#"{{"id":{id},{request}}}"#));
        rig.commit();
        assert_eq!(rig.refusal(1_000, id), None, "{what}");
        costs.push((what, steps()));
    };
    ask(&mut rig, "register", r#""request":"register","name":"newcomer""#);
    ask(&mut rig, "message", r#""request":"message","to":"name-3","text":"hi""#);
    ask(&mut rig, "search", r#""request":"search","text":"song-3""#);
    ask(&mut rig, "get", r#""request":"get","file":"song-3.ogg""#);
    ask(&mut rig, "block", r#""request":"block","name":"name-2""#);
    ask(&mut rig, "blocks", r#""request":"blocks""#);
    ask(&mut rig, "room-create", r#""request":"room-create","room":"mine","members":["name-4","name-5"]"#);
    ask(&mut rig, "room-join", r#""request":"room-join","room":"room-3""#);
    ask(&mut rig, "say", r#""request":"say","room":"room-3","text":"hi""#);
    ask(&mut rig, "room-leave", r#""request":"room-leave","room":"room-3""#);
    let content = format!(r#"{{"file":"f","size":1,"hash":"{}","chunk_size":1048576,"chunks":1}}"#, "7".repeat(64));
    ask(&mut rig, "push", &format!(r#""push":{content},"to":"name-3""#));
    ask(&mut rig, "dereg", r#""request":"dereg""#);
    ask(&mut rig, "register again", r#""request":"register","name":"newcomer""#);
    rig.handle(Input::Disconnected { conn: 1_000, reason: "reset".into() });
    costs.push(("going away", steps()));
    rig.resume(1_001, 250, 1_000);
    costs.push(("coming back", steps()));
    // When the hub is full, its own place is found at once.
    rig.handle(Input::Disconnected { conn: 1_001, reason: "reset".into() });
    steps();
    rig.hub.base.config.limits.clients = count as usize + 1;
    rig.hello_from(1_002, 250, "10.0.0.2:5000");
    assert_eq!(rig.turned_away(1_002), None);
    costs.push(("coming to a full hub", steps()));
    costs
}

#[test]
fn what_a_client_does_costs_the_same_however_many_are_there() {
    let (few, many) = (costs(20), costs(400));
    assert_eq!(few, many);
    assert!(few.iter().all(|(_, steps)| *steps < 20), "{few:?}");
}
