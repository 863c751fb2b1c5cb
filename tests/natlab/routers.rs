//! The laboratory is what it says: sockets alone find between its homes the ways that the table promises.

use potluck::protocol::Route;

use crate::best::{KINDS, Pair, best, pairs};
use crate::lab::{Lab, beside, in_lab};
use crate::support::at_once;

/// The way that sockets find.
fn found(lab: &Lab, asker: &str, giver: &str, hub: &str) -> String {
    lab.outside("python3", &[&beside("probe.py"), asker, giver, hub]).trim().to_owned()
}

#[test]
fn each_pair_of_routers_lets_through_what_the_table_says() {
    let all = KINDS.iter().flat_map(|a| pairs(a)).filter(Pair::is_sure).collect::<Vec<_>>();
    for few in all.chunks(8) {
        at_once(few, |pair| {
            in_lab(each_pair_of_routers_lets_through_what_the_table_says, &pair.options(), |lab| {
                assert_eq!(found(lab, "a", "b", "11.0.0.1"), best(pair.a, pair.b).to_string());
                assert_eq!(found(lab, "b", "a", "11.0.0.1"), best(pair.b, pair.a).to_string());
            });
        });
    }
}

#[test]
fn other_homes_let_through_what_their_routers_do() {
    let cases: [(&str, &[(&str, Route)]); 5] = [
        ("--a cone --b cone --same", &[("11.0.0.1", Route::Punched)]),
        ("--a cone/cone --b cone/shift --same", &[("11.0.0.1", Route::Punched)]),
        ("--a cone/symmetric --b cone", &[("11.0.0.1", Route::Relayed)]),
        ("--a symmetric+v6 --b symmetric+v6", &[("11.0.0.1", Route::Relayed), ("2600::1", Route::Punched)]),
        ("--a cone+v6 --b open+v6", &[("11.0.0.1", Route::Direct), ("2600::1", Route::Direct)]),
    ];
    at_once(cases, |(options, ways)| {
        in_lab(other_homes_let_through_what_their_routers_do, options, |lab| {
            for (hub, way) in ways {
                assert_eq!(found(lab, "a", "b", hub), way.to_string(), "{hub}");
            }
        });
    });
}
