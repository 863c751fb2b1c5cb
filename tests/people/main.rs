//! People with real processes: what they say to each other, where, and who may; over restarts of both sides.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod blocking;
mod codes;
mod guesses;
mod history;
mod invites;
mod kills;
mod limits;
mod messages;
mod parcels;
mod parcels_troubled;
mod presence;
mod restarts;
mod revocation;
mod rooms;
mod stores;
mod times;
mod trouble;
mod verify;

use rustix::process::Signal;
use serde_json::{Value, json};
use support::*;

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
fn hear(client: &mut Process) -> Value {
    client.find("what somebody says", is_said)
}

/// The text of the next that somebody says.
fn hear_text(client: &mut Process) -> String {
    hear(client)["text"].as_str().unwrap().to_owned()
}

/// Waits until the sender of a message knows that it has arrived.
fn arrives(sender: &mut Process, acked: &Value) {
    if acked["delivered"] == 0 {
        let this = |event: &Value| event["event"] == "message-delivered" && event["number"] == acked["number"];
        sender.find("that it has arrived", this);
    }
}

/// Ends a client that has nothing left to say that somebody said.
fn part(client: Process) {
    let name = client.name.clone();
    assert!(!client.has_said(is_said), "{name} was told more than it should");
    let ended = client.finish();
    let more: Vec<Value> = ended.events().into_iter().filter(is_said).collect();
    assert_eq!(more, Vec::<Value>::new(), "{name} was told more than it should");
}

/// Waits until a client has lost the hub and found it again.
fn is_back(client: &mut Process) {
    client.expect("hub-lost");
    client.expect("hub-back");
}

fn texts(history: &Value) -> Vec<String> {
    let messages = history["messages"].as_array().unwrap().iter();
    messages.map(|said| said["text"].as_str().unwrap().to_owned()).collect()
}
