//! The sessions of this process: their connections, the names in use, and everything that belongs to one client only.
//!
//! [`Sessions`] owns the table of sessions and its indexes: by connection, by name, those with frames to send, and
//! those to be expelled. A [`Peer`] is one session; each feature keeps its part of a session in a type of its own here
//! (`exchange`: requests and answers; `feed`: messages on their way; `following`: table and roster; `past`: requests of
//! a lost session; `rates`: token buckets). `places` bounds the number of sessions, `pending` holds connections without
//! one. Nothing here is stored; it ends with the process.

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
use crate::core::hub::state::{Holder, ListedOffer, Owner};
use crate::core::hub::{ConnId, HubConfig, PeerId};
use crate::core::link::Link;
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, Offer, PublicKey};

/// A session: one client, from its first hello until it leaves or its grace is over.
pub(in crate::core::hub) struct Peer {
    pub(in crate::core::hub) key: PublicKey,
    /// The invite that it has shown, until its key has taken a name with it.
    pub(in crate::core::hub) invite: Option<ShownInvite>,
    pub(in crate::core::hub) at: Whereabouts,
    pub(in crate::core::hub) link: Link,
    pub(in crate::core::hub) conn: Option<ConnId>,
    /// When it lost its connection; `None` while it has one, and before its first.
    pub(in crate::core::hub) away_since: Option<Time>,
    /// Its name, once it is registered.
    pub(in crate::core::hub) name: Option<Registered>,
    pub(in crate::core::hub) following: Following,
    /// Set while another session of the same key wants its name: it must show that it is alive.
    pub(in crate::core::hub) challenge: Option<Challenge>,
    /// The messages on their way to it, once it has reported what its user has received.
    pub(in crate::core::hub) feed: Option<Feed>,
    pub(in crate::core::hub) exchange: Exchange,
    /// What it asked in a session that is lost.
    pub(in crate::core::hub) past: Past,
    pub(in crate::core::hub) rates: Rates,
    /// Whether it came as a guest, for a parcel.
    pub(in crate::core::hub) guest: bool,
}

/// Where a client can be reached.
#[derive(Debug, Clone, Copy)]
pub(in crate::core::hub) struct Whereabouts {
    /// The address and port from which it is connected to the hub.
    pub(in crate::core::hub) address: SocketAddr,
    /// The TCP port on which it serves files.
    pub(in crate::core::hub) port: u16,
    /// The UDP port on which it takes direct connections.
    pub(in crate::core::hub) link_port: u16,
    /// Another client could not reach it, and the hub has not heard from it since.
    pub(in crate::core::hub) doubted: bool,
}

/// All sessions of this process.
#[derive(Default)]
pub(in crate::core::hub) struct Sessions {
    peers: Scanned<BTreeMap<PeerId, Peer>>,
    /// The number of the newest session.
    last: PeerId,
    conns: BTreeMap<ConnId, PeerId>,
    /// The sessions by their keys.
    keys: BTreeSet<(PublicKey, PeerId)>,
    /// The sessions by the names that they have, or are about to have when their registration is on disk.
    online: Scanned<HashMap<NameKey, PeerId>>,
    /// The sessions whose links may have frames to send.
    talking: BTreeSet<PeerId>,
    /// The sessions to be expelled, and why. The hub ends them when it has handled its input.
    doomed: VecDeque<(PeerId, Failure)>,
    pub(in crate::core::hub) fetchers: Fetchers,
    pub(in crate::core::hub) visits: Visits,
}

impl Sessions {
    /// No sessions; `visits` are those that the hub starts with.
    pub(in crate::core::hub) fn new(visits: Visits) -> Self {
        Self { visits, ..Self::default() }
    }

    /// Adds a session, and returns its number.
    pub(in crate::core::hub) fn add(&mut self, peer: Peer) -> PeerId {
        self.last += 1;
        self.keys.insert((peer.key, self.last));
        self.peers.insert(self.last, peer);
        self.last
    }

    pub(in crate::core::hub) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(&id)
    }

    pub(in crate::core::hub) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    /// The feed of a client, once it has reported what its user has received.
    pub(in crate::core::hub) fn feed_mut(&mut self, id: PeerId) -> Option<&mut Feed> {
        self.get_mut(id)?.feed.as_mut()
    }

    pub(in crate::core::hub) fn has(&self, id: PeerId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Removes a session. The caller disconnects it and frees its name.
    pub(in crate::core::hub) fn remove(&mut self, id: PeerId) -> Option<Peer> {
        self.talking.remove(&id);
        let peer = self.peers.remove(&id)?;
        self.keys.remove(&(peer.key, id));
        Some(peer)
    }

    /// All sessions, oldest first. Costs time for each of them: only for what concerns all of them.
    pub(in crate::core::hub) fn all(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// The newest registered session with this key that is connected, of those with this name if one is given.
    pub(in crate::core::hub) fn here_with(&self, key: &PublicKey, name: Option<&str>) -> Option<PeerId> {
        let name = name.map(NameKey::of);
        let here = |peer: &Peer| {
            let registered = peer.name.as_ref().filter(|_| peer.conn.is_some());
            registered.is_some_and(|own| name.as_ref().is_none_or(|name| own.name_key == *name))
        };
        let mut all = self.keys.range((*key, PeerId::MIN)..=(*key, PeerId::MAX)).rev().map(|(_, id)| *id);
        all.find(|id| self.get(*id).is_some_and(here))
    }

    /// The session that a connection belongs to.
    pub(in crate::core::hub) fn of_conn(&self, conn: ConnId) -> Option<PeerId> {
        self.conns.get(&conn).copied()
    }

    /// Gives a session this connection, and returns the one that it had.
    pub(in crate::core::hub) fn connect(&mut self, id: PeerId, conn: ConnId) -> Option<ConnId> {
        let before = self.peers.get_mut(&id)?.conn.replace(conn);
        if let Some(before) = before {
            self.conns.remove(&before);
        }
        self.conns.insert(conn, id);
        self.talking.insert(id);
        before
    }

    /// Takes a session's connection away, and returns it.
    pub(in crate::core::hub) fn disconnect(&mut self, id: PeerId) -> Option<ConnId> {
        let conn = self.peers.get_mut(&id)?.conn.take()?;
        self.conns.remove(&conn);
        Some(conn)
    }

    /// The connections of all sessions.
    pub(in crate::core::hub) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.conns.keys().copied()
    }

    /// Takes all connections away, because the hub ends.
    pub(in crate::core::hub) fn disconnect_all(&mut self) {
        self.conns.clear();
        for peer in self.peers.values_mut() {
            peer.conn = None;
            peer.link.detach();
        }
    }

    /// The name of a registered client.
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

    /// The session that has a name, or is about to have it.
    pub(in crate::core::hub) fn named(&self, name: &NameKey) -> Option<PeerId> {
        self.online.get(name).copied()
    }

    /// Whether a session has this name. Unlike [`Sessions::named`], this excludes a name whose registration is not on
    /// disk yet: its session may still end before it is.
    pub(in crate::core::hub) fn is_here(&self, name: &NameKey) -> bool {
        self.named(name).and_then(|id| self.get(id)).is_some_and(|peer| peer.name.is_some())
    }

    /// Marks a name as in use by a session.
    pub(in crate::core::hub) fn use_name(&mut self, name: NameKey, id: PeerId) {
        self.online.insert(name, id);
    }

    /// Marks a name as free.
    pub(in crate::core::hub) fn free_name(&mut self, name: &NameKey) {
        self.online.remove(name);
    }

    /// The number of names in use.
    pub(in crate::core::hub) fn names(&self) -> usize {
        self.online.len()
    }

    /// All names in use, with their sessions. Costs time for each of them: only for what concerns all of them.
    pub(in crate::core::hub) fn all_named(&self) -> impl Iterator<Item = (&NameKey, PeerId)> {
        self.online.iter().map(|(name, id)| (name, *id))
    }

    /// Marks a session whose link may have frames to send.
    pub(in crate::core::hub) fn talks(&mut self, id: PeerId) {
        self.talking.insert(id);
    }

    /// A session whose link may have frames to send.
    pub(in crate::core::hub) fn next_talking(&self) -> Option<PeerId> {
        self.talking.first().copied()
    }

    /// Unmarks a session whose link has no more frames to send.
    pub(in crate::core::hub) fn is_silent(&mut self, id: PeerId) {
        self.talking.remove(&id);
    }

    /// Has the hub expel a session when it has handled its input.
    pub(in crate::core::hub) fn doom(&mut self, id: PeerId, failure: Failure) {
        self.doomed.push_back((id, failure));
    }

    /// The next session to expel.
    pub(in crate::core::hub) fn next_doomed(&mut self) -> Option<(PeerId, Failure)> {
        self.doomed.pop_front()
    }

    /// The sizes of all collections, for `Hub::counts`.
    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 7] {
        let challenges = self.peers.values().filter(|peer| peer.challenge.is_some()).count();
        [
            ("peers", self.peers.len()),
            ("connections", self.conns.len()),
            ("keys", self.keys.len()),
            ("names in use", self.online.len()),
            ("fetchers", self.fetchers.len()),
            ("talking", self.talking.len()),
            ("challenges", challenges),
        ]
    }

    /// An offer as clients are told it, with the address from which it is served now.
    pub(in crate::core::hub) fn offer(&self, config: &HubConfig, owner: &str, listed: &ListedOffer) -> Offer {
        let (address, port) = match listed.owner {
            Owner::Client(id) => self.get(id).map(|peer| (peer.at.address.ip(), peer.at.port)),
            Owner::Gone => None,
            Owner::Hub | Owner::Kept => config.files.as_ref().map(|files| (files.address, files.port)),
        }
        .unwrap_or((std::net::Ipv4Addr::UNSPECIFIED.into(), 0));
        let content = &listed.content;
        Offer {
            file: content.file.to_string(),
            owner: owner.to_owned(),
            size: content.size,
            hash: content.hash,
            chunk_size: content.chunk_size,
            chunks: content.chunks,
            modified: content.modified,
            kept: listed.owner == Owner::Kept,
            address,
            port,
        }
    }
}
