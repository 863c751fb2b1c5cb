//! Access that is taken back while its owner is in: it ends now, everywhere, and they do not come back by themselves.

use super::accounts::{SECRET, add, login, outside};
use super::*;

fn user(scene: &Scene, args: &[&str], input: &str) {
    let ended = scene.run(["user"].iter().chain(args).chain(&["--data", "hub"]), input);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

/// Erin and Dora are in, each with an account.
fn both(scene: &Scene, args: &[&str]) -> (Hub, Process, Process) {
    for name in ["erin", "dora"] {
        add(scene, name, SECRET);
    }
    let hub = scene.hub_with(&[&["--access", "accounts"], args].concat());
    let enter = |name: &str| {
        let mut client = outside(scene, &hub, name, name);
        client.must(login(name, SECRET), "welcome");
        client
    };
    let (erin, dora) = (enter("erin"), enter("dora"));
    (hub, erin, dora)
}

fn has_left<'a>(name: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| {
        let clients = event["clients"].as_array().into_iter().flatten();
        event["event"] == "roster-updated"
            && clients.into_iter().any(|client| client["name"] == name && client["state"] == "offline")
    }
}

#[test]
fn who_is_removed_leaves_at_once_everywhere_and_does_not_come_back() {
    let scene = Scene::default();
    let (hub, mut erin, mut dora) = both(&scene, &[]);
    erin.must(json!({"request": "private", "to": "dora", "text": "hello"}), "message-acked");
    dora.expect("private-message");
    user(&scene, &["remove", "erin"], "");
    let error = erin.refusal("access-revoked");
    assert!(error["message"].as_str().unwrap().contains("removed"), "{error}");
    assert_eq!(erin.expect("bye")["code"], 4);
    assert_eq!(erin.exit(), 4, "and it does not try again");
    dora.find("that erin has left", has_left("erin"));
    dora.refused(json!({"request": "private", "to": "erin", "text": "still there?"}), "no-such-person");
    // Neither by key nor with the old password.
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(request("who"), "login-required");
    erin.refused(login("erin", SECRET), "bad-login");
    dora.must(request("who"), "roster");
}

#[test]
fn a_new_password_ends_a_session_that_is_away_too() {
    let scene = Scene::default();
    let (hub, mut erin, mut dora) = both(&scene, &["--ack-timeout", "100ms", "--retries", "2"]);
    erin.signal(Signal::STOP);
    let away = |event: &Value| event["clients"][0]["name"] == "erin" && event["clients"][0]["state"] == "away";
    dora.find("that erin is away", away);
    user(&scene, &["passwd", "erin"], "another one\n");
    dora.find("that erin has left", has_left("erin"));
    erin.signal(Signal::CONT);
    erin.refusal("access-revoked");
    assert_eq!(erin.exit(), 4);
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(login("erin", SECRET), "bad-login");
    erin.must(login("erin", "another one"), "welcome");
}

#[test]
fn what_is_being_sent_to_them_ends_though_they_keep_the_connection() {
    let scene = Scene::default();
    for name in ["erin", "dora"] {
        add(&scene, name, SECRET);
    }
    let hub = scene.hub_with(&[&["--access", "accounts"], &QUICK[..]].concat());
    scene.file("dora/shared/song", vec![8_u8; 8 << 20]);
    let enter = |name: &str, args: &[&str]| {
        let mut client = Process::start(name, scene.join(&hub.address, name, args), EVENTS);
        client.refusal("login-required");
        client.must(login(name, SECRET), "welcome");
        client
    };
    let mut dora = enter("dora", &["--up", "500k"]);
    let mut erin = enter("erin", &[]);
    dora.must(json!({"request": "offer", "files": ["song"]}), "offer-acked");
    erin.line(r#"{"id":"song","request":"get","file":"song"}"#);
    dora.expect("transfer-started");
    // A client that does not listen to its hub would not break off by itself.
    erin.signal(Signal::STOP);
    user(&scene, &["remove", "erin"], "");
    let failed = dora.expect("transfer-failed");
    assert_eq!((&failed["direction"], &failed["code"]), (&json!("up"), &json!("interrupted")), "{failed}");
    erin.signal(Signal::CONT);
    dora.must(request("who"), "roster");
}
