//! Direct connections between real processes: over both transports, with peers that die, stall, lie and leave.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use crate::support::liar::{Liar, Lie};
use crate::support::link::{BOTH, soon};
use crate::support::*;
use potluck::io::net::connect;
use potluck::io::net::identity::Identity;
use potluck::protocol::PublicKey;
use rustix::process::Signal;
use serde_json::{Value, json};

const SECRET: &str = "between us, schönes Wetter";

fn private(to: &str, text: &str) -> Value {
    json!({"request": "private", "to": to, "text": text})
}

/// Two clients that know each other.
fn two(scene: &Scene, hub: &Hub, args: &[&str]) -> (Process, Process) {
    (scene.client_with(hub, "dora", args), scene.client_with(hub, "erin", args))
}

fn of<'a>(peer: &'a Process, event: &str) -> Vec<&'a Value> {
    peer.seen.iter().filter(|line| line["event"] == event).collect()
}

fn two_talk(transport: &str) {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--log-level", "debug"]);
    let (mut dora, mut erin) = two(&scene, &hub, &["--transport", transport]);
    let acked = dora.must(private("Erin", SECRET), "message-acked");
    let expected = json!({"number": 1, "to": "erin", "stored": false, "delivered": 1});
    let fields = ["number", "to", "stored", "delivered"].map(|field| (field.to_owned(), acked[field].clone()));
    assert_eq!(Value::Object(fields.into_iter().collect()), expected);
    let opened = erin.then("private-opened");
    assert_eq!((&opened["peer"], &opened["by"]), (&json!("dora"), &json!("dora")));
    let said = erin.then("private-message");
    assert_eq!((&said["from"], &said["to"], &said["text"]), (&json!("dora"), &json!("erin"), &json!(SECRET)));
    assert_eq!((&said["number"], &said["sent"]), (&acked["number"], &acked["sent"]));

    // Many at once, in order, both ways over the one connection.
    let texts: Vec<String> = (0..50).map(|number| format!("{number} {}", "x".repeat(number * 200))).collect();
    let ids: Vec<u64> = texts.iter().map(|text| erin.send(private("dora", text))).collect();
    for id in ids {
        assert_eq!(erin.answer(id)["event"], "message-acked");
    }
    let heard: Vec<String> = texts.iter().map(|_| text(&dora.then("private-message")["text"])).collect();
    assert_eq!(heard, texts);
    assert_eq!((of(&dora, "private-opened").len(), of(&erin, "private-opened").len()), (1, 1));

    dora.refused(json!({"request": "private-open", "to": "erin"}), "already-open");
    assert_eq!(dora.must(json!({"request": "private-close", "to": "erin"}), "private-closed")["peer"], "erin");
    let closed = erin.then("private-closed");
    assert_eq!((&closed["peer"], &closed["reason"]), (&json!("dora"), &json!("closed by dora")));
    erin.refused(json!({"request": "private-close", "to": "dora"}), "not-open");
    assert_eq!(erin.must(json!({"request": "private-open", "to": "dora"}), "private-opened")["by"], "erin");
    dora.quit();
    assert_eq!(erin.then("private-closed")["reason"], "closed by dora");
    erin.quit();
    hub.process.signal(Signal::TERM);
    hub.process.exit();
    let log: Vec<String> = hub.process.seen.iter().map(Value::to_string).collect();
    assert!(!log.iter().any(|line| line.contains("between us") || line.contains("private")), "the hub knows nothing");
}

#[test]
fn two_talk_over_quic() {
    two_talk("auto");
}

#[test]
fn two_talk_over_tcp() {
    two_talk("tcp");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, erin) = two(&scene, &hub, &[]);
    assert_eq!(dora.refused(private("DORA", "x"), "yourself")["at"], "/to");
    assert_eq!(dora.refused(private("nobody", "x"), "no-such-person")["at"], "/to");
    assert_eq!(dora.refused(private("erin", &"x".repeat(16_385)), "message-too-long")["at"], "/text");
    assert_eq!(dora.refused(private("erin", ""), "bad-request")["at"], "/text");
    dora.refused(json!({"request": "private-close", "to": "erin"}), "not-open");
    // Whatever is in it, and however long its escapes are.
    dora.must(private("erin", &"\u{1}".repeat(16_384)), "message-acked");
    erin.quit();
    dora.then_state("erin", "offline");
    dora.refused(private("erin", "x"), "not-online");
    dora.must(json!({"request": "dereg"}), "deregistered");
    dora.refused(private("erin", "x"), "not-registered");
    dora.quit();
}

#[test]
fn input_that_ends_waits_for_what_is_under_way() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, mut erin) = two(&scene, &hub, &[]);
    let id = dora.send(private("erin", "the last word"));
    dora.end_input();
    assert_eq!(dora.answer(id)["event"], "message-acked");
    assert_eq!(erin.then("private-message")["text"], "the last word");
    assert_eq!(dora.end(), 0);
    erin.quit();
}

fn who_is_gone_is_unreachable_and_shown_away(how: Signal, transport: &str) {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let (mut dora, mut erin) = two(&scene, &hub, &["--transport", transport]);
    let mut frida = scene.client(&hub, "frida");
    dora.must(private("erin", "one"), "message-acked");
    erin.then("private-message");
    erin.signal(how);
    let refused = dora.refused(private("erin", "two"), "peer-unreachable");
    assert!(text(&refused["hint"]).contains("message"), "{refused}");
    dora.then("private-closed");
    // The hub has seen for itself, and everybody learns it.
    frida.then_state("erin", "away");
    let away = hub.process.then("client-away");
    assert_eq!(away["name"], "erin");
    erin.signal(Signal::KILL);
    dora.quit();
    frida.quit();
}

#[test]
fn a_peer_that_was_killed_is_unreachable() {
    who_is_gone_is_unreachable_and_shown_away(Signal::KILL, "auto");
    who_is_gone_is_unreachable_and_shown_away(Signal::KILL, "tcp");
}

#[test]
fn a_peer_that_stalls_is_unreachable() {
    who_is_gone_is_unreachable_and_shown_away(Signal::STOP, "auto");
    who_is_gone_is_unreachable_and_shown_away(Signal::STOP, "tcp");
}

/// Mallory answers the hub and takes no direct connections.
#[test]
fn the_word_of_a_peer_takes_nobody_out_of_the_table() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    let _mallory = Liar::join(hub.port, "mallory", [7, 7], "a.txt", b"a", Lie::Length);
    let doubt = |dora: &mut Process| drop(dora.refused(private("mallory", "x"), "peer-unreachable"));
    doubt(&mut dora);
    let doubted = hub.process.then("peer-doubted");
    assert_eq!((&doubted["name"], &doubted["by"]), (&json!("mallory"), &json!("dora")));
    // Once is enough until the hub has an answer: when somebody is doubted again, there was one.
    let deadline = Instant::now() + PATIENCE;
    while hub.process.seen.iter().filter(|line| line["event"] == "peer-doubted").count() < 3 {
        assert!(Instant::now() < deadline, "mallory does not answer");
        doubt(&mut dora);
        hub.process.skip();
    }
    let roster = dora.must(json!({"request": "who"}), "roster");
    let states: Vec<&Value> = roster["clients"].as_array().unwrap().iter().map(|client| &client["state"]).collect();
    assert_eq!(states, ["online", "online"]);
    dora.quit();
}

#[test]
fn who_is_blocked_is_acknowledged_and_not_heard() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, mut erin) = two(&scene, &hub, &[]);
    erin.must(json!({"request": "block", "name": "dora"}), "blocked");
    dora.must(private("erin", "one"), "message-acked");
    dora.must(json!({"request": "private-close", "to": "erin"}), "private-closed");
    dora.must(private("erin", "two"), "message-acked");
    erin.must(json!({"request": "unblock", "name": "dora"}), "unblocked");
    dora.must(private("erin", "three"), "message-acked");
    assert_eq!(erin.then("private-message")["text"], "three");
    let told: Vec<&Value> = erin.seen.iter().map(|line| &line["event"]).collect();
    let private = |event: &&&Value| event.as_str().is_some_and(|event| event.starts_with("private-"));
    assert_eq!(told.iter().filter(private).collect::<Vec<_>>(), [&"private-opened", &"private-message"]);
    dora.quit();
    erin.quit();
}

#[test]
fn a_key_that_changed_is_trusted_in_neither_direction() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, mut erin) = two(&scene, &hub, &[]);
    dora.must(private("erin", "one"), "message-acked");
    dora.must(json!({"request": "private-close", "to": "erin"}), "private-closed");
    let file = dora.place.data().join("known_keys.json");
    let mut known: BTreeMap<String, Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let (_, key) = known.iter_mut().find(|(entry, _)| entry.starts_with("erin@")).unwrap();
    *key = json!(PublicKey([9; 32]));
    std::fs::write(&file, serde_json::to_vec(&known).unwrap()).unwrap();
    dora.refused(private("erin", "two"), "peer-key-changed");
    erin.refused(private("dora", "three"), "peer-refused");
    assert_eq!((of(&dora, "private-message").len(), of(&erin, "private-message").len()), (0, 1));
    dora.quit();
    erin.quit();
}

#[test]
fn handshakes_that_stall_keep_nobody_out() {
    let scene = Scene::default();
    let hub = scene.hub();
    let erin = scene.client(&hub, "erin");
    let port = of(&erin, "ready")[0]["settings"]["link_port"].as_u64().unwrap() as u16;
    for (name, transport, stalling) in [("dora", "tcp", 300), ("finn", "tcp", 1_200), ("gina", "quic", 1_200)] {
        let mut other = scene.client_with(&hub, name, &["--transport", transport]);
        let stalled: Vec<TcpStream> = (0..stalling)
            .map(|_| {
                let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
                // The beginning of a TLS record; the rest never comes. It may have had to make room already.
                let _ = stream.write_all(&[0x16, 3, 1, 2, 0, 1]);
                stream
            })
            .collect();
        other.must(private("erin", "hello"), "message-acked");
        other.quit();
        drop(stalled);
    }
}

#[test]
fn strangers_are_turned_away_and_nothing_is_told_of_them() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mut dora, mut erin) = two(&scene, &hub, &[]);
    let port = of(&erin, "ready")[0]["settings"]["link_port"].as_u64().unwrap() as u16;
    let hello = json!({"hello": "potluck-link/1", "private": "dora", "number": 1}).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for choice in BOTH {
            for line in [hello.as_str(), "GET / HTTP/1.1", "", &"x".repeat(200_000)] {
                let stranger = Identity::ephemeral().unwrap();
                let mut conn = connect(([127, 0, 0, 1], port).into(), &stranger, None, choice).await.unwrap();
                // They may hang up while it is being said.
                let _ = conn.writer.write_all(format!("{line}\n").as_bytes()).await;
                let _ = conn.writer.flush().await;
                let heard = soon(conn.reader.next()).await;
                assert!(!matches!(heard, Ok(Some(_))), "{heard:?}");
            }
        }
    });
    dora.must(private("erin", "still here"), "message-acked");
    erin.then("private-message");
    assert_eq!((of(&erin, "private-opened").len(), of(&erin, "private-closed").len()), (1, 0));
    dora.quit();
    erin.quit();
}
