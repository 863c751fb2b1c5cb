//! Parcels whose sender is killed, whose receiver has no room, and whose two sides have no hub.

use std::fs;
use std::process::Command;

use super::environment::started_by;
use super::parcels::{LARGE, SLOWLY, code, command, receives, sends};
use super::*;

#[test]
fn a_sender_that_was_killed_goes_on_under_the_same_code_and_its_receiver_with_it() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("large", LARGE);
    scene.place("sender").put("large.bin", &bytes);
    let args = [&["shared/large.bin", "--times", "2"][..], &SLOWLY].concat();
    let mut sender = sends(&scene, &hub, &args);
    let made = code(&mut sender);
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    receiver.find("a chunk", |event| event["event"] == "transfer-progress" && event["bytes"].as_u64() > Some(1 << 20));
    sender.kill();
    let mut sender = sends(&scene, &hub, &args);
    let ready = sender.expect("parcel-ready");
    assert_eq!((&ready["code"], &ready["again"]), (&json!(made), &json!(true)));
    assert_eq!(receiver.exit(), 0, "it goes on by itself");
    assert_eq!(scene.place("receiver").got("large.bin"), bytes);
    assert_eq!(sender.expect("parcel-delivered")["left"], 1);
    // The code is still good for the second.
    let mut second = receives(&scene, &hub, "second", &made, &[]);
    assert_eq!((second.exit(), sender.exit()), (0, 0));
    // Then it is over: the same files are sent under another code.
    let mut sender = sends(&scene, &hub, &args);
    let ready = sender.expect("parcel-ready");
    assert!(ready["code"] != made && ready["again"].is_null(), "{ready}");
    sender.signal(Signal::INT);
    assert_eq!(sender.exit(), 130);
}

#[test]
fn a_full_disk_is_told_and_the_code_is_still_theirs() {
    let scene = Scene::default();
    let hub = scene.hub();
    let bytes = content("larger", 3 << 20);
    scene.place("sender").put("larger.bin", &bytes);
    let mut sender = sends(&scene, &hub, &["shared/larger.bin"]);
    let made = code(&mut sender);
    let place = scene.place("receiver");
    fs::create_dir_all(place.downloads()).unwrap();
    let small = |inner: &Command| {
        let mount = r#"mount -t tmpfs -o size=1m tmpfs downloads && exec "$0" "$@""#;
        started_by("unshare", &["-Urm", "sh", "-c", mount], inner)
    };
    if !small(&command(&place, &["--version"])).output().is_ok_and(|probe| probe.status.success()) {
        return println!("skipped: no file system can be mounted here");
    }
    let args = ["receive", &made, "--hub", &hub.address, "--downloads", "downloads", "--json"];
    let mut receiver = place.start(small(&command(&place, &args)), "receiver");
    receiver.end_input();
    assert_ne!(receiver.exit(), 0);
    receiver.refusal("disk-full");
    let mut receiver = receives(&scene, &hub, "receiver", &made, &[]);
    assert_eq!((receiver.exit(), sender.exit()), (0, 0));
    assert_eq!(place.got("larger.bin"), bytes);
}

#[test]
fn without_a_hub_the_two_find_each_other_in_their_network() {
    let scene = Scene::default();
    let air = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (sender, receiver) = (scene.place("sender"), scene.place("receiver"));
    sender.put("notes.txt", b"notes");
    let start = |place: &Place, name: &str, args: &[&str]| {
        let mut command = command(place, args);
        command.env("POTLUCK_NEARBY", format!("loopback:{air}"));
        let mut process = place.start(command, name);
        process.end_input();
        process
    };
    let mut sends = start(&sender, "sender", &["send", "shared/notes.txt", "--json"]);
    let made = code(&mut sends);
    let number: u32 = made.split('-').next().unwrap().parse().unwrap();
    assert!((1_000..=9_999).contains(&number), "{made}");
    let mut receives = start(&receiver, "receiver", &["receive", &made, "--downloads", "downloads", "--json"]);
    assert_eq!((receives.exit(), sends.exit()), (0, 0));
    assert_eq!(receiver.got("notes.txt"), b"notes");
    assert!(!receiver.path().join("potluck/known_keys.json").exists(), "a hub that is gone is not remembered");
}
