//! Where a parcel goes that is no file of its own: a text into a file, and what standard output does not take.

use std::fs;

use super::parcels::{code, command, reads, receives, sends};
use super::*;

#[test]
fn a_text_goes_to_the_file_or_folder_that_is_named() {
    let scene = Scene::default();
    let hub = scene.hub();
    for (args, file) in [
        (["--output", "said.txt"], "said.txt"),
        (["--output", "inbox/"], "inbox/text.txt"),
        (["--downloads", "got"], "got/text.txt"),
    ] {
        let mut sender = sends(&scene, &hub, &["--text", "soup at noon"]);
        let (code, out, told) = reads(&scene, &hub, "receiver", &self::code(&mut sender), &args);
        assert!(code == 0 && out.is_empty() && told.contains(file), "{code} {told}");
        assert_eq!(fs::read(scene.place("receiver").path().join(file)).unwrap(), b"soup at noon");
        assert_eq!(sender.exit(), 0);
    }
    // What is there is not replaced, and the text is not lost.
    let mut sender = sends(&scene, &hub, &["--text", "stew"]);
    let (code, out, told) = reads(&scene, &hub, "receiver", &self::code(&mut sender), &["--output", "said.txt"]);
    assert!(code == 6 && out == b"stew" && told.contains("said.txt exists"), "{code} {told}");
    let (code, _, told) = reads(&scene, &hub, "receiver", "8-crossover-clockwork", &["--output", "/dev/null"]);
    assert!(code == 2 && told.contains("`--output - > /dev/null`"), "{code} {told}");
}

#[test]
fn what_standard_output_does_not_take_is_kept_and_is_no_success() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("stream", 2_000_003);
    scene.place("sender").put("a.bin", &bytes);
    for full in [false, true] {
        let mut sender = sends(&scene, &hub, &["shared/a.bin"]);
        let place = scene.place(if full { "full" } else { "closed" });
        let args = ["receive", &code(&mut sender), "--hub", &hub.address, "--output", "-"];
        let mut command = command(&place, &args);
        match full {
            true => command.stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap()),
            false => command.stdout(std::io::pipe().unwrap().1),
        };
        let output = command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        drop(command);
        let output = output.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(8) && told.contains("All of it is in ./a.bin"), "{told}");
        assert!(!told.contains("history") && !told.contains("/potluck-"), "{told}");
        assert_eq!(fs::read(place.path().join("a.bin")).unwrap(), bytes);
        assert_eq!(sender.exit(), 0);
    }
}

#[test]
fn what_cannot_go_where_it_is_wanted_is_refused_before_it_is_fetched_and_stays_theirs() {
    let scene = Scene::default();
    let hub = scene.hub();
    let sender = scene.place("sender");
    for name in ["slides/a", "slides/b", ".config/x"] {
        sender.put(name, name.as_bytes());
    }
    let mut process = sends(&scene, &hub, &["shared/slides"]);
    let made = code(&mut process);
    let (ended, out, told) = reads(&scene, &hub, "receiver", &made, &["--output", "-"]);
    assert!(ended == 1 && out.is_empty() && told.contains("2 files"), "{ended} {told}");
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!((receiver.exit(), process.exit()), (0, 0));
    assert_eq!(scene.place("receiver").got("slides/b"), b"slides/b");
    let mut process = sends(&scene, &hub, &["shared/.config"]);
    let made = code(&mut process);
    let mut refused = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!(refused.exit(), 1);
    assert!(text(&refused.refusal("bad-name")["message"]).contains(".config"));
    let mut receiver = receives(&scene, &hub, "receiver", &made, &["--output", "downloads/theirs"]);
    assert_eq!((receiver.exit(), process.exit()), (0, 0));
    assert_eq!(scene.place("receiver").got("theirs"), b".config/x");
}
