//! Invites: made and revoked beside a hub that runs, spent by those who come, and nowhere that others see them.

use potluck::protocol::schema::Stream;

use super::*;

fn invite(scene: &Scene, args: &[&str]) -> Ended {
    let mut all = vec!["invite"];
    all.extend(args);
    all.extend(["--data", "hub"]);
    scene.run(all, "")
}

/// Makes an invite; gives its link.
fn link(scene: &Scene, args: &[&str]) -> String {
    let mut all = vec!["add"];
    all.extend(args);
    let made = invite(scene, &all);
    assert_eq!((made.code, made.lines.len()), (0, 1), "{made:?}");
    made.lines[0].clone()
}

/// Joins, is welcome, and leaves.
fn comes(scene: &Scene, hub: &str, name: &str) {
    let mut client = Process::start(name, scene.join(hub, name, &[]), EVENTS);
    client.expect("welcome");
    assert_eq!(client.finish().code, 0);
}

/// Joins and is not let in.
fn is_refused(scene: &Scene, hub: &str, name: &str, args: &[&str]) -> Value {
    let mut client = Process::start(name, scene.join(hub, name, args), EVENTS);
    assert_eq!(client.exit(), 4);
    client.refusal("access-denied")
}

fn states(scene: &Scene) -> Vec<(String, u64, String)> {
    let list = invite(scene, &["list", "--json"]).events();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.iter().map(|i| (text(&i["name"]), i["spent"].as_u64().unwrap(), text(&i["state"]))).collect()
}

#[test]
fn an_invite_for_one_lets_in_one_and_a_key_that_was_here_needs_none() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "invite"]);
    assert!(
        !hub.link.contains('.') || hub.link.split('#').nth(1).is_some_and(|key| !key.contains('.')),
        "{}",
        hub.link
    );
    is_refused(&scene, &hub.link, "erin", &[]);
    // The hub runs, and what is made beside it holds at once.
    let made = link(&scene, &[]);
    assert!(made.starts_with(&format!("{}.", hub.link)), "{made}");
    is_refused(&scene, &format!("{made}x"), "erin", &[]);
    comes(&scene, &made, "erin");
    comes(&scene, &hub.address, "erin");
    let denied = is_refused(&scene, &made, "dora", &[]);
    assert!(denied["message"].as_str().unwrap().contains("used"), "{denied}");
    assert_eq!(states(&scene), [("invite-1".to_owned(), 1, "spent".to_owned())]);
    let spent = hub.process.expect("invite-spent");
    assert_eq!((&spent["invite"], &spent["name"]), (&json!("invite-1"), &json!("erin")));
    let secret = made.rsplit('.').next().unwrap();
    assert!(!hub.process.transcript().contains(secret), "the log has no secrets");
    for entry in std::fs::read_dir(scene.path("hub")).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()), "nor has the disk");
    }
}

#[test]
fn a_counted_invite_lasts_over_a_restart_until_it_is_spent_or_revoked() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    let port = hub.port.to_string();
    let two = link(&scene, &["class", "--uses", "2", "--expires", "never"]);
    let any = link(&scene, &["team", "--uses", "any"]);
    comes(&scene, &two, "erin");
    comes(&scene, &any, "carl");
    let mut hub = hub;
    hub.process.signal(Signal::KILL);
    hub.process.exit();
    let _hub = scene.hub_with(&["--access", "invite", "--port", &port]);
    comes(&scene, &two, "dora");
    is_refused(&scene, &two, "fred", &[]);
    comes(&scene, &any, "gina");
    assert_eq!(invite(&scene, &["revoke", "team"]).text(), "Revoked: team\n");
    is_refused(&scene, &any, "fred", &[]);
    // Whom it let in stays.
    comes(&scene, &any, "carl");
    assert_eq!(states(&scene), [("class".to_owned(), 2, "spent".to_owned())]);
    let table = invite(&scene, &["list"]);
    assert_eq!(
        table.lines[0].split_whitespace().collect::<Vec<_>>(),
        ["NAME", "STATE", "SPENT", "OF", "UNTIL", "CODE"]
    );
    assert_eq!(table.lines[1].split_whitespace().collect::<Vec<_>>(), ["class", "spent", "2", "2", "never"]);
}

#[test]
fn an_invite_is_read_from_a_file_or_from_standard_input() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    let made = link(&scene, &["--uses", "any"]);
    let secret = made.rsplit('.').next().unwrap().to_owned();
    for (name, content) in [("erin", format!("{made}\n")), ("dora", format!("{secret}\r\nrest\n"))] {
        let file = scene.file(&format!("{name}.invite"), &content);
        let mut client =
            Process::start(name, scene.join(&hub.address, name, &["--invite-file", file.to_str().unwrap()]), EVENTS);
        client.expect("welcome");
        assert_eq!(client.finish().code, 0);
    }
    // The requests follow it.
    let mut client = Process::start("carl", scene.join(&hub.address, "carl", &["--invite-file", "-"]), EVENTS);
    client.line(&secret);
    client.line(r#"{"id":"a","request":"nonsense"}"#);
    client.expect("welcome");
    let error = client.expect("error");
    assert_eq!((&error["id"], &error["code"]), (&json!("a"), &json!("unknown-request")));
    for (content, what) in
        [("", "There is no invite"), ("potluck://h:1/#zz\n", "key"), ("potluck://h:1/\n", "no invite")]
    {
        let file = scene.file("bad.invite", content);
        let ended = scene.run(["join", &hub.address, "--name", "fred", "--invite-file", file.to_str().unwrap()], "");
        assert!(ended.code == 2 && ended.stderr.contains(what), "{ended:?}");
    }
    let both = ["join", &hub.address, "--name", "f", "--invite-file", "-", "--password-file", "-"];
    assert_eq!(scene.run(both, "").code, 2);
}

#[test]
fn what_cannot_be_an_invite_is_refused() {
    let scene = Scene::default();
    // Nobody knows yet where the hub will be.
    let early = invite(&scene, &["add"]);
    assert!(early.code == 1 && early.stderr.contains("--host HOST:PORT"), "{early:?}");
    assert!(link(&scene, &["--host", "hub.example"]).starts_with("potluck://hub.example:7755/#"));
    assert!(link(&scene, &["--host", "hub.example:9"]).starts_with("potluck://hub.example:9/#"));
    let again = invite(&scene, &["add", "invite-2", "--host", "h"]);
    assert!(again.code == 1 && again.stderr.contains("name-taken"), "{again:?}");
    let absent = invite(&scene, &["revoke", "absent"]);
    assert!(absent.code == 1 && absent.stderr.contains("no-such-invite"), "{absent:?}");
    for wrong in [
        vec!["add", "--uses", "0"],
        vec!["add", "--uses", "x"],
        vec!["add", "--expires", "0"],
        vec!["add", "--expires", "soon"],
        vec!["add", "--host", "a b"],
        vec!["add", "--host", "potluck://h:1/"],
        vec![],
    ] {
        assert_eq!(invite(&scene, &wrong).code, 2, "{wrong:?}");
    }
    assert_eq!(invite(&scene, &["add", "a b", "--host", "h"]).code, 1);
}

#[test]
fn a_hub_that_keeps_nothing_shows_an_invite_for_its_run() {
    let scene = Scene::default();
    let command = scene.command(["serve", "--ephemeral", "--access", "invite", "--port", "0", "--log-format", "json"]);
    let mut hub = Process::start("the hub", command, Face::Json(Stream::Log));
    hub.expect("hub-listening");
    hub.signal(Signal::TERM);
    let ended = hub.finish();
    assert!(ended.stderr.contains("first invite") && ended.stderr.contains("potluck://"), "{ended:?}");
    // A hub with a folder says nothing where nobody sits: `potluck invite` makes them.
    let mut hub = scene.hub_with(&["--access", "invite"]);
    hub.process.signal(Signal::TERM);
    assert_eq!(hub.process.exit(), 0);
    assert_eq!(hub.process.stderr(), "");
}
