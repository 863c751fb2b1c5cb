//! What is sent by a code, from a member of the hub to a guest.

use potluck::protocol::Route;
use potluck::protocol::schema::Stream;

use crate::lab::Lab;
use crate::support::scene::At;
use crate::support::{Face, Hub, Process, content};

/// `potluck send` in one host and `potluck receive` in another one: every byte arrives, by no better way than there can be.
pub fn hand_over(lab: &Lab, hub: &Hub, from: &str, to: &str, best: Route) {
    let (sender, receiver) = (format!("sender in {from}"), format!("receiver in {to}"));
    let bytes = content(&sender, 300_000);
    let paths = [("a.bin", &bytes[..]), ("folder/b.bin", &bytes[..100_000])];
    let files = paths.map(|(name, bytes)| lab.scene.file(&format!("{sender}/sent/{name}"), bytes));
    let mut command = lab.scene.command(["send", "--json", "--hub", &hub.address(), "--data"]);
    command.arg(lab.scene.path(&format!("{sender}/data"))).arg(&files[0]).arg(files[1].parent().unwrap());
    let mut sends = Process::start(&sender, lab.inside(from, &command), Face::Json(Stream::Events));
    let ready = sends.then("parcel-ready");
    let code = format!("{}/{}", hub.address(), ready["code"].as_str().unwrap());
    let mut command = lab.scene.command(["receive", "--json", "--all-events", &code, "--data"]);
    command.arg(lab.scene.path(&format!("{receiver}/data"))).arg("--downloads");
    command.arg(lab.scene.place(&receiver).downloads());
    let mut receives = lab.scene.place(&receiver).start(lab.inside(to, &command), &receiver);
    let came = receives.find("the end of the transfer", |event| event["event"] == "transfer-completed");
    let ways = came["sources"].as_array().unwrap().iter().map(|source| source["route"].clone());
    let ways: Vec<Route> = ways.map(|way| serde_json::from_value(way).unwrap()).collect();
    assert!(!ways.is_empty() && ways.iter().all(|way| *way >= best), "the best way should be {best}: {came}");
    receives.then("parcel-received");
    sends.then("parcel-sent");
    assert_eq!((receives.exit(), sends.exit()), (0, 0));
    for (name, bytes) in paths {
        assert!(lab.scene.place(&receiver).got(name) == bytes, "{name} has other bytes");
    }
}
