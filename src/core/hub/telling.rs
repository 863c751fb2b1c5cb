//! What clients are told of the table and the roster: what changed since what they have.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::state::SessionRecord;
use super::{Hub, Output, PeerId};
use crate::core::ledger::Seen;
use crate::core::time::Time;
use crate::protocol::limits::DELTA_BYTES;
use crate::protocol::{Event, EventLine, LogEvent, OfferName, Timestamp, event, to_json};

/// How long changes are gathered before they are told. Shorter than what people notice, and long enough
/// that a burst of joins costs each client one update.
const GATHER: Duration = Duration::from_millis(20);

/// Updates that have been written, by the revision that they start from and whether all there is is followed: clients
/// that are equally far get the same bytes.
#[derive(Default)]
pub(super) struct Updates {
    table: HashMap<(Option<Seen>, bool), (Seen, Arc<str>)>,
    roster: HashMap<(Option<Seen>, bool), (Seen, Arc<str>)>,
}

impl Updates {
    pub(super) fn clear(&mut self) {
        self.table.clear();
        self.roster.clear();
    }
}

impl Hub {
    pub(super) fn log(&mut self, event: impl Into<LogEvent>) {
        self.out.push_back(Output::Log(event.into()));
    }

    pub(super) fn calendar(&self, now: Time) -> Timestamp {
        Timestamp(self.config.epoch.0 + (now.0 / 1_000) as i64)
    }

    /// The roster or the table changes.
    pub(super) fn record_of_session(&mut self, now: Time, record: &SessionRecord) {
        self.state.apply_of_session(record);
        self.gather(now);
        self.updates.clear();
    }

    /// There is something to tell, and for a short while more is waited for.
    pub(super) fn gather(&mut self, now: Time) {
        self.gather_at.get_or_insert(now + GATHER);
    }

    pub(super) fn tell_changes_to_all(&mut self, now: Time) {
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.tell_changes(now, id);
        }
    }

    /// Tells a client what it does not have yet, as far as it can take it. Before the changes are
    /// gathered, only those are told who ask for the newest.
    pub(super) fn tell_changes(&mut self, now: Time, id: PeerId) {
        let asked = self.peers.get(&id).is_some_and(|peer| !peer.syncs.is_empty());
        if self.gather_at.is_none() || asked {
            self.tell_newest(now, id);
        }
    }

    /// Tells a client what it does not have yet, even what is still being gathered.
    pub(super) fn tell_newest(&mut self, now: Time, id: PeerId) {
        loop {
            let Some(peer) = self.peers.get(&id) else { return };
            if !peer.link.takes_state() {
                return;
            }
            if let Some(seen) = peer.following.table.behind(self.state.revision()) {
                self.tell_table(now, id, Some(seen));
            } else if let Some(seen) = peer.following.roster.behind(self.state.revision()) {
                self.tell_roster(now, id, Some(seen));
            } else {
                return self.answer_syncs(now, id);
            }
        }
    }

    /// Tells a client the table's changes since `seen`; all of it if there is none.
    pub(super) fn tell_table(&mut self, now: Time, id: PeerId, seen: Option<Seen>) {
        let whole = self.follows_table(id);
        if whole && self.state.table().is_too_large() {
            return self.unfollow_table(now, id);
        }
        let (seen, body) = self.table_update(seen, whole);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.following.table.told(seen);
        }
        if let Some(body) = body {
            self.send(now, id, body);
        }
    }

    /// The same for the roster.
    pub(super) fn tell_roster(&mut self, now: Time, id: PeerId, seen: Option<Seen>) {
        let (seen, body) = self.roster_update(seen, self.follows_roster(id));
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.following.roster.told(seen);
        }
        if let Some(body) = body {
            self.send(now, id, body);
        }
    }

    fn answer_syncs(&mut self, now: Time, id: PeerId) {
        while let Some((_, request_id)) = self.peers.get_mut(&id).and_then(|peer| peer.syncs.pop_front()) {
            self.answer(now, id, request_id, event::Synced { revision: self.state.revision() });
        }
    }

    /// The table's changes since `seen`, as many as fit one event, and how far they reach. No body where
    /// nothing changed; but who begins is told even that nothing is offered.
    fn table_update(&mut self, seen: Option<Seen>, whole: bool) -> (Seen, Option<Arc<str>>) {
        if let Some((to, body)) = self.updates.table.get(&(seen, whole)) {
            return (*to, Some(body.clone()));
        }
        let (full, changes) = self.state.table().since(seen, whole);
        let (mut added, mut removed, mut bytes, mut to) = (Vec::new(), Vec::new(), 0, self.state.revision());
        for (revision, (file, owner), shelved, live) in changes {
            if bytes > DELTA_BYTES {
                to = revision - 1;
                break;
            }
            bytes += 300 + file.len() + owner.len();
            match live {
                true => added.push(self.offer(owner, shelved)),
                false => removed.push(OfferName { file: file.to_string(), owner: owner.to_string() }),
            }
        }
        let to = self.state.table().seen(to);
        if added.is_empty() && removed.is_empty() && !full {
            return (to, None);
        }
        let total = self.state.table().len() as u64;
        let body = told_to_all(event::TableUpdated { revision: to.revision, added, removed, total, full });
        self.updates.table.insert((seen, whole), (to, body.clone()));
        (to, Some(body))
    }

    /// The same for the roster.
    fn roster_update(&mut self, seen: Option<Seen>, whole: bool) -> (Seen, Option<Arc<str>>) {
        if let Some((to, body)) = self.updates.roster.get(&(seen, whole)) {
            return (*to, Some(body.clone()));
        }
        let (full, changes) = self.state.roster().since(seen, whole);
        let (mut clients, mut bytes, mut to) = (Vec::new(), 0, self.state.revision());
        for (revision, _, client, _) in changes {
            if bytes > DELTA_BYTES {
                to = revision - 1;
                break;
            }
            bytes += 300;
            clients.push(client.clone());
        }
        let to = self.state.roster().seen(to);
        if clients.is_empty() && !full {
            return (to, None);
        }
        let total = self.state.roster().len() as u64;
        let body = told_to_all(event::RosterUpdated { revision: to.revision, clients, total, full });
        self.updates.roster.insert((seen, whole), (to, body.clone()));
        (to, Some(body))
    }

    /// Tells a client something that it has not asked for.
    pub(super) fn tell(&mut self, now: Time, id: PeerId, event: impl Into<Event>) {
        self.send(now, id, told_to_all(event));
    }

    /// Puts a body on a client's link; one that lets too much pile up is expelled.
    pub(super) fn send(&mut self, now: Time, id: PeerId, body: Arc<str>) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match peer.link.send(now, body) {
            Ok(()) => {
                self.talking.insert(id);
            }
            Err(fault) => self.expel(now, id, super::clients::fault(fault)),
        }
    }
}

pub(super) fn told_to_all(event: impl Into<Event>) -> Arc<str> {
    to_json(&EventLine { seq: None, time: None, id: None, last: false, event: event.into() }).into()
}
