//! Connections that have not said hello.

use std::net::{IpAddr, SocketAddr};

use super::{ConnId, HELLO_TIMEOUT, Hub};
use crate::core::time::Time;
use crate::protocol::wire::ClientHello;
use crate::protocol::{ErrorCode, Failure, Network, PublicKey, log};

/// A connection that has not said hello.
pub(super) struct Stranger {
    pub(super) key: PublicKey,
    pub(super) address: SocketAddr,
    pub(super) deadline: Time,
    /// Its hello, while the store looks up the invite in it.
    pub(super) hello: Option<Box<ClientHello>>,
}

impl Hub {
    pub(super) fn connected(&mut self, now: Time, conn: ConnId, key: PublicKey, address: SocketAddr, transport: &str) {
        self.log(log::ClientConnected {
            connection: conn,
            address: address.to_string(),
            transport: transport.to_owned(),
            key,
        });
        self.strangers.insert(conn, Stranger { key, address, deadline: now + HELLO_TIMEOUT, hello: None });
        if self.stopping {
            self.turn_away(conn, ErrorCode::HubStopping.into());
        } else if let Some(crowding) = self.crowding_stranger(conn, address.ip()) {
            self.turn_away(crowding, Failure::from(ErrorCode::HubFull).wait(1_000));
        }
    }

    /// Whose connection is closed when one more has come that has not said hello: its own, if its address has taken its
    /// share; the oldest, which has had most time, if there are too many.
    fn crowding_stranger(&self, newest: ConnId, address: IpAddr) -> Option<ConnId> {
        let most = self.config.limits.strangers;
        let network = Network::of(address);
        let same = || self.strangers.values().filter(|other| Network::of(other.address.ip()) == network).count();
        if !network.is_loopback() && same() > (most / 4).max(1) {
            return Some(newest);
        }
        (self.strangers.len() > most).then(|| self.strangers.keys().next().copied()).flatten()
    }
}
