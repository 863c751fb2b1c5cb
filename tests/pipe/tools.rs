//! What surrounds the pipe: help, versions, completions, schemas, and colour only where it is wanted.

use crate::support::*;
use serde_json::{Value, json};

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
        let mut command = scene.command(["exec", &hub.address, "--name", "dora", "--json", "--all-events"]);
        scene.own_folders(&mut command, "dora");
        command.args(limits).args(more).args(["--", "status"]);
        let ended = Process::start("dora", command, Face::Text).finish();
        let ready: Value = serde_json::from_str(&ended.lines[0]).unwrap();
        let settings = &ready["settings"];
        assert_eq!((&settings["up"], &settings["down"]), (&1_500_000.into(), &(2 << 20).into()), "{settings}");
        assert_eq!((&settings["max_transfers"], &settings["accept_from"]), (&7.into(), &accepted.into()), "{settings}");
    }
    for (option, value, said) in [
        ("--up", "fast", "such as 500k"),
        ("--down", "1000", "at least 1024"),
        ("--max-transfers", "0", "from 1 to 64"),
        ("--max-transfers", "65", "from 1 to 64"),
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
    let mut erin = Process::start("erin", command, Face::Text);
    erin.write("list\nget x\nwho\nstatus\nhelp\nbroken\n");
    let ended = erin.finish();
    for stream in [&[][..], &["--stream"]] {
        let checked = scene.run([&["schema", "check", "-"], stream].concat(), ended.text());
        assert_eq!(checked.code, 0, "{checked:?}");
    }
    // A recording that was cut is right line by line, and no whole session.
    let cut = ended.lines[..ended.lines.len() - 1].join("\n");
    assert_eq!(scene.run(["schema", "check", "-"], &cut).code, 0);
    let checked = scene.run(["schema", "check", "-", "--stream"], &cut);
    assert_eq!((checked.code, checked.text().contains("`bye`")), (1, true), "{checked:?}");
    for nothing in ["", "\n", " \r\n\n"] {
        for kind in ["--stream", "--events", "--requests", "--log"] {
            let checked = scene.run(["schema", "check", "-", kind], nothing);
            assert_eq!(checked.code, 1, "{kind} {nothing:?}: {checked:?}");
            assert!(checked.stderr.contains("nothing in") || checked.stderr.contains("mistake"), "{checked:?}");
        }
    }
}

#[test]
fn colour_is_for_terminals() {
    let scene = Scene::default();
    let hub = scene.hub();
    // Not a terminal: no colour, whatever TERM promises, and no prompt.
    let mut command = scene.command(["join", &hub.address, "--name", "erin"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color").env("COLORTERM", "truecolor");
    let mut erin = Process::start("erin", command, Face::Text);
    erin.write("lst\nlist\n");
    let text = erin.finish().text();
    assert!(text.contains("error:") && !text.contains('\x1b') && !text.contains("> "), "{text:?}");
    let mut help = scene.command(["--help"]);
    help.env_remove("NO_COLOR").env("TERM", "xterm-256color");
    assert!(!Process::start("help", help, Face::Text).finish().text().contains('\x1b'));
}

/// Runs the program by way of the shell: `script` has it as `"$@"`.
fn by_shell(scene: &Scene, script: &str, args: &[&str]) -> std::process::Output {
    let program = scene.command([""; 0]);
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(scene.dir());
    shell.args(["-c", script, "sh"]).arg(program.get_program()).args(args);
    shell.stdin(std::process::Stdio::null()).output().unwrap()
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("recording.ndjson", "{\"event\":\"dir-set\",\"seq\":1,\"dir\":\"music\"}\n");
    scene.file("bad.ndjson", "{}\n");
    let at_hub: [&[&str]; 4] = [
        &["exec", &hub.address, "--name", "bot", "--", "list"],
        &["exec", &hub.address, "--name", "bot", "--json", "--", "list"],
        &["join", &hub.address, "--name", "bot"],
        &["join", &hub.address, "--name", "bot", "--linger"],
    ];
    let alone: [&[&str]; 12] = [
        &["--help"],
        &["--version"],
        &["join", "--help"],
        &["help", "exec"],
        &["serve", "--ephemeral", "--port", "0"],
        &["replay", "recording.ndjson"],
        &["schema", "list"],
        &["schema", "show", "events/error"],
        &["schema", "check", "bad.ndjson"],
        &["completions", "bash"],
        &["user", "list", "--data", "hub"],
        &["demo"],
    ];
    for (output, said) in [(">/dev/full", "the disk is full"), (">&-", "it is closed")] {
        for args in at_hub.iter().chain(&alone) {
            let ended = by_shell(&scene, &format!("\"$@\" {output}"), args);
            let stderr = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(8), "{args:?} {output}: {stderr}");
            let line = format!("potluck: Standard output cannot be written: {said}. (output-lost)\n");
            assert_eq!(stderr, line, "{args:?} {output}");
        }
    }
}

#[test]
fn a_reader_who_closes_the_pipe_has_what_they_wanted() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    scene.file("erin/shared/a.txt", "a");
    assert_eq!(erin.ask(json!({"request": "offer", "files": ["a.txt"]}))["event"], "offer-acked");
    for args in [
        &["schema", "list"][..],
        &["--help"],
        &["exec", &hub.address, "--name", "bot", "--", "list"],
        &["join", &hub.address, "--name", "bot"],
    ] {
        let ended = by_shell(&scene, "{ \"$@\"; echo $? >code; } | head -n 1", args);
        assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{args:?}");
        assert_eq!(std::fs::read_to_string(scene.path("code")).unwrap(), "0\n", "{args:?}");
        assert!(!ended.stdout.is_empty(), "{args:?}");
    }
}
