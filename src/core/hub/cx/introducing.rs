//! Who is told what of the table, the roster and each other.

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::protocol::{Client, Presence, event};

impl Cx<'_> {
    /// A client has just entered, or looks on: it is told what it wants to follow.
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

    /// Somebody who has not registered in this session looks on from here.
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

    /// The table has outgrown what a client keeps of it: that is said once, and nothing more of it.
    pub(in crate::core::hub) fn unfollow_table(&mut self, id: PeerId) {
        if let Some(peer) = self.sessions.get_mut(id) {
            peer.following.table.end();
        }
        self.tell(id, event::TableUnfollowed::too_large(self.journal.state.table().len() as u64));
    }

    /// Whoever has to do with somebody must know them: a server of files who asks, a client whose file it fetches.
    /// Who follows the roster is told of the newest changes; others of this one person.
    pub(in crate::core::hub) fn introduce(&mut self, to: PeerId, whom: PeerId) {
        if self.follows_roster(to) {
            return self.tell_newest(to);
        }
        let Some(client) = self.line_of(whom) else { return };
        let Some(peer) = self.sessions.get_mut(to) else { return };
        // Who takes no more at the moment does without: whoever wants something of them asks again.
        if !peer.link.takes_state() || to == whom {
            return;
        }
        peer.following.knows(whom);
        if let Some(peer) = self.sessions.get_mut(whom) {
            peer.following.is_known_to(to);
        }
        self.tell(to, event::Introduced { client });
    }

    /// A client's line in the roster.
    fn line_of(&self, id: PeerId) -> Option<Client> {
        let name = self.sessions.get(id)?.name.as_ref()?;
        self.journal.state.roster().get(&name.name).cloned()
    }

    /// Somebody leaves: those who were told of them alone are told that, too.
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
