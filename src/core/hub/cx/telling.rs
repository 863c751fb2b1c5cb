//! Tells clients the changes of the table and the roster since the revision that each of them has, and sends events
//! that no request has asked for.

use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::state::{ListedOffer, Owner};
use crate::core::link::LinkFault;
use crate::core::versioned_map::Cursor;
use crate::protocol::limits::{DELTA_BYTES, LINK_FRAMES};
use crate::protocol::types::Content;
use crate::protocol::{Event, EventLine, Failure, Id, Offer, OfferName, Presence, PublicKey, event, to_json};

impl Cx<'_> {
    /// Tells every client what it follows. Called when the gathering time is over.
    pub(in crate::core::hub) fn tell_changes_to_all(&mut self) {
        self.updates.tell();
        let ids: Vec<PeerId> = self.sessions.all().map(|(id, _)| id).collect();
        for id in ids {
            self.tell_changes(id);
        }
    }

    /// Tells a client the changes that it does not have, as far as its link takes them. While changes are still being
    /// gathered, only a client that waits for a `Synced` is told.
    pub(in crate::core::hub) fn tell_changes(&mut self, id: PeerId) {
        let asked = self.sessions.get(id).is_some_and(|peer| !peer.following.syncs.is_empty());
        if self.updates.due().is_none() || asked {
            self.tell_newest(id);
        }
    }

    /// Tells a client the changes that it does not have, even those that are still being gathered. When it has all of
    /// them, the requests that wait for that are answered.
    pub(in crate::core::hub) fn tell_newest(&mut self, id: PeerId) {
        loop {
            let Some(peer) = self.sessions.get(id) else { return };
            if !peer.link.takes_state() {
                return;
            }
            if let Some(seen) = peer.following.table.behind(self.journal.state.revision()) {
                self.tell_table(id, Some(seen));
            } else if let Some(seen) = peer.following.roster.behind(self.journal.state.revision()) {
                self.tell_roster(id, Some(seen));
            } else {
                return self.answer_syncs(id);
            }
        }
    }

    /// Tells a client the table's changes since `seen`, or all of the table if that is `None`. A table that is too
    /// large for a client that keeps all of it is not told any more.
    pub(in crate::core::hub) fn tell_table(&mut self, id: PeerId, seen: Option<Cursor>) {
        let whole = self.follows_table(id);
        if whole && self.journal.state.table().is_too_large() {
            return self.unfollow_table(id);
        }
        let (seen, body) = self.table_update(seen, whole);
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.following.table.told(seen);
        }
        if let Some(body) = body {
            self.send(id, body);
        }
    }

    /// Tells a client the roster's changes since `seen`, or all of the roster if that is `None`.
    pub(in crate::core::hub) fn tell_roster(&mut self, id: PeerId, seen: Option<Cursor>) {
        let (seen, body) = self.roster_update(seen, self.follows_roster(id));
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.following.roster.told(seen);
        }
        if let Some(body) = body {
            self.send(id, body);
        }
    }

    /// Answers the requests that wait until the client has everything that it follows.
    fn answer_syncs(&mut self, id: PeerId) {
        while let Some((_, request_id)) = self.sessions.get_mut(id).and_then(|peer| peer.following.syncs.pop_front()) {
            self.answer(id, request_id, event::Synced { revision: self.journal.state.revision() });
        }
    }

    /// The event with the table's changes since `seen`, up to [`DELTA_BYTES`], and the position that it reaches. There
    /// is no event if nothing has changed, but the first one of the `whole` table is sent even if that is empty.
    fn table_update(&mut self, seen: Option<Cursor>, whole: bool) -> (Cursor, Option<Arc<str>>) {
        if let Some((to, body)) = self.updates.table.get(seen, whole) {
            return (to, Some(body));
        }
        let (full, changes) = self.journal.state.table().since(seen, whole);
        let (mut added, mut removed, mut bytes, mut to) = (Vec::new(), Vec::new(), 0, self.journal.state.revision());
        for (revision, (file, owner), listed, live) in changes {
            if bytes > DELTA_BYTES {
                to = revision - 1;
                break;
            }
            bytes += 300 + file.len() + owner.len();
            match live {
                true => added.push(self.offer(owner, listed)),
                false => removed.push(OfferName { file: file.to_string(), owner: owner.to_string() }),
            }
        }
        let to = self.journal.state.table().cursor(to);
        if added.is_empty() && removed.is_empty() && !full {
            return (to, None);
        }
        let total = self.journal.state.table().len() as u64;
        let body = told_to_all(event::TableUpdated { revision: to.revision, added, removed, total, full });
        self.updates.table.add(seen, whole, to, body.clone());
        (to, Some(body))
    }

    /// The event with the roster's changes since `seen`, as [`Cx::table_update`] makes it for the table.
    fn roster_update(&mut self, seen: Option<Cursor>, whole: bool) -> (Cursor, Option<Arc<str>>) {
        if let Some((to, body)) = self.updates.roster.get(seen, whole) {
            return (to, Some(body));
        }
        let (full, changes) = self.journal.state.roster().since(seen, whole);
        let (mut clients, mut bytes, mut to) = (Vec::new(), 0, self.journal.state.revision());
        for (revision, _, client, _) in changes {
            if bytes > DELTA_BYTES {
                to = revision - 1;
                break;
            }
            bytes += 300;
            clients.push(client.clone());
        }
        let to = self.journal.state.roster().cursor(to);
        if clients.is_empty() && !full {
            return (to, None);
        }
        let total = self.journal.state.roster().len() as u64;
        let body = told_to_all(event::RosterUpdated { revision: to.revision, clients, total, full });
        self.updates.roster.add(seen, whole, to, body.clone());
        (to, Some(body))
    }

    /// Answers a request with `Synced` when the client has everything that it follows. At most [`LINK_FRAMES`] such
    /// requests wait; a client that exceeds this is expelled.
    pub(in crate::core::hub) fn sync(&mut self, id: PeerId, request_id: &Option<Id>) -> Result<(), Failure> {
        let revision = self.journal.state.revision();
        self.look_on(id);
        let Some(peer) = self.sessions.get_mut(id) else { return Ok(()) };
        // These wait while the client takes no updates, so they have the bound of its link.
        if peer.following.syncs.len() >= LINK_FRAMES {
            self.sessions.doom(id, crate::core::hub::connections::fault(LinkFault::Overflow));
            return Ok(());
        }
        peer.following.syncs.push_back((revision, request_id.clone()));
        Ok(())
    }

    /// The presence of somebody, by their name as it is written in the roster.
    pub(in crate::core::hub) fn presence(&self, name: &str) -> Presence {
        self.journal.state.roster().get(name).map_or(Presence::Offline, |client| client.state)
    }

    /// An offer as clients are told it.
    pub(in crate::core::hub) fn offer(&self, owner: &str, listed: &ListedOffer) -> Offer {
        self.sessions.offer(self.config, owner, listed)
    }

    /// A client's offer of a content to one other client, with the client's key. `None` if it has no name.
    pub(in crate::core::hub) fn only_holder(&self, id: PeerId, content: &Arc<Content>) -> Option<(Offer, PublicKey)> {
        let peer = self.sessions.get(id)?;
        let listed = ListedOffer { owner: Owner::Client(id), content: content.clone() };
        Some((self.offer(&peer.name.as_ref()?.name, &listed), peer.key))
    }

    /// Sends a client an event that it has not asked for.
    pub(in crate::core::hub) fn tell(&mut self, id: PeerId, event: impl Into<Event>) {
        self.send(id, told_to_all(event));
    }

    /// Sends a body over a client's link. A client whose link is full is expelled when the hub has handled its input.
    pub(in crate::core::hub) fn send(&mut self, id: PeerId, body: Arc<str>) {
        let Some(peer) = self.sessions.get_mut(id) else { return };
        match peer.link.send(self.now, body) {
            Ok(()) => {
                self.sessions.talks(id);
            }
            Err(fault) => self.sessions.doom(id, crate::core::hub::connections::fault(fault)),
        }
    }
}

/// The bytes of an event that answers no request, and so can be the same for many clients.
pub(in crate::core::hub) fn told_to_all(event: impl Into<Event>) -> Arc<str> {
    to_json(&EventLine { seq: None, time: None, id: None, last: false, event: event.into() }).into()
}
