//! Which clients are told of the table and the roster, and who is introduced to whom.

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::protocol::{Client, Presence, event};

impl Cx<'_> {
    /// Starts to tell a client what it follows: all of the table and the roster, or only changes, as its hello has
    /// asked. Called when it has registered, or first asks for the table or the roster.
    pub(in crate::core::hub) fn begin_following(&mut self, id: PeerId) {
        let (table, roster) = (
            self.journal.state.table().cursor(self.journal.state.revision()),
            self.journal.state.roster().cursor(self.journal.state.revision()),
        );
        let Some(peer) = self.sessions.get_mut(id) else { return };
        let (table, roster) = peer.following.begin(table, roster);
        if table {
            self.tell_table(id, None);
        }
        if roster {
            self.tell_roster(id, None);
        }
    }

    /// Starts to tell a client what it follows, unless that has begun.
    pub(in crate::core::hub) fn look_on(&mut self, id: PeerId) {
        let following = self.sessions.get(id).map(|peer| &peer.following);
        if following.is_some_and(|following| !following.has_begun()) {
            self.begin_following(id);
        }
    }

    pub(in crate::core::hub) fn follows_table(&self, id: PeerId) -> bool {
        self.sessions.get(id).is_some_and(|peer| peer.following.table.is_whole())
    }

    pub(in crate::core::hub) fn follows_roster(&self, id: PeerId) -> bool {
        self.sessions.get(id).is_some_and(|peer| peer.following.roster.is_whole())
    }

    /// Stops telling a client the table, which has outgrown what a client keeps. The client is told so once.
    pub(in crate::core::hub) fn unfollow_table(&mut self, id: PeerId) {
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.following.table.end();
        }
        self.tell(id, event::TableUnfollowed::too_large(self.journal.state.table().len() as u64));
    }

    /// Tells a client about another one, so that they can connect: a client that serves files must know who asks, and a
    /// client that fetches must know whom. A client that follows the roster gets its newest changes instead. Does
    /// nothing if the client's link takes no more state at the moment; it will ask again.
    pub(in crate::core::hub) fn introduce(&mut self, to: PeerId, whom: PeerId) {
        if self.follows_roster(to) {
            return self.tell_newest(to);
        }
        let Some(client) = self.line_of(whom) else { return };
        let Some(peer) = self.sessions.get_mut(to) else { return };
        if !peer.link.takes_state() || to == whom {
            return;
        }
        peer.following.knows(whom);
        if let Some(peer) = self.sessions.get_mut(whom) {
            peer.following.is_known_to(to);
        }
        self.tell(to, event::Introduced { client });
    }

    fn line_of(&self, id: PeerId) -> Option<Client> {
        let name = self.sessions.get(id)?.name.as_ref()?;
        self.journal.state.roster().get(&name.name).cloned()
    }

    /// A client leaves: those who were introduced to it, without following the roster, are told that it is offline.
    pub(in crate::core::hub) fn part(&mut self, id: PeerId, client: &Client) {
        let Some(peer) = self.sessions.get_mut(id) else { return };
        let (knows, known_to) = peer.following.leave();
        for other in knows {
            if let Some(peer) = self.sessions.get_mut(other) {
                peer.following.forget(id);
            }
        }
        for other in known_to {
            let Some(peer) = self.sessions.get_mut(other) else { continue };
            peer.following.forget(id);
            let client = Client { state: Presence::Offline, ..client.clone() };
            self.tell(other, event::Introduced { client });
        }
    }
}
