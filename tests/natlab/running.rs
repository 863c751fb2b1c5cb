//! Transfers that run while the network changes under them.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, in_lab};
use crate::support::{Hub, Process, at_once, content};

const SIZE: usize = 2 << 20;
/// Slow enough that a change comes in the middle: some four seconds for all of it.
const SLOW: [&str; 2] = ["--down", "500k"];

/// Dora in home a fetches a file of Erin's in home b, and has got some of it.
struct Running {
    hub: Hub,
    dora: Process,
    erin: Process,
    bytes: Vec<u8>,
    id: u64,
}

impl Running {
    fn start(lab: &Lab) -> Self {
        let hub = lab.hub(&[]);
        let mut dora = lab.client("a", &hub, "dora", &SLOW);
        let mut erin = lab.client("b", &hub, "erin", &[]);
        let bytes = content("running", SIZE);
        erin.place.put("a.bin", &bytes);
        erin.must(json!({"request": "offer", "files": ["a.bin"], "chunks": 64}), "offer-acked");
        let id = dora.send(json!({"request": "get", "file": "a.bin"}));
        dora.then_where("some of it", |event| {
            event["event"] == "transfer-progress" && event["bytes"].as_u64().is_some_and(|bytes| bytes > 200_000)
        });
        Self { hub, dora, erin, bytes, id }
    }

    /// It is completed by itself, and nothing comes twice that had come before.
    fn completes(mut self) -> Value {
        let done = self.dora.answer(self.id);
        assert_eq!(done["event"], "transfer-completed", "{done}");
        assert!(self.dora.place.got("a.bin") == self.bytes, "a.bin has other bytes");
        self.dora.quit();
        self.erin.quit();
        done
    }
}

#[test]
fn a_hub_that_is_restarted_does_not_end_what_runs_directly() {
    in_lab(a_hub_that_is_restarted_does_not_end_what_runs_directly, "--a cone --b open", |lab| {
        let mut running = Running::start(lab);
        running.hub = lab.again(running.hub, Signal::KILL, &[]);
        running.completes();
    });
}

#[test]
fn a_transfer_goes_on_by_itself_when_an_address_changes() {
    let cases = [
        ("--a open --b open", ["move", "a", "11.0.1.77"]),
        ("--b open --a open", ["move", "b", "11.0.2.77"]),
        ("--a cone --b open", ["outer", "a", "11.0.0.20"]),
        ("--a cone+noudp --b open+noudp", ["outer", "a", "11.0.0.20"]),
    ];
    at_once(cases, |(options, change)| {
        in_lab(a_transfer_goes_on_by_itself_when_an_address_changes, options, |lab| {
            let running = Running::start(lab);
            lab.change(&change);
            running.completes();
        });
    });
}
