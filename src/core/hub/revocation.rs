//! Access that is taken back: names and accounts that another program has changed, and what becomes of sessions that
//! were let in before.
//!
//! A session ends as soon as the hub knows that it would not be let in as it was: its name is gone, has another
//! password, or does not belong to its key any more. It is told so, and does not come back by its session either.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

use super::people::Person;
use super::{Access, Held, Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::REVOKED_REMEMBERED;
use crate::protocol::name::NameKey;
use crate::protocol::record::{NameRecord, Record};
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
    /// The names of each key.
    owned: HashMap<PublicKey, BTreeSet<NameKey>>,
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
        this.own_all(names.iter().flat_map(|record| record.keys.iter().map(|key| (*key, record.name_key.clone()))));
        this
    }

    fn own_all(&mut self, names: impl Iterator<Item = (PublicKey, NameKey)>) {
        self.owned.clear();
        for (key, name_key) in names {
            self.owned.entry(key).or_default().insert(name_key);
        }
    }

    fn disown(&mut self, key: &PublicKey, name_key: &NameKey) {
        if let Some(names) = self.owned.get_mut(key) {
            names.remove(name_key);
            if names.is_empty() {
                self.owned.remove(key);
            }
        }
    }

    /// The names that belong to a key.
    pub(super) fn names_of(&self, key: &PublicKey) -> impl Iterator<Item = &NameKey> {
        self.owned.get(key).into_iter().flatten()
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
        self.owned.entry(key).or_default().insert(name_key.clone());
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
    pub(super) fn is_current(&self, name_key: &NameKey, credential: u64, reloads: u64) -> bool {
        let known = self.people.get(name_key).and_then(|person| person.credential);
        // One that the store has not told of yet is newer, unless it was on its way out when it was checked.
        known == Some(credential) || credential > self.credentials.newest && reloads == self.credentials.reloads
    }

    /// Somebody has logged in with a password that is newer than what is known here: what was let in under the one
    /// before ends now, but for the session that has shown the new one.
    pub(super) fn note_credential(&mut self, now: Time, by: PeerId, name_key: &NameKey, credential: u64) {
        let Some(person) = self.people.get_mut(name_key) else { return };
        if person.credential == Some(credential) {
            return;
        }
        person.credential = Some(credential);
        person.keys.clear();
        self.revoke(now, Some(by), &BTreeSet::from([name_key.to_owned()]));
    }

    /// Makes room for one more key of an account: the oldest that is known here goes, but not one that is in use.
    pub(super) fn forget_a_key(&mut self, name_key: &NameKey) {
        let used = self.online.get(name_key).and_then(|id| self.peers.get(id)).map(|peer| peer.key);
        let Some(person) = self.people.get_mut(name_key) else { return };
        let oldest = person.keys.iter().position(|key| Some(*key) != used).unwrap_or(0);
        let key = person.keys.remove(oldest);
        self.credentials.disown(&key, name_key);
        if self.credentials.names_of(&key).next().is_none() {
            self.keys.remove(&key);
        }
        self.persist(Record::KeyForgotten { name_key: name_key.to_owned(), key });
    }

    /// Names or accounts were changed by another program.
    pub(super) fn names_reloaded(&mut self, now: Time, names: Vec<NameRecord>) {
        self.log(log::NamesReloaded { names: names.len() as u64 });
        self.credentials.reloads += 1;
        self.credentials.see(&names);
        let known: HashSet<&NameKey> = names.iter().map(|record| &record.name_key).collect();
        let claims = &self.credentials;
        let stays = |name_key: &NameKey| known.contains(name_key) || claims.claimed(name_key, None).next().is_some();
        let gone: Vec<(NameKey, Person)> = self.people.extract_if(|name_key, _| !stays(name_key)).collect();
        for (name_key, person) in &gone {
            self.looks.people.remove(&person.name);
            self.drop_copies_of(now, name_key, &person.name);
            self.drop_pushes_to(now, name_key);
            for room in &person.rooms {
                self.member_gone(*room, name_key);
            }
        }
        let mut changed: BTreeSet<NameKey> = gone.into_iter().map(|(name_key, _)| name_key).collect();
        if !changed.is_empty() {
            for person in self.people.values_mut() {
                person.blocks.retain(|whom| !changed.contains(whom));
            }
        }
        for record in names {
            match self.people.get_mut(&record.name_key) {
                // A login has shown a newer password meanwhile.
                Some(person) if record.credential < person.credential => {}
                Some(person) => {
                    person.has_received(record.received);
                    if person.credential != record.credential {
                        person.credential = record.credential;
                        changed.insert(record.name_key.clone());
                    }
                    person.keys = record.keys;
                    for key in self.credentials.claimed(&record.name_key, record.credential) {
                        if !person.keys.contains(&key) {
                            person.keys.push(key);
                        }
                    }
                }
                None => {
                    // What was said to another owner of the name is not for this one.
                    let (name_key, newest) = (record.name_key.clone(), self.recent.newest);
                    let mut person = Person::from(record);
                    person.has_received(newest);
                    self.looks.people.insert(&person.name);
                    self.people.insert(name_key, person);
                }
            }
        }
        self.revoke(now, None, &changed);
    }

    /// Ends all sessions of these names, and all whose name or key is not theirs any more, but for one.
    fn revoke(&mut self, now: Time, but: Option<PeerId>, names: &BTreeSet<NameKey>) {
        let keys: HashSet<PublicKey> = self.people.values().flat_map(|person| person.keys.iter().copied()).collect();
        let before = std::mem::replace(&mut self.keys, keys);
        let owned =
            self.people.iter().flat_map(|(name_key, person)| person.keys.iter().map(|key| (*key, name_key.clone())));
        self.credentials.own_all(owned);
        let entering: BTreeMap<PeerId, NameKey> =
            self.underway.all().map(|(id, name_key)| (id, name_key.clone())).collect();
        let lost = |name_key: &NameKey, key: &PublicKey| match self.people.get(name_key) {
            None => Some("Your name was removed at the hub."),
            Some(_) if names.contains(name_key) => Some("Your name has another password now."),
            Some(person) if !person.keys.contains(key) => Some("Your name does not belong to your key any more."),
            Some(_) => None,
        };
        let ends = |(id, peer): (&PeerId, &super::clients::Peer)| {
            let name = peer.name.as_ref().map(|name| &name.name_key).or_else(|| entering.get(id));
            let why = match name {
                Some(name_key) => lost(name_key, &peer.key),
                // It was let in for its key alone.
                None if self.config.access != Access::Open && before.contains(&peer.key) => {
                    (!self.keys.contains(&peer.key)).then_some("The hub does not know your key any more.")
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
            if let Some(name_key) = entering.get(&id)
                && self.online.get(name_key) == Some(&id)
            {
                self.online.remove(name_key);
            }
        }
    }
}
