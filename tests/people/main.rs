//! People with real processes: what they say to each other, where, and who may; over restarts of both sides.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod blocking;
mod guesses;
mod history;
mod invites;
mod kills;
mod limits;
mod messages;
mod presence;
mod restarts;
mod revocation;
mod rooms;
mod stores;
mod times;
mod trouble;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::process::*;

/// A link that notices quickly that the other side is gone.
const QUICK: [&str; 4] = ["--ack-timeout", "100ms", "--retries", "2"];

fn message(to: &str, text: &str) -> Value {
    json!({"request": "message", "to": to, "text": text})
}

fn say(room: &str, text: &str) -> Value {
    json!({"request": "say", "room": room, "text": text})
}

fn request(name: &str) -> Value {
    json!({ "request": name })
}

fn is_said(event: &Value) -> bool {
    event["event"] == "message" || event["event"] == "room-message"
}

/// The next that somebody says.
fn hear(client: &mut Running) -> Value {
    client.find("what somebody says", is_said)
}

/// The text of the next that somebody says.
fn hear_text(client: &mut Running) -> String {
    hear(client)["text"].as_str().unwrap().to_owned()
}

/// Asks, and insists on being answered with this event.
fn must(client: &mut Running, request: Value, event: &str) -> Value {
    let answer = client.ask(request);
    assert_eq!(answer["event"], event, "{answer}");
    answer
}

/// Asks, and insists on being refused with this code.
fn refused(client: &mut Running, request: Value, code: &str) -> Value {
    let answer = client.ask(request);
    assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!(code)), "{answer}");
    assert!(answer["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{answer}");
    answer
}

/// Waits until the sender of a message knows that it has arrived.
fn arrives(sender: &mut Running, acked: &Value) {
    if acked["delivered"] == 0 {
        let this = |event: &Value| event["event"] == "message-delivered" && event["number"] == acked["number"];
        sender.find("that it has arrived", this);
    }
}

/// Ends a client that has nothing left to say that somebody said.
fn part(client: Running) {
    let name = client.name.clone();
    assert!(!client.has_said(is_said), "{name} was told more than it should");
    let ended = client.finish();
    let more: Vec<Value> = ended.events().into_iter().filter(is_said).collect();
    assert_eq!(more, Vec::<Value>::new(), "{name} was told more than it should");
}

/// Ends a hub and starts it again, with the same folder and port.
fn again(scene: &Scene, mut hub: Hub, signal: Signal, args: &[&str]) -> Hub {
    hub.running.signal(signal);
    hub.running.exit();
    let port = hub.port.to_string();
    drop(hub);
    scene.hub_with(&[&["--port", &port], args].concat())
}

/// Waits until a client has lost the hub and found it again.
fn is_back(client: &mut Running) {
    client.expect("hub-lost");
    client.expect("hub-back");
}

fn texts(history: &Value) -> Vec<String> {
    let messages = history["messages"].as_array().unwrap().iter();
    messages.map(|said| said["text"].as_str().unwrap().to_owned()).collect()
}
