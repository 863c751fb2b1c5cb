//! IPv6 and IPv4: clients that have one of them, or both.

use crate::best::Route;
use crate::lab::{HUB, HUB_V6, in_lab};
use crate::support::at_once;
use crate::words::{is_found, play};

/// Two homes, the hub's address that each side joins at, and the best way from a to b.
const CASES: [(&str, [&str; 2], Route); 4] = [
    ("--a cone+v6 --b open+v6", [HUB_V6, HUB_V6], Route::Direct),
    // Who joined over IPv6 can dial IPv4 as well.
    ("--a cone+v6 --b open+v6 --delay 0.005", [HUB_V6, HUB], Route::Direct),
    // Who joined over IPv6 is not reached there by a home that has none.
    ("--a cone --b open+v6", [HUB, HUB_V6], Route::Punched),
    // What no two of these routers let through over IPv4, their firewalls let through over IPv6.
    ("--a symmetric+v6 --b symmetric+v6", [HUB_V6, HUB_V6], Route::Punched),
];

#[test]
fn each_family_is_used_where_it_leads() {
    let found = CASES.into_iter().filter(|(_, _, way)| is_found(*way));
    at_once(found, |(options, at, way)| {
        in_lab(each_family_is_used_where_it_leads, options, |lab| {
            let hub = lab.hub_of_both(&[]);
            let address = |at: &str| if at == HUB_V6 { format!("[{at}]:{}", hub.port) } else { hub.address.clone() };
            let mut dora = lab.client("a", &address(at[0]), "dora", &[]);
            let mut erin = lab.client("b", &address(at[1]), "erin", &[]);
            play(&mut dora, &mut erin, way);
            dora.quit();
            erin.quit();
        });
    });
}
