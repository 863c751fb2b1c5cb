//! Invites: what lets somebody in whose key the hub does not know.
//!
//! The hub holds no invites, only what each has been spent for. When a hello shows one, the store is asked, so that an invite is good as soon as its keeper
//! has made it, and over as soon as it is revoked. It is spent when its key takes its first name, and not by a hello, so
//! that a program which is turned away over its name has lost nothing.

use super::{Access, ConnId, Hub, PeerId, PendingQuery};
use crate::core::time::Time;
use crate::protocol::invite::{INVITE_BYTES, InviteDigest, InviteRecord};
use crate::protocol::record::{Query, Record};
use crate::protocol::wire::ClientHello;
use crate::protocol::{ErrorCode, Failure, PublicKey, log};

/// An invite that a session has shown.
#[derive(Debug, Clone)]
pub(super) struct ShownInvite {
    record: InviteRecord,
    /// It was spent for this very key before: a crash came before the key's name was kept.
    counted: bool,
}

impl Hub {
    /// Whether this key needs an invite to come in.
    pub(super) fn wants_invite(&self, key: &PublicKey) -> bool {
        self.config.access == Access::Invite && !self.state.names().knows(key)
    }

    /// Has the store look up the invite of a hello. The connection waits meanwhile, no longer than for a hello.
    pub(super) fn look_up_invite(&mut self, conn: ConnId, key: PublicKey, hello: ClientHello) -> Result<(), Failure> {
        let secret = hello.invite.as_deref().filter(|secret| (1..=INVITE_BYTES).contains(&secret.len()));
        let digest = InviteDigest::of(secret.ok_or(ErrorCode::AccessDenied)?);
        if let Some(stranger) = self.strangers.get_mut(conn) {
            stranger.hello = Some(Box::new(hello));
            self.query(Query::Invite { digest, key }, PendingQuery::Invite(conn));
        }
        Ok(())
    }

    /// The store knows what a hello has shown.
    pub(super) fn invite_found(&mut self, now: Time, conn: ConnId, found: Option<(InviteRecord, bool)>) {
        let Some(stranger) = self.strangers.get_mut(conn) else { return };
        let Some(hello) = stranger.hello.take() else { return };
        let (key, address) = (stranger.key, stranger.address);
        let today = self.calendar(now);
        let shown = found.map(|(record, counted)| ShownInvite { record, counted });
        let checked = match &shown {
            Some(shown) => self.state.check_invite(&shown.record, shown.counted, key, today),
            // Whether there was ever such an invite is nobody's business.
            None => Err(ErrorCode::AccessDenied.into()),
        };
        let admitted = checked.and_then(|()| self.admit(now, key, address.ip(), &hello, shown));
        if let Err(failure) = admitted.and_then(|id| self.attach(now, id, conn, address, &hello, false)) {
            self.turn_away(conn, failure);
        }
    }

    /// Whether a session may take a name, as far as invites go: others may have spent its invite since its hello.
    pub(super) fn is_invited(&self, now: Time, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = self.peers.get(&id) else { return Ok(()) };
        match &peer.invite {
            _ if !self.wants_invite(&peer.key) => Ok(()),
            Some(shown) => self.state.check_invite(&shown.record, shown.counted, peer.key, self.calendar(now)),
            None => Err(ErrorCode::AccessDenied.into()),
        }
    }

    /// A session's key takes its first name.
    pub(super) fn spend_invite(&mut self, id: PeerId, name: &str) {
        let Some(peer) = self.peers.get_mut(&id).filter(|_| self.config.access == Access::Invite) else { return };
        let key = peer.key;
        let Some(shown) = peer.invite.take() else { return };
        let InviteRecord { name: invite, digest, .. } = shown.record;
        self.record(Record::InviteSpent { digest, key });
        self.log(log::InviteSpent { invite, name: name.to_owned() });
    }
}
