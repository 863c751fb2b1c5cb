//! A hub with several addresses, of which not all can be reached.

use serde_json::json;

use crate::lab::{HUB, HUB_V6, Lab, in_lab};
use crate::support::scene::welcomed;
use crate::support::{Hub, Process, at_once};

/// Nobody is here, and nobody says so.
const NOBODY: &str = "11.0.0.99";

/// The hub's link with all its addresses, and one at which it is not.
fn link(hub: &Hub) -> String {
    let port = hub.port;
    format!("potluck://{NOBODY}:{port},[{HUB_V6}]:{port},{HUB}:{port}/#{}", hub.key)
}

/// A client in home a that has the link, and is welcome.
fn join(lab: &Lab, hub: &Hub) -> Process {
    let command = lab.inside("a", &lab.scene.join(&link(hub), "dora", &[]));
    welcomed(lab.scene.place("dora").start(command, "dora"))
}

#[test]
fn whichever_of_its_addresses_can_be_reached_leads_to_the_hub() {
    // What the home's router lets through, and where the hub sees a client from there.
    let cases = [
        ("--a cone", "", "11.0.0.2:"),
        ("--a cone+v6", "meta nfproto ipv6", "11.0.0.2:"),
        ("--a cone+v6+noudp", "meta nfproto ipv4", "[2600:0:0:1::2]:"),
    ];
    at_once(cases, |(options, cut, seen)| {
        in_lab(whichever_of_its_addresses_can_be_reached_leads_to_the_hub, options, |lab| {
            let mut hub = lab.hub_of_both(&[]);
            if !cut.is_empty() {
                lab.change(&["cut", "a", cut]);
            }
            let dora = join(lab, &hub);
            let registered = hub.process.then("client-registered");
            assert!(registered["address"].as_str().unwrap().starts_with(seen), "{registered}");
            dora.quit();
        });
    });
}

#[test]
fn when_one_family_does_not_lead_to_the_hub_any_more_the_session_goes_on_over_the_other() {
    let test = when_one_family_does_not_lead_to_the_hub_any_more_the_session_goes_on_over_the_other;
    in_lab(test, "--a cone+v6", |lab| {
        let mut hub = lab.hub_of_both(&[]);
        let mut dora = join(lab, &hub);
        let first = hub.process.then("client-registered")["address"].as_str().unwrap().to_owned();
        let families = ["meta nfproto ipv4", "meta nfproto ipv6"];
        let [used, other] = if first.starts_with('[') { [families[1], families[0]] } else { families };
        for cut in [used, other, used] {
            lab.change(&["cut", "a", cut]);
            dora.then("hub-lost");
            assert_eq!(dora.then("hub-back")["resumed"], true);
            lab.change(&["mend"]);
        }
        dora.must(json!({"request": "status"}), "status");
        dora.quit();
    });
}
