//! A network that changes under clients: their addresses, their router's, and what passes.

use serde_json::json;

use crate::lab::{Lab, in_lab};
use crate::support::{Hub, Process, at_once, content};

/// Dora in home a, Erin in home b; each offers a file, and each can be dialled by the other.
fn two(lab: &Lab) -> (Hub, Process, Process) {
    let hub = lab.hub(&[]);
    let mut dora = lab.client("a", &hub, "dora", &[]);
    let mut erin = lab.client("b", &hub, "erin", &[]);
    dora.offer("dora.bin", &content("dora", 200_000));
    erin.offer("erin.bin", &content("erin", 200_000));
    (hub, dora, erin)
}

/// Both still have what they had: the same session, their offers, and each other's files.
fn all_is_as_before(mut dora: Process, mut erin: Process) {
    assert!(!dora.has_said(|event| event["event"] == "hub-back" && event["resumed"] == false), "it is another session");
    for (asker, giver) in [(&mut dora, "erin"), (&mut erin, "dora")] {
        let table = asker.table();
        let files: Vec<&str> =
            table["offers"].as_array().unwrap().iter().map(|offer| offer["file"].as_str().unwrap()).collect();
        assert_eq!(files, ["dora.bin", "erin.bin"]);
        let file = format!("{giver}.bin");
        asker.must(json!({"request": "get", "file": file}), "transfer-completed");
        assert!(asker.place.got(&file) == content(giver, 200_000), "{file} has other bytes");
        asker.must(json!({"request": "private", "to": giver, "text": "still here"}), "message-acked");
    }
    assert_eq!(dora.must(json!({"request": "status"}), "status")["total"], 2);
    dora.quit();
    erin.quit();
}

/// Plays over QUIC, and where only TCP passes.
fn over_both(test: impl Fn() + Copy + Sync, options: &[&str; 2], play: impl Fn(&Lab) + Sync) {
    at_once(options, |options| in_lab(test, options, &play));
}

#[test]
fn a_client_whose_address_changes_keeps_its_session_and_is_reached_at_the_new_one() {
    let test = a_client_whose_address_changes_keeps_its_session_and_is_reached_at_the_new_one;
    over_both(test, &["--a open --b open", "--a open+noudp --b open+noudp"], |lab| {
        let (_hub, mut dora, erin) = two(lab);
        lab.change(&["move", "a", "11.0.1.77"]);
        dora.table();
        all_is_as_before(dora, erin);
    });
}

#[test]
fn a_client_in_another_network_keeps_its_session_and_is_reached_there() {
    let test = a_client_in_another_network_keeps_its_session_and_is_reached_there;
    over_both(test, &["--a cone --b open", "--a cone+noudp --b open+noudp"], |lab| {
        let (_hub, mut dora, erin) = two(lab);
        lab.change(&["roam", "a", "b"]);
        dora.table();
        all_is_as_before(dora, erin);
    });
}

#[test]
fn a_router_whose_outer_address_changes_costs_nobody_their_session() {
    let test = a_router_whose_outer_address_changes_costs_nobody_their_session;
    over_both(test, &["--a cone --b open", "--a cone+noudp --b open"], |lab| {
        let (_hub, mut dora, mut erin) = two(lab);
        lab.change(&["outer", "a", "11.0.0.20"]);
        dora.table();
        dora.must(json!({"request": "get", "file": "erin.bin"}), "transfer-completed");
        erin.must(json!({"request": "message", "to": "dora", "text": "still there?"}), "message-acked");
        assert_eq!(dora.then("message")["text"], "still there?");
        assert!(!dora.has_said(|event| event["event"] == "hub-back" && event["resumed"] == false));
        dora.quit();
        erin.quit();
    });
}

#[test]
fn a_home_that_is_cut_off_comes_back_as_it_was() {
    let test = a_home_that_is_cut_off_comes_back_as_it_was;
    over_both(test, &["--a open --b open", "--a open+noudp --b open+noudp"], |lab| {
        let (_hub, mut dora, mut erin) = two(lab);
        lab.change(&["cut", "a"]);
        dora.then("hub-lost");
        erin.then_state("dora", "away");
        lab.change(&["mend"]);
        assert_eq!(dora.then("hub-back")["resumed"], true);
        erin.then_state("dora", "online");
        all_is_as_before(dora, erin);
    });
}

#[test]
fn homes_that_are_parted_talk_through_the_hub_and_directly_again_afterwards() {
    let test = homes_that_are_parted_talk_through_the_hub_and_directly_again_afterwards;
    over_both(test, &["--a open --b open", "--a open+noudp --b open+noudp"], |lab| {
        let (_hub, mut dora, erin) = two(lab);
        lab.change(&["part"]);
        dora.must(json!({"request": "private", "to": "erin", "text": "hello?"}), "message-acked");
        assert_eq!(dora.then("private-opened")["route"], "relayed");
        dora.must(json!({"request": "private-close", "to": "erin"}), "private-closed");
        lab.change(&["mend"]);
        all_is_as_before(dora, erin);
    });
}
