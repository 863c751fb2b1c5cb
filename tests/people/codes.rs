//! Joining by a short code: over both transports, as often as it may, and against those who guess or are in between.

use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, channel};

use potluck::core::exchange::{Binding, Maker, Typist};
use potluck::core::secrets::Secrets;
use potluck::io::net::identity::Identity;
use potluck::io::net::{Conn, ListenLimits, Listener, connect};
use potluck::protocol::wire::{ExchangeAnswer, ExchangeConfirm, ExchangeStart, Farewell};
use potluck::protocol::{Code, ErrorCode, TransportChoice, to_json};

use super::*;

fn invite(scene: &Scene, args: &[&str]) -> Ended {
    let mut all = vec!["invite"];
    all.extend(args);
    all.extend(["--data", "hub"]);
    scene.run(all, "")
}

/// Makes a code, as the keeper does.
fn code(scene: &Scene, args: &[&str]) -> String {
    let mut all = vec!["add", "--code"];
    all.extend(args);
    let made = invite(scene, &all);
    assert_eq!((made.code, made.lines.len()), (0, 1), "{made:?}");
    assert!(made.stderr.contains("`potluck join 127.0.0.1:"), "{made:?}");
    made.lines[0].clone()
}

/// The same code with another word.
fn wrong(code: &str) -> String {
    let word = if code.ends_with("-cactus") { "-tiger" } else { "-cactus" };
    code.rsplit_once('-').unwrap().0.to_owned() + word
}

fn comes(scene: &Scene, hub: &str, name: &str, args: &[&str]) {
    let mut client = Process::start(name, scene.join(hub, name, args), EVENTS);
    client.expect("welcome");
    assert_eq!(client.finish().code, 0);
}

fn is_refused(scene: &Scene, hub: &str, name: &str, args: &[&str], code: &str) -> Value {
    let mut client = Process::start(name, scene.join(hub, name, args), EVENTS);
    assert_eq!(client.exit(), 4);
    client.refusal(code)
}

fn state(scene: &Scene) -> String {
    let list = invite(scene, &["list", "--json"]).events();
    assert_eq!(list.len(), 1, "{list:?}");
    list[0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_code_lets_in_over_both_transports_as_often_as_it_may() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "invite"]);
    let made = code(&scene, &["friends", "--times", "2"]);
    let spoken = made.to_uppercase().replace('-', " ");
    comes(&scene, &hub.address, "erin", &[&spoken, "--transport", "tcp"]);
    assert_eq!(hub.process.expect("code-used")["invite"], "friends");
    let words: Vec<&str> = made.split('-').collect();
    let mut three = vec!["--transport", "quic"];
    three.extend(&words);
    comes(&scene, &hub.address, "dora", &three);
    let denied = is_refused(&scene, &hub.address, "carl", &[&made], "code-void");
    assert!(denied["message"].as_str().unwrap().contains("as many as it may"), "{denied}");
    // Who is in needs none; and the hub's key is pinned as if it had come in a link.
    comes(&scene, &hub.address, "erin", &[]);
    let link = invite(&scene, &["add"]).lines[0].clone();
    let key = link.split('#').nth(1).unwrap().split('.').next().unwrap().to_owned();
    let known = std::fs::read_to_string(scene.path("home/known_keys.json")).unwrap_or_default();
    assert!(known.is_empty() || known.contains(&key), "{known}");
    for (index, word) in words.iter().enumerate().skip(1) {
        assert!(!hub.process.transcript().contains(word), "word {index} is in the log");
    }
}

#[test]
fn a_wrong_word_ends_the_code_and_its_maker_is_told() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "invite"]);
    let made = code(&scene, &["friends", "--times", "5"]);
    is_refused(&scene, &hub.address, "mallory", &[&wrong(&made)], "wrong-code");
    assert_eq!(hub.process.expect("code-guessed")["invite"], "friends");
    assert_eq!(state(&scene), "guessed");
    let denied = is_refused(&scene, &hub.address, "erin", &[&made], "code-void");
    assert!(denied["message"].as_str().unwrap().contains("guessed"), "{denied}");
    let port = hub.port.to_string();
    hub.process.signal(Signal::KILL);
    hub.process.exit();
    let hub = scene.hub_with(&["--access", "invite", "--port", &port]);
    is_refused(&scene, &hub.address, "erin", &[&made], "code-void");
    is_refused(&scene, &hub.address, "erin", &["999 crossover clockwork"], "no-such-code");
}

#[test]
fn what_is_no_code_is_refused_before_anything_is_dialled() {
    let scene = Scene::default();
    // Nobody is there.
    for (typed, told) in [
        ("7-crosover-clockwork", "Did you mean `crossover`? Nothing was sent"),
        ("7-crossover", "a number and two words"),
        ("crossover clockwork", "a number and two words"),
    ] {
        let ended = scene.run(["join", "127.0.0.1:1", typed, "--name", "erin"], "");
        assert!(ended.code == 2 && ended.stderr.contains(told), "{ended:?}");
    }
    let ended = scene.run(["join", "127.0.0.1:1/7-crosover-clockwork", "--name", "erin"], "");
    assert!(ended.code == 2 && ended.stderr.contains("Did you mean `crossover`?"), "{ended:?}");
}

#[test]
fn a_code_survives_a_restart_and_ends_when_it_is_revoked_or_its_time_is_over() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "invite"]);
    let (made, revoked, short) =
        (code(&scene, &["one"]), code(&scene, &["two"]), code(&scene, &["three", "--until", "1s"]));
    let port = hub.port.to_string();
    hub.process.signal(Signal::KILL);
    hub.process.exit();
    let hub = scene.hub_with(&["--access", "invite", "--port", &port]);
    assert_eq!(invite(&scene, &["revoke", "two"]).code, 0);
    is_refused(&scene, &hub.address, "erin", &[&revoked], "no-such-code");
    let file = scene.file("code.txt", format!("{made}\n"));
    comes(&scene, &hub.address, "erin", &["--invite-file", file.to_str().unwrap()]);
    let listed = || invite(&scene, &["list", "--json"]).events();
    let began = std::time::Instant::now();
    while !listed().iter().any(|listed| listed["name"] == "three" && listed["state"] == "expired") {
        assert!(began.elapsed() < PATIENCE, "{:?}", listed());
    }
    let denied = is_refused(&scene, &hub.address, "dora", &[&short], "code-void");
    assert!(denied["message"].as_str().unwrap().contains("time"), "{denied}");
}

#[test]
fn who_finds_their_name_taken_comes_again_with_the_same_code() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    comes(&scene, &hub.address, "erin", &[&code(&scene, &[])]);
    let (made, place) = (code(&scene, &[]), scene.place("elsewhere"));
    let mut client = Process::start("other", scene.join_from(&place, &hub.address, "erin", &[&made]), EVENTS);
    assert_eq!(client.exit(), 4);
    client.refusal("name-taken");
    let mut client = Process::start("other", scene.join_from(&place, &hub.address, "ben", &[&made]), EVENTS);
    client.expect("welcome");
    assert_eq!(client.finish().code, 0);
}

#[test]
fn a_member_who_may_makes_invites_and_is_told_of_a_guess() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite", "--may-invite", "erin"]);
    comes(&scene, &hub.address, "dora", &[&code(&scene, &[])]);
    let mut erin = scene.start(&hub, "erin", &[&code(&scene, &[])]);
    let mut dora = scene.client(&hub, "dora");
    dora.refused(json!({"request": "invite-add"}), "not-allowed");
    let ask = json!({"request": "invite-add", "code": true, "until": "1h"});
    let (good, bad) = (erin.must(ask.clone(), "invite-added"), erin.must(ask, "invite-added"));
    let text = |made: &Value| made["code"].as_str().unwrap().to_owned();
    comes(&scene, good["hub"].as_str().unwrap(), "carl", &[&text(&good)]);
    is_refused(&scene, &hub.address, "mallory", &[&wrong(&text(&bad))], "wrong-code");
    assert_eq!(erin.expect("invite-guessed")["invite"], bad["invite"]);
    assert!(!dora.has_said(|event| event["event"] == "invite-guessed"));
    let list = erin.must(request("invite-list"), "invites");
    let states: Vec<&Value> = list["invites"].as_array().unwrap().iter().map(|invite| &invite["state"]).collect();
    assert_eq!(states, [&json!("spent"), &json!("guessed")]);
    // The keeper sees them, too; and who is out lets nobody in any more.
    let link = erin.must(json!({"request": "invite-add"}), "invite-added")["link"].as_str().unwrap().to_owned();
    let listed = invite(&scene, &["list", "--json"]).events();
    assert!(listed.iter().filter(|listed| listed["maker"] == "erin").count() == 3, "{listed:?}");
    assert_eq!(scene.run(["user", "remove", "erin", "--data", "hub"], "").code, 0);
    is_refused(&scene, &link, "fred", &[], "access-denied");
}

/// Runs something on the network, as a program of an attacker does.
fn attack<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn say(conn: &mut Conn, line: String) {
    conn.writer.write_all((line + "\n").as_bytes()).await.unwrap();
    conn.writer.flush().await.unwrap();
}

async fn hear(conn: &mut Conn) -> String {
    let line = conn.reader.next().await.unwrap().expect("a line");
    String::from_utf8(line.to_vec()).unwrap()
}

fn refusal(line: &str) -> ErrorCode {
    serde_json::from_str::<Farewell>(line).unwrap().farewell.code
}

fn start(nameplate: u32, share: &[u8]) -> String {
    let share = potluck::protocol::wire::Octets(share.to_vec());
    to_json(&ExchangeStart { exchange: "potluck-exchange/1".into(), nameplate, share })
}

#[test]
fn a_hundred_wrong_guesses_get_nowhere_and_are_told() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--access", "invite"]);
    let made: Vec<Code> = (0..100).map(|_| code(&scene, &[]).parse().unwrap()).collect();
    let address = hub.address.parse().unwrap();
    attack(async {
        let identity = Identity::ephemeral().unwrap();
        let mut secrets = Secrets::new([1; 32]);
        for code in &made {
            let guess: Code = wrong(&code.to_string()).parse().unwrap();
            let mut conn = connect(address, &identity, None, TransportChoice::Tcp).await.unwrap();
            let binding = Binding {
                nameplate: guess.nameplate(),
                typist: identity.key,
                maker: conn.peer,
                exporter: Some(conn.exporter),
            };
            let (typist, share) = Typist::start(&guess, &mut secrets);
            say(&mut conn, start(guess.nameplate(), &share)).await;
            let answer: ExchangeAnswer = serde_json::from_str(&hear(&mut conn).await).unwrap();
            let (_, confirmation) = typist.confirm(&binding, &answer.share.0).unwrap();
            say(&mut conn, to_json(&ExchangeConfirm { confirmation: confirmation.into() })).await;
            assert_eq!(refusal(&hear(&mut conn).await), ErrorCode::WrongCode);
        }
    });
    let list = invite(&scene, &["list", "--json"]).events();
    assert!(list.len() == 100 && list.iter().all(|listed| listed["state"] == "guessed"), "{list:?}");
    (0..100).for_each(|_| drop(hub.process.then("code-guessed")));
    is_refused(&scene, &hub.address, "erin", &[&made[0].to_string()], "code-void");
}

#[test]
fn who_reflects_or_relays_to_a_hub_gets_nothing() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--access", "invite"]);
    let made: Code = code(&scene, &[]).parse().unwrap();
    let address = hub.address.parse().unwrap();
    attack(async {
        let identity = Identity::ephemeral().unwrap();
        let mut conn = connect(address, &identity, None, TransportChoice::Quic).await.unwrap();
        // A maker's share, as if it were a typist's.
        say(&mut conn, start(made.nameplate(), &[b'B'; 33])).await;
        assert_eq!(refusal(&hear(&mut conn).await), ErrorCode::WrongProtocol);
        // Everything is right, but made for another connection.
        let mut conn = connect(address, &identity, None, TransportChoice::Quic).await.unwrap();
        let (nameplate, typist, maker) = (made.nameplate(), identity.key, conn.peer);
        let binding = Binding { nameplate, typist, maker, exporter: Some([7; 32]) };
        let (typist, share) = Typist::start(&made, &mut Secrets::new([1; 32]));
        say(&mut conn, start(nameplate, &share)).await;
        let answer: ExchangeAnswer = serde_json::from_str(&hear(&mut conn).await).unwrap();
        let (_, confirmation) = typist.confirm(&binding, &answer.share.0).unwrap();
        say(&mut conn, to_json(&ExchangeConfirm { confirmation: confirmation.into() })).await;
        assert_eq!(refusal(&hear(&mut conn).await), ErrorCode::WrongCode);
    });
}

/// A false hub that is asked by code: it guesses, or relays to the true one. Gives its port, and what it heard.
fn false_hub(answer: impl Fn(&ExchangeStart, &Conn) -> Vec<u8> + Send + 'static) -> (u16, Receiver<String>) {
    let ((tell, port), (heard, hears)) = (channel(), channel());
    std::thread::spawn(move || {
        attack(async move {
            let identity = Identity::from_seed([66; 32]);
            let address = (Ipv4Addr::LOCALHOST, 0).into();
            let mut listener = Listener::bind(address, &identity, ListenLimits::default()).unwrap();
            tell.send(listener.local_addr().port()).unwrap();
            loop {
                let mut conn = listener.accept().await;
                let first = hear(&mut conn).await;
                heard.send(first.clone()).unwrap();
                let Ok(begun) = serde_json::from_str::<ExchangeStart>(&first) else { continue };
                let share = potluck::protocol::wire::Octets(answer(&begun, &conn));
                say(&mut conn, to_json(&ExchangeAnswer { share })).await;
                let Ok(Some(line)) = conn.reader.next().await.map(|line| line.map(<[u8]>::to_vec)) else { continue };
                let line = String::from_utf8(line).unwrap();
                heard.send(line.clone()).unwrap();
                // The client's own confirmation is as good as any.
                let confirm: ExchangeConfirm = serde_json::from_str(&line).unwrap();
                let confirmation = potluck::protocol::wire::Octets(confirm.confirmation.0);
                say(&mut conn, json!({"confirmation": confirmation, "sealed": "00"}).to_string()).await;
                let _ = conn.reader.next().await;
            }
        });
    });
    (port.recv().unwrap(), hears)
}

#[test]
fn a_false_hub_that_terminates_gets_nothing() {
    let scene = Scene::default();
    // It guesses; it reflects; it answers with rubbish.
    for how in 0..3 {
        let (port, heard) = false_hub(move |begun, conn| match how {
            0 => {
                let guess = Code::new(begun.nameplate, 5);
                let (nameplate, typist, maker) = (begun.nameplate, conn.peer, Identity::from_seed([66; 32]).key);
                let binding = Binding { nameplate, typist, maker, exporter: Some(conn.exporter) };
                Maker::answer(&guess, &binding, &begun.share.0, &mut Secrets::new([1; 32])).unwrap().1.to_vec()
            }
            1 => {
                let mut share = begun.share.0.clone();
                share[0] = b'B';
                share
            }
            _ => vec![0; 33],
        });
        let mut client =
            Process::start("erin", scene.join(&format!("127.0.0.1:{port}"), "erin", &["7-tiger-tiger"]), EVENTS);
        assert_eq!(client.exit(), 4);
        let told = client.refusal("wrong-code");
        assert!(told["message"].as_str().unwrap().contains("does not know the code"), "{told}");
        let all: Vec<String> = heard.try_iter().collect();
        assert!(all.iter().all(|line| !line.contains("tiger") && !line.contains("hello")), "{all:?}");
        assert!(all.len() <= 2, "one guess, and no more: {all:?}");
        let known = std::fs::read_to_string(scene.path("home/known_keys.json")).unwrap_or_default();
        assert!(!known.contains(&port.to_string()), "nothing is pinned: {known}");
    }
}

#[test]
fn a_key_that_is_pinned_comes_before_the_code() {
    let scene = Scene::default();
    let (port, heard) = false_hub(|_, _| vec![0; 33]);
    let key = Identity::from_seed([5; 32]).key.to_string();
    let (address, args) = (format!("127.0.0.1:{port}"), ["7-tiger-tiger", "--hub-key", &key]);
    is_refused(&scene, &address, "erin", &args, "hub-key-changed");
    assert!(heard.try_iter().next().is_none(), "not one byte of the exchange");
}
