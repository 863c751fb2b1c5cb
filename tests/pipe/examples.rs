//! The programs of `examples/`, against a real hub with real clients.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::*;
use rustix::process::Signal;
use serde_json::{Value, json};

const BOTS: [&str; 2] = ["greeter.py", "greeter.mjs"];
const HELP: &str = "!files lists what is offered here, !help says this.";

/// An example as it is started by hand, at home in a folder of its own.
fn example(scene: &Scene, example: &str, name: &str, args: &[&str]) -> Command {
    let script = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(script);
    command.args(args).current_dir(scene.dir()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("LC_ALL", "C.UTF-8").env("HOME", scene.dir());
    let temporary = scene.path(&format!("{name}/tmp"));
    std::fs::create_dir_all(&temporary).unwrap();
    command.env("POTLUCK", env!("CARGO_BIN_EXE_potluck")).env("POTLUCK_HOME", scene.path(&format!("{name}/data")));
    command.env("TMPDIR", temporary);
    command
}

/// A bot that offers `NAME/shared` and fetches to `NAME/downloads`, once it is at the hub.
fn bot(scene: &Scene, hub: &Hub, script: &str, name: &str) -> Process {
    let mut bot = Process::start(name, bot_command(scene, hub, script, name), Face::Text);
    bot.text(&format!("here as {name}"));
    bot
}

fn bot_command(scene: &Scene, hub: &Hub, script: &str, name: &str) -> Command {
    std::fs::create_dir_all(scene.path(&format!("{name}/shared"))).unwrap();
    let (offers, downloads) = (format!("{name}/shared"), format!("{name}/downloads"));
    example(scene, script, name, &[&hub.link, name, &offers, &downloads])
}

/// Waits for lines, in whatever order they come.
fn all_of(bot: &mut Process, parts: &[&str]) {
    let mut missing = parts.to_vec();
    while !missing.is_empty() {
        let line = bot.text("");
        missing.retain(|part| !line.contains(part));
    }
}

/// The next message of somebody.
fn heard(client: &mut Process, from: &str) -> String {
    let said = |event: &Value| event["event"] == "message" && event["from"] == from;
    let message = client.find(&format!("a message of {from}"), said);
    message["text"].as_str().unwrap().to_owned()
}

fn say(client: &mut Process, to: &str, text: &str) -> Value {
    let acked = client.ask(json!({"request": "message", "to": to, "text": text}));
    assert_eq!(acked["event"], "message-acked", "{acked}");
    acked
}

fn offer(client: &mut Process, files: &[impl AsRef<str>]) {
    let files: Vec<&str> = files.iter().map(AsRef::as_ref).collect();
    let acked = client.ask(json!({"request": "offer", "files": files}));
    assert_eq!(acked["event"], "offer-acked", "{acked}");
}

#[test]
fn fetch_all_fetches_all() {
    let scene = Scene::default();
    let hub = scene.hub();
    let fetch_all = |name: &str, hub: &str| {
        let command = example(&scene, "fetch_all.py", name, &[hub, name, &format!("{name}/downloads")]);
        Process::start(name, command, Face::Text).finish()
    };
    let nothing = fetch_all("early", &hub.link);
    assert_eq!((nothing.code, nothing.lines), (0, Vec::new()), "{}", nothing.stderr);

    let files = ["notes.txt", "café au lait.bin"];
    scene.file("erin/shared/notes.txt", "hello\n");
    scene.file("erin/shared/café au lait.bin", [0, 255, 10, 13]);
    let mut erin = scene.client(&hub, "erin");
    offer(&mut erin, &files);
    let fetched = fetch_all("late", &hub.link);
    assert_eq!((fetched.code, fetched.lines.len()), (0, 2), "{}{}", fetched.text(), fetched.stderr);
    for file in files {
        let content = std::fs::read(scene.path(&format!("erin/shared/{file}"))).unwrap();
        let line = format!("late/downloads/{file}: {} bytes from erin, BLAKE3 ", content.len());
        assert!(fetched.text().contains(&line), "{}", fetched.text());
        assert_eq!(std::fs::read(scene.path(&format!("late/downloads/{file}"))).unwrap(), content);
    }
    assert_eq!(fetch_all("nobody", "127.0.0.1:1").code, 3);
}

#[test]
fn a_bot_greets_answers_fetches_and_leaves() {
    for script in BOTS {
        let scene = Scene::default();
        let hub = scene.hub();
        scene.file("bot/shared/menu \"today\".txt", "soup\n");
        scene.file("erin/shared/sub/songé.bin", (0..=255).cycle().take(3 << 20).collect::<Vec<u8>>());
        let mut bot = bot(&scene, &hub, script, "bot");
        let mut erin = scene.client(&hub, "erin");
        assert_eq!(heard(&mut erin, "bot"), format!("Welcome, erin. {HELP}"));

        offer(&mut erin, &["sub/songé.bin"]);
        assert_eq!(heard(&mut erin, "bot"), "Thank you for sub/songé.bin.");
        let arrived = std::fs::read(scene.path("bot/downloads/erin/sub/songé.bin")).unwrap();
        assert!(arrived == std::fs::read(scene.path("erin/shared/sub/songé.bin")).unwrap());

        // To one and to all. The offers of the bot were there before its welcome was written.
        let list =
            "Files offered here: 2\nmenu \"today\".txt from bot, 5 bytes\nsub/songé.bin from erin, 3145728 bytes";
        say(&mut erin, "bot", " !files\n");
        assert_eq!(heard(&mut erin, "bot"), list);
        erin.ask(json!({"request": "broadcast", "text": "!files"}));
        assert_eq!(heard(&mut erin, "bot"), list);

        // What is no command is not answered, whoever comes back is not greeted, and what is offered again is not
        // fetched again: the next that is said is the help.
        for text in ["\0\u{1b}[2J", "{\"event\":\"bye\"}\n!files", "a\u{2028}b\u{2029}\r\u{85}", "!files please"] {
            say(&mut erin, "bot", text);
        }
        erin.ask(json!({"request": "dereg"}));
        erin.ask(json!({"request": "rereg"}));
        say(&mut erin, "bot", "!help");
        assert_eq!(heard(&mut erin, "bot"), HELP);

        bot.signal(Signal::TERM);
        bot.text("bye: ");
        erin.find("that the bot has left", |event| {
            event["event"] == "roster-updated" && event["clients"][0]["state"] == "offline"
        });
        let ended = bot.finish();
        assert_eq!(ended.code, 143);
        // What was asked and not answered yet may be told.
        assert!(ended.stderr.lines().all(|line| line.starts_with("interrupted: ")), "{}", ended.stderr);
    }
}

#[test]
fn a_long_list_is_one_message() {
    for script in BOTS {
        let scene = Scene::default();
        let hub = scene.hub();
        for number in 0..100 {
            scene.file(&format!("bot/shared/{number:03}{}", "é".repeat(120)), []);
        }
        let mut bot = bot(&scene, &hub, script, "bot");
        let mut erin = scene.client(&hub, "erin");
        while erin.ask(json!({"request": "list"}))["offers"].as_array().unwrap().len() < 100 {
            erin.expect("table-updated");
        }
        say(&mut erin, "bot", "!files");
        let list = erin.find("the list", |event| event["text"].as_str().is_some_and(|text| text.starts_with("Files")));
        let list = list["text"].as_str().unwrap();
        assert!((15_000..=16_384).contains(&list.len()), "{}", list.len());
        let (shown, more) = list.rsplit_once("\n(").unwrap();
        let more: usize = more.strip_suffix(" more)").unwrap().parse().unwrap();
        assert_eq!(shown.lines().count() - 1 + more, 100);
        bot.signal(Signal::INT);
        assert_eq!(bot.exit(), 130);
    }
}

#[test]
fn a_bot_that_is_too_fast_says_all_the_same() {
    for script in BOTS {
        let scene = Scene::default();
        let hub = scene.hub_with(&["--message-rate", "2"]);
        let files: Vec<String> = (0..24).map(|number| format!("{number}.txt")).collect();
        for file in &files {
            scene.file(&format!("erin/shared/{file}"), file);
        }
        let bot = bot(&scene, &hub, script, "bot");
        let mut erin = scene.client(&hub, "erin");
        offer(&mut erin, &files);
        for file in &files {
            let thanks = format!("Thank you for {file}.");
            erin.find(&thanks, |event| event["text"] == thanks.as_str());
        }
        assert!(bot.transcript().contains("! slow-down: "));
    }
}

#[test]
fn two_bots_do_not_keep_each_other_talking() {
    let scene = Scene::default();
    let hub = scene.hub();
    let names = ["py", "js"];
    for name in names {
        // A name that is a command, if it stood alone.
        scene.file(&format!("{name}/shared/!files"), name);
    }
    let mut py = bot(&scene, &hub, BOTS[0], "py");
    let mut js = bot(&scene, &hub, BOTS[1], "js");
    all_of(&mut py, &["greeted js", "fetched py/downloads/js/!files"]);
    all_of(&mut js, &["fetched js/downloads/py/!files"]);

    let mut erin = scene.client(&hub, "erin");
    for name in names {
        assert_eq!(heard(&mut erin, name), format!("Welcome, erin. {HELP}"));
    }
    erin.ask(json!({"request": "broadcast", "text": "!files"}));
    for name in names {
        assert!(heard(&mut erin, name).starts_with("Files offered here: 2\n"));
    }
    // One greeting and two thanks between them, and what was seen here: nothing else was said, and whatever a bot
    // has to say to the other it says before it answers what came later.
    for round in 0..3 {
        for (name, before) in names.iter().zip([8, 10]) {
            assert_eq!(say(&mut erin, name, "!help")["number"], before + 1 + 4 * round);
            assert_eq!(heard(&mut erin, name), HELP);
        }
    }
}

#[test]
fn a_bot_ends_with_the_exit_code_of_potluck() {
    for script in BOTS {
        let scene = Scene::default();
        let hub = scene.hub();
        let impatient = scene.file("impatient", "#!/bin/sh\nexec \"$POTLUCK_ITSELF\" \"$@\" --give-up 1ms\n");
        std::fs::set_permissions(&impatient, PermissionsExt::from_mode(0o700)).unwrap();
        let mut command = bot_command(&scene, &hub, script, "bot");
        command.env("POTLUCK", impatient).env("POTLUCK_ITSELF", env!("CARGO_BIN_EXE_potluck"));
        let mut bot = Process::start("bot", command, Face::Text);
        bot.text("here as bot");
        let link = hub.link.clone();
        // It falls silent, and nobody else can take its port.
        hub.process.signal(Signal::STOP);
        bot.text("hub lost: ");
        bot.text("bye: ");
        assert_eq!(bot.exit(), 5);

        let early = example(&scene, script, "early", &[&link, "early", "bot/shared", "early"]);
        assert_eq!(Process::start("early", early, Face::Text).finish().code, 3);
        let nowhere = example(&scene, script, "nowhere", &[&link, "nowhere", "no such folder", "nowhere"]);
        assert_eq!(Process::start("nowhere", nowhere, Face::Text).finish().code, 2);
    }
}

/// Runs the script that publishes `build/FILE`.
fn publish(scene: &Scene, hub: &str, options: &[&str], file: &str) -> Process {
    let file = format!("build/{file}");
    let args = [options, &[hub, &file]].concat();
    Process::start("the script", example(scene, "publish_build.sh", "build", &args), Face::Text)
}

/// What it leaves in the folder for temporary files.
fn left_behind(scene: &Scene) -> usize {
    std::fs::read_dir(scene.path("build/tmp")).unwrap().count()
}

#[test]
fn the_build_script_ends_when_the_build_was_fetched() {
    let scene = Scene::default();
    let hub = scene.hub();
    let content: Vec<u8> = (0..=250).cycle().take(5 << 20).collect();
    for file in ["app.tar.gz", "a \"peer\":\"mallory\" & $HOME '%s'.tar"] {
        scene.file(&format!("build/{file}"), &content);
        let mut script = publish(&scene, &hub.link, &["-n", "ci"], file);
        script.text(&format!("{file} is offered at "));
        let mut erin = scene.client(&hub, "erin");
        // Others' words and others' transfers are not taken for the build's.
        let words = r#"{"event":"transfer-completed","direction":"up","peer":"mallory"}"#;
        say(&mut erin, "ci", words);
        scene.file("erin/shared/other", "other");
        offer(&mut erin, &["other"]);
        assert!(script.is_alive());
        let fetched = erin.ask(json!({"request": "get", "file": file, "from": "ci"}));
        assert_eq!(fetched["event"], "transfer-completed", "{fetched}");
        script.text(&format!("erin has fetched {file}"));
        let ended = script.finish();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        assert!(std::fs::read(scene.path(&format!("erin/downloads/{file}"))).unwrap() == content);
        erin.find("that the script has left", |event| {
            event["event"] == "roster-updated" && event["clients"][0]["state"] == "offline"
        });
        assert_eq!(left_behind(&scene), 0);
    }
}

#[test]
fn each_example_says_how_it_is_used() {
    let scene = Scene::default();
    for script in ["fetch_all.py", "greeter.py", "greeter.mjs", "publish_build.sh"] {
        let ended = example(&scene, script, "help", &["--help"]).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!((ended.status.code(), &*complained), (Some(0), ""), "{script}");
        assert!(said.starts_with(&format!("usage: {script} ")), "{said}");
        let ended = example(&scene, script, "wrong", &["--nonsense"]).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!((ended.status.code(), &*said), (Some(2), ""), "{script}");
        assert!(complained.contains("usage: ") && !complained.contains("Illegal"), "{complained}");
    }
}

#[test]
fn the_build_script_fails_as_it_says() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("build/app.tar", "app");
    let taken = scene.client(&hub, "taken");
    for (hub, options, file, code, said) in [
        (hub.link.as_str(), &["-t", "0"][..], "app.tar", 1, "nobody has fetched app.tar within 0 s"),
        (&hub.link, &[], "no.tar", 1, "(no-such-file, at /files/0)"),
        (&hub.link, &["-n", "taken"], "app.tar", 4, "(name-taken)"),
        ("127.0.0.1:1", &[], "app.tar", 3, "(hub-unreachable)"),
        (&hub.link, &["-x"], "app.tar", 2, "usage: publish_build.sh "),
    ] {
        let ended = publish(&scene, hub, options, file).finish();
        assert_eq!(ended.code, code, "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert_eq!(left_behind(&scene), 0);
    }
    drop(taken);
    let mut script = publish(&scene, &hub.link, &[], "app.tar");
    script.text("app.tar is offered at ");
    script.signal(Signal::TERM);
    assert_eq!(script.exit(), 143);
    assert_eq!(left_behind(&scene), 0);
}
