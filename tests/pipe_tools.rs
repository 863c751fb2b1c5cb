//! What surrounds the pipe: help, versions, completions, schemas, and colour only where it is wanted.

mod common;

use common::process::*;
use serde_json::Value;

const SUBCOMMANDS: [&str; 9] = ["serve", "user", "join", "exec", "demo", "schema", "replay", "forget", "completions"];

#[test]
fn versions_and_help_are_on_standard_output() {
    let scene = Scene::default();
    let version = format!("potluck {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(scene.run(["--version"], "").text(), version);
    let all = scene.run(["--help"], "");
    assert_eq!((all.code, all.stderr.as_str()), (0, ""));
    for name in SUBCOMMANDS {
        assert!(all.lines.iter().any(|line| line.trim_start().starts_with(name)), "{name}");
        let help = scene.run([name, "--help"], "");
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{name}");
        assert!(help.lines.iter().any(|line| line.starts_with(&format!("Usage: potluck {name}"))), "{help:?}");
        assert_eq!(scene.run([name, "--version"], "").code, 0);
        assert_eq!(scene.run(["help", name], "").text(), help.text());
    }
    for code in ["0 done", "1 a request failed", "2 usage", "3 hub not reachable", "4 refused", "5 hub lost"] {
        assert!(all.text().contains(code), "{code}");
    }
}

#[test]
fn every_shell_gets_completions_for_every_subcommand() {
    let scene = Scene::default();
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.run(["completions", shell], "");
        assert_eq!((script.code, script.stderr.as_str()), (0, ""), "{shell}");
        assert!(SUBCOMMANDS.iter().all(|name| script.text().contains(name)), "{shell}");
        assert!(script.text().contains("fail-fast"), "{shell}");
        // Where the shell is there, it must understand the script.
        let file = scene.file(&format!("completions.{shell}"), script.text());
        if let Ok(checked) = std::process::Command::new(shell).arg("-n").arg(file).output() {
            assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
        }
    }
    assert_eq!(scene.run(["completions", "tcsh"], "").code, 2);
}

#[test]
fn passwords_come_from_files_and_never_from_the_command_line() {
    let scene = Scene::default();
    for command in [&["login", "erin", "hunter2"][..], &[r#"{"request":"login","name":"erin","password":"hunter2"}"#]] {
        let refused = scene.run([&["exec", "127.0.0.1:1", "--"], command].concat(), "");
        assert_eq!((refused.code, refused.text().as_str()), (2, ""), "{refused:?}");
        assert!(refused.stderr.contains("--password-file") && !refused.stderr.contains("hunter2"), "{refused:?}");
    }
    let long = "x".repeat(1_025);
    for (file, input, said) in [
        ("no-such-file", "", "cannot be read"),
        ("-", "", "empty"),
        ("-", "\nlist\n", "empty"),
        ("-", long.as_str(), "at most 1024 bytes"),
    ] {
        let refused = scene.run(["join", "erin@127.0.0.1:1", "--password-file", file], input);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}

#[test]
fn limits_are_settings_and_nonsense_is_told() {
    let scene = Scene::default();
    let hub = scene.hub();
    let limits = ["--up", "1.5MB", "--down", "2MiB", "--max-transfers", "7", "--accept-from", "frank,cleo"];
    for (more, accepted) in
        [(&["--accept-from", "erin"][..], &["frank", "cleo", "erin"][..]), (&["--accept-from", "all"], &["all"])]
    {
        let mut command = scene.command(["exec", &hub.address, "--name", "dora", "--json"]);
        scene.own_folders(&mut command, "dora");
        command.args(limits).args(more).args(["--", "status"]);
        let ended = Running::start("dora", command, Face::Text).finish();
        let ready: Value = serde_json::from_str(&ended.lines[0]).unwrap();
        let settings = &ready["settings"];
        assert_eq!((&settings["up"], &settings["down"]), (&1_500_000.into(), &(2 << 20).into()), "{settings}");
        assert_eq!((&settings["max_transfers"], &settings["accept_from"]), (&7.into(), &accepted.into()), "{settings}");
    }
    for (option, value, said) in [
        ("--up", "fast", "such as 500k"),
        ("--down", "1000", "at least 1024"),
        ("--max-transfers", "0", "1..=64"),
        ("--max-transfers", "65", "1..=64"),
        ("--accept-from", "no one", "name"),
        ("--accept-from", "", "name"),
    ] {
        let refused = scene.run(["join", "erin@127.0.0.1:1", option, value], "");
        assert_eq!((refused.code, refused.text().as_str()), (2, ""), "{refused:?}");
        assert!(refused.stderr.contains(said) && refused.stderr.contains(option), "{refused:?}");
    }
}

#[test]
fn schemas_are_listed_shown_and_checked_against() {
    let scene = Scene::default();
    let list = scene.run(["schema", "list"], "");
    assert_eq!(list.code, 0);
    for name in ["request", "requests/get", "events/offer-acked", "log/hub-listening"] {
        assert!(list.lines.iter().any(|line| line.split_whitespace().next() == Some(name)), "{name}");
        let shown = scene.run(["schema", "show", name], "");
        let schema: Value = serde_json::from_str(&shown.text()).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
    }
    assert_ne!(scene.run(["schema", "show", "requests/gte"], "").code, 0);
    let good = scene.run(["schema", "check", "-"], "{\"request\":\"list\"}\nlist\n# comment\n");
    assert_eq!(good.code, 0, "{good:?}");
    let bad = scene.run(["schema", "check", "-"], "{\"request\":\"list\"}\n{\"request\":\"list\",\"owner\":7}\n");
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(format!("{}{}", bad.text(), bad.stderr).contains("/owner"), "{bad:?}");
}

#[test]
fn a_recorded_session_passes_the_check() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut command = scene.command(["join", &hub.address, "--name", "erin", "--json"]);
    scene.own_folders(&mut command, "erin");
    let mut erin = Running::start("erin", command, Face::Text);
    erin.write("list\nget x\nwho\nstatus\nhelp\nbroken\n");
    let ended = erin.finish();
    let checked = scene.run(["schema", "check", "-"], ended.text());
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn colour_is_for_terminals() {
    let scene = Scene::default();
    let hub = scene.hub();
    // Not a terminal: no colour, whatever TERM promises, and no prompt.
    let mut command = scene.command(["join", &hub.address, "--name", "erin"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
    let mut erin = Running::start("erin", command, Face::Text);
    erin.write("lst\nlist\n");
    let text = erin.finish().text();
    assert!(text.contains("error:") && !text.contains('\x1b') && !text.contains("> "), "{text:?}");
    let mut help = scene.command(["--help"]);
    help.env_remove("NO_COLOR").env("TERM", "xterm-256color");
    assert!(!Running::start("help", help, Face::Text).finish().text().contains('\x1b'));
}
