//! Where this machine stands in the network, and which addresses it may therefore dial when somebody else names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::protocol::limits::MEETING_PLACES;

/// The lowest port that is dialled because somebody else has named it. Below are the services of a system.
const LOWEST_PORT: u16 = 1_024;

/// An address of this machine, and how long its network's prefix is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The address.
    pub address: IpAddr,
    /// The length of the network's prefix in bits.
    pub prefix: u8,
}

/// Where this machine stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// The addresses of this machine.
    pub interfaces: Vec<Interface>,
    /// The routers that it sends through: nobody is met there.
    pub gateways: Vec<IpAddr>,
    /// The address of the hub, as this machine dials it.
    pub hub: Option<IpAddr>,
}

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Loopback,
    /// Inside somebody's network.
    Private,
    Global,
}

impl Surroundings {
    /// The addresses at which others in the same network may reach a port of this machine; at most
    /// [`MEETING_PLACES`]. Those of networks that lead somewhere come first: containers have networks, too.
    pub fn own_places(&self, port: u16) -> Vec<SocketAddr> {
        let mut ours: Vec<&Interface> = self.interfaces.iter().collect();
        let leads_out = |interface: &Interface| {
            let routed = self.gateways.iter().any(|gateway| same_network(interface, gateway.to_canonical()));
            routed || scope(interface.address.to_canonical()) != Some(Scope::Private)
        };
        ours.sort_by_key(|interface| !leads_out(interface));
        let told = ours.into_iter().map(|interface| interface.address.to_canonical());
        let told = told.filter(|address| self.is_dialled(*address, true));
        told.take(MEETING_PLACES).map(|address| SocketAddr::new(address, port)).collect()
    }

    /// Those of the named addresses that this machine dials: `outer` as the hub says it saw them, `inner` as the other
    /// side says it has them. At most [`MEETING_PLACES`], the inner ones first, which leave room for the outer ones: many
    /// machines have the same networks inside.
    pub fn places(&self, outer: &[SocketAddr], inner: &[SocketAddr]) -> Vec<Place> {
        let canonical = |at: &SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
        let outer = outer.iter().filter(|place| self.may_dial_outer(place)).map(canonical);
        // One for each family of addresses.
        let outer: Vec<SocketAddr> = outer.take(MEETING_PLACES / 2).collect();
        let mut places: Vec<Place> = Vec::new();
        for at in inner.iter().filter(|place| self.may_dial_inner(place)).map(canonical) {
            let known = outer.contains(&at) || places.iter().any(|known| known.at == at);
            if !known && places.len() < MEETING_PLACES - outer.len() {
                places.push(Place { at, inner: true });
            }
        }
        for at in outer {
            if places.iter().all(|known| known.at != at) {
                places.push(Place { at, inner: self.is_near(at.ip()) });
            }
        }
        places
    }

    /// Whether an address that the hub names may be dialled: one that reaches as far as the hub's own. A hub on the
    /// internet thus aims nobody at somebody's home, and no hub elsewhere at this machine itself.
    pub fn may_dial_outer(&self, place: &SocketAddr) -> bool {
        let address = place.ip().to_canonical();
        let Some(scope) = scope(address) else { return false };
        let hub = self.hub.and_then(|hub| self::scope(hub.to_canonical())).unwrap_or(Scope::Global);
        let fits = match scope {
            Scope::Loopback => hub == Scope::Loopback,
            Scope::Private => hub == Scope::Private,
            Scope::Global => true,
        };
        fits && place.port() >= LOWEST_PORT && !self.is_gateway(address)
    }

    /// Whether the address at which the hub says that somebody takes connections may be dialled. Its port is one that
    /// they have chosen, perhaps a low one.
    pub fn may_dial_direct(&self, place: &SocketAddr) -> bool {
        place.port() != 0 && self.may_dial_outer(&SocketAddr::new(place.ip(), LOWEST_PORT.max(place.port())))
    }

    fn may_dial_inner(&self, place: &SocketAddr) -> bool {
        let address = place.ip().to_canonical();
        place.port() >= LOWEST_PORT && self.is_dialled(address, false) && self.is_near(address)
    }

    /// Whether an address of somebody's interface means anything to others: loopback only where the hub is there, too.
    fn is_dialled(&self, address: IpAddr, own: bool) -> bool {
        let here = self.hub.is_some_and(|hub| hub.to_canonical().is_loopback());
        match scope(address) {
            None => false,
            Some(Scope::Loopback) => here,
            Some(Scope::Private | Scope::Global) => own || !self.is_gateway(address),
        }
    }

    /// Whether it is in a network that this machine has an interface in.
    pub fn is_near(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.interfaces.iter().any(|interface| same_network(interface, address))
    }

    fn is_gateway(&self, address: IpAddr) -> bool {
        self.gateways.iter().any(|gateway| gateway.to_canonical() == address)
    }
}

/// An address that may be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub at: SocketAddr,
    /// Whether it is one in our own network.
    pub inner: bool,
}

/// How far an address reaches; `None` for one at which nobody is: unspecified, multicast, broadcast or link-local, or at
/// which somebody of IPv4 is.
fn scope(address: IpAddr) -> Option<Scope> {
    match address {
        IpAddr::V4(v4) => scope_v4(v4),
        IpAddr::V6(v6) => scope_v6(v6),
    }
}

fn scope_v4(address: Ipv4Addr) -> Option<Scope> {
    let [first, second, ..] = address.octets();
    // 0.0.0.0/8 is "this network", 240.0.0.0/4 is reserved.
    let nobody = first == 0 || first >= 240 || address.is_multicast() || address.is_link_local();
    if nobody {
        return None;
    }
    // 100.64.0.0/10 is between a provider's routers and its customers' (RFC 6598).
    let shared = first == 100 && (64..128).contains(&second);
    Some(match address {
        _ if address.is_loopback() => Scope::Loopback,
        _ if address.is_private() || shared => Scope::Private,
        _ => Scope::Global,
    })
}

fn scope_v6(address: Ipv6Addr) -> Option<Scope> {
    // Of all others, only 2000::/3 is given out (RFC 4291).
    match address.segments()[0] {
        _ if address.is_loopback() => Some(Scope::Loopback),
        _ if address.is_unique_local() => Some(Scope::Private),
        0x2000..0x4000 => Some(Scope::Global),
        _ => None,
    }
}

fn same_network(interface: &Interface, address: IpAddr) -> bool {
    // Without a prefix it is in no network, and not in all of them.
    if interface.prefix == 0 {
        return false;
    }
    match (interface.address.to_canonical(), address) {
        (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
            let shift = 32_u32.saturating_sub(interface.prefix.into());
            ours.to_bits().checked_shr(shift) == theirs.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
            let shift = 128_u32.saturating_sub(interface.prefix.into());
            ours.to_bits().checked_shr(shift) == theirs.to_bits().checked_shr(shift)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}
