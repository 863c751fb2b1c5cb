//! Connections that have not said hello.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

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

/// All of them, and how many each address has.
#[derive(Default)]
pub(super) struct Strangers {
    all: BTreeMap<ConnId, Stranger>,
    of: HashMap<Network, usize>,
}

impl Strangers {
    fn insert(&mut self, conn: ConnId, stranger: Stranger) {
        *self.of.entry(Network::of(stranger.address.ip())).or_default() += 1;
        self.all.insert(conn, stranger);
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Stranger> {
        let stranger = self.all.remove(&conn)?;
        let network = Network::of(stranger.address.ip());
        if let Some(count) = self.of.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&network);
            }
        }
        Some(stranger)
    }

    pub(super) fn get(&self, conn: ConnId) -> Option<&Stranger> {
        self.all.get(&conn)
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Stranger> {
        self.all.get_mut(&conn)
    }

    /// The one that has been here longest. They all have the same time from their coming, and come in the order of
    /// their numbers.
    pub(super) fn oldest(&self) -> Option<(ConnId, Time)> {
        self.all.first_key_value().map(|(conn, stranger)| (*conn, stranger.deadline))
    }

    pub(super) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.all.keys().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whose connection is closed when one more has come: its own, if its address has taken its share; the oldest, which
    /// has had most time, if there are more than `most`.
    fn crowding(&self, newest: ConnId, network: Network, most: usize) -> Option<ConnId> {
        let same = self.of.get(&network).copied().unwrap_or(0);
        if !network.is_loopback() && same > (most / 4).max(1) {
            return Some(newest);
        }
        (self.all.len() > most).then(|| self.all.keys().next().copied()).flatten()
    }
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
        } else if let Some(crowding) =
            self.strangers.crowding(conn, Network::of(address.ip()), self.config.limits.strangers)
        {
            self.turn_away(crowding, Failure::from(ErrorCode::HubFull).wait(1_000));
        }
    }
}
