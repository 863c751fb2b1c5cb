//! Input that is wrong, in every way that we know: each line gets one clear error, and nothing else happens.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::*;
use serde_json::{Value, json};

/// Proves that nothing was lost: the client still answers, and hears of what others offer.
fn is_well(scene: &Scene, hub: &Hub, client: &mut Process) {
    assert_eq!(client.ask(json!({"request": "list"}))["event"], "table");
    let name = format!("other{}", scene.dir().read_dir().unwrap().count());
    scene.file(&format!("{name}/shared/{name}.txt"), "news");
    let mut other = scene.client(hub, &name);
    let file = format!("{name}.txt");
    other.ask(json!({"request": "offer", "files": [file]}));
    client.find("the offer of another", |event| {
        event["event"] == "table-updated" && event["added"].as_array().unwrap().iter().any(|o| o["file"] == *file)
    });
    let got = client.ask(json!({"request": "get", "file": file}));
    assert_eq!(got["event"], "transfer-completed", "{got}");
}

/// Writes a line that is wrong, and gives the one error that it causes.
fn refused(client: &mut Process, line: impl AsRef<[u8]>) -> Value {
    client.write(line);
    client.write("\n");
    // What comes after it is answered after it: so there was exactly one answer in between.
    let after = client.ask(json!({"request": "transfers"}));
    assert_eq!(after["event"], "transfers");
    let error = client.expect("error");
    assert_eq!(error["final"], true, "{error}");
    assert!(error.get("id").is_some() || error["line"].is_u64(), "it says to what it belongs: {error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
    assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    error
}

#[test]
fn lines_that_are_no_requests() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let long = [b"{\"request\":\"list\",\"owner\":\"".as_slice(), &vec![b'x'; 2 << 20], b"\"}"].concat();
    let deep = format!("{{\"request\":\"list\",\"owner\":{}", "[".repeat(100_000));
    let cases: Vec<(Vec<u8>, &str, Option<&str>)> = vec![
        (b"\x00\xff\xfe\x80garbage".to_vec(), "bad-utf8", None),
        (b"\x00\x01\x02".to_vec(), "unknown-request", None),
        (b"{".to_vec(), "bad-json", None),
        (b"{\"request\":\"list\"".to_vec(), "bad-json", None),
        (b"{} {}".to_vec(), "bad-json", None),
        (b"{\"request\":\"list\"} trailing".to_vec(), "bad-json", None),
        (b"{}".to_vec(), "bad-request", Some("")),
        (b"{\"request\":7}".to_vec(), "bad-request", Some("/request")),
        (b"{\"request\":\"lst\"}".to_vec(), "unknown-request", Some("/request")),
        (b"{\"request\":\"located\"}".to_vec(), "unknown-request", Some("/request")),
        (b"{\"request\":\"list\",\"request\":\"who\"}".to_vec(), "bad-json", None),
        (b"{\"request\":\"list\",\"owner\":\"a\",\"owner\":\"b\"}".to_vec(), "bad-json", None),
        (b"{\"request\":\"list\",\"own\":\"a\"}".to_vec(), "bad-request", Some("/own")),
        (b"{\"request\":\"list\",\"owner\":7}".to_vec(), "bad-request", Some("/owner")),
        (b"{\"request\":\"list\",\"owner\":\"\\ud800\"}".to_vec(), "bad-json", None),
        (b"{\"request\":\"get\"}".to_vec(), "bad-request", None),
        (b"{\"request\":\"get\",\"file\":\"a\",\"from\":null}".to_vec(), "bad-request", Some("/from")),
        (b"{\"request\":\"get\",\"file\":\"a\",\"on_conflict\":null}".to_vec(), "bad-request", Some("/on_conflict")),
        (b"{\"request\":\"offer\",\"files\":[\"a\"],\"chunks\":null}".to_vec(), "bad-request", Some("/chunks")),
        (b"{\"id\":null,\"request\":\"list\"}".to_vec(), "bad-request", Some("/id")),
        (b"{\"id\":1.5,\"request\":\"list\"}".to_vec(), "bad-request", Some("/id")),
        (b"{\"id\":[],\"request\":\"list\"}".to_vec(), "bad-request", Some("/id")),
        (b"{\"request\":\"get\",\"file\":\"a\",\"on_conflict\":\"ask\"}".to_vec(), "bad-request", Some("/on_conflict")),
        (b"{\"request\":\"offer\",\"files\":\"a\"}".to_vec(), "bad-request", Some("/files")),
        (b"{\"request\":\"offer\",\"files\":[\"a\",7]}".to_vec(), "bad-request", Some("/files/1")),
        (b"{\"request\":\"offer\",\"files\":[]}".to_vec(), "bad-request", Some("/files")),
        (b"{\"request\":\"offer\",\"files\":[\"a\"],\"chunks\":0}".to_vec(), "bad-request", Some("/chunks")),
        (b"{\"request\":\"offer\",\"files\":[\"a\"],\"chunks\":16385}".to_vec(), "bad-request", Some("/chunks")),
        (b"{\"request\":\"offer\",\"files\":[\"a\"],\"chunks\":-1}".to_vec(), "bad-request", Some("/chunks")),
        (b"{\"request\":\"withdraw\",\"files\":[]}".to_vec(), "bad-request", Some("/files")),
        (b"{\"request\":\"cancel\",\"transfer\":-1}".to_vec(), "bad-request", Some("/transfer")),
        (b"{\"request\":\"cancel\",\"transfer\":18446744073709551616}".to_vec(), "bad-request", Some("/transfer")),
        (b"{\"request\":\"quit\",\"now\":\"yes\"}".to_vec(), "bad-request", Some("/now")),
        (b"[\"list\"]".to_vec(), "bad-json", None),
        (b"\"list\"".to_vec(), "bad-json", None),
        (b"list --nonsense".to_vec(), "bad-command", None),
        (b"get 'unclosed".to_vec(), "bad-command", None),
        (b"cancel many".to_vec(), "bad-command", None),
        (deep.into_bytes(), "bad-json", None),
        (long, "line-too-long", None),
    ];
    for (line, code, pointer) in cases {
        let shown = String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned();
        let error = refused(&mut erin, &line);
        assert_eq!(error["code"], code, "{shown}: {error}");
        match pointer {
            Some(pointer) => assert_eq!(error["at"], pointer, "{shown}: {error}"),
            // What is not even an object, or has no field to point to, is placed by its line.
            None => assert!(error["at"].is_u64() || error["at"].is_string(), "{shown}: it has a place: {error}"),
        }
    }
    let marked = refused(&mut erin, r#"{"id":"mine","request":"get"}"#);
    assert_eq!(marked["id"], "mine");
    is_well(&scene, &hub, &mut erin);
}

/// Names that no file may have, each JSON-escaped.
const BAD_FILES: [&str; 16] = [
    "../x",
    "/etc/passwd",
    "a/../b",
    "..",
    "",
    "a//b",
    "a//",
    "../",
    "/",
    "./a",
    "a/./",
    "a\\u0000b",
    "a\\nb",
    "a\\u001b[31mb",
    "a\\u202eb",
    "a\\u200bb",
];

#[test]
fn names_that_are_not_allowed() {
    let scene = Scene::default();
    let hub = scene.hub();
    scene.file("erin/shared/a", "a");
    scene.file("outside", "secret");
    let mut erin = scene.client(&hub, "erin");
    erin.ask(json!({"request": "offer", "files": ["a"]}));
    let mut dora = scene.client(&hub, "dora");
    for name in BAD_FILES {
        let offer = refused(&mut erin, format!(r#"{{"request":"offer","files":["a","a","{name}"]}}"#));
        assert_eq!((&offer["code"], &offer["at"]), (&json!("bad-name"), &json!("/files/2")), "{name}: {offer}");
        let get = refused(&mut dora, format!(r#"{{"request":"get","file":"{name}"}}"#));
        assert_eq!((&get["code"], &get["at"]), (&json!("bad-name"), &json!("/file")), "{name}: {get}");
        let to = refused(&mut dora, format!(r#"{{"request":"get","file":"a","from":"erin","to":"{name}"}}"#));
        assert_eq!((&to["code"], &to["at"]), (&json!("bad-name"), &json!("/to")), "{name}: {to}");
    }
    // These may stand for a folder, and `a` is none.
    assert_eq!(refused(&mut erin, r#"{"request":"offer","files":["a/"]}"#)["code"], "not-a-dir");
    assert_eq!(refused(&mut dora, r#"{"request":"get","file":"a/"}"#)["code"], "not-offered");
    assert_eq!(refused(&mut dora, r#"{"request":"get","file":"."}"#)["code"], "bad-name");
    for to in [".", "a/"] {
        let to = refused(&mut dora, format!(r#"{{"request":"get","file":"a","to":"{to}"}}"#));
        assert_eq!((&to["code"], &to["at"]), (&json!("bad-name"), &json!("/to")), "{to}");
    }
    dora.ask(json!({"request": "dereg"}));
    for name in ["", "hub", "SERVER", "a b", "a/b", "..", "erin\\u202e", "er\\u200bin", "\\u0435rin", "a\\nb"] {
        let error = refused(&mut dora, format!(r#"{{"request":"register","name":"{name}"}}"#));
        assert_eq!((&error["code"], &error["at"]), (&json!("bad-name"), &json!("/name")), "{name}: {error}");
    }
    assert_eq!(refused(&mut dora, r#"{"request":"register","name":"ERIN"}"#)["code"], "name-taken");
    assert_eq!(dora.ask(json!({"request": "rereg"}))["event"], "welcome");
    is_well(&scene, &hub, &mut dora);
    is_well(&scene, &hub, &mut erin);
    assert!(!scene.path("dora/x").exists() && !scene.path("dora/downloads/a").exists());
}

fn reason(skipped: &Value) -> (&str, &str) {
    (skipped["file"].as_str().unwrap(), skipped["reason"].as_str().unwrap())
}

#[test]
fn folders_and_files_that_are_not_what_they_should_be() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    scene.file("erin/shared/good", "good");
    scene.file("outside", "secret");
    scene.file("erin/shared/folder/inside", "i");
    let shared = scene.path("erin/shared");
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, shared.join("fifo"), fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    std::os::unix::fs::symlink(scene.path("outside"), shared.join("link")).unwrap();
    std::os::unix::fs::symlink(scene.dir(), shared.join("up")).unwrap();
    std::os::unix::fs::symlink("nowhere", shared.join("dangling")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", shared.join("device")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(shared.join("socket")).unwrap();
    for (file, code) in [
        ("nothing", "no-such-file"),
        ("fifo", "not-a-file"),
        ("link", "not-a-file"),
        ("up/outside", "not-a-file"),
        ("dangling", "not-a-file"),
        ("device", "not-a-file"),
        ("socket", "not-a-file"),
        ("good/below", "not-a-file"),
    ] {
        // The good one stands twice, which is one offer: the place is that of what was written.
        let error = refused(&mut erin, json!({"request": "offer", "files": ["good", "good", file]}).to_string());
        assert_eq!((&error["code"], &error["at"]), (&json!(code), &json!("/files/2")), "{file}: {error}");
        assert!(error["message"].as_str().unwrap().contains(file), "{error}");
    }
    if !rustix::process::getuid().is_root() {
        let locked = scene.file("erin/shared/locked", "l");
        std::fs::set_permissions(locked, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        assert_eq!(refused(&mut erin, "offer locked")["code"], "not-readable");
    }
    assert_eq!(erin.ask(json!({"request": "list"}))["offers"], json!([]), "all or nothing");
    // Below a folder what cannot be offered is left out, and said.
    let all = erin.ask(json!({"request": "offer", "files": ["."]}));
    let offered: Vec<&Value> = all["offers"].as_array().unwrap().iter().map(|offer| &offer["file"]).collect();
    assert_eq!(offered, ["folder/inside", "good"]);
    let mut skipped: Vec<(&str, &str)> = all["skipped"].as_array().unwrap().iter().map(reason).collect();
    skipped.retain(|(file, _)| *file != "locked");
    let links = ["dangling", "device", "link", "up"].map(|file| (file, "link"));
    let mut expected = [links.as_slice(), &[("fifo", "special"), ("socket", "special")]].concat();
    [&mut skipped, &mut expected].into_iter().for_each(|list| list.sort_unstable());
    assert_eq!(skipped, expected);
    assert_eq!(erin.ask(json!({"request": "withdraw", "files": ["folder/", "good"]}))["event"], "withdrawn");
    for (dir, code) in
        [("nowhere", "no-such-dir"), ("outside", "not-a-dir"), ("outside/below", "not-a-dir"), ("", "no-such-dir")]
    {
        let error = refused(&mut erin, json!({"request": "setdir", "dir": dir}).to_string());
        assert_eq!((&error["code"], &error["at"]), (&json!(code), &json!("/dir")), "{dir}: {error}");
    }
    let nul = refused(&mut erin, r#"{"request":"setdir","dir":"a\u0000b"}"#);
    assert_eq!(nul["at"], "/dir", "{nul}");
    // The folder from before still stands.
    assert_eq!(erin.ask(json!({"request": "offer", "files": ["good"]}))["event"], "offer-acked");
    is_well(&scene, &hub, &mut erin);
}

#[test]
fn targets_that_cannot_be_written() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    scene.file("erin/shared/a", "new");
    erin.ask(json!({"request": "offer", "files": ["a"]}));
    let mut dora = scene.client(&hub, "dora");
    // The download folder has become a file. (One that is a file at the start is refused there.)
    let _ = std::fs::remove_dir(scene.path("dora/downloads"));
    scene.file("dora/downloads", "in the way");
    let get = json!({"request": "get", "file": "a", "from": "erin"});
    assert_eq!(dora.ask(get.clone())["code"], "not-writable");
    assert_eq!(std::fs::read_to_string(scene.path("dora/downloads")).unwrap(), "in the way");
    std::fs::remove_file(scene.path("dora/downloads")).unwrap();
    // A part of the target is a file, a link that leads out, or the target is a folder.
    scene.file("dora/downloads/file", "f");
    std::fs::create_dir_all(scene.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(scene.path("elsewhere"), scene.path("dora/downloads/link")).unwrap();
    std::fs::create_dir_all(scene.path("dora/downloads/folder")).unwrap();
    for to in ["file/a", "link/a", "folder", "file"] {
        let failed = dora.ask(json!({"request": "get", "file": "a", "to": to}));
        assert!(["error", "transfer-failed"].iter().any(|name| failed["event"] == *name), "{to}: {failed}");
        assert!(["exists", "not-writable"].iter().any(|code| failed["code"] == *code), "{to}: {failed}");
    }
    assert_eq!(std::fs::read_dir(scene.path("elsewhere")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(scene.path("dora/downloads/file")).unwrap(), "f");
    assert_eq!(dora.ask(get)["event"], "transfer-completed");
    is_well(&scene, &hub, &mut dora);
}

/// What strangers send: garbage, HTTP, a ClientHello that stops halfway, nothing.
fn disturb(address: SocketAddr, udp: bool) -> Vec<TcpStream> {
    let half_tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaa".to_vec();
    let inputs = [vec![0xff; 4096], b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), half_tls, Vec::new()];
    let mut open = Vec::new();
    for input in inputs {
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(&input);
        open.push(stream);
        if udp {
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&input, address).unwrap();
        }
    }
    open
}

#[test]
fn strangers_at_the_ports_harm_nobody() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    scene.file("erin/shared/a", "a");
    let offer = erin.ask(json!({"request": "offer", "files": ["a"]}));
    let port = u16::try_from(offer["offers"][0]["port"].as_u64().unwrap()).unwrap();
    let mut open = disturb(hub.address.parse().unwrap(), true);
    open.extend(disturb(([127, 0, 0, 1], port).into(), false));
    let mut dora = scene.client(&hub, "dora");
    assert_eq!(dora.ask(json!({"request": "get", "file": "a"}))["event"], "transfer-completed");
    is_well(&scene, &hub, &mut erin);
    // Each is closed in the end, and none was told more than a TLS alert.
    for mut stream in open {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut answer = Vec::new();
        if let Err(e) = stream.read_to_end(&mut answer) {
            assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert!(answer.len() <= 7, "{answer:02x?}");
    }
}

#[test]
fn nothing_that_steers_a_terminal_is_shown() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--log-level", "debug"]);
    let nasty = "\x1b[31m\x1b]0;title\x07\u{202e}\u{2066}\u{9b}31m";
    std::fs::create_dir_all(scene.path("erin/shared")).unwrap();
    std::fs::write(scene.path(&format!("erin/shared/{nasty}")), "x").unwrap();
    for json in [false, true] {
        let mut command = scene.command(["join", &hub.address, "--name", "erin"]);
        scene.own_folders(&mut command, "erin");
        command.args(json.then_some("--json"));
        let mut erin = Process::start("erin", command, Face::Text);
        for word in ["offer", "get", "setdir", "withdraw", "list --owner", "help", "register", ""] {
            erin.line(&format!("{word} '{nasty}'"));
            let quoted = serde_json::to_string(nasty).unwrap();
            let name = word.split(' ').next().unwrap();
            erin.line(&format!(r#"{{"id":{quoted},"request":"{name}",{quoted}:{quoted}}}"#));
        }
        erin.line(&format!(r#"{{"request":"setdir","dir":{}}}"#, serde_json::to_string(nasty).unwrap()));
        erin.line(&format!(r#"{{"request":"get","file":"a","from":{}}}"#, serde_json::to_string(nasty).unwrap()));
        let said = erin.finish().said();
        harmless(&said);
    }
    for args in [
        &["join", nasty][..],
        &["join", "x", "--name", nasty],
        &["join", "x", "--name", "x", "--dir", nasty],
        &["exec", "x", "--", nasty],
        &["serve", "--port", "0", "--data", &format!("/dev/null/{nasty}")],
        &["forget", nasty],
        &["replay", nasty],
        &["schema", nasty],
        &["schema", "show", nasty],
        &["schema", "check", nasty],
    ] {
        let ended = scene.run(args, "");
        assert_ne!(ended.code, 0);
        harmless(&format!("{}{}", ended.text(), ended.stderr));
    }
    let ended = scene.run(["exec", &hub.address, "--name", "bot", "--", "get", nasty], "");
    harmless(&format!("{}{}", ended.text(), ended.stderr));
    harmless(&hub.process.transcript());
}

/// No control, bidirectional or invisible character, and no line end of any reader but the line feed.
fn harmless(text: &str) {
    let steers = |c: char| c != '\n' && potluck::protocol::unicode::Unseen::of(c).is_some();
    let line = text.split('\n').find(|line| line.chars().any(steers));
    assert!(line.is_none(), "{line:?}");
}
