//! Homes that are more than one router with IPv4: both families or one, equal inner networks, a carrier's router above the
//! home's, and two hosts of one home.

use potluck::protocol::Route;

use crate::lab::{HUB, HUB_V6, in_lab};
use crate::support::at_once;
use crate::words::{SLOW, is_found, play};

struct Case {
    /// The options of the laboratory.
    lab: &'static str,
    /// Who asks and who gives: the host, and the address of the hub at which it joins.
    asker: (&'static str, &'static str),
    giver: (&'static str, &'static str),
    best: Route,
}

const CASES: [Case; 9] = [
    Case { lab: "--a cone+v6 --b open+v6", asker: ("a", HUB_V6), giver: ("b", HUB_V6), best: Route::Direct },
    // Who joined over IPv6 can dial IPv4 as well.
    Case { lab: "--a cone+v6 --b open", asker: ("a", HUB_V6), giver: ("b", HUB), best: Route::Direct },
    // Who joined over IPv6 is not reached there by a home that has none, and knows the hub's address of that family alone.
    Case { lab: "--a cone --b open+v6", asker: ("a", HUB), giver: ("b", HUB_V6), best: Route::Relayed },
    // What no two of these routers let through over IPv4, their firewalls let through over IPv6.
    Case { lab: "--a symmetric+v6 --b symmetric+v6", asker: ("a", HUB_V6), giver: ("b", HUB_V6), best: Route::Punched },
    Case { lab: "--a cone --b cone --same", asker: ("a", HUB), giver: ("b", HUB), best: Route::Punched },
    // The giver's inner address is that of somebody else in the asker's network.
    Case { lab: "--a cone --b shift --same", asker: ("a", HUB), giver: ("b2", HUB), best: Route::Punched },
    Case { lab: "--a cone/cone --b cone/shift --same", asker: ("a", HUB), giver: ("b", HUB), best: Route::Punched },
    Case { lab: "--a cone/symmetric --b cone", asker: ("a", HUB), giver: ("b", HUB), best: Route::Relayed },
    Case { lab: "--a open", asker: ("a", HUB), giver: ("a2", HUB), best: Route::Direct },
];

#[test]
fn whatever_is_between_two_hosts_they_find_the_best_way() {
    let found: Vec<Case> = CASES.into_iter().filter(|case| is_found(case.best)).collect();
    for few in found.chunks(2) {
        at_once(few, |case| {
            in_lab(whatever_is_between_two_hosts_they_find_the_best_way, case.lab, |lab| {
                let hub = lab.hub_of_both(&[]);
                let at = |at: &str| if at == HUB_V6 { format!("[{at}]:{}", hub.port) } else { hub.address.clone() };
                let mut dora = lab.client(case.asker.0, &at(case.asker.1), "dora", &SLOW);
                let mut erin = lab.client(case.giver.0, &at(case.giver.1), "erin", &SLOW);
                play(&mut dora, &mut erin, case.best, true);
                dora.quit();
                erin.quit();
            });
        });
    }
}
