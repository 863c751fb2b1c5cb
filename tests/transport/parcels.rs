//! Parcels by a code at a real hub: sender, guest and hub over real sockets, line by line.

use potluck::io::net::connect;
use potluck::io::net::identity::Identity;
use potluck::protocol::TransportChoice;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::half::Half;
use crate::support::raw::Raw;
use crate::support::{Scene, content};

/// What looks like a share.
const SHARE: &str = "41aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn identity(seed: u8) -> Identity {
    Identity::from_seed([seed; 32])
}

/// All that the hub says to whoever sends this line first, until it closes the connection.
fn answer(hub: u16, line: &Value) -> Vec<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let hub = (std::net::Ipv4Addr::LOCALHOST, hub).into();
        let mut conn = connect(hub, &identity(9), None, TransportChoice::Tcp).await.unwrap();
        conn.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        conn.writer.flush().await.unwrap();
        let mut said = Vec::new();
        while let Ok(Some(line)) = conn.reader.next().await {
            said.push(serde_json::from_slice(line).unwrap());
        }
        said
    })
}

fn seek(hub: u16, number: &Value) -> Vec<Value> {
    answer(hub, &json!({"seek": "potluck-seek/1", "nameplate": number}))
}

#[test]
fn a_guest_and_a_sender_without_a_name_talk_meet_and_are_relayed() {
    let scene = Scene::default();
    let hub = scene.hub();
    drop(Raw::enter(hub.port, "anna", identity(71), 9));
    // From now on a key must be known, or have an invite.
    let mut hub = scene.again(hub, Signal::TERM, &["--access", "invite"]);
    let mut member = Raw::enter(hub.port, "anna", identity(71), 9);
    // The same key once more, as another program that sends: it needs no name.
    let mut sender = Raw::nameless(hub.port, identity(71), false);
    sender.say(&json!({"open_code": 1}));
    let number = sender.expect("code-opened")["nameplate"].clone();
    assert_eq!(seek(hub.port, &number), [json!({"opened": true})]);
    assert_eq!(seek(hub.port, &json!(8)), [json!({"opened": false})]);
    let opened = hub.process.then("parcel-opened");
    assert_eq!((&opened["code"], &opened["name"]), (&number, &json!("anna")));

    let mut guest = Raw::nameless(hub.port, identity(72), true);
    assert_eq!(guest.ask(5, &json!({"id": 5, "request": "who"}))["code"], "access-denied");
    guest.say(&json!({"knock": number, "ask": 1, "share": SHARE}));
    let (knocked, answered) = (sender.expect("knocked"), guest.expect("knock-answered"));
    assert_eq!((&knocked["share"], &knocked["key"]), (&json!(SHARE), &json!(identity(72).key)));
    // Where the sender is, only whoever is admitted learns.
    assert_eq!((&answered["key"], answered.get("address")), (&json!(identity(71).key), None));
    let talk = &knocked["conversation"];
    for message in ["00", "01", "02"] {
        sender.say(&json!({"say": talk, "message": message}));
    }
    assert_eq!([(); 3].map(|()| guest.expect("said")["message"].clone()), ["00", "01", "02"]);

    let wants = json!({"meet": identity(71).key, "ask": 2, "purpose": {"content": "c1".repeat(32)}});
    guest.say(&wants);
    assert_eq!(guest.expect("meeting-refused")["code"], "not-registered");
    sender.say(&json!({"admit": talk}));
    let admitted = hub.process.then("parcel-admitted");
    assert_eq!((&admitted["name"], &admitted["address"]), (&json!(""), &json!("127.0.0.1")));
    let told = guest.expect("admitted");
    assert_eq!((&told["conversation"], &told["address"]), (talk, &json!("127.0.0.1")));
    guest.say(&wants);
    let (mut one, mut other) =
        (Half::of(hub.port, &guest.expect("meeting")), Half::of(hub.port, &sender.expect("meeting")));
    let bytes = content("parcel", 1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| other.send(&bytes));
        one.expect(&bytes);
    });
    sender.say(&json!({"hang_up": talk}));
    assert_eq!(guest.expect("hung-up")["conversation"], *talk);
    let ended = hub.process.then("relay-ended");
    assert_eq!((&ended["by"], &ended["with"]), (&json!("(guest)"), &json!("anna")));
    // The sender's program ends: so does its number, and what is being said about it.
    guest.say(&json!({"knock": number, "ask": 3, "share": SHARE}));
    sender.expect("knocked");
    sender.ask(9, &json!({"id": 9, "request": "quit"}));
    assert_eq!(guest.expect("hung-up")["gone"], true);
    guest.say(&json!({"knock": number, "ask": 4, "share": SHARE}));
    assert_eq!(guest.expect("knock-refused")["code"], "no-such-code");
    // Nobody was disturbed: the member who is registered under the same key heard nothing of it.
    let heard = member.ask(8, &json!({"id": 8, "request": "whois"}));
    assert_eq!((&heard["event"], heard["clients"][0]["name"].as_str()), (&json!("roster"), Some("anna")));
    let about = |told: &Value| ["knocked", "said", "meeting"].iter().any(|word| told["event"] == **word);
    assert!(!member.stash.iter().any(about), "{:?}", member.stash);
}

#[test]
fn the_hub_of_one_sender_is_there_for_its_key_and_for_guests() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hub = runtime.block_on(potluck::Hub::builder().only_for(identity(71).key).start()).unwrap();
    let port = hub.address().port();
    let mut sender = Raw::nameless(port, identity(71), false);
    sender.say(&json!({"open_code": 1}));
    let number = sender.expect("code-opened")["nameplate"].clone();
    assert!((1_000..=9_998).contains(&number.as_u64().unwrap()), "{number}");
    assert_eq!(seek(port, &number), [json!({"opened": true})]);
    let hello = |guest: bool| {
        let hello = json!({"hello": "potluck-link/1", "received": 0, "port": 1, "link_port": 0, "instance": "x"});
        let mut hello = hello.as_object().unwrap().clone();
        guest.then(|| hello.insert("guest".into(), json!(true)));
        Value::Object(hello)
    };
    assert_eq!(answer(port, &hello(false))[0]["farewell"]["code"], "access-denied");
    let mut guest = Raw::nameless(port, identity(72), true);
    guest.say(&json!({"knock": number, "ask": 1, "share": SHARE}));
    assert_eq!(sender.expect("knocked")["key"], json!(identity(72).key));
    assert_eq!(guest.expect("knock-answered")["ask"], 1);
    runtime.block_on(hub.stop()).unwrap();
}
