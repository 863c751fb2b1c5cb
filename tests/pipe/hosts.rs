//! Hubs with several hosts and addresses: whichever can be reached is found, and it is the same hub.

use std::net::{Ipv6Addr, TcpListener, UdpSocket};

use potluck::protocol::JoinLink;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::*;

/// A port of 127.0.0.1 at which nobody answers, over either transport: what is sent there is swallowed.
fn silent() -> (u16, impl Sized) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    (port, (tcp, udp))
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// The hosts for which a key is pinned, in the data folder of a client.
fn pinned(scene: &Scene, name: &str) -> Vec<String> {
    let known = std::fs::read(scene.place(name).data().join("known_keys.json")).unwrap();
    let known: serde_json::Map<String, Value> = serde_json::from_slice(&known).unwrap();
    known.keys().filter(|entry| !entry.contains('@')).cloned().collect()
}

#[test]
fn the_host_that_answers_is_found_among_those_that_do_not() {
    let scene = Scene::default();
    let hub = scene.hub();
    let (mute, _open) = silent();
    let alive = &hub.address;
    for (n, others) in [
        // Nobody listens there; somebody does, and says nothing; the name is unknown; all of it.
        "127.0.0.1:1".to_owned(),
        format!("127.0.0.1:{mute}"),
        "no-such-host.invalid".to_owned(),
        format!("127.0.0.1:{mute},no-such-host.invalid:1,127.0.0.1:1,127.0.0.1:2"),
    ]
    .into_iter()
    .enumerate()
    {
        for (m, hosts) in [format!("{others},{alive}"), format!("{alive},{others}")].into_iter().enumerate() {
            for transport in ["auto", "tcp", "quic"] {
                let name = format!("c{n}{m}{transport}");
                let link = format!("potluck://{hosts}/#{}", hub.key);
                let mut client = scene.client_with(&link, &name, &["--transport", transport]);
                assert_eq!(client.must(json!({"request": "list"}), "table")["offers"], json!([]));
                client.quit();
                assert_eq!(pinned(&scene, &name), [alive.as_str()], "only what was reached is known");
            }
        }
    }
    // Without a key as well: the first contact pins it.
    let client = scene.client(&format!("127.0.0.1:{mute},{alive}"), "erin");
    client.quit();
    assert_eq!(pinned(&scene, "erin"), [alive.as_str()]);
}

#[test]
fn where_no_host_answers_each_is_named() {
    let scene = Scene::default();
    let (mute, _open) = silent();
    let hosts = format!("127.0.0.1:1,no-such-host.invalid:1,127.0.0.1:{mute}");
    let ended = scene.run(["join", &hosts, "--name", "erin"], "");
    assert_eq!(ended.code, 3, "{ended:?}");
    let text = ended.text();
    for (host, cause) in [
        ("127.0.0.1:1", "nothing listens there"),
        ("no-such-host.invalid", "no address"),
        (&*format!("127.0.0.1:{mute}"), "no answer came in time"),
    ] {
        let told =
            text.split(". ").find(|sentence| sentence.contains(&format!("{host} cannot"))).map(|s| s.contains(cause));
        assert_eq!(told, Some(true), "{host}: {text}");
    }
}

#[test]
fn another_hub_at_one_of_the_hosts_is_passed_over_and_its_pin_is_left_alone() {
    let scene = Scene::default();
    let (hub, other) = (scene.hub(), {
        let mut command = scene.command(["serve", "--log-format", "json", "--ephemeral", "--port", "0"]);
        command.stdin(std::process::Stdio::null());
        let mut process = Process::start("another hub", command, Face::Json(potluck::protocol::schema::Stream::Log));
        let listening = process.then("hub-listening");
        (format!("127.0.0.1:{}", listening["port"]), text(&listening["key"]), process)
    });
    scene.client(&other.0, "erin").quit();
    let link = format!("potluck://{},{}/#{}", other.0, hub.address, hub.key);
    scene.client(&link, "erin").quit();
    // It is still known as what it was.
    scene.client(&other.0, "erin").quit();
    scene.client(&hub.address, "erin").quit();
    // Two that are known as different hubs are not taken for one.
    let both = format!("{},{}", other.0, hub.address);
    let ended = scene.run(["exec", &both, "--name", "erin", "--data", "erin/data", "list"], "");
    assert_eq!(ended.code, 4, "{ended:?}");
    assert!(ended.text().contains("are not the same hub"), "{ended:?}");
    // Where nobody else is, the wrong key is told.
    let alone = format!("potluck://{}/#{}", other.0, hub.key);
    let ended = scene.run(["exec", &alone, "--name", "erin", "--data", "erin/data", "list"], "");
    assert!(ended.code == 4 && ended.text().contains("hub-key-changed"), "{ended:?}");
    // All that is known of the hosts of a link is forgotten with it.
    let forgotten = scene.run(["forget", &link, "--data", "erin/data"], "");
    assert_eq!(forgotten.text(), format!("Forgotten: {}, {}\n", other.0, hub.address));
}

#[test]
fn a_hub_on_either_family_of_loopback_is_found() {
    if !has_ipv6() {
        return;
    }
    for listen in ["::1", "127.0.0.1", "::"] {
        let scene = Scene::default();
        let hub = scene.hub_with(&["--listen", listen, "--access", "open"]);
        let port = hub.port;
        let mut all = vec![format!("[::1]:{port},127.0.0.1:{port}"), format!("127.0.0.1:{port},[::1]:{port}")];
        // Not everywhere does this name have the IPv6 address, too.
        all.extend((listen != "::1").then(|| format!("localhost:{port}")));
        for (n, hosts) in all.into_iter().enumerate() {
            for transport in ["auto", "tcp"] {
                let link = format!("potluck://{hosts}/#{}", hub.key);
                let mut client = scene.client_with(&link, &format!("c{n}{transport}"), &["--transport", transport]);
                client.must(json!({"request": "who"}), "roster");
                client.quit();
            }
        }
    }
}

#[test]
fn a_session_goes_on_at_another_host_of_the_link() {
    if !has_ipv6() {
        return;
    }
    let scene = Scene::default();
    let hub = scene.hub_with(&["--listen", "::1"]);
    let link = format!("potluck://127.0.0.1:{port},[::1]:{port}/#{}", hub.key, port = hub.port);
    let mut erin = scene.client(&link, "erin");
    erin.offer("a.txt", b"a");
    let hub = scene.again(hub, Signal::KILL, &["--listen", "127.0.0.1"]);
    erin.then("hub-lost");
    erin.then("hub-back");
    let dora = scene.client(&hub, "dora");
    erin.find("that dora is there", |event| {
        event["event"] == "roster-updated" && event["clients"].as_array().unwrap().iter().any(|c| c["name"] == "dora")
    });
    assert_eq!(erin.table()["offers"][0]["file"], "a.txt");
    [erin, dora].into_iter().for_each(Process::quit);
}

#[test]
fn a_hub_prints_all_of_its_hosts() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--host", "hub.example,192.0.2.7", "--host", "2001:db8::1"]);
    let (port, key) = (hub.port, &hub.key);
    let expected = format!("potluck://hub.example:{port},192.0.2.7:{port},[2001:db8::1]:{port}/#{key}");
    assert_eq!(hub.link, expected);
    let invite = scene.run(["invite", "add", "--data", "hub"], "");
    assert!(invite.text().starts_with(&format!("{expected}.")), "{invite:?}");
    let invite = scene.run(["invite", "add", "--data", "hub", "--host", "a,[::1]:9"], "");
    assert!(invite.text().starts_with(&format!("potluck://a:7755,[::1]:9/#{key}.")), "{invite:?}");
    let nine = ["h"; 9].join(",");
    let many = scene.run(["serve", "--port", "0", "--data", "other", "--host", &nine], "");
    assert!(many.code == 2 && many.stderr.contains("at most 8"), "{many:?}");
    // At every address, it says where this machine can be found.
    let scene = Scene::default();
    let hub = scene.hub_with(&["--listen", "0.0.0.0", "--access", "open"]);
    let link: JoinLink = hub.link.parse().unwrap();
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    assert_eq!((link.host.as_str(), link.others.len() <= 3), (name.as_str(), true), "{}", hub.link);
    assert!(link.others.iter().all(|other| other.port == hub.port && !other.host.starts_with("127.")), "{}", hub.link);
}
