//! The names that are taken, the keys that may use each of them, and which of them are accounts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::hashed::HashedMap;
use crate::core::digest::{Digest, combined};
use crate::protocol::PublicKey;
use crate::protocol::likeness::Likeness;
use crate::protocol::name::NameKey;
use crate::protocol::record::{AccountRecord, NameRecord};

/// The names that are taken, with their keys, and indexes of them.
#[derive(Default)]
pub(in crate::core::hub) struct Names {
    people: HashedMap<NameKey, Person>,
    /// The keys that may use each name.
    owners: HashedMap<(NameKey, PublicKey), ()>,
    /// Indexes: the keys of each name in the order in which they were added, and the names of each key.
    keys: BTreeMap<NameKey, Vec<PublicKey>>,
    names: BTreeMap<PublicKey, BTreeSet<NameKey>>,
    /// The looks of the names, to find confusable ones. This depends on the Unicode tables of the program, so only
    /// `decide` may use it.
    looks: Likeness,
}

/// A person whose name is taken, whether they are here or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::core::hub) struct Person {
    /// The name as its owner writes it.
    pub(in crate::core::hub) name: String,
    /// The number of the password, if this is an account.
    pub(in crate::core::hub) credential: Option<u64>,
}

/// A name with its keys, in the order in which they were added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owned {
    name_key: NameKey,
    #[serde(flatten)]
    person: Person,
    keys: Vec<PublicKey>,
}

impl Names {
    /// The names that the store has.
    pub(super) fn load(records: &[NameRecord]) -> Self {
        let owned = records.iter().map(|record| Owned {
            name_key: record.name_key.clone(),
            person: Person { name: record.name.clone(), credential: record.credential },
            keys: record.keys.clone(),
        });
        Self::of(owned.collect())
    }

    /// The names that [`Names::rows`] gave.
    pub(super) fn of(rows: Vec<Owned>) -> Self {
        let mut names = Self::default();
        for Owned { name_key, person, keys } in rows {
            names.put_person(&name_key, &person.name, person.credential);
            keys.into_iter().for_each(|key| names.add_key(&name_key, key));
        }
        names
    }

    /// All names, in order.
    pub(super) fn rows(&self) -> Vec<Owned> {
        let row = |(name_key, person): (&NameKey, &Person)| Owned {
            name_key: name_key.clone(),
            person: person.clone(),
            keys: self.keys_of(name_key).to_vec(),
        };
        self.people.iter().map(row).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        combined(&[self.people.digest(), self.owners.digest()])
    }

    pub(in crate::core::hub) fn get(&self, name: &NameKey) -> Option<&Person> {
        self.people.get(name)
    }

    pub(in crate::core::hub) fn is_taken(&self, name: &NameKey) -> bool {
        self.people.contains_key(name)
    }

    /// The name as its owner writes it.
    pub(in crate::core::hub) fn shown(&self, name: &NameKey) -> String {
        self.people.get(name).map_or_else(|| name.to_string(), |person| person.name.clone())
    }

    /// The number of an account's password.
    pub(in crate::core::hub) fn credential(&self, name: &NameKey) -> Option<u64> {
        self.people.get(name)?.credential
    }

    pub(in crate::core::hub) fn owns(&self, key: &PublicKey, name: &NameKey) -> bool {
        self.names.get(key).is_some_and(|names| names.contains(name))
    }

    /// Whether any name belongs to this key.
    pub(in crate::core::hub) fn knows(&self, key: &PublicKey) -> bool {
        self.names.contains_key(key)
    }

    /// The keys of a name, in the order in which they were added.
    pub(in crate::core::hub) fn keys_of(&self, name: &NameKey) -> &[PublicKey] {
        self.keys.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of a key.
    pub(in crate::core::hub) fn names_of(&self, key: &PublicKey) -> impl Iterator<Item = &NameKey> + use<'_> {
        self.names.get(key).into_iter().flatten()
    }

    /// Another taken name that looks like this one.
    pub(in crate::core::hub) fn twin(&self, name: &str) -> Option<&NameKey> {
        self.looks.twin(name)
    }

    pub(in crate::core::hub) fn iter(&self) -> impl Iterator<Item = (&NameKey, &Person)> {
        self.people.iter()
    }

    /// Gives a key a name, as the store does: a name of somebody else stays theirs, and a key that was let in with
    /// another password than the account has now is not added. Returns whether the name is new.
    pub(super) fn claim(&mut self, name_key: &NameKey, name: &str, key: PublicKey, credential: Option<u64>) -> bool {
        match (self.people.get(name_key).map(|person| person.credential), credential) {
            (None, None) => {
                self.put_person(name_key, name, None);
                self.add_key(name_key, key);
                return true;
            }
            (None, Some(_)) => {}
            (Some(there), shown) if there != shown => {}
            (Some(Some(_)), _) => self.add_key(name_key, key),
            (Some(None), _) if self.owns(&key, name_key) => self.put_person(name_key, name, None),
            (Some(None), _) => {}
        }
        false
    }

    /// Sets an account as the keeper has made or changed it, with exactly these keys. Returns whether the name is new.
    pub(super) fn put(&mut self, record: &AccountRecord) -> bool {
        let fresh = !self.is_taken(&record.name_key);
        self.put_person(&record.name_key, &record.name, record.credential);
        for key in self.keys_of(&record.name_key).to_vec() {
            if !record.keys.contains(&key) {
                self.remove_key(&record.name_key, &key);
            }
        }
        record.keys.iter().for_each(|key| self.add_key(&record.name_key, *key));
        fresh
    }

    /// Removes a name.
    pub(super) fn remove(&mut self, name: &NameKey) {
        for key in self.keys_of(name).to_vec() {
            self.remove_key(name, &key);
        }
        if let Some(person) = self.people.remove(name) {
            self.looks.remove(&person.name);
        }
    }

    /// Removes a key from a name.
    pub(super) fn remove_key(&mut self, name: &NameKey, key: &PublicKey) {
        self.owners.remove(&(name.clone(), *key));
        if let Some(keys) = self.keys.get_mut(name) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.keys.remove(name);
            }
        }
        if let Some(names) = self.names.get_mut(key) {
            names.remove(name);
            if names.is_empty() {
                self.names.remove(key);
            }
        }
    }

    fn put_person(&mut self, name_key: &NameKey, name: &str, credential: Option<u64>) {
        let person = Person { name: name.to_owned(), credential };
        if let Some(before) = self.people.insert(name_key.clone(), person) {
            self.looks.remove(&before.name);
        }
        self.looks.insert(name);
    }

    fn add_key(&mut self, name: &NameKey, key: PublicKey) {
        if self.owners.insert((name.clone(), key), ()).is_none() {
            self.keys.entry(name.clone()).or_default().push(key);
            self.names.entry(key).or_default().insert(name.clone());
        }
    }
}
