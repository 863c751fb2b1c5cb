//! Connections without a session: they have not said hello, or the store is looking up the invite in their hello.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use crate::core::hub::ConnId;
use crate::core::time::Time;
use crate::protocol::wire::ClientHello;
use crate::protocol::{Network, PublicKey};

/// A connection without a session.
pub(in crate::core::hub) struct PendingConnection {
    pub(in crate::core::hub) key: PublicKey,
    pub(in crate::core::hub) address: SocketAddr,
    /// The exporter of its TLS session.
    pub(in crate::core::hub) exporter: Option<[u8; 32]>,
    /// When it is turned away.
    pub(in crate::core::hub) deadline: Time,
    /// Its hello, while the store looks up the invite in it.
    pub(in crate::core::hub) hello: Option<Box<ClientHello>>,
}

/// All connections without a session, and their number for each network.
#[derive(Default)]
pub(in crate::core::hub) struct PendingConnections {
    all: BTreeMap<ConnId, PendingConnection>,
    of: HashMap<Network, usize>,
}

impl PendingConnections {
    pub(in crate::core::hub) fn insert(&mut self, conn: ConnId, pending: PendingConnection) {
        *self.of.entry(Network::of(pending.address.ip())).or_default() += 1;
        self.all.insert(conn, pending);
    }

    pub(in crate::core::hub) fn remove(&mut self, conn: ConnId) -> Option<PendingConnection> {
        let pending = self.all.remove(&conn)?;
        let network = Network::of(pending.address.ip());
        if let Some(count) = self.of.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&network);
            }
        }
        Some(pending)
    }

    pub(in crate::core::hub) fn get(&self, conn: ConnId) -> Option<&PendingConnection> {
        self.all.get(&conn)
    }

    pub(in crate::core::hub) fn get_mut(&mut self, conn: ConnId) -> Option<&mut PendingConnection> {
        self.all.get_mut(&conn)
    }

    /// The oldest connection, and when it is turned away. All have the same time, and connection numbers rise, so the
    /// first is the oldest.
    pub(in crate::core::hub) fn oldest(&self) -> Option<(ConnId, Time)> {
        self.all.first_key_value().map(|(conn, pending)| (*conn, pending.deadline))
    }

    pub(in crate::core::hub) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.all.keys().copied()
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.all.len()
    }

    pub(in crate::core::hub) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The connection to close because `newest` has come from `network`: `newest` itself if the network then has more
    /// than a quarter of `most`, or else the oldest if there are more than `most` in all. The hub's own machine has no
    /// limit for its network.
    pub(in crate::core::hub) fn crowding(&self, newest: ConnId, network: Network, most: usize) -> Option<ConnId> {
        let same = self.of.get(&network).copied().unwrap_or(0);
        if !network.is_loopback() && same > (most / 4).max(1) {
            return Some(newest);
        }
        (self.all.len() > most).then(|| self.all.keys().next().copied()).flatten()
    }
}
