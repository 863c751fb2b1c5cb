//! What goes wrong is told in words for people: nothing that a library says of itself reaches anybody.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::support::*;

/// What libraries, the system and Rust say, and nobody else.
const BANNED: &[&str] = &[
    "os error",
    "docs.rs",
    "http:",
    "https:",
    "expected u",
    "expected a ",
    "expected struct",
    "expected value",
    "invalid digit",
    "invalid type",
    "invalid value",
    "invalid socket",
    "invalid IP",
    "missing field",
    "unknown field",
    "unknown variant",
    "trailing characters",
    "EOF while",
    "at line 1 column",
    "Os {",
    "kind:",
    "Custom {",
    "0x",
    "Errno",
    "ParseInt",
    "close_notify",
    "panicked",
    "SqliteFailure",
    "ConnectionLost",
    "which.",
];

fn in_words(what: &str, said: &str) {
    for word in BANNED {
        assert!(!said.contains(word), "{what}: `{word}` in {said}");
    }
}

/// Lines that are wrong in many ways, from people and from programs.
const LINES: &[&str] = &[
    r#"{"request":"get","file":{}}"#,
    r#"{"request":"get","file":7}"#,
    r#"{"request":"get"}"#,
    r#"{"request":"get","file":"a","fro":"x"}"#,
    r#"{"request":"get","file":"a","chunks":["0"]}"#,
    r#"{"request":"get","file":"a","chunks":[-1]}"#,
    r#"{"request":"get","file":"a","on_conflict":"ask"}"#,
    r#"{"request":"get","file":"a","on_conflict":{}}"#,
    r#"{"request":"offer","files":"a"}"#,
    r#"{"request":"offer","files":[[]]}"#,
    r#"{"request":"offer","files":["a"],"chunks":4294967296}"#,
    r#"{"request":"offer","files":["a"],"chunks":1.5}"#,
    r#"{"request":"offer","files":["a"],"watch":"yes"}"#,
    r#"{"request":"cancel","transfer":18446744073709551616}"#,
    r#"{"request":"cancel","transfer":1e400}"#,
    r#"{"request":"login","name":"a","password":7}"#,
    r#"{"request":"room-create","room":"r","access":"all"}"#,
    r#"{"request":"history","limit":"many"}"#,
    r#"{"request":"history","since":"yesterday"}"#,
    r#"{"request":7}"#,
    r#"{"request":"BCM","text":"hello"}"#,
    r#"{"id":[],"request":"list"}"#,
    r#"{"id":1.5,"request":"list"}"#,
    r#"{"request":"list""#,
    r#"{"request":list}"#,
    r#"{request:"list"}"#,
    r#"{"request":"list",}"#,
    r#"{"request":"list"} more"#,
    r#"{"request":"list","request":"list"}"#,
    r#"{"request":"list","owner":"\ud800"}"#,
    r#"{"request":"list","owner":"\q"}"#,
    r#"{"request":"list","owner":01}"#,
    "cancel many",
    "cancel 99999999999999999999999",
    "cancel -1",
    "accept",
    "who --since soon",
    "who --since 99999999999999999999999",
    "offer a --chunks 0",
    "offer a --chunks many",
    "chunks a x",
    "get a --chunks",
    "get a --on-conflict ask",
    "get 'open",
    "history --limit 501",
    "history --lobby --room kitchen",
    "list --nonsense",
    "say kitchen",
    "talk kitchen",
    "nonsense",
    "setdir nowhere",
    "setdir /dev/null",
    "setdir /dev/null/x",
    "offer nothing",
    "dereg somebody",
];

#[test]
fn wrong_lines_are_told_in_words() {
    let scene = Scene::default();
    let hub = scene.hub();
    for json in [false, true] {
        let mut command = scene.command(["join", &hub.address, "--name", "erin"]);
        scene.own_folders(&mut command, "erin");
        command.args(json.then_some("--json"));
        let mut erin = Process::start("erin", command, Face::Text);
        for line in LINES {
            erin.line(line);
        }
        let said = erin.finish().said();
        for line in said.lines() {
            in_words("a line", line);
        }
        let errors =
            said.lines().filter(|line| line.contains("error: ") || line.contains(r#""event":"error""#)).count();
        assert_eq!(errors, LINES.len(), "each mistake is told once: {said}");
    }
}

#[test]
fn wrong_command_lines_are_told_in_words() {
    let scene = Scene::default();
    let hub = scene.hub();
    let port = hub.address.rsplit_once(':').unwrap().1;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    scene.file("damaged/known_keys.json", "{\"hubs\":7");
    scene.file("text", "no database");
    let at = |name: &str| scene.path(name).to_str().unwrap().to_owned();
    let (text, below, damaged) = (at("text"), at("text/below"), at("damaged"));
    for args in [
        &["serve", "--listen", "nonsense"][..],
        &["serve", "--port", "99999"],
        &["serve", "--port", "many"],
        &["serve", "--port", "-1"],
        &["serve", "--max-clients", "0"],
        &["serve", "--max-clients", "x"],
        &["serve", "--lockout", "soon"],
        &["serve", "--grace", "99999999999999999999999s"],
        &["serve", "--keep", "some"],
        &["serve", "--keep-files", "5Q"],
        &["serve", "--access", "nobody"],
        &["serve", "--ephemeral", "--port", port],
        &["serve", "--ephemeral", "--port", "0", "--listen", "192.0.2.1"],
        &["serve", "--port", "0", "--data", &text],
        &["serve", "--port", "0", "--data", &below],
        &["serve", "--ephemeral", "--port", "0", "--files", &below],
        &["join", &hub.address, "--name", "x", "--up", "5Q"],
        &["join", &hub.address, "--name", "x", "--port", "99999"],
        &["join", &hub.address, "--name", "x", "--max-transfers", "0"],
        &["join", &hub.address, "--name", "x", "--retries", "-1"],
        &["join", &hub.address, "--name", "x", "--hub-key", "zz"],
        &["join", &hub.address, "--name", "x", "--dir", &below],
        &["join", &hub.address, "--name", "x", "--data", &below],
        &["join", &hub.address, "--name", "x", "--data", &damaged],
        &["join", &hub.address, "--name", "x", "--password-file", &below],
        &["join", &hub.address, "--name", "x", "--password-file", "/"],
        &["join", &hub.address, "--name", "x", "--port", port],
        &["join", "host:port", "--name", "x"],
        &["join", "nowhere.invalid:1", "--name", "x"],
        &["join", &closed, "--name", "x"],
        &["join", &closed, "--name", "x", "--transport", "tcp"],
        &["exec", &closed, "--name", "x", "--", "list"],
        &["exec", &hub.address, "--name", "x", "--", "cancel", "many"],
        &["exec", &hub.address, "--name", "x", "--", "get", "nothing"],
        &["replay", &below],
        &["replay", "/"],
        &["schema", "check", &below],
        &["schema", "check", "/"],
        &["schema", "show", "nonsense"],
        &["user", "list", "--data", &below],
        &["user", "list", "--data", &text],
        &["forget", "nonsense:x"],
    ] {
        let ended = scene.run(args, "");
        assert_ne!(ended.code, 0, "{args:?}");
        let said = format!("{}{}", ended.text(), ended.stderr);
        in_words(&args.join(" "), &said);
    }
}

#[test]
fn something_else_at_the_port_is_told_in_words() {
    let scene = Scene::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // Answers as a web server does, hangs up at once, or says nothing that makes sense.
    std::thread::spawn(move || {
        let answers: [&[u8]; 3] = [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", b"", &[0xff; 512]];
        let answer = |stream: std::io::Result<TcpStream>, answer: &[u8]| {
            let mut stream = stream.unwrap();
            let mut heard = [0; 512];
            let _ = stream.read(&mut heard);
            let _ = stream.write_all(answer);
        };
        for (stream, said) in listener.incoming().zip(answers.into_iter().cycle()) {
            answer(stream, said);
        }
    });
    for _ in 0..3 {
        let ended = scene.run(["exec", &address, "--name", "x", "--transport", "tcp", "--", "who"], "");
        assert!([3, 4].contains(&ended.code), "{}", ended.stderr);
        let said = format!("{}{}", ended.text(), ended.stderr);
        in_words("not a hub", &said);
        assert!(said.contains(&address) || said.contains("cannot be reached"), "{said}");
    }
}
