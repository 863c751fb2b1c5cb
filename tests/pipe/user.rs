//! `potluck user`: accounts are made without a hub and beside one, and nothing is done by halves.

use std::path::Path;

use crate::support::*;
use serde_json::Value;

/// The names that are taken, as JSON.
fn listed(scene: &Scene) -> Vec<Value> {
    let list = scene.run(["user", "list", "--json", "--data", "hub"], "");
    assert_eq!((list.code, list.stderr.as_str()), (0, ""));
    list.events()
}

fn names(scene: &Scene) -> Vec<String> {
    listed(scene).iter().map(|name| name["name"].as_str().unwrap().to_owned()).collect()
}

fn user(scene: &Scene, args: &[&str], input: &str) -> Ended {
    let mut all = vec!["user"];
    all.extend(args);
    all.extend(["--data", "hub"]);
    scene.run(all, input)
}

/// Runs what must be refused, with this code, and must change nothing.
fn refused(scene: &Scene, args: &[&str], input: &str, code: &str) -> String {
    let before = listed(scene);
    let ended = user(scene, args, input);
    assert_eq!((ended.code, ended.text().as_str()), (1, ""), "{args:?}");
    assert!(ended.stderr.contains(&format!("({code})")) && ended.stderr.contains("hint: "), "{ended:?}");
    assert_eq!(listed(scene), before, "{args:?}");
    ended.stderr
}

#[test]
fn an_account_comes_and_goes() {
    let scene = Scene::default();
    assert_eq!(user(&scene, &["add", "Erin"], "tea time\nrest\n").text(), "Added: Erin\n");
    let file = scene.file("secret", "coffee\r\n");
    assert_eq!(user(&scene, &["add", "dora", "--password-file", file.to_str().unwrap()], "").code, 0);
    assert_eq!(user(&scene, &["add", "carl", "--password-file", "-"], "x").code, 0);
    let all = listed(&scene);
    assert_eq!(names(&scene), ["carl", "dora", "Erin"]);
    assert_eq!((&all[0]["account"], &all[0]["unread"]), (&true.into(), &0.into()));
    assert_eq!(all[0]["keys"], serde_json::json!([]));
    assert!(all[0]["since"].as_str().unwrap().ends_with('Z'));
    let table = user(&scene, &["list"], "");
    assert_eq!(table.lines[0].split_whitespace().collect::<Vec<_>>(), ["NAME", "SINCE", "KEYS", "PASSWORD", "UNREAD"]);
    assert!(table.lines[3].starts_with("Erin  20") && table.lines[3].contains(" yes "), "{table:?}");
    assert_eq!(user(&scene, &["passwd", "ERIN"], "new\n").text(), "Changed: Erin\n");
    assert_eq!(user(&scene, &["remove", "erin"], "").text(), "Removed: Erin\n");
    assert_eq!(names(&scene), ["carl", "dora"]);
}

#[test]
fn passwords_are_nowhere_in_the_clear() {
    let scene = Scene::default();
    let secret = "correct horse battery";
    let added = user(&scene, &["add", "erin"], secret);
    let imported = user(&scene, &["import"], &format!("dora {secret}"));
    assert_eq!((added.code, imported.code), (0, 0));
    let said = format!("{}{}{}{}", added.text(), added.stderr, imported.text(), imported.stderr);
    assert!(!said.contains(secret));
    for entry in std::fs::read_dir(scene.path("hub")).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!content.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    // An argument could be seen by others.
    assert_eq!(user(&scene, &["add", "carl", secret], "").code, 2);
}

#[test]
fn what_cannot_be_is_refused() {
    let scene = Scene::default();
    assert_eq!(user(&scene, &["add", "erin"], "tea").code, 0);
    assert!(refused(&scene, &["add", "ERIN"], "x", "name-taken").contains("user passwd erin"));
    refused(&scene, &["add", "a b"], "x", "bad-name");
    refused(&scene, &["add", "dora"], "", "bad-config");
    refused(&scene, &["add", "dora"], "\n", "bad-config");
    refused(&scene, &["add", "dora"], &"x".repeat(1_025), "bad-config");
    refused(&scene, &["add", "dora", "--password-file", "absent"], "", "bad-config");
    refused(&scene, &["passwd", "dora"], "x", "no-such-person");
    refused(&scene, &["remove", "dora"], "", "no-such-person");
    assert_eq!(scene.run(["user"], "").code, 2);
    assert_eq!(scene.run(["user", "add"], "").code, 2);
    scene.file("hub/hub.sqlite3", "garbage");
    let ended = user(&scene, &["list"], "");
    assert!(ended.code == 1 && ended.stderr.contains("store-corrupt"), "{ended:?}");
}

#[test]
fn a_list_is_taken_as_a_whole_or_not_at_all() {
    let scene = Scene::default();
    assert_eq!((user(&scene, &["add", "frank"], "x").code, user(&scene, &["remove", "frank"], "").code), (0, 0));
    for (list, line, code) in [
        ("erin tea\ndora\n", 2, "bad-config"),
        ("erin tea\n\n# all\na/b x\n", 4, "bad-name"),
        ("erin tea\r\ndora \r\n", 2, "bad-config"),
        ("erin tea\ndora x\nERIN y\n", 3, "name-taken"),
        ("erin \u{0}\n  x\n", 2, "bad-name"),
    ] {
        let said = refused(&scene, &["import", "-"], list, code);
        assert!(said.contains(&format!("line {line}: ")), "{said}");
    }
    let file = scene.file("list", "\u{feff}# people\r\nerin  tea time \r\n\r\ndora x");
    let imported = user(&scene, &["import", file.to_str().unwrap()], "");
    assert_eq!((imported.code, imported.text().as_str()), (0, "Accounts imported: 2\n"));
    let again = refused(&scene, &["import"], "carl x\nerin y\n", "name-taken");
    assert!(again.contains("line 2: ") && again.contains("erin"), "{again}");
    assert_eq!(user(&scene, &["import", "--replace"], "carl x\nerin y\n").text(), "Accounts imported: 2\n");
    assert_eq!(names(&scene), ["carl", "dora", "erin"]);
    refused(&scene, &["import", "absent"], "", "bad-config");
}

#[test]
fn a_name_that_a_key_has_is_only_taken_when_that_is_said() {
    let scene = Scene::default();
    let hub = scene.hub();
    drop(scene.client(&hub, "erin"));
    assert_eq!(listed(&scene)[0]["account"], false);
    assert_eq!(listed(&scene)[0]["keys"].as_array().unwrap().len(), 1);
    assert!(refused(&scene, &["add", "erin"], "x", "name-taken").contains("--take"));
    refused(&scene, &["import"], "erin x", "name-taken");
    refused(&scene, &["passwd", "erin"], "x", "no-such-person");
    assert_eq!(user(&scene, &["add", "erin", "--take"], "x").code, 0);
    assert_eq!(listed(&scene)[0]["account"], true);
    assert_eq!(listed(&scene)[0]["keys"].as_array().unwrap().len(), 0);
}

#[test]
fn the_hub_goes_on_while_accounts_are_made() {
    let scene = Scene::default();
    let mut hub = scene.hub();
    for name in ["erin", "dora", "carl"] {
        assert_eq!(user(&scene, &["add", name], "x").code, 0);
    }
    let _client = scene.client(&hub, "frank");
    assert_eq!(names(&scene), ["carl", "dora", "erin", "frank"]);
    assert!(hub.process.is_alive());
}

#[test]
fn what_only_looks_makes_no_hub() {
    let scene = Scene::default();
    let list = scene.file("list", "carl\n");
    for args in [
        &["user", "list"][..],
        &["user", "remove", "erin"],
        &["user", "passwd", "erin"],
        &["user", "add", "a b"],
        &["user", "import", list.to_str().unwrap()],
        &["invite", "list"],
        &["invite", "revoke", "first"],
        &["invite", "add"],
    ] {
        let ended = scene.run(args.iter().copied().chain(["--data", "typo"]), "");
        assert_eq!((ended.code, ended.text().as_str()), (1, ""), "{args:?}: {ended:?}");
        assert!(!scene.path("typo").exists(), "{args:?}");
    }
    // Nobody shall think of a password for nothing.
    let ended = scene.run(["user", "add", "erin", "--data", list.to_str().unwrap()], "");
    assert!(ended.code == 1 && ended.stderr.contains("list is not a folder. (store-failed)"), "{ended:?}");
    let ended = scene.run(["user", "import", ".", "--data", "typo"], "");
    assert!(ended.stderr.contains(". cannot be read: that is a folder. (bad-config)"), "{ended:?}");
    for args in [["replay", "."].as_slice(), &["schema", "check", "."]] {
        let ended = scene.run(args, "");
        assert_eq!((ended.code, ended.stderr.as_str()), (1, "potluck: .: that is a folder\n"), "{args:?}");
    }
    let ended = scene.run(["user", "list", "--data", "typo"], "");
    assert!(ended.stderr.contains("No hub has ever been in typo"), "{ended:?}");
    assert!(ended.stderr.contains("`potluck serve --data typo`"), "{ended:?}");
    // Who makes accounts before the hub starts for the first time is told where its folder is now; and told once.
    for (name, told) in [("erin", "potluck: no hub has been in typo yet: its folder was made\n"), ("dora", "")] {
        let ended = scene.run(["user", "add", name, "--data", "typo"], "x");
        assert_eq!((ended.code, ended.stderr.as_str()), (0, told));
    }
    let ended = scene.run(["user", "add", "erin", "--data", "typo"], "x");
    assert!(ended.stderr.contains("`potluck user passwd erin --data typo`"), "{ended:?}");
}

#[test]
fn the_folder_is_that_of_the_hub() {
    let scene = Scene::default();
    let added = scene.run(["user", "add", "erin"], "x");
    assert_eq!(added.code, 0, "{added:?}");
    assert!(Path::new(&scene.path("potluck/hub/hub.sqlite3")).exists());
}
