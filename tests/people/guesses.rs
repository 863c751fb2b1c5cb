//! Guessing passwords: what is told, when it is locked, and how little is checked.

use std::time::Duration;

use super::accounts::{SECRET, add, login, outside};
use super::*;

/// How long a refusal says to wait.
fn wait(refusal: &Value) -> u64 {
    refusal["wait"].as_u64().unwrap_or_else(|| panic!("it says how long to wait: {refusal}"))
}

#[test]
fn an_unknown_name_and_a_wrong_password_are_told_alike_until_both_are_locked() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts", "--lockout", "600"]);
    let answers = |machine: &str, name: &str| {
        let mut client = outside(&scene, &hub, machine, name);
        let mut answers: Vec<Value> = (0..3).map(|_| client.refused(login(name, "wrong"), "bad-login")).collect();
        answers.push(client.refused(login(name, SECRET), "locked-out"));
        let lockout = wait(&answers[3]);
        assert!((1..=600_000).contains(&lockout) && wait(&answers[2]) == 600_000, "{answers:?}");
        for answer in &mut answers {
            let fields = answer.as_object_mut().unwrap();
            fields.retain(|field, _| !["time", "seq"].contains(&field.as_str()));
        }
        // What is left of the lockout is less with each moment.
        answers[3].as_object_mut().unwrap().retain(|field, _| field != "wait" && field != "message");
        answers
    };
    assert_eq!(answers("one", "erin"), answers("two", "nobody"));
}

#[test]
fn a_lockout_outlives_the_hub_and_ends() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let args = ["--access", "accounts", "--lockout", "600"];
    let hub = scene.hub_with(&args);
    let mut inside = outside(&scene, &hub, "inside", "erin");
    inside.must(login("erin", SECRET), "welcome");
    let mut guesser = outside(&scene, &hub, "guesser", "erin");
    for _ in 0..3 {
        guesser.refused(login("erin", "wrong"), "bad-login");
    }
    guesser.refused(login("erin", SECRET), "locked-out");
    // Who is in stays in, and so does who knows the key.
    inside.must(request("who"), "roster");
    part(inside);
    let mut known = scene.command(["join", &hub.address, "--name", "erin", "--json"]);
    scene.own_folders(&mut known, "inside");
    let mut known = Process::start("known", known, EVENTS);
    known.expect("welcome");
    part(known);
    drop(guesser);
    let hub = scene.again(hub, Signal::KILL, &args);
    let mut guesser = outside(&scene, &hub, "guesser", "erin");
    let refusal = guesser.refused(login("erin", SECRET), "locked-out");
    assert!((1..=600_000).contains(&wait(&refusal)), "{refusal}");
}

#[test]
fn after_the_wait_the_right_password_is_taken() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts", "--lockout", "1", "--max-failures", "2"]);
    let mut erin = outside(&scene, &hub, "erin", "erin");
    erin.refused(login("erin", "wrong"), "bad-login");
    let last = erin.refused(login("erin", "wrong"), "bad-login");
    // The wait itself, not a hope; a clock may be a millisecond behind.
    std::thread::sleep(Duration::from_millis(wait(&last) + 5));
    erin.must(login("erin", SECRET), "welcome");
    // A success makes an end of the count.
    erin.must(request("dereg"), "deregistered");
    erin.refused(login("erin", "wrong"), "bad-login");
    erin.must(login("erin", SECRET), "welcome");
    erin.must(request("dereg"), "deregistered");
    erin.refused(login("erin", "wrong"), "bad-login");
    erin.must(login("erin", SECRET), "welcome");
}

#[test]
fn a_client_that_joins_with_a_password_is_told_how_long_it_is_locked_out() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts", "--lockout", "600", "--max-failures", "1"]);
    let file = scene.file("password", "wrong");
    for code in ["bad-login", "locked-out"] {
        let mut client = scene.join(&hub.address, "erin", &[]);
        client.arg("--password-file").arg(&file);
        let mut client = Process::start("erin", client, EVENTS);
        let refusal = client.refusal(code);
        assert!((1..=600_000).contains(&wait(&refusal)), "{refusal}");
        assert_eq!(client.exit(), 4);
    }
}

#[test]
fn of_a_hundred_guesses_at_once_no_more_are_checked_than_may_fail() {
    let scene = Scene::default();
    add(&scene, "erin", SECRET);
    let hub = scene.hub_with(&["--access", "accounts", "--lockout", "600"]);
    let mut guessers: Vec<Process> = (0..10).map(|n| outside(&scene, &hub, &format!("guesser-{n}"), "erin")).collect();
    for (n, guesser) in guessers.iter_mut().enumerate() {
        let lines: String = (0..10)
            .map(|i| {
                // The right one is among the last.
                let password = if (n, i) == (9, 9) { SECRET.to_owned() } else { format!("guess {n} {i}") };
                let mut asked = login("erin", &password);
                asked["id"] = json!(format!("g{i}"));
                format!("{asked}\n")
            })
            .collect();
        guesser.write(lines);
    }
    let mut codes = std::collections::BTreeMap::<String, usize>::new();
    for guesser in &mut guessers {
        for i in 0..10 {
            let answer = guesser.answer(format!("g{i}"));
            let code = answer["code"].as_str().unwrap_or_else(|| panic!("nobody is let in: {answer}"));
            if code != "bad-login" {
                wait(&answer);
            }
            *codes.entry(code.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(codes["bad-login"], 3, "{codes:?}");
    assert!(codes.keys().all(|code| ["bad-login", "slow-down", "locked-out"].contains(&code.as_str())), "{codes:?}");
    drop(guessers);
    hub.process.signal(Signal::TERM);
    let log = hub.process.finish().names();
    let count = |name: &str| log.iter().filter(|event| *event == name).count();
    assert_eq!((count("login-failed"), count("login-locked")), (3, 1));
}
