//! Who may enter, and under which name: what is asked before anything changes.

pub(in crate::core::hub) mod accounts;
pub(in crate::core::hub) mod attempts;
pub(in crate::core::hub) mod credentials;
pub(in crate::core::hub) mod invites;
pub(in crate::core::hub) mod newcomers;

use crate::core::hub::cx::Cx;
use crate::core::hub::entrance::attempts::Attempts;
use crate::core::hub::entrance::credentials::Credentials;
use crate::core::hub::entrance::newcomers::Newcomers;
use crate::core::hub::sessions::underway::Underway;
use crate::core::hub::{Access, PeerId};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::record::Record;
use crate::protocol::{ErrorCode, Failure, Network, PublicKey, log};

/// What decides who may enter.
pub(in crate::core::hub) struct Entrance {
    /// Registrations that have not been answered.
    pub(in crate::core::hub) underway: Underway,
    pub(in crate::core::hub) credentials: Credentials,
    pub(in crate::core::hub) newcomers: Newcomers,
    /// Logins that are being checked.
    pub(in crate::core::hub) attempts: Attempts,
}

impl Entrance {
    /// Whether a key, and its address, may take one more name.
    pub(in crate::core::hub) fn check_new_name(&mut self, cx: &mut Cx<'_>, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = cx.sessions.get(id) else { return Ok(()) };
        let most = cx.config.limits.names_per_address;
        if self.newcomers.count(cx.now, Network::of(peer.at.address.ip())) >= most {
            let message = format!("From your address {most} names were taken within a day; that is the most.");
            return Err(
                Failure::new(ErrorCode::TooMany, message).hint("Enter under a name that you have, or tomorrow.")
            );
        }
        let most = cx.config.limits.names_per_key;
        let owned = cx.journal.state.names().names_of(&peer.key).count();
        if owned >= most {
            let message = format!("Your key has {owned} names; that is the most.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Enter under one of them."));
        }
        Ok(())
    }

    /// Whether a client is free to enter; `again` is a name that it may have entered already.
    pub(in crate::core::hub) fn may_enter(
        &self,
        cx: &Cx<'_>,
        id: PeerId,
        again: Option<&NameKey>,
    ) -> Result<(), Failure> {
        let already = |message: String| Err(Failure::new(ErrorCode::AlreadyRegistered, message));
        match cx.sessions.get(id).and_then(|peer| peer.name.as_ref()) {
            Some(name) if again != Some(&name.name_key) => {
                return already(format!("You are registered as {}.", name.name));
            }
            Some(_) | None => {}
        }
        match self.underway.name(id) {
            Some(name) => already(format!("You are about to be registered as {name}.")),
            None => Ok(()),
        }
    }

    /// Has it written down that a name belongs to a key.
    pub(in crate::core::hub) fn claim_name(
        &mut self,
        cx: &mut Cx<'_>,
        name: String,
        name_key: NameKey,
        key: PublicKey,
        since: i64,
        credential: Option<u64>,
    ) {
        cx.record(Record::Name { name, name_key: name_key.clone(), key, since, credential });
        self.credentials.claim(cx.journal.commits.newest(), name_key, key, credential);
    }

    /// Whether this key needs an invite to come in.
    pub(in crate::core::hub) fn wants_invite(&self, cx: &Cx<'_>, key: &PublicKey) -> bool {
        cx.config.access == Access::Invite && !cx.journal.state.names().knows(key)
    }

    /// Whether a session may take a name, as far as invites go: others may have spent its invite since its hello.
    pub(in crate::core::hub) fn is_invited(&self, cx: &Cx<'_>, id: PeerId) -> Result<(), Failure> {
        let Some(peer) = cx.sessions.get(id) else { return Ok(()) };
        match &peer.invite {
            _ if !self.wants_invite(cx, &peer.key) => Ok(()),
            Some(shown) => shown.check(&cx.journal.state, peer.key, cx.today()),
            None => Err(ErrorCode::AccessDenied.into()),
        }
    }

    /// A session's key takes its first name.
    pub(in crate::core::hub) fn spend_invite(&self, cx: &mut Cx<'_>, id: PeerId, name: &str) {
        let Some(peer) = cx.sessions.get(id).filter(|_| cx.config.access == Access::Invite) else { return };
        let (key, Some(shown)) = (peer.key, &peer.invite) else { return };
        let digest = shown.record.digest;
        cx.record(Record::InviteSpent { digest, key });
        self.invite_spent(cx, id, name);
    }

    /// What a session has shown to come in is spent.
    pub(in crate::core::hub) fn invite_spent(&self, cx: &mut Cx<'_>, id: PeerId, name: &str) {
        let Some(shown) = cx.sessions.get_mut(id).and_then(|peer| peer.invite.take()) else { return };
        cx.log(log::InviteSpent { invite: shown.record.name, name: name.to_owned() });
    }
}

/// The name is somebody else's.
pub(in crate::core::hub) fn name_taken(name: &str) -> Failure {
    Failure::new(ErrorCode::NameTaken, format!("The name {name} is taken.")).at(pointer_at("/name"))
}
