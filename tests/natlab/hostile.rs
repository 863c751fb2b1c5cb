//! Meetings that somebody abuses to aim clients at others.

use std::collections::BTreeMap;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};

use potluck::io::net::identity::Identity;
use potluck::protocol::PublicKey;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::lab::{Lab, beside, in_lab};
use crate::support::raw::Raw;
use crate::support::{Face, Hub, Process, false_hub};

/// Where the test itself is.
const STRANGER: [u8; 4] = [11, 0, 0, 9];

/// Starts a printer on a host's port, which tells of everything that comes.
fn printer(lab: &Lab, host: &str, port: u16) -> Process {
    let mut command = std::process::Command::new("python3");
    command.arg(beside("printer.py")).arg(port.to_string());
    let mut printer = Process::start(&format!("the printer at {host}"), lab.inside(host, &command), Face::Text);
    printer.text("listening");
    printer
}

/// What a printer has told since it listens: who came how often, and what was printed.
fn pages(printer: Process) -> (BTreeMap<String, usize>, String) {
    let place = printer.transcript();
    drop(printer);
    let (mut came, mut printed) = (BTreeMap::new(), String::new());
    for line in place.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let Some(from) = line["came"].as_str() {
            *came.entry(from.to_owned()).or_default() += 1;
        }
        printed += line["printed"].as_str().unwrap_or_default();
    }
    (came, printed)
}

/// A meeting with a stranger, who is said to be at these places.
fn meeting(outer: &[&str], inner: &[&str]) -> Vec<Value> {
    let peer = PublicKey([7; 32]);
    let token = "00112233445566778899aabbccddeeff";
    vec![
        json!({"event": "meeting", "meeting": 1, "peer": peer, "name": "mallory", "purpose": "private", "token": token,
            "second_token": token, "relays": false}),
        json!({"event": "meeting-places", "meeting": 1, "outer": outer, "inner": inner}),
    ]
}

/// A printer in her network was dialled a few times and got nothing, and to these others nobody came.
fn nothing_is_printed(mut near: Process, others: [(&str, Process); 2]) {
    // When the meeting is over, whoever was dialled in her own network is let go.
    near.text("came");
    near.text("gone");
    let (came, printed) = pages(near);
    assert!(came.values().sum::<usize>() <= 6, "{came:?}");
    assert_eq!(printed, "", "a printer in her network");
    for (what, printer) in others {
        assert_eq!(pages(printer), (BTreeMap::new(), String::new()), "{what}");
    }
}

#[test]
fn a_hub_that_lies_aims_nobody_at_a_home_and_nothing_at_home_is_printed() {
    in_lab(a_hub_that_lies_aims_nobody_at_a_home_and_nothing_at_home_is_printed, "--a open --b cone", |lab| {
        // Behind b: another host, the router, and the client's own host. In front of it: somebody in home a.
        let near = printer(lab, "b2", 9_100);
        let (router, own, far) = (printer(lab, "rb", 9_100), printer(lab, "b", 9_100), printer(lab, "a2", 9_100));
        let outer = ["10.99.2.3:9100", "10.99.2.1:9100", "127.0.0.1:9100", "11.0.1.3:9100"];
        let inner = ["10.99.2.1:9100", "127.0.0.1:9100", "10.99.2.3:9100"];
        let told = move |asked: &Value| {
            if asked["request"] == "who" { meeting(&outer, &inner) } else { Vec::new() }
        };
        let hub = false_hub::start_at(STRANGER.into(), told);
        let mut erin = lab.client("b", &format!("11.0.0.9:{hub}"), "erin", &[]);
        erin.send(json!({"request": "who"}));
        nothing_is_printed(near, [("her router", router), ("her own host", own)]);
        // Somebody on the internet may be dialled on the hub's word, a few times, and gets no more than a greeting.
        let (came, _) = pages(far);
        assert!(came.values().sum::<usize>() <= 6, "{came:?}");
        drop(erin.kill());
    });
}

/// Mallory, a member who speaks the protocol by hand, on the open side.
fn mallory(hub: &Hub) -> Raw {
    Raw::enter_at(hub.address.parse().unwrap(), "mallory", Identity::from_seed([66; 32]), 9)
}

#[test]
fn a_member_makes_nobody_print() {
    in_lab(a_member_makes_nobody_print, "--a cone --b cone", |lab| {
        let hub = lab.hub(&[]);
        let near = printer(lab, "b2", 9_100);
        let (router, own) = (printer(lab, "rb", 9_100), printer(lab, "b", 9_100));
        let mut erin = lab.client("b", &hub, "erin", &[]);
        let mut mallory = mallory(&hub);
        let key = &erin.must(json!({"request": "who"}), "roster")["clients"][0]["key"];
        mallory.say(&json!({"meet": key, "ask": 1, "purpose": "private"}));
        let meeting = mallory.expect("meeting");
        let inner = ["10.99.2.3:9100", "10.99.2.1:9100", "127.0.0.1:9100"];
        mallory.say(&json!({"meet_at": meeting["meeting"], "inner": inner}));
        nothing_is_printed(near, [("her router", router), ("her own host", own)]);
        erin.quit();
    });
}

/// A half of a meeting, and who is let in at the port that it comes from.
fn half_and_door(hub: SocketAddr, token: &str) -> (TcpStream, Socket) {
    let socket = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket
    };
    let (half, door) = (socket(), socket());
    half.bind(&SocketAddr::from((STRANGER, 0)).into()).unwrap();
    door.bind(&half.local_addr().unwrap()).unwrap();
    door.listen(16).unwrap();
    half.connect(&hub.into()).unwrap();
    let mut half = TcpStream::from(half);
    half.write_all(format!("POTLUCK-RELAY/1 {token}\n").as_bytes()).unwrap();
    (half, door)
}

#[test]
fn who_comes_to_a_meeting_and_never_speaks_holds_up_nobody_else() {
    in_lab(who_comes_to_a_meeting_and_never_speaks_holds_up_nobody_else, "--a cone --b cone", |lab| {
        let hub = lab.hub(&[]);
        let mut dora = lab.client("a", &hub, "dora", &[]);
        let mut erin = lab.client("b", &hub, "erin", &[]);
        let mut mallory = mallory(&hub);
        let asked = dora.send(json!({"request": "private", "to": "mallory", "text": "hello?"}));
        let meeting = mallory.expect("meeting");
        let (_half, door) = half_and_door(hub.address.parse().unwrap(), meeting["token"].as_str().unwrap());
        // Dora's own connection comes, and is never answered.
        let _silent = door.accept().unwrap();
        dora.must(json!({"request": "private", "to": "erin", "text": "and you?"}), "message-acked");
        assert_eq!(erin.then("private-message")["text"], "and you?");
        let answer = dora.answer(asked);
        assert_eq!((&answer["event"], &answer["code"]), (&json!("error"), &json!("peer-unreachable")), "{answer}");
        dora.quit();
        erin.quit();
    });
}
