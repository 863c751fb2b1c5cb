//! When something was said, and under which number: what a person sees with `--times`, and diagnostics that tell nothing
//! of what people say.

use super::*;

/// A client that shows text.
fn reader(scene: &Scene, hub: &Hub, name: &str, args: &[&str]) -> Process {
    let mut command = scene.command(["join", &hub.address, "--name", name]);
    scene.own_folders(&mut command, name);
    command.args(args);
    let mut reader = Process::start(name, command, Face::Text);
    reader.text("Welcome");
    reader
}

/// `2026-01-02 03:04:05Z` at the start of a text.
fn begins_with_a_moment(text: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    text.chars().take(20).map(shape).eq("0000-00-00 00:00:00Z".chars())
}

#[test]
fn live_messages_show_their_time_and_their_number_when_asked() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut timed = reader(&scene, &hub, "dora", &["--times"]);
    let mut plain = reader(&scene, &hub, "finn", &[]);
    let sent = erin.must(json!({"request": "broadcast", "text": "soup is ready"}), "message-acked");
    let line = timed.text("soup is ready");
    let number = format!("{}  ", sent["number"]);
    let rest = line.strip_prefix(&number).unwrap_or_else(|| panic!("{number:?} is not in front of {line:?}"));
    assert!(begins_with_a_moment(rest) && rest.ends_with("Z  [erin → all] soup is ready"), "{line:?}");
    assert_eq!(plain.text("soup is ready"), "[erin → all] soup is ready");
    // What went past the hub is in no history, and has no number.
    erin.must(json!({"request": "private", "to": "dora", "text": "psst"}), "message-acked");
    let line = timed.text("psst");
    assert!(begins_with_a_moment(&line) && line.ends_with("Z  [erin, private] psst"), "{line:?}");
}

#[test]
fn a_recording_is_replayed_with_times_and_the_environment_asks_for_them_too() {
    let scene = Scene::default();
    let recorded = r#"{"event":"message","seq":1,"time":"2026-01-02T03:04:05.678Z","number":17,"from":"erin","to":"dora","text":"soup","sent":"2026-01-02T03:04:05.670Z"}"#;
    let timed = "17  2026-01-02 03:04:05Z  [erin] soup\n";
    assert_eq!(scene.run(["replay", "-"], recorded).text(), "[erin] soup\n");
    assert_eq!(scene.run(["replay", "--times", "-"], recorded).text(), timed);
    for (value, expected) in [("1", timed), ("0", "[erin] soup\n")] {
        let mut command = scene.command(["replay", "-"]);
        command.env("POTLUCK_TIMES", value);
        let mut replay = Process::start("replay", command, Face::Text);
        replay.write(recorded);
        assert_eq!(replay.finish().text(), expected, "POTLUCK_TIMES={value}");
    }
}

#[test]
fn diagnostics_tell_of_connections_and_of_nothing_secret() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    let link = scene.run(["invite", "add", "--data", "hub"], "").lines[0].clone();
    assert!(link.starts_with(&hub.link), "{link}");
    let invite = link.rsplit('.').next().unwrap().to_owned();
    let mut command = scene.command(["join", &link, "--name", "erin"]);
    scene.own_folders(&mut command, "erin");
    command.env("POTLUCK_LOG", "debug");
    let mut erin = Process::start("erin", command, Face::Text);
    erin.write("message erin between us\nmessage dora between us\nroom-create kitchen\nsay kitchen between us\n");
    let ended = erin.finish();
    for told in ["connecting", "connected, the key is proved", "saying hello", "the hub let us in", "the session ends"]
    {
        assert!(ended.stderr.contains(told), "{told:?} is not in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("between us"), "{}", ended.stderr);
    assert!(invite.len() > 8 && !ended.stderr.contains(&invite), "{invite}: {}", ended.stderr);
    // Where nothing listens, each attempt says why it failed.
    let mut command = scene.command(["exec", "127.0.0.1:1", "--name", "erin", "list"]);
    command.env("POTLUCK_LOG", "debug");
    let ended = Process::start("erin", command, Face::Text).finish();
    assert!(ended.stderr.matches("not connected").count() >= 2, "{}", ended.stderr);
}
