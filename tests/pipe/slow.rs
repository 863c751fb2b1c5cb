//! Readers that stop, and readers that are slow: they harm nobody, and are told what they missed.

use std::io::Write;

use crate::support::*;
use serde_json::{Value, json};

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
        let mut client = Process::start_unread(name, command);
        hub.process.find("its registration", |e| e["event"] == "client-registered" && e["name"] == name);
        client.close_stdout();
        client.line("help");
        assert_eq!(client.exit(), 0);
        hub.process.find("its leaving", |e| e["event"] == "client-left" && e["name"] == name);
        assert_eq!(client.stderr(), "");
    }
    // The same for what only prints.
    for args in [&["schema", "list"][..], &["completions", "zsh"], &["schema", "show", "event"], &["--help"]] {
        let mut running = Process::start_unread("potluck", scene.command(args));
        running.close_stdout();
        running.exit();
        assert_eq!(running.stderr(), "");
    }
}

#[test]
fn a_reader_that_stalls_stalls_nobody_and_gets_the_newest_state_later() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "a");
    let mut stalled = Process::start_unread("the stalled", scene.join(&hub.address, "stalled", &[]));
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
    let mut hub = Process::start_unread("the hub", command);
    hub.close_stdout();
    let address = format!("127.0.0.1:{port}");
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let list = scene.run(["exec", &address, "--name", "bot", "--", "list"], "");
        match list.code {
            0 => break assert_eq!(list.text(), "No offers to show.\n"),
            code => assert!(code == 3 && std::time::Instant::now() < deadline, "{list:?}"),
        }
    }
    assert!(hub.is_alive());
}

/// Registers so often that `status` has much to tell.
fn come_and_go(scene: &Scene, hub: &Hub, times: usize) {
    let mut visitor = Process::start("the visitor", scene.join(&hub.address, "visitor", &[]), EVENTS);
    visitor.write("dereg\nrereg\n".repeat(times));
    assert_eq!(visitor.finish().code, 0);
}

/// Pipelines so many requests like this, with ids from 0, and gives the writing thread.
fn pipeline(client: &mut Process, count: usize, body: &str) -> std::thread::JoinHandle<()> {
    let (mut input, body) = (client.take_input(), body.to_owned());
    std::thread::spawn(move || {
        for id in 0..count {
            if writeln!(input, r#"{{"id":{id},{body}}}"#).is_err() {
                return;
            }
        }
    })
}

/// Checks that each of so many requests has its one answer, in order, and that nothing was lost.
fn all_answered_in_order(ended: &Ended, count: usize) -> Vec<&'static str> {
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(!ended.lines.iter().any(|line| line.starts_with(r#"{"event":"gap""#)), "nothing is lost");
    let finals = ended.lines.iter().filter(|line| line.contains(r#","final":true"#) && line.contains(r#","id":"#));
    let head = |line: &String| -> (usize, &'static str) {
        let id = line.split(r#","id":"#).nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        (id, if line.starts_with(r#"{"event":"error""#) { "error" } else { "answer" })
    };
    let (ids, kinds): (Vec<usize>, Vec<&str>) = finals.map(head).unzip();
    assert_eq!(ids.len(), count);
    assert!(ids.iter().copied().eq(0..count), "each once, in order");
    kinds
}

#[test]
fn much_is_asked_by_a_reader_who_pauses_and_nothing_is_lost() {
    let scene = Scene::default();
    let hub = scene.hub();
    come_and_go(&scene, &hub, 50);
    let mut asker = Process::start_unread("the asker", scene.join(&hub.address, "asker", &[]));
    let writer = pipeline(&mut asker, 5_000, r#""request":"status""#);
    // It pauses while others do this.
    let mut erin = scene.client(&hub, "erin");
    for _ in 0..100 {
        assert_eq!(erin.ask(json!({"request": "who"}))["event"], "roster");
    }
    assert!(!writer.is_finished(), "it is not read on for one who does not read");
    asker.read_now(Face::Text);
    writer.join().unwrap();
    let ended = asker.finish();
    let kinds = all_answered_in_order(&ended, 5_000);
    assert!(kinds.iter().all(|kind| *kind == "answer"));
    assert!(ended.lines.iter().map(String::len).sum::<usize>() > 5_000 * 5_000, "they were large");
}

#[test]
fn who_reads_on_gets_every_answer_over_either_transport() {
    let scene = Scene::default();
    let hub = scene.hub();
    for (transport, count) in [("tcp", 10_000), ("quic", 20_000)] {
        let command = scene.join(&hub.address, transport, &["--transport", transport]);
        let mut asker = Process::start(transport, command, Face::Text);
        let writer = pipeline(&mut asker, count, r#""request":"status""#);
        writer.join().unwrap();
        let kinds = all_answered_in_order(&asker.finish(), count);
        // Beyond the rate they are refused, in their turn.
        assert!(kinds.iter().filter(|kind| **kind == "answer").count() >= 10_000);
    }
}

#[test]
fn much_of_the_past_is_told_as_fast_as_it_is_taken() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let text = "soup ".repeat(400);
    for _ in 0..500 {
        erin.line(&json!({"request": "broadcast", "text": text}).to_string());
    }
    assert_eq!(erin.ask(json!({"request": "wait"}))["event"], "waited");
    let mut dora = Process::start("dora", scene.join(&hub.address, "dora", &[]), Face::Text);
    dora.write(
        (0..20).map(|id| format!("{{\"id\":{id},\"request\":\"history\",\"limit\":500}}\n")).collect::<String>(),
    );
    let ended = dora.finish();
    let kinds = all_answered_in_order(&ended, 20);
    assert!(kinds.iter().all(|kind| *kind == "answer"));
    let told =
        ended.lines.iter().filter(|line| line.starts_with(r#"{"event":"history""#)).map(String::len).sum::<usize>();
    assert!(told > potluck::protocol::limits::LINK_BYTES, "{told} bytes: more than a link holds");
}

#[test]
fn what_is_known_at_once_is_told_in_its_turn() {
    let scene = Scene::default();
    let hub = scene.hub();
    let _bob = scene.client(&hub, "bob");
    let mut erin = Process::start("erin", scene.join(&hub.address, "erin", &[]), EVENTS);
    erin.write(concat!(
        "{\"id\":1,\"request\":\"block\",\"name\":\"bob\"}\n{\"id\":2,\"request\":\"block\",\"name\":\"bob\"}\n",
        "{\"id\":3,\"request\":\"blocks\"}\n{\"id\":4,\"request\":\"nonsense\"}\n",
        "{\"id\":5,\"request\":\"room-create\",\"room\":\"kitchen\"}\n{\"id\":6,\"request\":\"get\",\"file\":\"../x\"}\n",
        "{\"id\":7,\"request\":\"rooms\"}\n{\"id\":8,\"request\":\"help\"}\n",
    ));
    let events = erin.finish().events();
    let finals: Vec<Value> =
        events.iter().filter(|e| e["final"] == true).map(|e| json!([e["id"], e["event"]])).collect();
    let error = |id: u64| json!([id, "error"]);
    let expected = [
        json!([1, "blocked"]),
        error(2),
        json!([3, "blocks"]),
        error(4),
        json!([5, "room-created"]),
        error(6),
        json!([7, "rooms"]),
        json!([8, "help"]),
    ];
    assert_eq!(finals, expected);
}

#[test]
fn an_end_that_waits_for_its_reader_says_so_where_it_can_be_seen() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut stalled = Process::start_unread("stalled", scene.join(&hub.address, "stalled", &[]));
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

#[test]
fn what_is_acknowledged_to_somebody_who_does_not_read_is_read_later_and_others_are_not_held_up() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut dora = Process::start_unread("dora", scene.join(&hub.address, "dora", &[]));
    let mut cleo = scene.client(&hub, "cleo");
    // This is not about who answers how fast on a busy machine.
    let mut erin = scene.client_with(&hub, "erin", &["--ack-timeout", "10s"]);
    erin.find("dora", |e| e["event"] == "roster-updated" && e["clients"].to_string().contains("dora"));
    for peer in ["dora", "cleo"] {
        assert_eq!(erin.ask(json!({"request": "private-open", "to": peer}))["event"], "private-opened");
    }
    let text = "x".repeat(12_000);
    let mut input = erin.take_input();
    let writer = std::thread::spawn(move || {
        for id in 1_000..1_400 {
            let (to, text) = if id == 1_200 { ("cleo", "you too?") } else { ("dora", text.as_str()) };
            writeln!(input, r#"{{"id":{id},"request":"private","to":"{to}","text":"{id} {text}"}}"#).unwrap();
        }
        input
    });
    // Cleo reads, and has hers though dora's wait.
    assert_eq!(cleo.expect("private-message")["text"], "1200 you too?");
    assert_eq!(erin.answer(1_200)["event"], "message-acked");
    // Some wait for dora; she reads, and they are answered.
    dora.read_now(EVENTS);
    let mut acked = Vec::new();
    for id in (1_000..1_400).filter(|id| *id != 1_200) {
        let answer = erin.answer(id);
        match answer["event"].as_str() {
            Some("message-acked") => acked.push(id),
            _ => assert_eq!(answer["code"], "not-read", "{answer}"),
        }
    }
    assert!(acked.len() > 64, "what waited went out when she read: {}", acked.len());
    drop(writer.join().unwrap());
    erin.exit();
    dora.end_input();
    dora.exit();
    let told: Vec<Value> = dora.finish().events();
    let told: Vec<i64> = told
        .iter()
        .filter(|e| e["event"] == "private-message")
        .map(|e| e["text"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(told.is_sorted() && told.windows(2).all(|two| two[0] != two[1]), "in order, and once");
    assert!(acked.iter().all(|id| told.contains(id)), "what was acknowledged was told");
}
