//! Access that is taken back: names and accounts that another program has changed, and what becomes of sessions that
//! were let in before.
//!
//! A session ends as soon as the hub knows that it would not be let in as it was: its name is gone, has another
//! password, or does not belong to its key any more. It is told so, and does not come back by its session either.

use std::collections::{BTreeMap, BTreeSet};

use super::entrance::attempts::Attempt;
use super::sessions::Peer;
use super::sessions::underway::Entering;
use super::{Access, Hub, PeerId, Verified, entry, pushes};
use crate::core::time::Time;
use crate::protocol::limits::KEYS_OF_ACCOUNT;
use crate::protocol::name::NameKey;
use crate::protocol::record::{AccountRecord, FailureRecord, NameRecord, Record};
use crate::protocol::{ErrorCode, Failure, PublicKey, log};

impl Hub {
    /// A password has been checked.
    pub(super) fn verified(&mut self, now: Time, number: u64, verified: Option<Verified>) {
        let Some(attempt) = self.entrance.attempts.remove(number) else { return };
        match verified {
            Some(verified)
                if self.entrance.is_current(
                    &self.base.at(now),
                    &verified.name_key,
                    verified.credential,
                    attempt.reloads,
                ) =>
            {
                self.let_in(now, attempt, verified);
            }
            Some(_) | None => self.entrance.login_failed(&mut self.base.at(now), attempt),
        }
    }

    fn let_in(&mut self, now: Time, attempt: Attempt, verified: Verified) {
        let last = self.base.config.today(now);
        if let Some((whom, _)) = attempt.counted.first()
            && self.entrance.failures.forget(whom)
        {
            self.base.at(now).persist(Record::Failures(FailureRecord {
                whom: whom.clone(),
                count: 0,
                last,
                locked_for: None,
            }));
        }
        let Some(key) = self.base.sessions.get(attempt.peer).map(|peer| peer.key) else { return };
        let Verified { name, name_key, credential } = verified;
        let known = self.base.journal.state.names().owns(&key, &name_key);
        if let (false, Err(failure)) = (known, self.base.journal.can_keep()) {
            return self.base.at(now).refuse(attempt.peer, attempt.request_id, "login", failure);
        }
        let since = self.base.config.today(now).0;
        let (id, request_id) = (attempt.peer, attempt.request_id);
        self.note_credential(now, id, &name_key, &name, credential);
        let known = self.base.journal.state.names().owns(&key, &name_key);
        if !known {
            while self.base.journal.state.names().keys_of(&name_key).len() >= KEYS_OF_ACCOUNT {
                self.entrance.forget_a_key(&mut self.base.at(now), &name_key);
            }
            if !self.base.journal.state.names().knows(&key) {
                self.entrance.spend_invite(&mut self.base.at(now), id, &name);
            }
            self.entrance.claim_name(
                &mut self.base.at(now),
                name.clone(),
                name_key.clone(),
                key,
                since,
                Some(credential),
            );
        }
        // A session that is already in has shown that it knows the password; nothing else changes.
        if self.base.sessions.me(id).is_ok_and(|mine| mine.name_key == name_key) {
            return entry::welcome_again(&mut self.base.at(now), id, request_id, self.feeds.newest());
        }
        let entering = Entering { request_id: request_id.clone(), name, name_key, known };
        if let Err(failure) = self
            .entrance
            .may_enter(&self.base.at(now), id, None)
            .and_then(|()| self.enter_or_contest(now, id, entering))
        {
            self.base.at(now).refuse(id, request_id, "login", failure);
        }
    }

    /// Somebody has logged in with a password that is newer than what is known here: what was let in under the one
    /// before ends now, but for the session that has shown the new one.
    pub(super) fn note_credential(&mut self, now: Time, by: PeerId, name_key: &NameKey, name: &str, credential: u64) {
        if self.base.journal.state.names().credential(name_key) == Some(credential) {
            return;
        }
        let let_in = self.let_in_by_key();
        let there = self.base.journal.state.names().get(name_key).map(|there| there.name.clone());
        let (fresh, keys) = (there.is_none(), Vec::new());
        let (name_key, name) = (name_key.clone(), there.unwrap_or_else(|| name.to_owned()));
        let (revoked, credential) = (BTreeSet::from([name_key.clone()]), Some(credential));
        self.base.at(now).record(Record::Account(AccountRecord { name_key: name_key.clone(), name, credential, keys }));
        if fresh {
            let number = self.base.journal.state.mail().last();
            self.base.at(now).record(Record::Received { name_key, number });
        }
        self.revoke(now, Some(by), &revoked, &let_in);
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
                self.base.sessions.free_name(name);
            }
        }
    }
}
