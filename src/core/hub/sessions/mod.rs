//! Who is connected: the sessions of this process, their connections, and the names under which they are here.

pub(in crate::core::hub) mod contest;
pub(in crate::core::hub) mod exchange;
pub(in crate::core::hub) mod feed;
pub(in crate::core::hub) mod following;
pub(in crate::core::hub) mod past;
pub(in crate::core::hub) mod pending;
pub(in crate::core::hub) mod places;
pub(in crate::core::hub) mod rates;
pub(in crate::core::hub) mod refusals;
pub(in crate::core::hub) mod registered;
pub(in crate::core::hub) mod scanned;
pub(in crate::core::hub) mod underway;
pub(in crate::core::hub) mod updates;
pub(in crate::core::hub) mod visits;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

use crate::core::hub::entrance::invites::ShownInvite;
use crate::core::hub::sessions::contest::Challenge;
use crate::core::hub::sessions::exchange::Exchange;
use crate::core::hub::sessions::feed::Feed;
use crate::core::hub::sessions::following::Following;
use crate::core::hub::sessions::past::Past;
use crate::core::hub::sessions::rates::Rates;
use crate::core::hub::sessions::registered::{Fetchers, Registered};
use crate::core::hub::sessions::scanned::Scanned;
use crate::core::hub::sessions::visits::Visits;
use crate::core::hub::state::{Holder, Owner, Shelved};
use crate::core::hub::{ConnId, HubConfig, PeerId};
use crate::core::link::Link;
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, Offer, PublicKey};

/// A session: a client, from its first hello until it leaves or its grace is over.
pub(in crate::core::hub) struct Peer {
    pub(in crate::core::hub) key: PublicKey,
    /// What it has shown to come in, until that is spent.
    pub(in crate::core::hub) invite: Option<ShownInvite>,
    pub(in crate::core::hub) at: Whereabouts,
    pub(in crate::core::hub) link: Link,
    pub(in crate::core::hub) conn: Option<ConnId>,
    /// Since when there is no connection.
    pub(in crate::core::hub) away_since: Option<Time>,
    /// Its name and number, if it is registered.
    pub(in crate::core::hub) name: Option<Registered>,
    pub(in crate::core::hub) following: Following,
    /// Somebody with the same key wants its name; it must show that it lives.
    pub(in crate::core::hub) challenge: Option<Challenge>,
    /// What it is fed, once it has said where it stands.
    pub(in crate::core::hub) feed: Option<Feed>,
    pub(in crate::core::hub) exchange: Exchange,
    /// What it asked in a session that is lost.
    pub(in crate::core::hub) past: Past,
    pub(in crate::core::hub) rates: Rates,
}

/// Where a client is reached.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::hub) struct Whereabouts {
    /// Where its connection to the hub comes from.
    pub(in crate::core::hub) address: SocketAddr,
    /// The TCP port on which it serves files.
    pub(in crate::core::hub) port: u16,
    /// The UDP port on which it takes direct connections.
    pub(in crate::core::hub) link_port: u16,
    /// Somebody else cannot reach it there, and it has not been heard here since.
    pub(in crate::core::hub) doubted: bool,
}

/// All sessions.
#[derive(Default)]
pub(in crate::core::hub) struct Sessions {
    peers: Scanned<BTreeMap<PeerId, Peer>>,
    /// The number of the newest.
    last: PeerId,
    conns: BTreeMap<ConnId, PeerId>,
    /// Names in use, and those whose registration is on its way to the disk.
    online: Scanned<HashMap<NameKey, PeerId>>,
    /// Those that may have frames to send.
    talking: BTreeSet<PeerId>,
    /// Those that are to be expelled, and why: the hub ends them when it is done with what it is doing.
    doomed: VecDeque<(PeerId, Failure)>,
    pub(in crate::core::hub) fetchers: Fetchers,
    pub(in crate::core::hub) visits: Visits,
}

impl Sessions {
    /// Nobody is connected; `visits` are those of earlier runs.
    pub(in crate::core::hub) fn new(visits: Visits) -> Self {
        Self { visits, ..Self::default() }
    }

    /// A new session.
    pub(in crate::core::hub) fn add(&mut self, peer: Peer) -> PeerId {
        self.last += 1;
        self.peers.insert(self.last, peer);
        self.last
    }

    pub(in crate::core::hub) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(&id)
    }

    pub(in crate::core::hub) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    /// What a client is fed, once it has said where it stands.
    pub(in crate::core::hub) fn feed_mut(&mut self, id: PeerId) -> Option<&mut Feed> {
        self.get_mut(id)?.feed.as_mut()
    }

    pub(in crate::core::hub) fn has(&self, id: PeerId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Takes a session out. Its connection and its name are taken away by others.
    pub(in crate::core::hub) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        self.talking.remove(&id);
        self.peers.remove(&id)
    }

    /// All of them, in the order of their coming: for what concerns everybody.
    pub(in crate::core::hub) fn all(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// Whose connection this is.
    pub(in crate::core::hub) fn of_conn(&self, conn: ConnId) -> Option<PeerId> {
        self.conns.get(&conn).copied()
    }

    /// A session has this connection from now on. Gives the one that it had.
    pub(in crate::core::hub) fn connect(&mut self, id: PeerId, conn: ConnId) -> Option<ConnId> {
        let before = self.peers.get_mut(&id)?.conn.replace(conn);
        if let Some(before) = before {
            self.conns.remove(&before);
        }
        self.conns.insert(conn, id);
        self.talking.insert(id);
        before
    }

    /// A session has no connection any more. Gives the one that it had.
    pub(in crate::core::hub) fn disconnect(&mut self, id: PeerId) -> Option<ConnId> {
        let conn = self.peers.get_mut(&id)?.conn.take()?;
        self.conns.remove(&conn);
        Some(conn)
    }

    /// All connections of sessions.
    pub(in crate::core::hub) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.conns.keys().copied()
    }

    /// Nobody has a connection any more.
    pub(in crate::core::hub) fn disconnect_all(&mut self) {
        self.conns.clear();
        for peer in self.peers.values_mut() {
            peer.conn = None;
            peer.link.detach();
        }
    }

    /// The name of somebody who is registered.
    ///
    /// # Errors
    /// `not-registered`
    pub(in crate::core::hub) fn me(&self, id: PeerId) -> Result<Registered, Failure> {
        self.get(id).and_then(|peer| peer.name.clone()).ok_or_else(|| ErrorCode::NotRegistered.into())
    }

    /// The same, as who proposes something.
    ///
    /// # Errors
    /// `not-registered`
    pub(in crate::core::hub) fn holder(&self, id: PeerId) -> Result<Holder, Failure> {
        self.me(id).map(|me| Holder { session: id, name: me.name, name_key: me.name_key })
    }

    /// Who is here under a name, or is about to be.
    pub(in crate::core::hub) fn named(&self, name: &NameKey) -> Option<PeerId> {
        self.online.get(name).copied()
    }

    /// Whether somebody is here under this name. A name whose registration is on its way to the disk is in use, but its
    /// owner is not here yet, and may be gone before.
    pub(in crate::core::hub) fn is_here(&self, name: &NameKey) -> bool {
        self.named(name).and_then(|id| self.get(id)).is_some_and(|peer| peer.name.is_some())
    }

    /// A name is in use by this session.
    pub(in crate::core::hub) fn use_name(&mut self, name: NameKey, id: PeerId) {
        self.online.insert(name, id);
    }

    /// A name is not in use any more.
    pub(in crate::core::hub) fn free_name(&mut self, name: &NameKey) {
        self.online.remove(name);
    }

    /// How many names are in use.
    pub(in crate::core::hub) fn names(&self) -> usize {
        self.online.len()
    }

    /// Everybody who has a name or is about to: for what concerns everybody.
    pub(in crate::core::hub) fn all_named(&self) -> impl Iterator<Item = (&NameKey, PeerId)> {
        self.online.iter().map(|(name, id)| (name, *id))
    }

    /// A session may have frames to send.
    pub(in crate::core::hub) fn talks(&mut self, id: PeerId) {
        self.talking.insert(id);
    }

    /// The next session that may have frames to send.
    pub(in crate::core::hub) fn next_talking(&self) -> Option<PeerId> {
        self.talking.first().copied()
    }

    /// A session has no more frames to send.
    pub(in crate::core::hub) fn is_silent(&mut self, id: PeerId) {
        self.talking.remove(&id);
    }

    /// A session is to be expelled as soon as the hub is done with what it is doing.
    pub(in crate::core::hub) fn doom(&mut self, id: PeerId, failure: Failure) {
        self.doomed.push_back((id, failure));
    }

    /// The next session that is to be expelled.
    pub(in crate::core::hub) fn next_doomed(&mut self) -> Option<(PeerId, Failure)> {
        self.doomed.pop_front()
    }

    /// How much there is of everything that must go with those for whom it is there.
    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 6] {
        let challenges = self.peers.values().filter(|peer| peer.challenge.is_some()).count();
        [
            ("peers", self.peers.len()),
            ("connections", self.conns.len()),
            ("names in use", self.online.len()),
            ("fetchers", self.fetchers.len()),
            ("talking", self.talking.len()),
            ("challenges", challenges),
        ]
    }

    /// An offer as everybody sees it.
    pub(in crate::core::hub) fn offer(&self, config: &HubConfig, owner: &str, shelved: &Shelved) -> Offer {
        let (address, port) = match shelved.owner {
            Owner::Client(id) => self.get(id).map(|peer| (peer.at.address.ip(), peer.at.port)),
            Owner::Gone => None,
            Owner::Hub | Owner::Kept => config.files.as_ref().map(|files| (files.address, files.port)),
        }
        .unwrap_or((std::net::Ipv4Addr::UNSPECIFIED.into(), 0));
        let content = &shelved.content;
        Offer {
            file: content.file.to_string(),
            owner: owner.to_owned(),
            size: content.size,
            hash: content.hash,
            chunk_size: content.chunk_size,
            chunks: content.chunks,
            modified: content.modified,
            kept: shelved.owner == Owner::Kept,
            address,
            port,
        }
    }
}
