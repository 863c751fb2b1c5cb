//! Meetings that somebody abuses to aim clients at others.

use std::collections::BTreeMap;

use potluck::protocol::PublicKey;
use serde_json::{Value, json};

use crate::lab::{Lab, beside, in_lab};
use crate::support::{Face, Process, false_hub};

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
            "relays": false}),
        json!({"event": "meeting-places", "meeting": 1, "outer": outer, "inner": inner}),
    ]
}

#[test]
fn a_hub_that_lies_aims_nobody_at_a_home_and_nothing_at_home_is_printed() {
    in_lab(a_hub_that_lies_aims_nobody_at_a_home_and_nothing_at_home_is_printed, "--a open --b cone", |lab| {
        // Behind b: another host, the router, and the client's own host. In front of it: somebody in home a.
        let mut near = printer(lab, "b2", 9_100);
        let (router, own, far) = (printer(lab, "rb", 9_100), printer(lab, "b", 9_100), printer(lab, "a2", 9_100));
        let outer = ["10.99.2.3:9100", "10.99.2.1:9100", "127.0.0.1:9100", "11.0.1.3:9100"];
        let inner = ["10.99.2.1:9100", "127.0.0.1:9100", "10.99.2.3:9100"];
        let told = move |asked: &Value| {
            if asked["request"] == "who" { meeting(&outer, &inner) } else { Vec::new() }
        };
        let hub = false_hub::start_at(STRANGER.into(), told);
        let mut erin = lab.client("b", &format!("11.0.0.9:{hub}"), "erin", &[]);
        erin.send(json!({"request": "who"}));
        // When the meeting is over, whoever was dialled in her own network is let go.
        near.text("came");
        near.text("gone");
        let (came, printed) = pages(near);
        assert!(came.values().sum::<usize>() <= 6, "{came:?}");
        assert_eq!(printed, "", "a printer in her network");
        for (what, printer) in [("her router", router), ("her own host", own)] {
            assert_eq!(pages(printer), (BTreeMap::new(), String::new()), "{what}");
        }
        // Somebody on the internet may be dialled on the hub's word, a few times, and gets no more than a greeting.
        let (came, _) = pages(far);
        assert!(came.values().sum::<usize>() <= 6, "{came:?}");
        drop(erin.kill());
    });
}
