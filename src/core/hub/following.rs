//! What each client follows: which changes of the table and the roster it is told, and of whom it is told although it
//! does not follow the roster.

use std::collections::BTreeSet;

use super::{Hub, PeerId};
use crate::core::ledger::Seen;
use crate::core::time::Time;
use crate::protocol::{Client, Follow, Follows, Presence, event};

/// What one client follows.
pub(super) struct Following {
    pub(super) table: Track,
    pub(super) roster: Track,
    /// Of whom it was told, though it does not follow the roster: of their leaving it is told, too.
    knows: BTreeSet<PeerId>,
    /// Who was told of it.
    known_to: BTreeSet<PeerId>,
}

/// How one client follows the table or the roster.
pub(super) struct Track {
    wants: Follow,
    /// Up to where it has been told, once it is told anything.
    seen: Option<Seen>,
}

impl Track {
    fn new(wants: Follow) -> Self {
        Self { wants, seen: None }
    }

    /// Whether the client has, or is being given, all there is.
    pub(super) fn is_whole(&self) -> bool {
        self.wants == Follow::Table
    }

    /// Whether the client has been told something.
    fn has_begun(&self) -> bool {
        self.seen.is_some()
    }

    /// Up to where it has been told, if that is not the newest revision.
    pub(super) fn behind(&self, newest: u64) -> Option<Seen> {
        self.seen.filter(|seen| seen.revision < newest)
    }

    pub(super) fn told(&mut self, seen: Seen) {
        self.seen = Some(seen);
    }
}

impl Following {
    pub(super) fn new(follows: Follows) -> Self {
        let (table, roster) = (Track::new(follows.table), Track::new(follows.roster));
        Self { table, roster, knows: BTreeSet::new(), known_to: BTreeSet::new() }
    }
}

impl Hub {
    /// A client has just entered, or looks on: it is told what it wants to follow.
    pub(super) fn begin_following(&mut self, now: Time, id: PeerId) {
        let (table, roster) =
            (self.state.table().seen(self.state.revision()), self.state.roster().seen(self.state.revision()));
        let Some(peer) = self.peers.get_mut(&id) else { return };
        for (track, seen) in [(&mut peer.following.table, table), (&mut peer.following.roster, roster)] {
            track.seen = (track.wants == Follow::Changes).then_some(seen);
        }
        let (table, roster) = (peer.following.table.is_whole(), peer.following.roster.is_whole());
        if table {
            self.tell_table(now, id, None);
        }
        if roster {
            self.tell_roster(now, id, None);
        }
    }

    /// Somebody who has not registered in this session looks on from here.
    pub(super) fn look_on(&mut self, now: Time, id: PeerId) {
        let following = self.peers.get(&id).map(|peer| &peer.following);
        if following.is_some_and(|following| !following.table.has_begun() && !following.roster.has_begun()) {
            self.begin_following(now, id);
        }
    }

    pub(super) fn follows_table(&self, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.following.table.is_whole())
    }

    pub(super) fn follows_roster(&self, id: PeerId) -> bool {
        self.peers.get(&id).is_some_and(|peer| peer.following.roster.is_whole())
    }

    /// The table has outgrown what a client keeps of it: that is said once, and nothing more of it.
    pub(super) fn unfollow_table(&mut self, now: Time, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.following.table = Track::new(Follow::None);
        }
        self.tell(now, id, event::TableUnfollowed::too_large(self.state.table().len() as u64));
    }

    /// Whoever has to do with somebody must know them: a server of files who asks, a client whose file it fetches.
    /// Who follows the roster is told of the newest changes; others of this one person.
    pub(super) fn introduce(&mut self, now: Time, to: PeerId, whom: PeerId) {
        if self.follows_roster(to) {
            return self.tell_newest(now, to);
        }
        let Some(client) = self.line_of(whom) else { return };
        let Some(peer) = self.peers.get_mut(&to) else { return };
        // Who takes no more at the moment does without: whoever wants something of them asks again.
        if !peer.link.takes_state() || to == whom {
            return;
        }
        peer.following.knows.insert(whom);
        if let Some(peer) = self.peers.get_mut(&whom) {
            peer.following.known_to.insert(to);
        }
        self.tell(now, to, event::Introduced { client });
    }

    /// A client's line in the roster.
    fn line_of(&self, id: PeerId) -> Option<Client> {
        let name = self.peers.get(&id)?.name.as_ref()?;
        self.state.roster().get(&name.name).cloned()
    }

    /// Somebody leaves: those who were told of them alone are told that, too.
    pub(super) fn part(&mut self, now: Time, id: PeerId, client: &Client) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let (knows, known_to) =
            (std::mem::take(&mut peer.following.knows), std::mem::take(&mut peer.following.known_to));
        for other in knows {
            if let Some(peer) = self.peers.get_mut(&other) {
                peer.following.known_to.remove(&id);
            }
        }
        for other in known_to {
            let Some(peer) = self.peers.get_mut(&other) else { continue };
            peer.following.knows.remove(&id);
            let client = Client { state: Presence::Offline, ..client.clone() };
            self.tell(now, other, event::Introduced { client });
        }
    }
}
