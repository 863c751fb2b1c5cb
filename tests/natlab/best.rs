//! Which way from one host to another is the best, for each pair of routers.

use potluck::protocol::Route::{self, Direct as D, Punched as P, Relayed as R};

use crate::lab::is_thorough;

/// The kinds of routers.
pub const KINDS: [&str; 6] = ["open", "firewall", "cone", "shift", "reject", "symmetric"];

/// For each kind before the asking side, the best way to each kind before the giving side, in the order of [`KINDS`].
///
/// Only an open giver is dialled as it is. If the asking side is open and the giver behind a symmetric router, the giver
/// gets through to it, which is a meeting as any other. Two routers that reset what they do not expect are passed only if
/// both sides' packets are on their way at once: without a delay that is luck ([`Pair::is_sure`]).
const BEST: [[Route; 6]; 6] = [
    [D, P, P, P, P, P], // open
    [D, P, P, P, P, R], // firewall
    [D, P, P, P, P, R], // cone
    [D, P, P, P, P, R], // shift
    [D, P, P, P, P, R], // reject
    [D, R, R, R, R, R], // symmetric
];

/// The best way from behind one router to behind another.
pub fn best(asker: &str, giver: &str) -> Route {
    let place = |kind| KINDS.iter().position(|known| *known == kind).unwrap();
    BEST[place(asker)][place(giver)]
}

/// Two homes: what is before each, and how far they are from each other.
pub struct Pair {
    pub a: &'static str,
    pub b: &'static str,
    /// Whether UDP passes.
    pub udp: bool,
    /// How long a packet is on its way over the open side, in seconds; 0 is no time at all.
    pub delay: &'static str,
}

impl Pair {
    /// Whether the best way is always found, and not by luck.
    pub fn is_sure(&self) -> bool {
        (self.a, self.b, self.delay) != ("reject", "reject", "0")
    }

    /// The options of its laboratory.
    pub fn options(&self) -> String {
        let (a, b, udp) = (self.a, self.b, if self.udp { "" } else { "+noudp" });
        let delay = if self.delay == "0" { String::new() } else { format!(" --delay {}", self.delay) };
        format!("--a {a}{udp} --b {b}{udp}{delay}")
    }
}

/// What is played behind a kind of router and each of those after it in [`KINDS`]: with and without UDP, and with and
/// without delay. Unless everything is asked for, each pair is played once, and what passes and how far it is changes
/// from pair to pair.
pub fn pairs(a: &'static str) -> Vec<Pair> {
    let first = KINDS.iter().position(|kind| *kind == a).unwrap();
    let mut all = Vec::new();
    for (second, b) in KINDS.iter().enumerate().skip(first) {
        for (number, (udp, delay)) in
            [(true, "0"), (false, "0.01"), (true, "0.01"), (false, "0")].into_iter().enumerate()
        {
            let chosen = (first + second) % 4 == number;
            if chosen || is_thorough() {
                all.push(Pair { a, b, udp, delay });
            }
        }
    }
    all
}
