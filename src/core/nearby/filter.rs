//! Which announced places are asked at all.

use std::net::{IpAddr, SocketAddr};

use crate::core::reach::Surroundings;

/// The lowest port that is asked. A hub that announces itself takes a free port from where systems give them; below are
/// services that have a port of their own, such as printers, which print whatever they are told.
pub const LOWEST_PORT: u16 = 10_000;

/// How far announcements go, and from where they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The networks that this machine has an interface in.
    Network,
    /// This machine alone: for tests.
    ThisMachine,
}

/// Whether a place that somebody announces is one that this machine asks: in a network that it has an interface in, and
/// never itself under the name of loopback. Whoever announces can thus aim us at nobody whom they cannot reach themselves.
pub fn is_worth_asking(place: &SocketAddr, surroundings: &Surroundings, reach: Reach) -> bool {
    let address = place.ip().to_canonical();
    let fits = match reach {
        Reach::ThisMachine => address.is_loopback(),
        Reach::Network => is_for_one(address) && surroundings.is_near(address),
    };
    fits && place.port() >= LOWEST_PORT
}

/// Whether it is the address of one machine, as others in its network know it.
fn is_for_one(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, ..] = v4.octets();
            // 0.0.0.0/8 is "this network", 240.0.0.0/4 is reserved and has the broadcast address.
            first != 0 && first < 224 && !v4.is_loopback() && !v4.is_link_local()
        }
        IpAddr::V6(v6) => {
            !v6.is_unspecified() && !v6.is_loopback() && !v6.is_multicast() && !v6.is_unicast_link_local()
        }
    }
}
