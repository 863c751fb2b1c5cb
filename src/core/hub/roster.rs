//! The roster: who is here under which name, and who has been.

use std::collections::HashMap;

use super::clients::Peer;
use super::state::SessionRecord;
use super::{Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::name::{LOBBY, NameKey};
use crate::protocol::record::Record;
use crate::protocol::types::Member;
use crate::protocol::{Client, Event, Presence, PublicKey, Timestamp, event, log};

/// A name in use.
#[derive(Clone)]
pub(super) struct Registered {
    pub(super) name: String,
    pub(super) name_key: NameKey,
    pub(super) number: u64,
    /// The newest message when it was taken into use.
    pub(super) entered: u64,
}

/// How many clients are here by each key: who holds it may fetch what the hub serves for as long as one is.
#[derive(Default)]
pub(super) struct Fetchers(HashMap<PublicKey, usize>);

impl Fetchers {
    fn enter(&mut self, key: PublicKey) {
        *self.0.entry(key).or_default() += 1;
    }

    /// Says whether that was the last one.
    fn leave(&mut self, key: PublicKey) -> bool {
        let Some(count) = self.0.get_mut(&key) else { return false };
        *count -= 1;
        *count == 0 && self.0.remove(&key).is_some()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Hub {
    /// A client is out of the roster, and its offers out of the table; the session stays. Says how many offers.
    pub(super) fn leave(&mut self, now: Time, id: PeerId, reason: &str) -> u64 {
        self.settle(now, id);
        let Some(peer) = self.peers.get_mut(&id) else { return 0 };
        let Some(name) = peer.name.take() else { return 0 };
        self.places.parted(now, id);
        peer.feed = None;
        let client = roster_line(peer, &name, Presence::Offline, Timestamp(0));
        let files: Vec<_> = std::mem::take(&mut peer.offers).into_keys().collect();
        let withdrawn = files.len() as u64;
        self.offers_left(now, id, &name.name, files);
        self.holders.forget(id);
        self.take_all_back(now, id);
        self.copies_left(id);
        if self.fetchers.leave(client.key) && self.config.files.is_some() {
            self.out.push_back(Output::MayNotFetch(client.key));
        }
        self.part(now, id, &client);
        self.was_last_there(&name.name_key);
        self.online.remove(&name.name_key);
        let (closed, number) = (self.calendar(now), name.number);
        self.record_of_session(now, &SessionRecord::Left { name: name.name.clone(), closed });
        self.visits.set_state(number, Presence::Offline);
        self.visits.close(number, closed);
        self.keep_visit(number);
        self.visits.left(Client { state: Presence::Offline, since: closed, ..client });
        self.log(log::ClientLeft { name: name.name, number, reason: reason.to_owned() });
        withdrawn
    }

    /// A name is in use from now on.
    pub(super) fn arrive(&mut self, now: Time, id: PeerId, name: String, name_key: NameKey) {
        let opened = self.calendar(now);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let number = self.visits.begin(&name, peer.key, peer.address, opened);
        peer.name =
            Some(Registered { name: name.clone(), name_key: name_key.clone(), number, entered: self.recent.newest });
        let (address, key, there) = (peer.address, peer.key, peer.conn.is_some());
        self.fetchers.enter(key);
        self.places.named(id);
        if self.config.files.is_some() {
            self.out.push_back(Output::MayFetch(key, name.clone()));
        }
        self.is_there(&name_key);
        self.online.insert(name_key, id);
        self.keep_visit(number);
        self.log(log::ClientRegistered { name, number, address: address.to_string() });
        let state = if there { Presence::Online } else { Presence::Away };
        self.set_presence(now, id, state);
    }

    pub(super) fn set_presence(&mut self, now: Time, id: PeerId, state: Presence) {
        self.show(now, id, state, self.calendar(now));
    }

    /// A client cannot reach another one. That is looked into, and changes nothing by itself: if the other one does
    /// not answer here either, its silence will. Once is enough until it is heard again.
    pub(super) fn doubt(&mut self, now: Time, by: PeerId, name: &str) {
        let Some(by) = self.peers.get(&by).and_then(|peer| peer.name.as_ref()).map(|name| name.name.clone()) else {
            return;
        };
        let Some(&id) = self.online.get(&NameKey::of(name)) else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(Registered { name, .. }) = peer.name.clone() else { return };
        if peer.conn.is_none() || std::mem::replace(&mut peer.doubted, true) {
            return;
        }
        peer.link.probe(now);
        self.talking.insert(id);
        self.log(log::PeerDoubted { name, by });
    }

    /// Writes a client's line in the roster.
    pub(super) fn show(&mut self, now: Time, id: PeerId, state: Presence, since: Timestamp) {
        let Some(peer) = self.peers.get(&id) else { return };
        let Some(registered) = peer.name.clone() else { return };
        let client = roster_line(peer, &registered, state, since);
        self.record_of_session(now, &SessionRecord::Here { client });
        let number = registered.number;
        self.visits.set_state(number, state);
    }

    /// The lobby's members are those who are here.
    pub(super) fn everybody(&self) -> Event {
        let mut members: Vec<Member> =
            self.roster().into_iter().map(|client| Member { state: client.state, name: client.name }).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        event::Members { room: LOBBY.to_owned(), members }.into()
    }

    /// The hub ends, and so do the visits.
    pub(super) fn close_visits(&mut self, now: Time, numbers: Vec<u64>) {
        let closed = self.calendar(now);
        for number in numbers {
            self.visits.close(number, closed);
            self.keep_visit(number);
        }
    }

    fn keep_visit(&mut self, number: u64) {
        if let Some(record) = self.visits.record(number, self.config.run) {
            self.record(Record::Visit(record));
        }
    }

    /// Whether somebody is there, by the name as they write it.
    pub(super) fn presence(&self, name: &str) -> Presence {
        self.state.roster().get(name).map_or(Presence::Offline, |client| client.state)
    }
}

fn roster_line(peer: &Peer, name: &Registered, state: Presence, since: Timestamp) -> Client {
    let (name, number) = (name.name.clone(), name.number);
    Client {
        name,
        number,
        state,
        since,
        key: peer.key,
        address: peer.address.ip(),
        port: peer.port,
        link_port: peer.link_port,
        you: false,
    }
}
