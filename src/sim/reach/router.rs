//! Routers, as far as a meeting can tell one from another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What a router does with what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It passes everything on as it is.
    Open,
    /// It passes everything on as it is, but lets nothing in that did not go out first.
    Firewall,
    /// It translates, keeps the port's number, and drops what it does not expect.
    Cone,
    /// It translates, and gives another number, the same for all targets.
    Shift,
    /// As [`Kind::Cone`], but refuses what it does not expect.
    Reject,
    /// It translates, and gives another number for each target.
    Symmetric,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 6] = [Kind::Open, Kind::Firewall, Kind::Cone, Kind::Shift, Kind::Reject, Kind::Symmetric];
}

/// What becomes of what comes to a router from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entrance {
    /// It goes to this port of the host.
    Let(u16),
    Dropped,
    Refused,
}

/// A router with one host behind it.
#[derive(Debug)]
pub(super) struct Router {
    kind: Kind,
    outer: IpAddr,
    inner: IpAddr,
    /// The outer numbers of a symmetric router, by inner port and target.
    numbers: BTreeMap<(u16, SocketAddr), u16>,
    /// What has gone out: from which outer port, to whom.
    expected: BTreeSet<(u16, SocketAddr)>,
}

impl Router {
    pub(super) fn new(kind: Kind, home: u8) -> Self {
        let inner: IpAddr = Ipv4Addr::new(10, 99, home, 2).into();
        let outer: IpAddr = Ipv4Addr::new(203, 0, 113, 1 + home).into();
        let own: IpAddr = Ipv4Addr::new(198, 51, 100 + home, 1).into();
        let (inner, outer) = if Self::translates(kind) { (inner, outer) } else { (own, own) };
        Self { kind, outer, inner, numbers: BTreeMap::new(), expected: BTreeSet::new() }
    }

    fn translates(kind: Kind) -> bool {
        !matches!(kind, Kind::Open | Kind::Firewall)
    }

    /// The host's own address.
    pub(super) fn inner(&self) -> IpAddr {
        self.inner
    }

    /// The address under which others see the host.
    pub(super) fn outer(&self) -> IpAddr {
        self.outer
    }

    /// Something goes out: as whose it arrives.
    pub(super) fn goes_out(&mut self, port: u16, to: SocketAddr) -> SocketAddr {
        let next = 60_000 + self.numbers.len() as u16;
        let number = match self.kind {
            Kind::Open | Kind::Firewall | Kind::Cone | Kind::Reject => port,
            Kind::Shift => port + 1_000,
            Kind::Symmetric => *self.numbers.entry((port, to)).or_insert(next),
        };
        self.expected.insert((number, to));
        SocketAddr::new(self.outer, number)
    }

    /// Something comes to an outer port.
    pub(super) fn comes_in(&self, number: u16, from: SocketAddr) -> Entrance {
        let expected = self.expected.contains(&(number, from));
        let inner = match self.kind {
            Kind::Open => return Entrance::Let(number),
            Kind::Firewall | Kind::Cone | Kind::Reject => Some(number),
            Kind::Shift => number.checked_sub(1_000),
            Kind::Symmetric => {
                self.numbers.iter().find_map(|((port, to), of)| (*of == number && *to == from).then_some(*port))
            }
        };
        match inner {
            Some(port) if expected => Entrance::Let(port),
            _ if self.kind == Kind::Reject => Entrance::Refused,
            _ => Entrance::Dropped,
        }
    }
}
