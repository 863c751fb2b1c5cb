//! Decides who may enter the hub, and under which name. Everything here is checked before anything changes.
//!
//! A key that owns a name enters under it without a password; the state judges whose a name is, and whether a new one
//! may be taken ([`decide::enter`]), by what only this hub knows, which it gets from here. `accounts` handles logins,
//! `attempts` holds those whose passwords are being checked, `invites` those that let in unknown keys, `codes` the
//! exchanges of short codes for them, `inviting` what members make of both; `newcomers`
//! limits the names that one network may take; `credentials` covers the time in which the hub and the store do not know
//! the same names and passwords.

pub(in crate::core::hub) mod accounts;
pub(in crate::core::hub) mod attempts;
pub(in crate::core::hub) mod codes;
pub(in crate::core::hub) mod credentials;
pub(in crate::core::hub) mod invites;
pub(in crate::core::hub) mod inviting;
pub(in crate::core::hub) mod newcomers;

use crate::core::hub::cx::Cx;
use crate::core::hub::entrance::attempts::Attempts;
use crate::core::hub::entrance::codes::Codes;
use crate::core::hub::entrance::credentials::Credentials;
use crate::core::hub::entrance::newcomers::Newcomers;
use crate::core::hub::sessions::underway::Underway;
use crate::core::hub::state::decide::{self, Entrant};
use crate::core::hub::{Access, PeerId};
use crate::protocol::name::NameKey;
use crate::protocol::record::Record;
use crate::protocol::{ErrorCode, Failure, Network, PublicKey, log};

/// What decides who may enter: registrations and logins that are not answered yet, and what limits them.
pub(in crate::core::hub) struct Entrance {
    /// Registrations that have not been answered.
    pub(in crate::core::hub) underway: Underway,
    pub(in crate::core::hub) credentials: Credentials,
    pub(in crate::core::hub) newcomers: Newcomers,
    /// Logins whose passwords are being checked.
    pub(in crate::core::hub) attempts: Attempts,
    /// Exchanges of short codes for invites.
    pub(in crate::core::hub) codes: Codes,
}

impl Entrance {
    /// Has the state judge whether a session may enter under a name. Returns whether the name is its own already.
    ///
    /// # Errors
    /// `login-required`, `name-taken`, `access-denied`, `too-many`, or why the store cannot keep a new name
    pub(in crate::core::hub) fn judge(&mut self, cx: &Cx<'_>, id: PeerId, name: &str) -> Result<bool, Failure> {
        let peer = cx.sessions.get(id).ok_or(ErrorCode::Internal)?;
        let entrant = Entrant {
            name,
            key: peer.key,
            invite: peer.invite.as_ref().map(|shown| (&shown.record, shown.counted)),
            newcomers: self.newcomers.count(cx.now, Network::of(peer.at.address.ip())),
            can_keep: cx.journal.can_keep(),
            access: &cx.config.access,
            limits: &cx.config.limits,
            today: cx.today(),
        };
        decide::enter(&cx.journal.state, &entrant)
    }

    /// Checks that a session is not registered, or about to be. `again` is a name that it may have nevertheless.
    ///
    /// # Errors
    /// `already-registered`
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

    /// Records that a name belongs to a key.
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

    /// Records that a session's key has used its invite. Called when the key takes its first name.
    pub(in crate::core::hub) fn spend_invite(&self, cx: &mut Cx<'_>, id: PeerId, name: &str) {
        let Some(peer) = cx.sessions.get(id).filter(|_| cx.config.access == Access::Invite) else { return };
        let (key, Some(shown)) = (peer.key, &peer.invite) else { return };
        let digest = shown.record.digest;
        cx.record(Record::InviteSpent { digest, key });
        self.invite_spent(cx, id, name);
    }

    /// Removes the invite that a session has shown, because it is recorded as used, and logs this.
    pub(in crate::core::hub) fn invite_spent(&self, cx: &mut Cx<'_>, id: PeerId, name: &str) {
        let Some(shown) = cx.sessions.get_mut(id).and_then(|peer| peer.invite.take()) else { return };
        cx.log(log::InviteSpent { invite: shown.record.name, name: name.to_owned() });
    }
}
