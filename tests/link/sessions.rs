//! The link between real processes: loss, cuts, pauses and deaths.

use std::time::Duration;

use crate::support::proxy::Proxy;
use crate::support::*;
use rustix::process::Signal;
use serde_json::{Value, json};

fn proxy(hub: &Hub) -> Proxy {
    Proxy::start(([127, 0, 0, 1], hub.port).into(), 20_260_102)
}

/// A session with every command in it.
fn whole_session(scene: &Scene, port: u16, args: &[&str]) {
    let mut erin = scene.client_with(&port, "erin", args);
    let mut dora = scene.client_with(&port, "dora", args);
    let bytes = content("notes", 100_000);
    erin.place.put("music/song.ogg", &bytes);
    let dir = text(&json!(erin.place.path().join("shared/music")));
    erin.must(json!({"request": "setdir", "dir": dir}), "dir-set");
    let offered = erin.must(json!({"request": "offer", "files": ["song.ogg", "song.ogg"]}), "offer-acked");
    assert_eq!(offered["offers"].as_array().unwrap().len(), 1);

    let table = dora.table();
    assert_eq!((&table["offers"][0]["file"], &table["offers"][0]["owner"]), (&json!("song.ogg"), &json!("erin")));
    let roster = dora.must(json!({"request": "who"}), "roster");
    let names: Vec<&Value> = roster["clients"].as_array().unwrap().iter().map(|client| &client["name"]).collect();
    assert_eq!(names, ["erin", "dora"]);
    assert_eq!(dora.must(json!({"request": "status"}), "status")["total"], 2);
    dora.must(json!({"request": "get", "file": "song.ogg", "from": "erin"}), "transfer-completed");
    assert_eq!(dora.place.got("song.ogg"), bytes);

    erin.must(json!({"request": "withdraw", "files": ["song.ogg"]}), "withdrawn");
    assert_eq!(dora.table()["offers"], json!([]));
    erin.must(json!({"request": "offer", "files": ["song.ogg"]}), "offer-acked");
    assert_eq!(erin.must(json!({"request": "dereg"}), "deregistered")["withdrawn"], 1);
    let without = dora.table();
    assert_eq!(without["offers"], json!([]));
    erin.must(json!({"request": "rereg"}), "welcome");
    // Not the update that told of it before.
    dora.then_where("the offer again", |event| {
        event["event"] == "table-updated"
            && event["revision"].as_u64() > without["revision"].as_u64()
            && event["added"].as_array().is_some_and(|added| !added.is_empty())
    });
    assert_eq!(dora.table()["offers"][0]["file"], "song.ogg");
    dora.must(json!({"request": "transfers"}), "transfers");
    dora.must(json!({"request": "wait"}), "waited");
    dora.must(json!({"request": "help", "command": "get"}), "help");
    erin.quit();
    dora.then_state("erin", "offline");
    dora.quit();
}

#[test]
fn every_command_completes_over_a_lossy_network() {
    let scene = Scene::default();
    let hub = scene.hub();
    let proxy = proxy(&hub);
    proxy.set_loss(0.2);
    whole_session(&scene, proxy.address.port(), &["--transport", "quic"]);
}

#[test]
fn every_command_completes_over_tcp() {
    let scene = Scene::default();
    let hub = scene.hub();
    whole_session(&scene, hub.port, &["--transport", "tcp"]);
}

#[test]
fn where_udp_does_not_pass_auto_takes_tcp() {
    let scene = Scene::default();
    let mut hub = scene.hub_with(&["--log-level", "debug"]);
    let proxy = proxy(&hub);
    proxy.set_loss(1.0);
    let mut erin = scene.client_with(&proxy.address.port(), "erin", &["--transport", "auto"]);
    assert_eq!(hub.process.then("client-connected")["transport"], "tcp");
    assert_eq!(erin.table()["offers"], json!([]));
    erin.quit();
}

fn a_cut_client_is_away_and_comes_back(transport: &str) {
    let scene = Scene::default();
    let hub = scene.hub();
    let proxy = proxy(&hub);
    let mut erin = scene.client_with(&proxy.address.port(), "erin", &["--transport", transport]);
    let mut dora = scene.client(&hub, "dora");
    erin.offer("a.txt", b"a");
    dora.then_state("erin", "online");

    proxy.cut();
    // Within two seconds after its last answer, as the simulator shows; a real machine may be busy.
    dora.then_state("erin", "away");
    erin.then("hub-lost");

    // What happens meanwhile is not lost, and what is asked meanwhile is answered once.
    dora.offer("b.txt", b"b");
    erin.place.put("c.txt", b"c");
    let asked = [
        erin.send(json!({"request": "offer", "files": ["c.txt"]})),
        erin.send(json!({"request": "who"})),
        erin.send(json!({"request": "get", "file": "b.txt"})),
    ];
    proxy.mend();
    assert_eq!(erin.then("hub-back")["resumed"], true);
    dora.then_state("erin", "online");
    let answers = asked.map(|id| text(&erin.answer(id)["event"]));
    assert_eq!(answers, ["offer-acked", "roster", "transfer-completed"]);
    assert_eq!(erin.place.got("b.txt"), b"b");
    for peer in [&mut erin, &mut dora] {
        let table = peer.table();
        let files: Vec<&Value> = table["offers"].as_array().unwrap().iter().map(|offer| &offer["file"]).collect();
        assert_eq!(files, ["a.txt", "b.txt", "c.txt"]);
    }
    // Nobody came twice.
    assert_eq!(dora.must(json!({"request": "status"}), "status")["total"], 2);
    erin.quit();
    dora.quit();
}

#[test]
fn a_client_that_is_cut_off_over_quic_is_away_and_comes_back() {
    a_cut_client_is_away_and_comes_back("quic");
}

#[test]
fn a_client_that_is_cut_off_over_tcp_is_away_and_comes_back() {
    a_cut_client_is_away_and_comes_back("tcp");
}

#[test]
fn after_the_grace_the_offers_leave_and_the_client_enters_again_by_itself() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--grace", "1s"]);
    let proxy = proxy(&hub);
    let mut erin = scene.client(&proxy.address.port(), "erin");
    let mut dora = scene.client(&hub, "dora");
    erin.offer("a.txt", b"a");
    proxy.cut();
    dora.then_state("erin", "away");
    dora.then_state("erin", "offline");
    assert_eq!(dora.table()["offers"], json!([]));
    erin.then("hub-lost");
    proxy.mend();
    assert_eq!(erin.then("hub-back")["resumed"], false);
    dora.then_where("a.txt", |event| event["added"][0]["file"] == "a.txt");
    dora.must(json!({"request": "get", "file": "a.txt"}), "transfer-completed");
    erin.quit();
    dora.quit();
}

#[test]
fn clients_come_back_to_a_hub_that_was_killed() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut peers: Vec<Process> = ["erin", "dora", "finn"].map(|name| scene.client(&hub, name)).into();
    for (number, peer) in peers.iter_mut().enumerate() {
        for file in 0..3 {
            peer.offer(&format!("{number}-{file}.txt"), format!("{number} {file}").as_bytes());
        }
    }
    for _ in 0..5 {
        peers[0].must(json!({"request": "withdraw", "files": ["0-0.txt"]}), "withdrawn");
        peers[0].must(json!({"request": "offer", "files": ["0-0.txt"]}), "offer-acked");
    }
    let before = peers[0].table();
    assert_eq!(before["offers"].as_array().unwrap().len(), 9);
    let _hub = scene.again(hub, Signal::KILL, &[]);
    for peer in &mut peers {
        assert_eq!(peer.then("hub-back")["resumed"], false);
    }
    for peer in &mut peers {
        peer.then_where("all offers again", |event| event["event"] == "table-updated" && event["total"] == 9);
        let table = peer.table();
        assert_eq!(table["offers"], before["offers"]);
        // The hub counts from the start again, and so do its clients.
        assert!(table["revision"].as_u64() < before["revision"].as_u64(), "{table}");
    }
    peers[1].must(json!({"request": "get", "file": "0-0.txt"}), "transfer-completed");
    peers.into_iter().for_each(Process::quit);
}

#[test]
fn a_killed_client_is_away_then_gone() {
    let scene = Scene::default();
    let hub = scene.hub_with(&["--grace", "1s"]);
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    erin.offer("a.txt", b"a");
    erin.kill();
    dora.then_state("erin", "away");
    dora.then_state("erin", "offline");
    assert_eq!(dora.table()["offers"], json!([]));
    dora.quit();
}

#[test]
fn who_has_the_key_gets_the_name_back_at_once() {
    // A grace that no test waits for.
    let scene = Scene::default();
    let hub = scene.hub_with(&["--grace", "3600s"]);
    for (name, transport) in [("erin", "quic"), ("finn", "tcp")] {
        let mut first = scene.client_with(&hub, name, &["--transport", transport]);
        first.offer("a.txt", b"a");
        first.kill();
        let mut again = scene.client_with(&hub, name, &["--transport", transport]);
        // What the dead one offered is nobody's now.
        assert_eq!(again.table()["offers"], json!([]));
        again.quit();
    }
}

#[test]
fn a_name_in_use_is_refused() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    // By another key, whatever the case; and by the same key, as long as the first one lives.
    for (home, name) in [("other", "erin"), ("other", "ERIN"), ("erin", "erin")] {
        let place = scene.place(home);
        let mut other = place.start(scene.join_from(&place, &hub.address, name, &[]), name);
        assert_eq!(other.then("error")["code"], "name-taken");
        assert_eq!(other.end(), 4);
    }
    assert_eq!(erin.table()["offers"], json!([]));
    erin.quit();
}

#[test]
fn a_client_that_is_stopped_for_a_second_is_not_lost() {
    let scene = Scene::default();
    let hub = scene.hub();
    let mut erin = scene.client(&hub, "erin");
    let mut dora = scene.client(&hub, "dora");
    erin.offer("a.txt", b"a");
    for _ in 0..2 {
        erin.signal(Signal::STOP);
        // This is the pause itself, not a hope.
        std::thread::sleep(Duration::from_secs(1));
        erin.signal(Signal::CONT);
    }
    assert_eq!(erin.table()["offers"][0]["file"], "a.txt");
    let roster = dora.must(json!({"request": "who"}), "roster");
    assert_eq!(roster["clients"].as_array().unwrap().len(), 2);
    dora.must(json!({"request": "get", "file": "a.txt"}), "transfer-completed");
    erin.quit();
    dora.quit();
}
