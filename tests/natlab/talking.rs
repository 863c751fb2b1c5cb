//! Direct connections while the network changes under them.

use potluck::protocol::Route;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::lab::in_lab;
use crate::support::{Process, until};

fn say(speaker: &mut Process, to: &str) -> Value {
    speaker.ask(json!({"request": "private", "to": to, "text": "are you there?"}))
}

/// Opens a direct connection, once or again, until it takes this way.
fn open_by(speaker: &mut Process, to: &str, way: Route) {
    until(&format!("a connection that is {way}"), || {
        assert_eq!(say(speaker, to)["event"], "message-acked");
        let found = speaker.then("private-opened")["route"] == way.to_string();
        if !found {
            speaker.must(json!({"request": "private-close", "to": to}), "private-closed");
        }
        found
    });
}

#[test]
fn a_hub_that_is_restarted_does_not_end_what_was_punched() {
    in_lab(a_hub_that_is_restarted_does_not_end_what_was_punched, "--a cone --b cone", |lab| {
        let hub = lab.hub(&[]);
        let mut dora = lab.client("a", &hub, "dora", &[]);
        let mut erin = lab.client("b", &hub, "erin", &[]);
        open_by(&mut dora, "erin", Route::Punched);
        let _hub = lab.again(hub, Signal::KILL, &[]);
        for (speaker, to) in [(&mut dora, "erin"), (&mut erin, "dora")] {
            speaker.then("hub-back");
            speaker.then_state(to, "online");
            assert_eq!(say(speaker, to)["event"], "message-acked");
            assert!(!speaker.has_said(|event| event["event"] == "private-closed"), "it is the same connection");
        }
        dora.quit();
        erin.quit();
    });
}

#[test]
fn who_asks_again_when_a_punched_way_is_cut_goes_on_through_the_hub() {
    in_lab(who_asks_again_when_a_punched_way_is_cut_goes_on_through_the_hub, "--a cone --b firewall", |lab| {
        let hub = lab.hub(&[]);
        let mut dora = lab.client("a", &hub, "dora", &[]);
        let erin = lab.client("b", &hub, "erin", &[]);
        open_by(&mut dora, "erin", Route::Punched);
        lab.change(&["part"]);
        // What was on its way when the connection broke may have arrived or not, so it is for Dora to say it again.
        let lost = say(&mut dora, "erin");
        assert_eq!((&lost["code"], &lost["retry"]), (&json!("peer-unreachable"), &json!("later")), "{lost}");
        open_by(&mut dora, "erin", Route::Relayed);
        dora.quit();
        erin.quit();
    });
}
