//! A person at a real terminal: what the prompt shows, what is asked before it is done, and what is kept nowhere.

use std::path::Path;

use serde_json::json;

use crate::support::environment::{potluck, started_by};
use crate::support::*;

/// How somebody without a name enters as dora.
const ENTERS: [(&str, &str); 6] = [
    ("see", "Your name at"),
    ("type", "dora"),
    ("see", "Join as dora?"),
    ("type", "y"),
    ("see", "Welcome, dora"),
    ("see", "> "),
];

/// Lets dora join at a terminal, who does these steps; the end must be that of a program that is done. Needs Python, for
/// its terminal.
fn at_a_terminal(scene: &Scene, hub: &Hub, home: &Path, options: &[&str], steps: &[(&str, &str)]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipe/terminal.py");
    let mut program = potluck(home);
    program.args(["join", &hub.address]).args(options);
    scene.own_folders(&mut program, "dora");
    let steps: Vec<_> = ENTERS.iter().chain(steps).collect();
    let mut python = started_by("python3", &[script, &json!(steps).to_string()], &program);
    let output = python.env("TERM", "xterm").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn who_talks_at_a_terminal_sees_where_and_is_asked_before_a_secret_is_said() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let home = tempfile::tempdir().unwrap();
    let steps = [
        ("type", "hello everybody"),
        ("see", "`talk lobby`"),
        ("keys", "wh"),
        ("see", "> wh"),
        ("resume", ""),
        ("see", "> wh"),
        ("type", "o"),
        ("see", "SINCE"),
        ("see", "erin"),
        ("type", "talk nosuchroom"),
        ("see", "no-such-room"),
        ("never", "said in nosuchroom"),
        ("never", "[nosuchroom]"),
        ("type", "talk lobby"),
        ("see", "[lobby]> "),
        ("type", "/lisst"),
        ("see", "Did you mean `/list`? `/help` lists"),
        ("type", "soup is ready"),
        ("see", "[lobby]> "),
        ("type", "message erin psst"),
        ("see", "Say it? [y/N]"),
        ("type", "n"),
        ("see", "It was not said."),
        ("type", "private erin psst"),
        ("see", "Say it? [y/N]"),
        ("type", ""),
        ("see", "It was not said."),
        ("type", "login erin sesame"),
        ("see", "Say it? [y/N]"),
        ("type", "n"),
        ("see", "It was not said."),
        ("type", "list_members"),
        ("see", "dora"),
        ("see", "erin"),
        ("type", "//dance"),
        ("type", "/leave"),
        ("see", "What you type is a command again."),
        ("see", "> "),
        ("type", "login finn"),
        ("see", "Password: "),
        ("type", "hunter2"),
        ("see", "already-registered"),
        ("never", "hunter2"),
        ("type", "LOGIN finn sesame"),
        ("see", "unknown-request"),
        ("type", "/login finn sesame"),
        ("see", "unknown-request"),
        ("type", "quit"),
        ("see", "Bye"),
    ];
    at_a_terminal(&scene, &hub, home.path(), &[], &steps);
    // What was said, and nothing else.
    let said = |event: &serde_json::Value| event["event"] == "message" || event["event"] == "private-message";
    let mut texts = Vec::new();
    while texts.len() < 2 {
        texts.push(erin.find("what dora says", said)["text"].clone());
    }
    assert_eq!(texts, [json!("soup is ready"), json!("/dance")]);
    erin.find("that dora has left", |event| {
        let clients = event["clients"].as_array().into_iter().flatten();
        clients.into_iter().any(|client| client["name"] == "dora" && client["state"] == "offline")
    });
    let ended = erin.finish();
    assert_eq!(ended.events().iter().filter(|event| said(event)).count(), 0, "nothing more was said");
    let history = std::fs::read_to_string(scene.path("dora/data/history")).unwrap();
    assert!(history.contains("talk lobby") && history.contains("soup is ready"), "{history}");
    assert!(!history.contains("sesame") && !history.contains("hunter2"), "{history}");
}

#[test]
fn tab_asks_the_hub_for_what_is_not_followed() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/albums/autumn.ogg", "rain");
    scene.file("erin/shared/notes.txt", "soup");
    let mut erin = scene.client(&hub, "erin");
    erin.ask(json!({"request": "offer", "files": ["."]}));
    let home = tempfile::tempdir().unwrap();
    let steps = [
        ("keys", "get alb"),
        ("tab", "get albums/autumn.ogg "),
        ("type", ""),
        ("see", "saved as"),
        ("keys", "get no"),
        ("tab", "get notes.txt "),
        ("type", ""),
        ("see", "saved as"),
        ("never", "FILENAME"),
        ("type", "quit"),
        ("see", "Bye"),
    ];
    at_a_terminal(&scene, &hub, home.path(), &["--follow", "none"], &steps);
}
