//! `potluck exec`: one request, its events and nothing else, in the time that it may take.

use serde_json::{Value, json};

use crate::support::*;

/// Runs `exec` with options, and with a command that stands behind them.
fn exec(scene: &Scene, hub: &str, options: &[&str], command: &[&str]) -> Ended {
    let name = ["exec", hub, "--name", "bot", "--data", "bot", "--downloads", "got"];
    scene.run(name.iter().chain(options).chain(command), "")
}

fn events(ended: &Ended) -> Vec<Value> {
    ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_is_of_the_request_alone_and_counts_from_one() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a.txt", "from erin");
    let mut erin = scene.client(&hub, "erin");
    erin.ask(json!({"request": "offer", "files": ["a.txt"]}));
    for (command, id, last) in [
        (&["get", "a.txt"][..], json!("exec"), "transfer-completed"),
        (&[r#"{"request":"who","id":7}"#], json!(7), "roster"),
        (&["get", "nothing"], json!("exec"), "error"),
    ] {
        let ended = exec(&scene, &hub.address, &["--json"], command);
        let events = events(&ended);
        assert!(events.iter().all(|event| event["id"] == id), "{ended:?}");
        assert!(events.iter().map(|event| event["seq"].as_u64().unwrap()).eq(1..=events.len() as u64), "{ended:?}");
        let finals: Vec<_> = events.iter().filter(|event| event["final"] == true).collect();
        assert_eq!((finals.len(), &finals[0]["event"]), (1, &json!(last)), "{ended:?}");
        assert_eq!(scene.run(["schema", "check", "-"], ended.text()).code, 0, "{ended:?}");
    }
    let all = exec(&scene, &hub.address, &["--json", "--all-events"], &["list"]);
    let names: Vec<_> = events(&all).iter().map(|event| event["event"].clone()).collect();
    assert_eq!((names.first(), names.last()), (Some(&json!("ready")), Some(&json!("bye"))), "{all:?}");
    assert_eq!(scene.run(["schema", "check", "-", "--stream"], all.text()).code, 0, "{all:?}");
}

#[test]
fn the_command_needs_no_dashes_before_it_and_keeps_its_own_options() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "1MB"]);
    scene.file("bot/shared/a.txt", "kept");
    let list = exec(&scene, &hub.address, &[], &["list"]);
    assert_eq!((list.code, list.text().as_str()), (0, "No offers to show.\n"), "{list:?}");
    let dir = ["--dir", "bot/shared"];
    let kept = exec(&scene, &hub.address, &dir, &["offer", "--keep", "a.txt"]);
    assert_eq!(kept.code, 0, "{kept:?}");
    let list = exec(&scene, &hub.address, &["--json"], &["list", "--owner", "hub"]);
    assert_eq!(list.code, 0, "{list:?}");
    let misplaced = exec(&scene, &hub.address, &[], &["list", "--json"]);
    assert_eq!((misplaced.code, misplaced.text().as_str()), (2, ""), "{misplaced:?}");
    assert!(misplaced.stderr.contains("`--json` stands behind the command"), "{misplaced:?}");
}

#[test]
fn what_could_have_no_effect_is_refused_with_the_way_that_works() {
    let scene = Scene::default();
    for (command, way) in [
        (&["offer", "a.txt"][..], "join HUB --dir DIR --linger"),
        (&["setdir", "music"], "--dir DIR"),
        (&["register", "erin"], "--name NAME"),
        (&["dereg"], "quit"),
        (&["focus", "kitchen"], "join HUB"),
        (&["private-open", "erin"], "private NAME TEXT"),
        (&["cancel", "1"], "cancel"),
        (&[r#"{"request":"offer","files":["a.txt"]}"#], "--keep"),
    ] {
        // It is refused before anybody is asked: there is no such hub.
        let ended = exec(&scene, "127.0.0.1:1", &[], command);
        assert_eq!((ended.code, ended.text().as_str()), (2, ""), "{command:?}: {ended:?}");
        assert!(ended.stderr.contains("hint: ") && ended.stderr.contains(way), "{command:?}: {ended:?}");
    }
}

#[test]
fn what_a_hint_says_works_where_it_is_shown() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--keep-files", "1MB"]);
    scene.file("music/k.txt", "kept");
    let ended = exec(&scene, &hub.address, &[], &["offer", "k.txt", "--keep"]);
    assert!(ended.code == 1 && ended.text().contains("--dir DIR"), "{ended:?}");
    // What is misspelt has a neighbour, and nobody is asked for anything meanwhile.
    let ended = exec(&scene, &hub.address, &["--dir", "musik"], &["offer", "k.txt", "--keep"]);
    assert!(ended.code == 2 && ended.stderr.contains("Did you mean `music`?"), "{ended:?}");
    let ended = exec(&scene, &hub.address, &["--dir", "music"], &["offer", "k.txt", "--keep"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_the_hub_is_asked() {
    let scene = Scene::default();
    scene.file("file", "");
    for (args, said) in [
        (&["join", "127.0.0.1:1", "--name", "a", "--downloads", "file"][..], "file is not a folder. (bad-config)"),
        (&["join", "127.0.0.1:1", "--name", "a", "--downloads", "file/deep"], "file is not a folder. (bad-config)"),
        (&["join", "127.0.0.1:1", "--name", "a", "--dir", "file"], "Name another folder with --dir."),
        (&["join", "a@127.0.0.1:1", "--name", "b"], "There are two names: a before the `@`, and b by --name."),
        (&["exec", "a@127.0.0.1:1", "--name", "b", "list"], "Leave one of them out."),
        (&["join", "127.0.0.1:1", "--name", "a", "--data", "file"], "The data folder file is not a folder."),
        (&["join", "127.0.0.1:1", "--name", "a", "--password-file", "no"], "`potluck join --help` explains"),
        (&["join", "127.0.0.1:1:x", "--name", "a"], "more than one colon is for an IPv6 address"),
        (&["serve", "--port", "0", "--data", "hub", "--host", "a b"], "does not fit --host"),
        (&["serve", "--port", "0", "--data", "hub", "--host", "h:1"], "without a port"),
    ] {
        let ended = scene.run(args, "");
        assert_eq!((ended.code, ended.text().as_str()), (2, ""), "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{args:?}: {ended:?}");
    }
}

#[test]
fn another_key_than_expected_is_told_once_with_where_it_came_from() {
    let scene = Scene::default();
    let hub = scene.hub();
    let wrong = "jiuycay4phcj7i7wqfbazsxi55rf3n4byjsc2jzqaaiczjrszmma";
    let pin = || scene.run(["forget", &hub.address, "--data", "bot"], "").code;
    let link = format!("potluck://{}/#{wrong}", hub.address);
    for (address, options, said) in [
        (link.as_str(), &[][..], "which the link names."),
        (&hub.address, &["--hub-key", wrong], "which --hub-key names."),
    ] {
        let ended = exec(&scene, address, options, &["list"]);
        assert_eq!((ended.code, pin()), (4, 1), "{ended:?}: nothing was pinned, so there is nothing to forget");
        assert!(ended.text().contains(said) && !ended.text().contains("potluck forget"), "{ended:?}");
        assert_eq!(ended.text().matches(wrong).count(), 1, "{ended:?}");
    }
    // A pin of another hub that was here: what the hint says helps.
    assert_eq!(exec(&scene, &hub.address, &[], &["list"]).code, 0);
    let known = std::fs::read_to_string(scene.path("bot/known_keys.json")).unwrap();
    let key = hub.link.split('#').nth(1).unwrap();
    scene.file("bot/known_keys.json", known.replace(key, wrong));
    let ended = exec(&scene, &hub.address, &[], &["list"]);
    let way = format!("`potluck forget {} --data bot`", hub.address);
    assert!(ended.code == 4 && ended.text().contains(&way), "{ended:?}");
    assert_eq!(pin(), 0);
    assert_eq!(exec(&scene, &hub.address, &[], &["list"]).code, 0);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let scene = Scene::default();
    let hub = scene.hub();
    // A hub that does not answer any more, and that the link would be patient with.
    let mut erin = scene.client_with(&hub, "erin", &["--timeout", "5s", "--ack-timeout", "30s"]);
    hub.process.signal(rustix::process::Signal::STOP);
    erin.write("{\"id\":1,\"request\":\"who\"}\n{\"id\":2,\"request\":\"list\"}\n");
    for id in [1, 2] {
        let answer = erin.answer(id);
        assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("timed-out")), "{answer}");
    }
    assert_eq!(erin.exit(), 7, "its input is still open");
    let ended = erin.finish();
    assert_eq!(ended.events().last().unwrap()["code"], 7);
    // Nobody is let in.
    let ended = exec(&scene, &hub.address, &["--timeout", "300ms", "--transport", "tcp"], &["list"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert_eq!(ended.text().matches("timed-out").count(), 1, "{ended:?}");
    hub.process.signal(rustix::process::Signal::CONT);
}

#[test]
fn a_push_that_nobody_takes_ends_when_its_time_is_over() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("bot/shared/a.txt", "for dora");
    let _dora = scene.client(&hub, "dora");
    let options = ["--dir", "bot/shared", "--timeout", "1s", "--json"];
    let ended = exec(&scene, &hub.address, &options, &["push", "a.txt", "dora"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    let last = events(&ended).pop().unwrap();
    assert_eq!((&last["event"], &last["final"]), (&json!("error"), &json!(true)), "{ended:?}");
}
