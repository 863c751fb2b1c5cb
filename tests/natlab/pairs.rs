//! Everything that one client gets from another, for each pair of routers between them.

use crate::best::{Pair, best, pairs};
use crate::lab::in_lab;
use crate::sending::hand_over;
use crate::support::at_once;
use crate::words::{SLOW, is_found, play};

/// Plays a kind of router with itself and each one after it, in both directions.
fn behind(test: impl Fn() + Copy + Sync, kind: &'static str) {
    let found = |asker, giver| is_found(best(asker, giver));
    let all: Vec<Pair> =
        pairs(kind).into_iter().filter(|pair| found(pair.a, pair.b) || found(pair.b, pair.a)).collect();
    for few in all.chunks(2) {
        at_once(few, |pair| {
            in_lab(test, &pair.options(), |lab| {
                let hub = lab.hub(&[]);
                let mut dora = lab.client("a", &hub, "dora", &SLOW);
                let mut erin = lab.client("b", &hub, "erin", &SLOW);
                if found(pair.a, pair.b) {
                    play(&mut dora, &mut erin, best(pair.a, pair.b), pair.is_sure());
                    hand_over(lab, &hub, "b", "a", best(pair.a, pair.b));
                }
                if found(pair.b, pair.a) {
                    play(&mut erin, &mut dora, best(pair.b, pair.a), pair.is_sure());
                    hand_over(lab, &hub, "a", "b", best(pair.b, pair.a));
                }
                dora.quit();
                erin.quit();
            });
        });
    }
}

#[test]
fn behind_open() {
    behind(behind_open, "open");
}

#[test]
fn behind_firewall() {
    behind(behind_firewall, "firewall");
}

#[test]
fn behind_cone() {
    behind(behind_cone, "cone");
}

#[test]
fn behind_shift() {
    behind(behind_shift, "shift");
}

#[test]
fn behind_reject() {
    behind(behind_reject, "reject");
}

#[test]
fn behind_symmetric() {
    behind(behind_symmetric, "symmetric");
}
