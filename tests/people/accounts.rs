//! Accounts: who is let in with which password, on which machine, and what a running hub learns of them.

use super::*;

pub(super) const SECRET: &str = "correct horse";

/// Makes a name an account.
pub(super) fn add(scene: &Scene, name: &str, password: &str) {
    let ended = scene.run(["user", "add", name, "--data", "hub"], format!("{password}\n"));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

pub(super) fn login(name: &str, password: &str) -> Value {
    json!({"request": "login", "name": name, "password": password})
}

/// A client of this machine that is not in yet: the hub wants a login.
pub(super) fn outside(scene: &Scene, hub: &Hub, machine: &str, name: &str) -> Process {
    let mut command = scene.command(["join", &hub.address, "--name", name, "--json"]);
    scene.own_folders(&mut command, machine);
    let mut client = Process::start(machine, command, EVENTS);
    let error = client.refusal("login-required");
    assert!(error["hint"].as_str().unwrap().contains("login"), "{error}");
    client
}

/// A client of this machine that logs in with a file.
fn with_file(scene: &Scene, hub: &Hub, machine: &str, password: &str) -> Process {
    let file = scene.file(&format!("{machine}/password"), format!("{password}\n"));
    let mut command = scene.command(["join", &hub.address, "--name", "erin", "--json", "--password-file"]);
    command.arg(file);
    scene.own_folders(&mut command, machine);
    Process::start(machine, command, EVENTS)
}

#[test]
fn an_account_is_entered_in_json_by_hand_and_with_a_file() {
    let scene = Scene::default();
    add(&scene, "Erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts"]);
    let mut json = outside(&scene, &hub, "json", "erin");
    // Nothing is shown to who has not logged in.
    for asked in ["who", "list", "status", "rooms", "history"] {
        json.refused(request(asked), "login-required");
    }
    assert_eq!(json.must(login("ERIN", SECRET), "welcome")["name"], "Erin");
    part(json);
    let mut hand = outside(&scene, &hub, "hand", "erin");
    hand.line(&format!("login erin '{SECRET}'"));
    hand.expect("welcome");
    part(hand);
    let mut file = with_file(&scene, &hub, "file", SECRET);
    file.expect("welcome");
    part(file);
    let piped = scene.command(["join", &hub.address, "--name", "erin", "--json", "--password-file", "-"]);
    let mut piped = Process::start("piped", piped, EVENTS);
    piped.write(format!("{SECRET}\n{}\n", r#"{"id":1,"request":"who"}"#));
    piped.expect("welcome");
    assert_eq!(piped.answer(1)["event"], "roster");
    assert!(!piped.transcript().lines().any(|line| !line.starts_with('>') && line.contains(SECRET)), "it is not shown");
    // Each of these machines is known now, and needs no password.
    drop(piped.finish());
    for machine in ["json", "hand", "file"] {
        let mut command = scene.command(["join", &hub.address, "--name", "erin", "--json"]);
        scene.own_folders(&mut command, machine);
        let mut known = Process::start(machine, command, EVENTS);
        known.expect("welcome");
        part(known);
    }
}

#[test]
fn who_may_not_enter_is_told_so_and_ends_with_four() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts", "--max-failures", "10"]);
    for (name, password, code) in
        [("erin", None, "login-required"), ("nobody", None, "login-required"), ("erin", Some("wrong"), "bad-login")]
    {
        let mut command = scene.command(["exec", &hub.address, "--name", name, "--json"]);
        scene.own_folders(&mut command, "thief");
        if let Some(password) = password {
            command.arg("--password-file").arg(scene.file("thief/password", password));
        }
        command.args(["--", "who"]);
        let mut thief = Process::start("thief", command, EVENTS);
        assert_eq!(thief.exit(), 4, "{name} {password:?}");
        assert_eq!(thief.refusal(code)["event"], "error");
    }
    let mut joins = with_file(&scene, &hub, "other", "wrong");
    joins.refusal("bad-login");
    assert_eq!(joins.exit(), 4);
    // Who was asked for a login and did not give one has not been there, however the session ends.
    for last in ["", "quit\n"] {
        let mut never_in = outside(&scene, &hub, "never", "erin");
        never_in.write(last);
        assert_eq!(never_in.finish().code, 4, "{last:?}");
    }
}

#[test]
fn two_machines_of_one_account_share_what_was_kept() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub();
    let mut dora = scene.client(&hub, "dora");
    let mut home = with_file(&scene, &hub, "home", SECRET);
    home.expect("welcome");
    dora.must(message("erin", "at home"), "message-acked");
    assert_eq!(hear_text(&mut home), "at home");
    // One at a time is there.
    let mut work = with_file(&scene, &hub, "work", SECRET);
    work.refusal("name-taken");
    assert_eq!(work.exit(), 4);
    part(home);
    dora.must(message("erin", "on the way"), "message-acked");
    let mut work = with_file(&scene, &hub, "work", SECRET);
    work.expect("welcome");
    assert_eq!(hear_text(&mut work), "on the way");
    part(work);
    let mut command = scene.command(["join", &hub.address, "--name", "erin", "--json"]);
    scene.own_folders(&mut command, "home");
    let mut home = Process::start("home", command, EVENTS);
    home.expect("welcome");
    dora.must(message("erin", "home again"), "message-acked");
    assert_eq!(hear_text(&mut home), "home again");
    part(home);
}

#[test]
fn an_account_cannot_be_registered_by_another_key_on_an_open_hub() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub();
    let mut thief = outside(&scene, &hub, "thief", "Erin");
    thief.refused(json!({"request": "register", "name": "eRIN"}), "login-required");
    thief.must(json!({"request": "register", "name": "fred"}), "welcome");
    part(thief);
}

#[test]
fn a_running_hub_hears_of_accounts_that_are_made_and_removed() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "accounts", "--max-failures", "1000"]);
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(login("erin", SECRET), "bad-login");
    add(&scene, "erin", SECRET);
    hub.process.expect("names-reloaded");
    erin.must(login("erin", SECRET), "welcome");
    let ended = scene.run(["user", "passwd", "erin", "--data", "hub"], "another one\n");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    hub.process.expect("names-reloaded");
    erin.refusal("access-revoked");
    assert_eq!(erin.exit(), 4);
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(login("erin", SECRET), "bad-login");
    erin.must(login("erin", "another one"), "welcome");
    part(erin);
    let ended = scene.run(["user", "remove", "erin", "--data", "hub"], "");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    hub.process.expect("names-reloaded");
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(login("erin", "another one"), "bad-login");
}

#[test]
fn a_password_that_is_too_long_is_refused_and_not_checked() {
    let scene = Scene::default();
    let longest = "é".repeat(512);
    add(&scene, "erin", &longest);
    let hub = scene.hub_with(&["--access", "accounts", "--max-failures", "1"]);
    let mut erin = outside(&scene, &hub, "erin", "erin");
    for password in [format!("{longest}x"), "x".repeat((1 << 20) - 200), String::new()] {
        let refusal = erin.refused(login("erin", &password), "bad-request");
        assert_eq!(refusal["at"], "/password");
        assert!(refusal.to_string().len() < 1_000, "it is not told back");
    }
    erin.line(&login("erin", &"x".repeat(1 << 20)).to_string());
    erin.refusal("line-too-long");
    erin.must(login("erin", &longest), "welcome");
    part(erin);
    for wrong in [format!("{longest}x"), String::new()] {
        let file = scene.file("wrong/password", &wrong);
        let args = ["exec", &hub.address, "--name", "erin", "--password-file"].map(std::ffi::OsStr::new);
        let ended = scene.run(args.into_iter().chain([file.as_os_str(), "--".as_ref(), "who".as_ref()]), "");
        assert_eq!(ended.code, 2, "{ended:?}");
    }
    hub.process.signal(Signal::TERM);
    let log = hub.process.finish();
    assert!(!log.names().contains(&"login-failed".to_owned()));
}
