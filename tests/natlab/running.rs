//! Transfers that run while the network changes under them.

use std::time::SystemTime;

use potluck::protocol::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::lab::{Lab, in_lab, measured};
use crate::support::{Hub, Process, at_once, content};

const SIZE: usize = 2 << 20;
/// Slow enough that a change comes in the middle: some four seconds for all of it.
const SLOW: [&str; 2] = ["--down", "500k"];

/// The time of the calendar, in milliseconds.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp(since.as_millis() as i64)
}

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

    /// The same, and the two keep their sessions. Tells for how long nothing came after the change.
    fn completes_in_its_session(mut self, changed: Timestamp, what: &str) {
        let done = self.dora.answer(self.id);
        let (still, way) = (standstill(&self.dora.seen, changed), &done["sources"][0]["route"]);
        measured(&format!("{what}: it stood still for {still} ms at most, and is {way} at last"));
        for client in [&self.dora, &self.erin] {
            let forgotten = |event: &Value| event["event"] == "hub-back" && event["resumed"] == false;
            assert!(!client.seen.iter().any(forgotten), "{} has another session", client.name);
        }
        self.check(&done);
    }

    /// It is completed by itself, and nothing comes twice that had come before.
    fn completes(mut self) -> Value {
        let done = self.dora.answer(self.id);
        self.check(&done);
        done
    }

    fn check(self, done: &Value) {
        assert_eq!(done["event"], "transfer-completed", "{done}");
        assert!(self.dora.place.got("a.bin") == self.bytes, "a.bin has other bytes");
        self.dora.quit();
        self.erin.quit();
    }
}

/// The longest standstill after a change, in milliseconds: the time between two reports of which the second one tells of
/// more bytes.
fn standstill(seen: &[Value], changed: Timestamp) -> i64 {
    let reports = seen.iter().filter(|event| event["event"] == "transfer-progress").map(|event| {
        let at: Timestamp = serde_json::from_value(event["time"].clone()).unwrap();
        (at.0, event["bytes"].as_u64().unwrap())
    });
    let mut last: Option<(i64, u64)> = None;
    let mut longest = 0;
    for (at, bytes) in reports {
        let (since, before) = *last.get_or_insert((at, bytes));
        if bytes > before {
            if at > changed.0 {
                longest = longest.max(at - since);
            }
            last = Some((at, bytes));
        }
    }
    longest
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
    // No options stand twice: they say which case a laboratory is for.
    let cases = [
        ("--a open --b open", ["move", "a", "11.0.1.77"]),
        ("--b open --a open", ["move", "b", "11.0.2.77"]),
        ("--a cone --b open", ["outer", "a", "11.0.0.20"]),
        ("--a cone+noudp --b open+noudp", ["outer", "a", "11.0.0.20"]),
        ("--a open+noudp --b open+noudp", ["move", "a", "11.0.1.77"]),
        ("--b open+noudp --a open+noudp", ["move", "b", "11.0.2.77"]),
        ("--b open --a cone", ["roam", "a", "b"]),
        ("--a cone --b cone", ["outer", "b", "11.0.0.21"]),
        ("--a symmetric --b cone", ["outer", "a", "11.0.0.20"]),
        ("--a cone --b symmetric", ["outer", "b", "11.0.0.21"]),
    ];
    for few in cases.chunks(2) {
        at_once(few, |(options, change)| {
            in_lab(a_transfer_goes_on_by_itself_when_an_address_changes, options, |lab| {
                let running = Running::start(lab);
                let changed = now();
                lab.change(change);
                running.completes_in_its_session(changed, &format!("{options}, {}", change.join(" ")));
            });
        });
    }
}

/// The connection of the last file is kept for the next one, and nobody knows that it is lost.
#[test]
fn the_next_file_comes_although_the_giver_has_moved_meanwhile() {
    in_lab(the_next_file_comes_although_the_giver_has_moved_meanwhile, "--a cone --b cone", |lab| {
        let hub = lab.hub(&[]);
        let mut dora = lab.client("a", &hub, "dora", &[]);
        let mut erin = lab.client("b", &hub, "erin", &[]);
        for (file, moves) in [("one", false), ("two", true)] {
            erin.offer(file, file.as_bytes());
            if moves {
                lab.change(&["move", "b", "10.99.2.77"]);
            }
            let begun = now();
            let done = dora.must(json!({"request": "get", "file": file}), "transfer-completed");
            let (took, way) = (now().0 - begun.0, &done["sources"][0]["route"]);
            measured(&format!("{file}, the giver {}: {took} ms, {way}", if moves { "has moved" } else { "is there" }));
        }
        dora.quit();
        erin.quit();
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
