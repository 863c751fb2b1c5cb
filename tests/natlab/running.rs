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

#[test]
fn a_transfer_goes_on_through_the_hub_when_its_way_is_cut() {
    in_lab(a_transfer_goes_on_through_the_hub_when_its_way_is_cut, "--a cone --b cone", |lab| {
        let running = Running::start(lab);
        lab.change(&["part"]);
        running.completes();
    });
}

#[test]
fn what_was_interrupted_goes_on_over_another_way() {
    in_lab(what_was_interrupted_goes_on_over_another_way, "--a cone --b cone", |lab| {
        let Running { hub, dora, mut erin, bytes, .. } = Running::start(lab);
        dora.kill();
        lab.change(&["part"]);
        let mut dora = lab.client("a", &hub, "dora", &[]);
        let done = dora.must(json!({"request": "get", "file": "a.bin"}), "transfer-completed");
        assert!(done["resumed"].as_u64().is_some_and(|resumed| resumed > 0), "{done}");
        assert!(dora.place.got("a.bin") == bytes, "a.bin has other bytes");
        dora.quit();
        erin.must(json!({"request": "status"}), "status");
        erin.quit();
    });
}

/// Two may meet ten times a minute, which bounds neither files nor folders.
#[test]
fn many_files_one_after_another_need_few_meetings() {
    let test = many_files_one_after_another_need_few_meetings;
    at_once(["--a cone --b cone", "--a cone --b symmetric"], |options| {
        in_lab(test, options, |lab| {
            let hub = lab.hub(&[]);
            let mut dora = lab.client("a", &hub, "dora", &[]);
            let mut erin = lab.client("b", &hub, "erin", &[]);
            let files: Vec<String> = (0..24).map(|number| format!("{number}.bin")).collect();
            for file in &files {
                erin.offer(file, &content(file, 30_000));
            }
            // Some one by one, and then all that are left at once.
            let (one_by_one, at_once) = files.split_at(12);
            for file in one_by_one {
                dora.must(json!({"request": "get", "file": file}), "transfer-completed");
            }
            let asked: Vec<u64> =
                at_once.iter().map(|file| dora.send(json!({"request": "get", "file": file}))).collect();
            for id in asked {
                let done = dora.answer(id);
                assert_eq!(done["event"], "transfer-completed", "{done}");
            }
            for file in &files {
                assert!(dora.place.got(file) == content(file, 30_000), "{file} has other bytes");
            }
            dora.quit();
            erin.quit();
        });
    });
}
