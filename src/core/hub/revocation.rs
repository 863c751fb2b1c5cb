//! Access that is taken back: names and accounts that another program has changed, and what becomes of sessions that
//! were let in before.
//!
//! A session ends as soon as the hub knows that it would not be let in as it was: its name is gone, has another
//! password, or does not belong to its key any more. It is told so, and does not come back by its session either.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Access, Held, Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::REVOKED_REMEMBERED;
use crate::protocol::name::NameKey;
use crate::protocol::record::{AccountRecord, NameRecord, Record};
use crate::protocol::{ErrorCode, Failure, PublicKey, log};

/// What the hub knows that the store does not yet, and the other way round.
#[derive(Default)]
pub(super) struct Credentials {
    /// The highest number of a password that the store has told: it has told all lower ones, too.
    newest: u64,
    /// How often names were loaded again.
    reloads: u64,
    /// Names and keys on their way to the disk, with the numbers of their commits: what the store tells meanwhile
    /// does not have them.
    claims: VecDeque<(u64, Claim)>,
    /// Sessions that were ended: their clients may not have heard of it.
    ended: VecDeque<PeerId>,
}

struct Claim {
    name_key: NameKey,
    key: PublicKey,
    credential: Option<u64>,
}

impl Credentials {
    pub(super) fn load(names: &[NameRecord]) -> Self {
        let mut this = Self::default();
        this.see(names);
        this
    }

    fn see(&mut self, names: &[NameRecord]) {
        let newest = names.iter().filter_map(|record| record.credential).max();
        self.newest = self.newest.max(newest.unwrap_or(0));
    }

    /// How often names were loaded again.
    pub(super) fn reloads(&self) -> u64 {
        self.reloads
    }

    /// A key is on its way to the disk as one that a name belongs to.
    pub(super) fn claim(&mut self, commit: u64, name_key: NameKey, key: PublicKey, credential: Option<u64>) {
        self.claims.push_back((commit, Claim { name_key, key, credential }));
    }

    pub(super) fn committed(&mut self, commit: u64) {
        while self.claims.pop_front_if(|(claimed, _)| *claimed <= commit).is_some() {}
    }

    /// The keys that are on their way for a name, under the password that it has.
    fn claimed<'a>(&'a self, name_key: &'a NameKey, credential: Option<u64>) -> impl Iterator<Item = PublicKey> + 'a {
        let theirs = move |claim: &&Claim| claim.name_key == *name_key && claim.credential == credential;
        self.claims.iter().map(|(_, claim)| claim).filter(theirs).map(|claim| claim.key)
    }

    fn end(&mut self, id: PeerId) {
        if self.ended.len() >= REVOKED_REMEMBERED {
            self.ended.pop_front();
        }
        self.ended.push_back(id);
    }
}

impl Hub {
    /// The session that a client wants to go on with, if there is one. Sessions are named by run and number: those of an
    /// earlier run are not mistaken for ours.
    pub(super) fn resumed(&self, session: Option<&str>, key: PublicKey) -> Result<Option<PeerId>, Failure> {
        let number = |session: &str| {
            let (run, id) = session.split_once('-')?;
            id.parse().ok().filter(|_| run == format!("{:016x}", self.config.run))
        };
        let Some(id): Option<PeerId> = session.and_then(number) else { return Ok(None) };
        if self.credentials.ended.contains(&id) {
            return Err(ErrorCode::AccessRevoked.into());
        }
        Ok(self.peers.get(&id).is_some_and(|peer| peer.key == key).then_some(id))
    }

    /// Whether the password of this number is the one that an account has now, as far as is known here; `reloads` is
    /// how often names had been loaded when it began to be checked. A password that was changed while it was checked
    /// lets nobody in.
    pub(super) fn is_current(&self, name: &NameKey, credential: u64, reloads: u64) -> bool {
        // One that the store has not told of yet is newer, unless it was on its way out when it was checked.
        self.state.names().credential(name) == Some(credential)
            || credential > self.credentials.newest && reloads == self.credentials.reloads
    }

    /// Somebody has logged in with a password that is newer than what is known here: what was let in under the one
    /// before ends now, but for the session that has shown the new one.
    pub(super) fn note_credential(&mut self, now: Time, by: PeerId, name_key: &NameKey, name: &str, credential: u64) {
        if self.state.names().credential(name_key) == Some(credential) {
            return;
        }
        let let_in = self.let_in_by_key();
        let there = self.state.names().get(name_key).map(|there| there.name.clone());
        let (fresh, keys) = (there.is_none(), Vec::new());
        let (name_key, name) = (name_key.clone(), there.unwrap_or_else(|| name.to_owned()));
        let (revoked, credential) = (BTreeSet::from([name_key.clone()]), Some(credential));
        self.record(Record::Account(AccountRecord { name_key: name_key.clone(), name, credential, keys }));
        if fresh {
            let number = self.state.mail().last();
            self.record(Record::Received { name_key, number });
        }
        self.revoke(now, Some(by), &revoked, &let_in);
    }

    /// Makes room for one more key of an account: the oldest that is known here goes, but not one that is in use.
    pub(super) fn forget_a_key(&mut self, name_key: &NameKey) {
        let used = self.online.get(name_key).and_then(|id| self.peers.get(id)).map(|peer| peer.key);
        let keys = self.state.names().keys_of(name_key);
        let Some(key) = keys.iter().find(|key| Some(**key) != used).or(keys.first()).copied() else { return };
        self.record(Record::KeyForgotten { name_key: name_key.clone(), key });
    }

    /// Names or accounts were changed by another program.
    pub(super) fn names_reloaded(&mut self, now: Time, names: Vec<NameRecord>) {
        self.log(log::NamesReloaded { names: names.len() as u64 });
        self.credentials.reloads += 1;
        self.credentials.see(&names);
        let claims = &self.credentials;
        let reloaded = self.state.decide_reload(names, |name, credential| claims.claimed(name, credential).collect());
        let let_in = self.let_in_by_key();
        let gone = reloaded.gone.iter().map(|name| (name.clone(), self.state.names().shown(name)));
        let gone: Vec<(NameKey, String)> = gone.collect();
        for record in reloaded.records {
            self.record(record);
        }
        for (name_key, name) in gone {
            self.drop_copies_of(now, &name_key, &name);
            self.drop_pushes_to(now, &name_key);
        }
        self.revoke(now, None, &reloaded.revoked, &let_in);
    }

    /// Sessions that are let in for their key alone.
    fn let_in_by_key(&self) -> BTreeSet<PeerId> {
        let nameless = self.peers.iter().filter(|(id, peer)| peer.name.is_none() && self.underway.name(**id).is_none());
        let known =
            nameless.filter(|(_, peer)| self.config.access != Access::Open && self.state.names().knows(&peer.key));
        known.map(|(id, _)| *id).collect()
    }

    /// Ends all sessions of these names, all whose name or key is not theirs any more, and those that were let in for a
    /// key that nobody has any more, but for one.
    fn revoke(&mut self, now: Time, but: Option<PeerId>, names: &BTreeSet<NameKey>, let_in: &BTreeSet<PeerId>) {
        let entering: BTreeMap<PeerId, NameKey> = self.underway.all().map(|(id, name)| (id, name.clone())).collect();
        let known = self.state.names();
        let lost = |name: &NameKey, key: &PublicKey| match known.is_taken(name) {
            false => Some("Your name was removed at the hub."),
            true if names.contains(name) => Some("Your name has another password now."),
            true if !known.owns(key, name) => Some("Your name does not belong to your key any more."),
            true => None,
        };
        let ends = |(id, peer): (&PeerId, &super::clients::Peer)| {
            let name = peer.name.as_ref().map(|name| &name.name_key).or_else(|| entering.get(id));
            let why = match name {
                Some(name) => lost(name, &peer.key),
                None if let_in.contains(id) => {
                    (!known.knows(&peer.key)).then_some("The hub does not know your key any more.")
                }
                None => None,
            };
            why.filter(|_| but != Some(*id)).map(|why| (name.is_some_and(|_| peer.name.is_some()), *id, why))
        };
        let mut ends: Vec<(bool, PeerId, &str)> = self.peers.iter().filter_map(ends).collect();
        // Who wants a name goes before who has it, or would get it.
        ends.sort_unstable();
        for (_, id, why) in ends {
            self.held.retain(|(_, held)| !matches!(held, Held::Entering(peer, _) if *peer == id));
            self.underway.end(id);
            self.credentials.end(id);
            self.expel(now, id, Failure::new(ErrorCode::AccessRevoked, why));
            if let Some(name) = entering.get(&id)
                && self.online.get(name) == Some(&id)
            {
                self.online.remove(name);
            }
        }
    }
}
