//! Coming in, being kept out, and losing the hub: what a program at the pipe sees, and the exit codes.

use std::net::{TcpListener, UdpSocket};

use crate::support::*;
use rustix::process::Signal;
use serde_json::json;

/// A client that is expected to end by itself, with its input left open.
fn ends(scene: &Scene, hub: &str, name: &str, args: &[&str]) -> Ended {
    let mut client = Process::start(name, scene.join(hub, name, args), EVENTS);
    client.exit();
    client.finish()
}

/// Its exit code, and the code of the error that it told.
fn refusal(ended: &Ended) -> (i32, String) {
    let events = ended.events();
    let names = ended.names();
    assert_eq!((names.first().map(String::as_str), names.last().map(String::as_str)), (Some("ready"), Some("bye")));
    assert_eq!(events.last().unwrap()["code"], ended.code, "bye says the exit code");
    let error = events.iter().find(|event| event["event"] == "error").expect("an error is told");
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    (ended.code, error["code"].as_str().unwrap().to_owned())
}

#[test]
fn a_hub_that_is_not_there_is_told_by_itself() {
    let scene = Scene::default();
    // Nobody listens; somebody listens and says nothing, on both transports.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let _mute_udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let mute = format!("127.0.0.1:{port}");
    for (hub, transport) in
        [("127.0.0.1:1", "auto"), ("127.0.0.1:1", "quic"), (&mute, "auto"), ("no-such-host.invalid:1", "auto")]
    {
        let ended = ends(&scene, hub, "erin", &["--transport", transport]);
        assert_eq!(refusal(&ended), (3, "hub-unreachable".into()), "{hub} over {transport}");
    }
    let human = scene.run(["join", "127.0.0.1:1", "--name", "erin"], "list\n");
    assert_eq!(human.code, 3);
    assert!(human.text().contains("hub-unreachable") && human.text().contains("hint:"), "{human:?}");
}

#[test]
fn a_name_belongs_to_whoever_took_it_first() {
    let scene = Scene::default();
    let hub = scene.hub();
    let erin = scene.client(&hub, "erin");
    for name in ["erin", "ERIN"] {
        let mut command = scene.command(["join", &hub.address, "--name", name, "--json", "--data", "thief/data"]);
        command.arg("--downloads").arg(scene.path("thief/downloads"));
        let mut thief = Process::start("the thief", command, EVENTS);
        assert_eq!(thief.exit(), 4);
        let ended = thief.finish();
        assert_eq!(refusal(&ended), (4, "name-taken".into()));
        let error = ended.events().into_iter().find(|event| event["event"] == "error").unwrap();
        assert!(
            error["message"].as_str().unwrap().contains(name) && error["hint"].as_str().unwrap().contains("--name")
        );
    }
    drop(erin);
}

#[test]
fn ports_in_use_are_named() {
    let scene = Scene::default();
    let hub = scene.hub();
    let port = hub.port.to_string();
    let second = scene.run(["serve", "--port", &port, "--data", "second"], "");
    assert_eq!((second.code, second.text().as_str()), (9, ""));
    assert!(second.stderr.contains("port-in-use") && second.stderr.contains("--port 0"), "{}", second.stderr);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let client = scene.run(["join", &hub.address, "--name", "erin", "--port", &port], "list\n");
    assert_eq!((client.code, client.text().as_str()), (9, ""));
    assert!(client.stderr.contains("port-in-use") && client.stderr.contains("hint:"), "{}", client.stderr);
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let scene = Scene::default();
    scene.file("file", "x");
    for dir in ["file", "nowhere", "file/below"] {
        let ended = scene.run(["join", "127.0.0.1:1", "--name", "erin", "--dir", dir], "");
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.contains(dir), "{}", ended.stderr);
        let ended = scene.run(["join", "127.0.0.1:1", "--name", "erin", "--data", "file"], "");
        assert_eq!(ended.code, 2, "{}", ended.stderr);
    }
}

#[test]
fn a_key_that_is_no_regular_file_is_refused_at_once() {
    let scene = Scene::default();
    let pipe = |name: &str| {
        std::fs::create_dir_all(scene.path(name).parent().unwrap()).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(scene.path(name)).status().unwrap().success());
    };
    for file in ["hub.key", "hub.sqlite3"] {
        let dir = file.replace('.', "-");
        pipe(&format!("{dir}/{file}"));
        let ended = scene.run(["serve", "--port", "0", "--data", &dir], "");
        assert_ne!(ended.code, 0);
        assert!(ended.stderr.contains(file) && ended.stderr.contains("it is a pipe"), "{}", ended.stderr);
    }
    for file in ["keys/erin.key", "known_keys.json"] {
        let dir = file.replace(['.', '/'], "-");
        pipe(&format!("{dir}/{file}"));
        let ended = scene.run(["join", "127.0.0.1:1", "--name", "erin", "--data", &dir], "");
        let told = ended.text() + &ended.stderr;
        assert!(ended.code == 2 && told.contains(file) && told.contains("it is a pipe"), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_running_program_leaves_no_core_dump() {
    let scene = Scene::default();
    let hub = scene.hub();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", hub.process.pid())).unwrap();
    let core: Vec<_> = limits.lines().find(|l| l.starts_with("Max core")).unwrap().split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
}

#[test]
fn a_store_that_cannot_be_used_is_named_and_untouched() {
    let scene = Scene::default();
    let serve = |data: &str| scene.run(["serve", "--port", "0", "--data", data], "");
    let refused = |data: &str, code: &str| {
        let ended = serve(data);
        assert_eq!((ended.code, ended.text().as_str()), (9, ""), "{data}: {}", ended.stderr);
        assert!(ended.stderr.contains(code) && ended.stderr.contains("hint:"), "{data}: {}", ended.stderr);
    };
    let hub = scene.hub();
    refused("hub", "store-locked");
    drop(hub);
    scene.file("file", "x");
    refused("file", "store-failed");
    refused("file/below", "store-failed");
    let mut databases = Vec::new();
    for entry in std::fs::read_dir(scene.path("hub")).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::read(&path).unwrap().starts_with(b"SQLite format 3") {
            databases.push(path);
        }
    }
    let [database] = databases.as_slice() else { panic!("one database: {databases:?}") };
    std::fs::write(database, [b"not a database, but as long as one ".as_slice(); 400].concat()).unwrap();
    let before = std::fs::read(database).unwrap();
    refused("hub", "store-corrupt");
    assert_eq!(std::fs::read(database).unwrap(), before);
}

#[test]
fn a_hub_that_is_started_again_knows_its_key_and_its_names() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let (key, port) = (hub.key.clone(), hub.port.to_string());
    scene.file("erin/shared/a.txt", "a");
    let mut erin = scene.client(&hub, "erin");
    erin.ask(json!({"request": "offer", "files": ["a.txt"]}));
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.exit(), 0);
    erin.expect("hub-lost");
    let hub = scene.hub_with(&["--port", &port]);
    assert_eq!(hub.key, key);
    // Who was there comes back, with its offers, by itself.
    assert_eq!(erin.expect("hub-back")["resumed"], false);
    let list = erin.ask(json!({"request": "list"}));
    assert_eq!(list["offers"][0]["file"], "a.txt", "{list}");
    erin.finish();
    // And the name stays with its key.
    let thief = scene.run(["exec", &hub.address, "--name", "erin", "--data", "thief", "--", "list"], "");
    assert_eq!(thief.code, 4, "{thief:?}");
    scene.client(&hub, "erin");
}

#[test]
fn a_hub_with_another_key_is_refused_until_it_is_accepted() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (address, port, old) = (hub.address.clone(), hub.port.to_string(), hub.key.clone());
    for name in ["erin", "dora"] {
        scene.client(&hub, name).finish();
    }
    let mut staying = scene.client(&hub, "staying");
    drop(hub);
    std::fs::rename(scene.path("hub"), scene.path("old")).unwrap();
    let mut hub = scene.hub_with(&["--port", &port, "--log-level", "debug"]);
    assert_ne!(hub.key, old);
    // Also for a client that is under way: this is not the hub that it lost.
    staying.expect("hub-lost");
    staying.refusal("hub-key-changed");
    assert_eq!(staying.exit(), 4);
    let changed = ends(&scene, &address, "erin", &[]);
    assert_eq!(refusal(&changed), (4, "hub-key-changed".into()));
    let error = changed.events().into_iter().find(|event| event["event"] == "error").unwrap();
    assert!(error["hint"].as_str().unwrap().contains("forget"), "the hint says how to accept it: {error}");
    let wrong = ends(&scene, &address, "fred", &["--hub-key", &old]);
    assert_eq!(refusal(&wrong), (4, "hub-key-changed".into()));
    let old_link = format!("potluck://{address}/#{old}");
    assert_eq!(refusal(&ends(&scene, &old_link, "fred", &[])), (4, "hub-key-changed".into()));
    // Neither wrong key was remembered, and each of three ways accepts the right one.
    let data = scene.path("erin/data");
    let forgotten = scene.run(["forget".as_ref(), address.as_ref(), "--data".as_ref(), data.as_os_str()], "");
    assert_eq!(forgotten.code, 0, "{forgotten:?}");
    scene.client(&hub, "erin").finish();
    let key = hub.key.clone();
    scene.client_with(&hub, "dora", &["--hub-key", &key]).finish();
    scene.client(&hub, "dora").finish();
    Process::start("fred", scene.join(&hub.link, "fred", &[]), EVENTS).expect("welcome");
    // The hub was not told so much as a name before that: who refused it never registered.
    hub.process.signal(Signal::TERM);
    hub.process.exit();
    let log = hub.process.finish();
    let registered: Vec<_> =
        log.events().into_iter().filter(|e| e["event"] == "client-registered").map(|e| e["name"].clone()).collect();
    assert_eq!(json!(registered), json!(["erin", "dora", "dora", "fred"]));
}

#[test]
fn a_hub_that_is_lost_is_given_up_after_a_while() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let mut erin = scene.client_with(&hub, "erin", &["--give-up", "3s"]);
    hub.process.signal(Signal::TERM);
    erin.expect("hub-lost");
    erin.line(r#"{"id":"q","request":"who"}"#);
    assert_eq!(hub.process.exit(), 0);
    assert_eq!(erin.exit(), 5, "with its input still open");
    let answer = erin.answer("q");
    assert_eq!(answer["code"], "hub-lost");
    assert_eq!(erin.expect("bye")["code"], 5);
}

#[test]
fn a_full_hub_says_so_and_takes_the_next_when_one_leaves() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--max-clients", "1"]);
    let mut erin = scene.client(&hub, "erin");
    assert_eq!(refusal(&ends(&scene, &hub.address, "dora", &[])), (4, "hub-full".into()));
    erin.end_input();
    assert_eq!(erin.exit(), 0);
    scene.client(&hub, "dora");
}

#[test]
fn while_the_hub_is_lost_nothing_waits_in_silence() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    scene.file("erin/shared/a.txt", "a");
    assert_eq!(erin.ask(json!({"request": "offer", "files": ["a.txt"]}))["event"], "offer-acked");
    dora.find("erin's offer", |event| event["event"] == "table-updated" && event["total"] == 1);
    hub.process.signal(Signal::KILL);
    hub.process.exit();
    dora.expect("hub-lost");
    dora.line(r#"{"id":"said","request":"broadcast","text":"hello"}"#);
    let table = dora.ask(json!({"request": "list"}));
    assert_eq!((&table["stale"], &table["offers"][0]["file"]), (&json!(true), &json!("a.txt")), "{table}");
    assert_eq!(dora.ask(json!({"request": "transfers"}))["event"], "transfers");
    dora.line("lsit");
    dora.refusal("unknown-request");
    let waiting = dora.expect("waiting");
    assert_eq!((&waiting["id"], &waiting["for"]), (&json!("said"), &json!(["hub"])), "{waiting}");
    dora.line(r#"{"id":"bye","request":"quit"}"#);
    assert_eq!(dora.answer("said")["code"], "hub-lost");
    let bye = dora.answer("bye");
    assert_eq!((&bye["code"], &bye["given_up"]), (&json!(5), &json!({"broadcast": 1})), "{bye}");
    assert_eq!(dora.exit(), 5);
    // With nothing to wait for, the end of the input is the end.
    erin.expect("hub-lost");
    erin.end_input();
    assert_eq!(erin.exit(), 0);
}

#[test]
fn the_end_says_what_it_waits_for_and_a_push_that_nobody_took_ends_with_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let _dora = scene.client(&hub, "dora");
    let mut erin = scene.client(&hub, "erin");
    scene.file("erin/shared/a.txt", "a");
    erin.line(r#"{"id":1,"request":"push","file":"a.txt","to":"dora"}"#);
    erin.expect("push-asked");
    erin.end_input();
    let waiting = erin.expect("waiting");
    assert_eq!((&waiting["for"], &waiting["transfers"][0]["peer"]), (&json!(["pushes"]), &json!("dora")), "{waiting}");
    assert!(erin.is_alive());
    erin.signal(Signal::INT);
    let error = erin.answer(1);
    assert_eq!((&error["code"], &error["retry"]), (&json!("not-taken"), &json!("later")), "{error}");
    assert_eq!(erin.expect("bye")["given_up"], json!({"push": 1}));
    assert_eq!(erin.exit(), 130);
}
