//! Parcels that go from one to another by a short code, with `send` and `receive` as people start them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::environment::potluck;
use super::scene::welcomed;
use super::*;

/// More than one chunk, and more than is under way at once.
pub(super) const LARGE: usize = 24 << 20;

/// Slow enough that something of [`LARGE`] is still missing when the test acts.
pub(super) const SLOWLY: [&str; 2] = ["--up", "2MiB"];

/// A command of somebody who has their own home, in their folder.
pub(super) fn command(place: &Place, args: &[&str]) -> Command {
    let mut command = potluck(place.path());
    command.args(args);
    command
}

/// Somebody who sends, at this hub.
pub(super) fn sends(scene: &Scene, hub: &Hub, args: &[&str]) -> Process {
    let place = scene.place("sender");
    let mut all = vec!["send", "--hub", &hub.address, "--json"];
    all.extend(args);
    let mut process = place.start(command(&place, &all), "sender");
    process.end_input();
    process
}

/// The code that a sender was told.
pub(super) fn code(sender: &mut Process) -> String {
    text(&sender.expect("parcel-ready")["code"])
}

/// Somebody who receives, at this hub, in a folder of this name.
pub(super) fn receives(scene: &Scene, hub: &Hub, name: &str, code: &str, args: &[&str]) -> Process {
    let place = scene.place(name);
    let mut all = vec!["receive", code, "--hub", &hub.address, "--downloads", "downloads", "--json"];
    all.extend(args);
    let mut process = place.start(command(&place, &all), name);
    process.end_input();
    process
}

/// Somebody who receives, as people do: standard output is a pipe.
pub(super) fn reads(scene: &Scene, hub: &Hub, name: &str, code: &str, args: &[&str]) -> (i32, Vec<u8>, String) {
    let place = scene.place(name);
    let mut all = vec!["receive", code, "--hub", &hub.address];
    all.extend(args);
    let output = command(&place, &all).stdin(std::process::Stdio::null()).output().unwrap();
    (output.status.code().unwrap_or(-1), output.stdout, String::from_utf8(output.stderr).unwrap())
}

/// The same code with another word.
fn wrong(code: &str) -> String {
    let word = if code.ends_with("-cactus") { "-tiger" } else { "-cactus" };
    code.rsplit_once('-').unwrap().0.to_owned() + word
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_file_goes_from_one_to_another_by_a_code_and_both_end() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    let bytes = content("talk", 3 << 20);
    scene.place("sender").put("talk.mp4", &bytes);
    let mut sender = sends(&scene, &hub, &["shared/talk.mp4"]);
    let ready = sender.expect("parcel-ready");
    let code = text(&ready["code"]);
    assert_eq!((&ready["name"], &ready["size"], &ready["times"]), (&json!("talk.mp4"), &json!(bytes.len()), &json!(1)));
    // As it is said on the phone.
    let mut receiver = receives(&scene, &hub, "receiver", &code.to_uppercase().replace('-', " "), &[]);
    let found = receiver.expect("parcel-found");
    assert_eq!((&found["name"], &found["files"]), (&json!("talk.mp4"), &json!(1)));
    let received = receiver.expect("parcel-received");
    assert_eq!((&received["path"], &received["final"]), (&json!("downloads/talk.mp4"), &json!(true)));
    assert_eq!((receiver.exit(), sender.exit()), (0, 0));
    assert_eq!(scene.place("receiver").got("talk.mp4"), bytes);
    assert_eq!(sender.expect("parcel-delivered")["left"], 0);
    assert_eq!(sender.expect("parcel-sent")["times"], 1);
    for word in code.split('-').skip(1) {
        assert!(!hub.process.transcript().contains(word), "the hub has learned the code");
    }
    // It is spent.
    let mut late = receives(&scene, &hub, "late", &code, &[]);
    assert_eq!(late.exit(), 4);
    late.refusal("no-such-code");
    hub.process.skip();
}

#[test]
fn files_and_folders_arrive_under_their_names_whatever_those_are() {
    let scene = Scene::default();
    let hub = scene.hub();
    let sender = scene.place("sender");
    let names =
        ["photos/a b.jpg", "photos/.hidden/é ü.txt", "photos/empty", "photos/日本/x'\"$.txt", "deep/er/notes.txt"];
    for name in names {
        sender.put(name, if name.ends_with("empty") { b"" } else { name.as_bytes() });
    }
    let mut process = sends(&scene, &hub, &["shared/photos/", "shared/deep/er/notes.txt"]);
    let ready = process.expect("parcel-ready");
    assert_eq!((&ready["name"], &ready["files"]), (&json!("photos and 1 more"), &json!(5)));
    let mut receiver = receives(&scene, &hub, "receiver", &text(&ready["code"]), &[]);
    assert_eq!((receiver.exit(), process.exit()), (0, 0));
    let got = scene.place("receiver");
    assert_eq!(got.got("photos/a b.jpg"), b"photos/a b.jpg");
    assert_eq!(got.got("photos/.hidden/é ü.txt"), "photos/.hidden/é ü.txt".as_bytes());
    assert_eq!(got.got("photos/empty"), b"");
    assert_eq!(got.got("notes.txt"), b"deep/er/notes.txt");
    assert_eq!(got.downloaded().len(), names.len());
    // What arrives as nothing is told of.
    fs::create_dir_all(sender.shared("photos/none/none")).unwrap();
    let args = ["send", "--hub", &hub.address, "--until", "1s", "shared/photos"];
    let told = command(&sender, &args).stdin(std::process::Stdio::null()).output().unwrap().stderr;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("left out photos/none/none/: an empty folder"), "{told}");
    // A name that would harm the receiver's terminal is not sent.
    fs::write(sender.shared("photos/\u{1b}[2J"), b"x").unwrap();
    let mut refused = sends(&scene, &hub, &["shared/photos"]);
    assert_ne!(refused.exit(), 0);
    refused.refusal("bad-name");
    let mut none = sends(&scene, &hub, &["shared/nothing"]);
    assert_ne!(none.exit(), 0);
    assert!(text(&none.refusal("no-such-file")["message"]).contains("shared/nothing"));
}

#[test]
fn a_file_with_a_very_long_name_arrives_together_with_others() {
    let scene = Scene::default();
    let hub = scene.hub();
    let long = "x".repeat(254);
    scene.place("sender").put(&long, b"long");
    scene.place("sender").put("notes.txt", b"notes");
    let mut sender = sends(&scene, &hub, &[&format!("shared/{long}"), "shared/notes.txt"]);
    let mut receiver = receives(&scene, &hub, "receiver", &code(&mut sender), &[]);
    assert_eq!((receiver.exit(), sender.exit()), (0, 0));
    assert_eq!(scene.place("receiver").got(&long), b"long");
}

#[test]
fn a_folder_of_many_small_files_arrives_whole_and_under_another_name() {
    let scene = Scene::default();
    let hub = scene.hub();
    let sender = scene.place("sender");
    for number in 0..500 {
        sender.put(&format!("many/{}/file {number}.txt", number % 7), format!("content of {number}").as_bytes());
    }
    let mut process = sends(&scene, &hub, &["shared/many"]);
    let mut receiver = receives(&scene, &hub, "receiver", &code(&mut process), &["--output", "downloads/else"]);
    assert_eq!(receiver.exit(), 0);
    assert_eq!(receiver.expect("parcel-received")["files"], 500);
    assert_eq!(process.exit(), 0);
    let got = scene.place("receiver");
    assert_eq!(got.downloaded().len(), 500);
    assert_eq!(got.got("else/3/file 10.txt"), b"content of 10");
}

#[test]
fn a_stream_comes_out_byte_for_byte_and_a_text_as_it_was_typed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("stream", 2_000_003);
    let place = scene.place("sender");
    let args = ["send", "--hub", &hub.address, "--json"];
    for (from, to) in [(&[][..], &[][..]), (&["-"][..], &["--output", "-"][..])] {
        let mut sender = place.start(command(&place, &[&args, from].concat()), "sender");
        sender.write(&bytes);
        sender.end_input();
        let ready = sender.expect("parcel-ready");
        assert_eq!((&ready["kind"], &ready["size"]), (&json!("stream"), &json!(bytes.len())));
        let (code, out, told) = reads(&scene, &hub, "receiver", &text(&ready["code"]), to);
        assert!(code == 0 && out == bytes, "{code} {} {told}", out.len());
        assert!(told.contains("The code was right"), "{told}");
        assert_eq!(sender.exit(), 0);
        let left: Vec<_> =
            fs::read_dir(scene.place("receiver").path()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| !name.to_string_lossy().contains("stream")), "{left:?}");
    }
    let said = "soup at noon\n\u{1b}[31m, bring \"salt\"";
    let mut sender = sends(&scene, &hub, &["--text", said]);
    let (code, out, told) = reads(&scene, &hub, "receiver", &self::code(&mut sender), &[]);
    assert_eq!((code, String::from_utf8(out).unwrap()), (0, said.to_owned()), "{told}");
    assert!(told.contains("Received a text (") && !told.contains("soup"), "{told}");
    assert_eq!(sender.exit(), 0);
}

#[test]
fn nothing_is_sent_for_nothing_and_what_is_no_code_is_refused_before_anything_is_dialled() {
    let scene = Scene::default();
    // Nobody is there.
    let ended = scene.run(["send", "--hub", "127.0.0.1:1"], "");
    assert!(ended.code == 2 && ended.stderr.contains("standard input was empty"), "{ended:?}");
    let ended = scene.run(["send", "--hub", "127.0.0.1:1", "a", "-"], "x");
    assert!(ended.code == 2 && ended.stderr.contains("sent alone"), "{ended:?}");
    for (typed, told) in [
        ("8-crosover-clockwork", "Did you mean `crossover`? Nothing was sent"),
        ("127.0.0.1:1/8-crosover-clockwork", "Did you mean `crossover`?"),
        ("8-crossover", "a number and two words"),
    ] {
        let ended = scene.run(["receive", typed], "");
        assert!(ended.code == 2 && ended.stderr.contains(told), "{ended:?}");
    }
    for typed in ["8-crossover", "8-crossover-clockwork"] {
        let ended = scene.run(["receive", typed, "--json"], "");
        let event: Value = serde_json::from_str(ended.lines.last().unwrap()).unwrap();
        assert!(ended.code == 2 && ended.stderr.is_empty(), "{ended:?}");
        assert_eq!(
            (&event["event"], &event["code"], &event["final"]),
            (&json!("error"), &json!("bad-config"), &json!(true))
        );
    }
    let ended = scene.run(["8-crossover-clockwork"], "");
    assert!(ended.code == 2 && ended.stderr.contains("`potluck receive 8-crossover-clockwork`"), "{ended:?}");
    let ended = scene.run(["serve", "--listen", "127.0.0.1:7755"], "");
    assert!(ended.code == 2 && ended.stderr.contains("--port 7755"), "{ended:?}");
    let ended = scene.run(["receive", "8-crossover-clockwork"], "");
    assert!(ended.code == 2 && ended.stderr.contains("receive HOST:PORT/CODE"), "{ended:?}");
    let ended = scene.run(["receive", "8-crossover-clockwork", "--hub", "127.0.0.1:1"], "");
    assert!(ended.code == 3, "{ended:?}");
}

#[test]
fn several_may_have_it_and_the_time_for_it_ends() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.place("sender").put("notes.txt", b"notes");
    let mut sender = sends(&scene, &hub, &["shared/notes.txt", "--times", "2"]);
    let made = code(&mut sender);
    for (name, left) in [("one", 1), ("two", 0)] {
        let mut receiver = receives(&scene, &hub, name, &made, &[]);
        assert_eq!(receiver.exit(), 0);
        assert_eq!(sender.expect("parcel-delivered")["left"], left);
        assert_eq!(scene.place(name).got("notes.txt"), b"notes");
    }
    assert_eq!(sender.exit(), 0);
    let mut untaken = sends(&scene, &hub, &["shared/notes.txt", "--until", "1"]);
    assert_ne!(untaken.exit(), 0);
    untaken.refusal("not-taken");
    let unread = scene.run(["send", "--text", "soup", "--until", "soon"], "");
    assert!(unread.code == 2 && unread.stderr.contains("such as 10m or 2h"), "{unread:?}");
    let mut once = sends(&scene, &hub, &["shared/notes.txt", "--times", "2", "--until", "5s"]);
    let made = code(&mut once);
    assert_eq!(receives(&scene, &hub, "three", &made, &[]).exit(), 0);
    assert_eq!(once.exit(), 0);
    assert_eq!(once.expect("parcel-sent")["times"], 1);
}

#[test]
fn a_wrong_word_ends_the_code_and_both_are_told() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.place("sender").put("notes.txt", b"notes");
    let mut sender = sends(&scene, &hub, &["shared/notes.txt", "--times", "5"]);
    let made = code(&mut sender);
    let mut guesser = receives(&scene, &hub, "mallory", &wrong(&made), &[]);
    assert_eq!(guesser.exit(), 4);
    guesser.refusal("wrong-code");
    assert_eq!(sender.exit(), 4);
    assert!(text(&sender.refusal("code-guessed")["hint"]).contains("another code"));
    let mut right = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!(right.exit(), 4);
    assert_eq!(scene.place("mallory").downloaded().len(), 0);
}

#[test]
fn a_receiver_that_was_killed_goes_on_with_the_same_command() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("large", LARGE);
    scene.place("sender").put("large.bin", &bytes);
    let mut sender = sends(&scene, &hub, &[&["shared/large.bin"][..], &SLOWLY].concat());
    let made = code(&mut sender);
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    receiver.find("half of a chunk", |event| {
        event["event"] == "transfer-progress" && event["bytes"].as_u64() > Some(1 << 20)
    });
    receiver.kill();
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!(receiver.exit(), 0);
    let completed = receiver.expect("transfer-completed");
    let fetched: u64 = completed["sources"].as_array().unwrap().iter().map(|s| s["bytes"].as_u64().unwrap()).sum();
    assert!(fetched < LARGE as u64, "it began anew: {completed}");
    assert_eq!(scene.place("receiver").got("large.bin"), bytes);
    assert_eq!(sender.exit(), 0);
    assert!(
        sender
            .find("that they are back", |event| event["event"] == "parcel-claimed" && event["again"] == true)
            .is_object()
    );
}

#[test]
fn whoever_ends_it_with_ctrl_c_ends_it_for_the_other_soon() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.place("sender").put("large.bin", &content("large", LARGE));
    let mut sender = sends(&scene, &hub, &[&["shared/large.bin"][..], &SLOWLY].concat());
    let mut receiver = receives(&scene, &hub, "receiver", &code(&mut sender), &[]);
    receiver.expect("transfer-progress");
    sender.signal(Signal::INT);
    assert_eq!(sender.exit(), 130);
    assert_eq!(receiver.exit(), 6);
    receiver.refusal("parcel-gone");
    // A receiver that ends may come back.
    let mut sender = sends(&scene, &hub, &[&["shared/large.bin"][..], &SLOWLY].concat());
    let made = code(&mut sender);
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    receiver.expect("transfer-progress");
    receiver.signal(Signal::INT);
    assert_eq!(receiver.exit(), 130);
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!((receiver.exit(), sender.exit()), (0, 0));
}

#[test]
fn a_hub_that_is_started_anew_meanwhile_disturbs_nobody() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("large", LARGE);
    scene.place("sender").put("large.bin", &bytes);
    let mut sender = sends(&scene, &hub, &[&["shared/large.bin", "--all-events"][..], &SLOWLY].concat());
    let made = code(&mut sender);
    let hub = scene.again(hub, Signal::KILL, &[]);
    sender.expect("hub-back");
    let mut receiver = receives(&scene, &hub, "receiver", &made, &["--all-events"]);
    receiver.expect("transfer-progress");
    let _hub = scene.again(hub, Signal::KILL, &[]);
    assert_eq!(receiver.exit(), 0);
    assert_eq!(sender.exit(), 0);
    assert_eq!(scene.place("receiver").got("large.bin"), bytes);
}

#[test]
fn what_is_there_already_is_not_replaced() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.place("sender").put("notes.txt", b"new");
    put(&scene.place("receiver").downloads().join("notes.txt"), b"old");
    let mut sender = sends(&scene, &hub, &["shared/notes.txt"]);
    let made = code(&mut sender);
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    assert_ne!(receiver.exit(), 0);
    receiver.refusal("exists");
    assert_eq!(scene.place("receiver").got("notes.txt"), b"old");
    // The code is still theirs.
    let mut receiver = receives(&scene, &hub, "receiver", &made, &["--on-conflict", "rename"]);
    assert_eq!(receiver.exit(), 0);
    assert_eq!(receiver.expect("parcel-received")["path"], "downloads/notes (1).txt");
    assert_eq!(sender.exit(), 0);
}

#[test]
fn a_guest_needs_no_invite_and_a_member_is_not_disturbed_by_their_own_send() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    let place = scene.place("sender");
    place.put("notes.txt", b"notes");
    let link = scene.run(["invite", "add", "--data", "hub"], "").lines[0].clone();
    let mut erin = welcomed(place.start(command(&place, &["join", &link, "--name", "erin", "--json"]), "erin"));
    // The hub is the one that was joined last.
    let mut sender = place.start(command(&place, &["send", "shared/notes.txt", "--json"]), "sender");
    sender.end_input();
    let made = code(&mut sender);
    let mut guest = receives(&scene, &hub, "guest", &made, &[]);
    assert_eq!((guest.exit(), sender.exit()), (0, 0));
    assert_eq!(scene.place("guest").got("notes.txt"), b"notes");
    assert_eq!(erin.must(request("who"), "roster")["clients"].as_array().unwrap().len(), 1);
    erin.quit();
    // Whoever is no member cannot send.
    scene.place("other").put("x", b"x");
    let other = scene.place("other");
    let mut stranger = other.start(command(&other, &["send", "--hub", &hub.address, "shared/x", "--json"]), "other");
    stranger.end_input();
    assert_eq!(stranger.exit(), 4);
}
