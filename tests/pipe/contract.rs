//! The pipe's contract, kept by the real program: one line in, one line out, in order, and an exit code.

use crate::support::environment::started_by;
use crate::support::*;
use rustix::process::Signal;
use serde_json::{Value, json};

#[test]
fn the_first_line_is_ready_the_last_is_bye_and_answers_come_once() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "a");
    let mut erin = Process::start("erin", scene.join(&hub.address, "erin", &[]), EVENTS);
    erin.write("\u{feff}# a comment\r\n\r\n{\"id\":1,\"request\":\"offer\",\"files\":[\"a.txt\"]}\r\n\n  \n");
    erin.write("{\"id\":\"two\",\"request\":\"list\"}\n{\"id\":-3,\"request\":\"who\"}\nstatus\n{\"id\":\"bad\",\"request\":\"get\"}\n");
    erin.write("{\"id\":4,\"request\":\"wait\"}\n{\"id\":\"last\",\"request\":\"help\"}");
    let ended = erin.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let events = ended.events();
    assert_eq!(events[0]["event"], "ready");
    assert_eq!(events[0]["settings"]["on_conflict"], "fail");
    let bye = events.last().unwrap();
    assert_eq!((&bye["event"], &bye["code"]), (&json!("bye"), &json!(0)));
    assert!(events.iter().map(|event| event["seq"].as_u64().unwrap()).eq(1..=events.len() as u64));
    let answers: Vec<(&Value, &Value)> =
        events.iter().filter(|e| e["final"] == true).map(|e| (&e["id"], &e["event"])).collect();
    let expected = json!([
        [1, "offer-acked"],
        ["two", "table"],
        [-3, "roster"],
        [null, "status"],
        ["bad", "error"],
        [4, "waited"],
        ["last", "help"]
    ]);
    assert_eq!(json!(answers), expected, "in the order of the requests");
    assert!(events.iter().all(|e| e["final"] == true || e.get("id").is_none()), "nothing else carries an id");
}

#[test]
fn what_is_asked_sees_what_was_asked_before() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "a");
    let mut erin = scene.client(&hub, "erin");
    // All at once: the list must know the offer, and after the withdrawal it must not.
    erin.write("offer a.txt\n{\"id\":1,\"request\":\"list\"}\nwithdraw a.txt\n{\"id\":2,\"request\":\"list\"}\n");
    assert_eq!(erin.answer(1)["offers"][0]["file"], "a.txt");
    assert_eq!(erin.answer(2)["offers"], json!([]));
    // So must `rereg` know that it has left, and a refusal wait for its turn.
    erin.write("offer a.txt\ndereg\nrereg\nrereg\n{\"id\":3,\"request\":\"list\"}\n");
    erin.expect("deregistered");
    assert_eq!(erin.expect("welcome")["name"], "erin");
    assert!(erin.refusal("already-registered")["final"] == true);
    assert_eq!(erin.answer(3)["offers"][0]["file"], "a.txt", "and its offers are back");
}

#[test]
fn a_line_that_is_wrong_does_not_overtake_what_was_asked_before() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "a");
    let input = "offer a.txt\nlst\nget ../x\n{\"request\":7}\nlist\n";
    let mut erin = Process::start("erin", scene.join(&hub.address, "erin", &[]), EVENTS);
    erin.write(input);
    let answers: Vec<_> = erin.finish().events().into_iter().filter(|e| e["final"] == true).collect();
    let answers: Vec<_> = answers.iter().map(|e| e.get("code").unwrap_or(&e["event"]).as_str().unwrap()).collect();
    assert_eq!(answers, ["offer-acked", "unknown-request", "bad-name", "bad-request", "table"]);
    // So the first failure is the first, and what was asked before it has been done.
    let mut strict = Process::start("dora", scene.join(&hub.address, "dora", &["--fail-fast"]), EVENTS);
    scene.file("dora/shared/a.txt", "a");
    strict.write(input);
    let ended = strict.finish();
    let answers: Vec<_> = ended.events().into_iter().filter(|e| e["final"] == true).collect();
    assert_eq!(ended.code, 1);
    assert_eq!((&answers[0]["event"], &answers[1]["code"]), (&json!("offer-acked"), &json!("unknown-request")));
}

/// A session whose text has no times in it: help, offers, mistakes.
const SESSION: &str = "help\nhelp get\noffer a.txt b.txt\nlst\nget\noffer nothing\nlist --match b\nwithdraw a.txt\n";

#[test]
fn text_is_what_replay_makes_of_the_json() {
    let scene = Scene::default();
    let hub = scene.hub();
    for file in ["erin/shared/a.txt", "erin/shared/b.txt"] {
        scene.file(file, "a");
    }
    let mut recorded = Process::start("erin", scene.join(&hub.address, "erin", &[]), EVENTS);
    recorded.write(SESSION);
    recorded.write("who\nstatus\n");
    let recorded = recorded.finish();
    let recording = scene.file("erin.ndjson", recorded.text());
    let replayed = scene.run(["replay".as_ref(), recording.as_os_str()], "");
    assert_eq!((replayed.code, replayed.stderr.as_str()), (0, ""));
    let rendered: String = recorded
        .lines
        .iter()
        .map(|line| potluck::protocol::EventLine::parse(line).unwrap().unwrap())
        .map(|line| potluck::ui::human::render(&line, potluck::ui::style::Style::Plain))
        .collect();
    assert_eq!(replayed.text(), rendered);
    let piped = scene.run(["replay", "-"], recorded.text());
    assert_eq!(piped.text(), rendered);
}

#[test]
fn the_human_face_tells_the_same_story() {
    let scene = Scene::default();
    let text = |json: bool| {
        // A hub each, so that numbers and revisions are the same.
        let hub = scene.hub();
        let _ = std::fs::remove_dir_all(scene.path("erin/data"));
        for file in ["erin/shared/a.txt", "erin/shared/b.txt"] {
            scene.file(file, "a");
        }
        let mut command = scene.command(["join", hub.address.as_str(), "--name", "erin", "--dir", "erin/shared"]);
        command.args(["--data", "erin/data", "--downloads", "erin/downloads"]).args(json.then_some("--json"));
        let mut erin = Process::start("erin", command, if json { EVENTS } else { Face::Text });
        erin.write(SESSION);
        let ended = erin.finish();
        assert_eq!(ended.code, 0);
        drop(hub);
        std::fs::remove_dir_all(scene.path("hub")).unwrap();
        ended.text()
    };
    let (human, json) = (text(false), text(true));
    let replayed = scene.run(["replay", "-"], json).text();
    assert_eq!(told(&human), told(&replayed));
    assert!(human.starts_with("potluck "), "{human}");
    assert!(human.ends_with("Bye: end of input.\n"), "{human}");
}

/// The lines without what is by chance: ports, and at which moment changes of the table were gathered.
fn told(text: &str) -> Vec<String> {
    let digits = |word: &str| word.len() >= 4 && word.bytes().all(|b| b.is_ascii_digit());
    let chance = |line: &&str| ["Table updated", "  + ", "  - ", "Here:"].iter().all(|start| !line.starts_with(start));
    let without_ports = |line: &str| {
        let words = line.split(|c: char| c.is_whitespace() || c == ':').filter(|word| !word.is_empty());
        words.map(|word| if digits(word) { "PORT" } else { word }).collect::<Vec<_>>().join(" ")
    };
    text.lines().filter(chance).map(without_ports).collect()
}

#[test]
fn linger_stays_until_a_signal() {
    let scene = Scene::default();
    let hub = scene.hub();
    for (name, signal, code) in [("erin", Signal::TERM, 143), ("dora", Signal::INT, 130), ("cleo", Signal::HUP, 129)] {
        let mut client = scene.client_with(&hub, name, &["--linger"]);
        client.line(r#"{"id":1,"request":"list"}"#);
        client.end_input();
        client.answer(1);
        // Others still see it: it has not left with its input.
        let seen = scene.run(["exec", &hub.address, "--name", "watcher", "--", "who"], "");
        assert!(seen.text().contains(name), "{seen:?}");
        assert!(client.is_alive());
        client.signal(signal);
        assert_eq!(client.expect("bye")["code"], code);
        assert_eq!(client.exit(), code);
    }
}

#[test]
fn a_hangup_is_ignored_by_whom_nohup_started() {
    let scene = Scene::default();
    let hub = scene.hub();
    let join = scene.join(&hub.address, "erin", &["--linger"]);
    let mut erin = Process::start("erin", started_by("nohup", &[], &join), EVENTS);
    erin.expect("welcome");
    erin.signal(Signal::HUP);
    assert_eq!(erin.ask(json!({"request": "list"}))["event"], "table");
    erin.signal(Signal::TERM);
    assert_eq!(erin.expect("bye")["code"], 143);
}

#[test]
fn a_signal_ends_and_a_second_one_ends_at_once() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    erin.signal(Signal::TERM);
    assert_eq!(erin.expect("bye")["code"], 143);
    assert_eq!(erin.exit(), 143);
    // A hub that is frozen does not answer the goodbye: the first signal waits for it, the second does not.
    let mut dora = scene.client_with(&hub, "dora", &["--ack-timeout", "60s"]);
    hub.process.signal(Signal::STOP);
    // The hub will not answer the first; the third does not wait, and shows that all have been read.
    dora.write("{\"id\":1,\"request\":\"list\"}\nwait\n{\"id\":3,\"request\":\"transfers\"}\n");
    dora.answer(3);
    dora.signal(Signal::INT);
    assert_eq!(dora.answer(1)["code"], "interrupted");
    assert!(dora.is_alive());
    dora.signal(Signal::INT);
    assert_eq!(dora.exit(), 130);
    hub.process.signal(Signal::CONT);
}

#[test]
fn exit_codes_say_how_it_went() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "from erin");
    scene.file("taken/a.txt", "old");
    let mut erin = scene.client(&hub, "erin");
    erin.ask(json!({"request": "offer", "files": ["a.txt"]}));
    let exec = |command: &[&str]| {
        let args = ["exec", &hub.address, "--name", "bot", "--data", "bot", "--downloads", "taken"];
        scene.run(args.iter().chain(["--"].iter()).chain(command), "")
    };
    let list = exec(&["list"]);
    assert_eq!(list.code, 0);
    assert!(list.lines[0].starts_with("FILENAME") && list.lines[1].starts_with("a.txt"), "the answer alone: {list:?}");
    assert_eq!(exec(&["get", "a.txt", "--to", "b.txt"]).code, 0);
    assert_eq!(std::fs::read_to_string(scene.path("taken/b.txt")).unwrap(), "from erin");
    assert_eq!(exec(&[r#"{"request":"who"}"#]).code, 0);
    let missing = exec(&["get", "nothing"]);
    assert_eq!(missing.code, 1);
    assert!(missing.text().contains("(not-offered"), "{missing:?}");
    assert_eq!(exec(&["get", "a.txt"]).code, 6, "the name exists");
    assert_eq!(std::fs::read_to_string(scene.path("taken/a.txt")).unwrap(), "old");
    let refused = scene.run(["exec", &hub.address, "--name", "ERIN", "--data", "bot", "--", "list"], "");
    assert_eq!(refused.code, 4);
    assert!(refused.text().contains("name-taken"), "{refused:?}");
    assert_eq!(erin.ask(json!({"request": "wait"}))["event"], "waited");
}

#[test]
fn fail_fast_ends_with_the_code_of_the_first_failure() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--fail-fast"]);
    erin.write("list\nget nothing\nlist\n");
    assert_eq!(erin.exit(), 1, "while its input is still open");
    let names = erin.finish().names();
    assert_eq!(names.last().unwrap(), "bye");
    // What was written after the failure was not done, not even asked for.
    let mut hasty = scene.client_with(&hub, "hasty", &["--fail-fast"]);
    hasty.write("get nothing\nget nothing\nget nothing\n");
    assert_eq!(hasty.exit(), 1);
    hub.process.find("its leaving", |e| e["event"] == "client-left" && e["name"] == "hasty");
    hub.process.find("a refusal", |e| e["event"] == "request-refused" && e["name"] == "hasty");
    assert!(!hub.process.has_said(|e| e["event"] == "request-refused" && e["name"] == "hasty"), "only one was asked");
    let mut patient = scene.client(&hub, "dora");
    patient.write("get nothing\nlist\n");
    assert_eq!(patient.finish().code, 0, "otherwise the session goes on and ends well");
}

#[test]
fn usage_is_told_on_standard_error() {
    let scene = Scene::default();
    for args in [
        &["join"][..],
        &["jion"],
        &["join", "127.0.0.1:1", "--name", "a b"],
        &["join", "127.0.0.1:1", "--name", "hub"],
        &["join", "127.0.0.1:1", "--name", "x", "--give-up", "soon"],
        &["join", "127.0.0.1:1", "--name", "x", "--ack-timeout", "0"],
        &["join", "127.0.0.1:1", "--name", "x", "--dir", "nowhere"],
        &["join", "127.0.0.1:99999", "--name", "x"],
        &["join", "127.0.0.1:1", "--name", "x", "--hub-key", "short"],
        &["exec", "127.0.0.1:1", "--name", "x"],
        &["exec", "127.0.0.1:1", "--name", "x", "--", "get"],
        &["exec", "127.0.0.1:1", "--name", "x", "--", "lst"],
        &["serve", "--max-clients", "0"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--ephemeral", "--data", "x"],
        &[],
    ] {
        let ended = scene.run(args, "");
        assert_eq!((ended.code, ended.text().as_str()), (2, ""), "{args:?}");
        assert!(!ended.stderr.is_empty() && !ended.stderr.contains("panicked"), "{args:?}: {}", ended.stderr);
    }
}
