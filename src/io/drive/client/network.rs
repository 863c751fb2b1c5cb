//! Our own place in the network: from which of our addresses the hub is reached, and that it has become another one.
//!
//! No system tells of that in the same way, so it is looked at now and then. What it is good for: connections that were
//! made from the old address are lost, and nobody would notice before their deadlines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::protocol::TransportKind;

/// How often our own address is looked at.
const LOOKS: Duration = Duration::from_millis(500);

/// From where the hub is reached.
pub(super) struct OwnAddress {
    looks: Interval,
    /// The hub's address, and over what it was reached.
    hub: Option<(SocketAddr, TransportKind)>,
    from: Option<IpAddr>,
}

impl OwnAddress {
    /// Of a client that has not reached its hub. Must be called inside a tokio runtime.
    pub(super) fn new() -> Self {
        let mut looks = interval(LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { looks, hub: None, from: None }
    }

    /// Waits until it is time to look: for ever if the hub is on this machine, which is always reached from the same
    /// address. Nothing is lost if this is dropped.
    pub(super) async fn look(&mut self) {
        match self.hub {
            Some((hub, _)) if !hub.ip().is_loopback() => drop(self.looks.tick().await),
            Some(_) | None => std::future::pending().await,
        }
    }

    /// The hub was reached at this address. Returns whether that was from another one of ours than before.
    pub(super) fn hub_is_at(&mut self, hub: SocketAddr, transport: TransportKind) -> bool {
        self.hub = Some((hub, transport));
        self.changed().is_some()
    }

    /// Looks. Returns the address before, if it is another one now. Without any way to the hub, the old one counts.
    pub(super) fn changed(&mut self) -> Option<IpAddr> {
        let now = own_address(self.hub?.0)?;
        self.from.replace(now).filter(|before| *before != now)
    }

    /// Whether a connection to the hub that was made from this address is lost. Over QUIC it goes on from another one.
    pub(super) fn ends_with(&self, address: IpAddr) -> bool {
        self.hub.is_some_and(|(_, transport)| transport == TransportKind::Tcp) && is_gone(address)
    }
}

/// Whether this machine has an address no longer.
fn is_gone(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_err()
}

/// The address of this machine from which it reaches the hub; `None` if there is no way there.
fn own_address(hub: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if hub.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Nothing is sent: the system only says which way it would take.
    let socket = UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(hub).map(|()| socket)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_address_is_noticed_once() {
        let mut own = OwnAddress::new();
        assert_eq!(own.changed(), None, "there is no hub yet");
        own.hub = Some(("127.0.0.1:7755".parse().unwrap(), TransportKind::Tcp));
        assert_eq!((own.changed(), own.from), (None, Some(Ipv4Addr::LOCALHOST.into())));
        let before = IpAddr::from([192, 0, 2, 7]);
        own.from = Some(before);
        assert_eq!((own.changed(), own.changed()), (Some(before), None));
        assert!(is_gone(before) && !is_gone(Ipv4Addr::LOCALHOST.into()));
    }
}
