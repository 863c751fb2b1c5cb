//! Access that is taken back: names and accounts that another program has changed, and what becomes of sessions that
//! were let in before.
//!
//! A session ends as soon as the hub knows that it would not be let in as it was: its name is gone, has another
//! password, or does not belong to its key any more. It is told so, and does not come back by its session either.

use std::collections::{BTreeMap, BTreeSet};

use super::entrance::attempts::Attempt;
use super::sessions::Peer;
use super::sessions::underway::Entering;
use super::state::{CheckedLogin, LoginRight};
use super::{Access, Hub, PeerId, Verified, entry, pushes};
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::record::{NameRecord, Record};
use crate::protocol::{ErrorCode, Failure, Id, PublicKey, log};

impl Hub {
    /// A password has been checked: whether that lets somebody in is judged now, by what the account has become meanwhile.
    pub(super) fn verified(&mut self, now: Time, number: u64, verified: Option<Verified>) {
        let Some(attempt) = self.entrance.attempts.remove(number) else { return };
        let (today, state) = (self.base.config.today(now), &self.base.journal.state);
        let Some(login) = verified.map(|verified| self.checked_login(&attempt, verified)) else {
            return self.entrance.login_failed(&mut self.base.at(now), attempt);
        };
        let Some(right) = state.decide_login(today, &login) else {
            return self.entrance.login_failed(&mut self.base.at(now), attempt);
        };
        let over = attempt.counted.first().and_then(|(whom, _)| state.decide_login_right(today, whom));
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

    /// What a login is judged by beside the state: what only this hub knows.
    fn checked_login(&self, attempt: &Attempt, verified: Verified) -> CheckedLogin {
        let Verified { name, name_key, credential } = verified;
        let holder = self.base.sessions.named(&name_key).and_then(|id| self.base.sessions.get(id));
        let peer = self.base.sessions.get(attempt.peer).filter(|_| self.base.config.access == Access::Invite);
        CheckedLogin {
            // One that the store has not told of yet is newer, unless it was on its way out when it was checked.
            may_be_newer: self.entrance.credentials.is_news(credential, attempt.reloads),
            key: attempt.key,
            key_in_use: holder.map(|peer| peer.key),
            invite: peer.and_then(|peer| peer.invite.as_ref()).map(|shown| shown.record.digest),
            name,
            name_key,
            credential,
        }
    }

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
            // What was let in under the password before ends now, but for the session that has shown the new one.
            self.revoke(now, Some(id), &BTreeSet::from([name_key.clone()]), &let_in);
        }
        // A session that is already in has shown that it knows the password; nothing else changes.
        if self.base.sessions.me(id).is_ok_and(|mine| mine.name_key == name_key) {
            return entry::welcome_again(&mut self.base.at(now), id, request_id, self.feeds.newest());
        }
        let entering = Entering { request_id: request_id.clone(), name, name_key, known: right.known };
        if let Err(failure) = self
            .entrance
            .may_enter(&self.base.at(now), id, None)
            .and_then(|()| self.enter_or_contest(now, id, entering))
        {
            self.base.at(now).refuse(id, request_id, "login", failure);
        }
    }

    /// Names or accounts were changed by another program.
    pub(super) fn names_reloaded(&mut self, now: Time, names: Vec<NameRecord>) {
        self.base.log(log::NamesReloaded { names: names.len() as u64 });
        self.entrance.credentials.reload(&names);
        let claims = &self.entrance.credentials;
        let reloaded =
            self.base.journal.state.decide_reload(names, |name, credential| claims.claimed(name, credential).collect());
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

    /// Sessions that are let in for their key alone.
    fn let_in_by_key(&self) -> BTreeSet<PeerId> {
        let nameless = self
            .base
            .sessions
            .all()
            .filter(|(id, peer)| peer.name.is_none() && self.entrance.underway.name(*id).is_none());
        let known = nameless.filter(|(_, peer)| {
            self.base.config.access != Access::Open && self.base.journal.state.names().knows(&peer.key)
        });
        known.map(|(id, _)| id).collect()
    }

    /// Ends all sessions of these names, all whose name or key is not theirs any more, and those that were let in for a
    /// key that nobody has any more, but for one.
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
        // Who wants a name goes before who has it, or would get it.
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
