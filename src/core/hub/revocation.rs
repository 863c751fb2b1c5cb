//! Ends access that is not valid any more: the keeper has changed names or accounts from another program, or a password
//! was changed. Also completes logins, because one with a new password may be the first that the hub hears of it.
//!
//! A session ends as soon as the hub knows that it would not be let in again: its name is gone, has another password,
//! or does not belong to its key any more. Its client is told why, and cannot resume the session.

use std::collections::{BTreeMap, BTreeSet};

use super::entrance::attempts::Attempt;
use super::sessions::Peer;
use super::sessions::underway::Entering;
use super::state::{CheckedLogin, LoginRight, decide};
use super::{Access, Hub, PeerId, Verified, entry, pushes};
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::record::{NameRecord, Record};
use crate::protocol::{ErrorCode, Failure, Id, PublicKey, log};

impl Hub {
    /// The driver has checked a password. Whether that lets the client in is judged now, because the account may have
    /// changed meanwhile.
    pub(super) fn verified(&mut self, now: Time, number: u64, verified: Option<Verified>) {
        let Some(attempt) = self.entrance.attempts.remove(number) else { return };
        let (today, state) = (self.base.config.today(now), &self.base.journal.state);
        let Some(login) = verified.map(|verified| self.checked_login(&attempt, verified)) else {
            return self.entrance.login_failed(&mut self.base.at(now), attempt);
        };
        let Some(right) = decide::checked_login(state, today, &login) else {
            return self.entrance.login_failed(&mut self.base.at(now), attempt);
        };
        let over = attempt.counted.first().and_then(|(whom, _)| decide::login_right(state, today, whom));
        let can_keep = if right.known { Ok(()) } else { self.base.journal.can_keep() };
        self.base.at(now).record_together(over.into_iter());
        let (id, request_id) = (attempt.peer, attempt.request_id);
        if !self.base.sessions.has(id) {
            return;
        }
        if let Err(failure) = can_keep {
            return self.base.at(now).refuse(id, request_id, "login", failure);
        }
        self.let_in(now, id, request_id, login, right);
    }

    /// A login as the state judges it: what was checked, and what only this hub knows.
    fn checked_login(&self, attempt: &Attempt, verified: Verified) -> CheckedLogin {
        let Verified { name, name_key, credential } = verified;
        let holder = self.base.sessions.named(&name_key).and_then(|id| self.base.sessions.get(id));
        let peer = self.base.sessions.get(attempt.peer).filter(|_| self.base.config.access == Access::Invite);
        CheckedLogin {
            // A number that the store has not reported yet is newer, unless the names were loaded again during the
            // check.
            may_be_newer: self.entrance.credentials.is_news(credential, attempt.reloads),
            key: attempt.key,
            key_in_use: holder.map(|peer| peer.key),
            invite: peer.and_then(|peer| peer.invite.as_ref()).map(|shown| shown.record.digest),
            name,
            name_key,
            credential,
        }
    }

    /// Records a login that is right, ends the sessions under an older password, and lets the client enter.
    fn let_in(&mut self, now: Time, id: PeerId, request_id: Option<Id>, login: CheckedLogin, right: LoginRight) {
        let let_in = self.let_in_by_key();
        let CheckedLogin { name, name_key, credential, key, .. } = login;
        let spent = right.records.iter().any(|record| matches!(record, Record::InviteSpent { .. }));
        self.base.at(now).record_together(right.records.into_iter());
        if spent {
            self.entrance.invite_spent(&mut self.base.at(now), id, &name);
        }
        if !right.known {
            let commit = self.base.journal.commits.newest();
            self.entrance.credentials.claim(commit, name_key.clone(), key, Some(credential));
        }
        if right.renewed {
            // Sessions that were let in with the former password end now, except the one that has shown the new one.
            self.revoke(now, Some(id), &BTreeSet::from([name_key.clone()]), &let_in);
        }
        // A session that has entered already only confirms its password; nothing else changes.
        if self.base.sessions.me(id).is_ok_and(|mine| mine.name_key == name_key) {
            return entry::welcome_again(&mut self.base.at(now), id, request_id, self.feeds.newest());
        }
        let entering = Entering { request_id: request_id.clone(), name, name_key, known: right.known };
        match self.entrance.may_enter(&self.base.at(now), id, None) {
            Ok(()) => self.enter_or_contest(now, id, entering),
            Err(failure) => self.base.at(now).refuse(id, request_id, "login", failure),
        }
    }

    /// The keeper has changed names or accounts from another program; `names` are all there are now. Records the
    /// differences, and ends the sessions that are not valid any more.
    pub(super) fn names_reloaded(&mut self, now: Time, names: Vec<NameRecord>) {
        self.base.log(log::NamesReloaded { names: names.len() as u64 });
        self.entrance.credentials.reload(&names);
        let claims = &self.entrance.credentials;
        let reloaded = decide::reload(&self.base.journal.state, names, |name, credential| {
            claims.claimed(name, credential).collect()
        });
        let let_in = self.let_in_by_key();
        let gone = reloaded.gone.iter().map(|name| (name.clone(), self.base.journal.state.names().shown(name)));
        let gone: Vec<(NameKey, String)> = gone.collect();
        for record in reloaded.records {
            self.base.at(now).record(record);
        }
        for (name_key, name) in gone {
            self.files.drop_copies_of(&mut self.base.at(now), &name_key, &name);
            pushes::drop_pushes_to(&mut self.base.at(now), &name_key);
        }
        self.revoke(now, None, &reloaded.revoked, &let_in);
    }

    /// The sessions without a name that were let in because their key is known.
    fn let_in_by_key(&self) -> BTreeSet<PeerId> {
        let nameless = self
            .base
            .sessions
            .all()
            .filter(|(id, peer)| peer.name.is_none() && !peer.guest && self.entrance.underway.name(*id).is_none());
        let known = nameless.filter(|(_, peer)| {
            self.base.config.access != Access::Open && self.base.journal.state.names().knows(&peer.key)
        });
        known.map(|(id, _)| id).collect()
    }

    /// Ends the sessions that are not valid any more, except `but`: those under `names`, those whose name does not
    /// exist or belong to their key any more, and those in `let_in` whose key nobody has any more. `let_in` is from
    /// before the change.
    fn revoke(&mut self, now: Time, but: Option<PeerId>, names: &BTreeSet<NameKey>, let_in: &BTreeSet<PeerId>) {
        let entering: BTreeMap<PeerId, NameKey> =
            self.entrance.underway.all().map(|(id, name)| (id, name.clone())).collect();
        let known = self.base.journal.state.names();
        let lost = |name: &NameKey, key: &PublicKey| match known.is_taken(name) {
            false => Some("Your name was removed at the hub."),
            true if names.contains(name) => Some("Your name has another password now."),
            true if !known.owns(key, name) => Some("Your name does not belong to your key any more."),
            true => None,
        };
        let ends = |(id, peer): (PeerId, &Peer)| {
            let name = peer.name.as_ref().map(|name| &name.name_key).or_else(|| entering.get(&id));
            let why = match name {
                Some(name) => lost(name, &peer.key),
                None if let_in.contains(&id) => {
                    (!known.knows(&peer.key)).then_some("The hub does not know your key any more.")
                }
                None => None,
            };
            why.filter(|_| but != Some(id)).map(|why| (name.is_some_and(|_| peer.name.is_some()), id, why))
        };
        let mut ends: Vec<(bool, PeerId, &str)> = self.base.sessions.all().filter_map(ends).collect();
        // Sessions that are about to have a name end before those that have one, which would otherwise pass it on to
        // them.
        ends.sort_unstable();
        for (_, id, why) in ends {
            self.base.journal.commits.drop_entering(id);
            self.entrance.underway.end(id);
            self.entrance.credentials.end(id);
            self.expel(now, id, Failure::new(ErrorCode::AccessRevoked, why));
            if let Some(name) = entering.get(&id)
                && self.base.sessions.named(name) == Some(id)
            {
                self.base.at(now).free_name(name, id);
            }
        }
    }
}
