//! Readers that stop, and readers that are slow: they harm nobody, and are told what they missed.

mod common;

use std::io::Write;

use common::process::*;
use potluck::protocol::schema::Stream;
use serde_json::{Value, json};

const EVENTS: Face = Face::Json(Stream::Events);

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    for (name, json) in [("erin", true), ("dora", false)] {
        let mut command = match json {
            true => scene.join(&hub.address, name, &[]),
            false => scene.command(["join", &hub.address, "--name", name, "--data", "dora"]),
        };
        command.args(["--linger"]);
        let mut client = Running::start_reading(name, command, Face::Text, false);
        hub.running.find("its registration", |e| e["event"] == "client-registered" && e["name"] == name);
        client.close_stdout();
        client.line("help");
        assert_eq!(client.exit(), 0);
        hub.running.find("its leaving", |e| e["event"] == "client-left" && e["name"] == name);
        client.read_errors_are_empty();
    }
    // The same for what only prints.
    for args in [&["schema", "list"][..], &["completions", "zsh"], &["schema", "show", "event"], &["--help"]] {
        let mut running = Running::start_reading("potluck", scene.command(args), Face::Text, false);
        running.close_stdout();
        running.exit();
        running.read_errors_are_empty();
    }
}

#[test]
fn a_reader_that_stalls_stalls_nobody_and_gets_the_newest_state_later() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "a");
    let mut stalled = Running::start_reading("the stalled", scene.join(&hub.address, "stalled", &[]), EVENTS, false);
    let mut erin = scene.client(&hub, "erin");
    // It asks for much more than a pipe holds, and its own answers stand in its way.
    let mut input = stalled.take_input();
    let writer = std::thread::spawn(move || {
        for id in 0..3_000 {
            // When it does not read any more, this waits: that is as it should be.
            if writeln!(input, r#"{{"id":{id},"request":"help"}}"#).is_err() {
                return;
            }
        }
    });
    for round in 0..50 {
        assert_eq!(erin.ask(json!({"request": "offer", "files": ["a.txt"]}))["event"], "offer-acked", "{round}");
        assert_eq!(erin.ask(json!({"request": "withdraw", "files": ["a.txt"]}))["event"], "withdrawn");
    }
    let last = erin.ask(json!({"request": "offer", "files": ["a.txt"]}))["revision"].clone();
    let who = erin.ask(json!({"request": "who"}));
    let names: Vec<_> = who["clients"].as_array().unwrap().iter().map(|c| (&c["name"], &c["state"])).collect();
    assert!(names.contains(&(&json!("stalled"), &json!("online"))), "its link is alive: {names:?}");
    // Now it is read: each answer once and in order, and the newest state in few events.
    stalled.read_now(EVENTS);
    writer.join().unwrap();
    let ended = stalled.finish();
    assert_eq!(ended.code, 0);
    let events = ended.events();
    let answers = events.iter().filter(|e| e["final"] == true).map(|e| e["id"].clone());
    assert!(answers.eq((0..3_000).map(Value::from)), "every answer, once, in order");
    let updates: Vec<_> = events.iter().filter(|e| e["event"] == "table-updated").collect();
    assert_eq!(updates.last().unwrap()["revision"], last);
    assert!(updates.len() < 20, "{} updates for 101 changes", updates.len());
}

#[test]
fn a_hub_whose_log_is_closed_goes_on() {
    let scene = Scene::default();
    // The port must be known beforehand, as nobody reads it from the log.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let command = scene.command(["serve", "--ephemeral", "--port", &port.to_string()]);
    let mut hub = Running::start_reading("the hub", command, Face::Text, false);
    hub.close_stdout();
    let address = format!("127.0.0.1:{port}");
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let list = scene.run(["exec", &address, "--name", "bot", "--", "list"], "");
        match list.code {
            0 => break assert_eq!(list.text(), "Nothing is offered.\n"),
            code => assert!(code == 3 && std::time::Instant::now() < deadline, "{list:?}"),
        }
    }
    assert!(hub.is_alive());
}

#[test]
fn an_end_that_waits_for_its_reader_says_so_where_it_can_be_seen() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut stalled = Running::start_reading("stalled", scene.join(&hub.address, "stalled", &[]), EVENTS, false);
    // More than a pipe holds.
    stalled.write("help\n".repeat(100));
    stalled.end_input();
    let deadline = std::time::Instant::now() + PATIENCE;
    while !stalled.transcript().contains("leaving waits until standard output has been read; Ctrl-C leaves now") {
        assert!(std::time::Instant::now() < deadline && stalled.is_alive(), "it says why it does not end");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    stalled.signal(rustix::process::Signal::INT);
    assert_eq!(stalled.exit(), 130);
}
