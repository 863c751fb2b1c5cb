//! The roster: the clients that are here, and which session has which name.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use serde::{Deserialize, Serialize};

use super::hashed::HashedMap;
use crate::core::digest::{Digest, combined};
use crate::core::versioned_map::{Cursor, VersionedMap};
use crate::protocol::name::NameKey;
use crate::protocol::{Client, Presence, Timestamp};

/// The lines of the roster, with their revisions.
#[derive(Default)]
pub(in crate::core::hub) struct Roster {
    lines: VersionedMap<String, Client>,
    /// The names by the numbers of their visits, as an index.
    numbers: BTreeMap<u64, String>,
    digest: Digest,
    /// The sessions that have names, those too that are not in the roster yet: their names are on their way to the disk.
    in_use: HashedMap<NameKey, InUse>,
    /// The highest generation that a session has had.
    generations: u64,
}

/// A name in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// By which session.
    pub(in crate::core::hub) session: u64,
    /// Higher than all before whenever a session takes a name or is connected anew.
    pub(in crate::core::hub) generation: u64,
}

impl Roster {
    pub(super) fn digest(&self) -> Digest {
        combined(&[self.digest, self.in_use.digest()])
    }

    /// The roster that [`Roster::rows`] gave.
    pub(super) fn of(rows: &[(u64, Client)], in_use: Vec<(NameKey, InUse)>, generations: u64) -> Self {
        let mut roster = Self { in_use: in_use.into_iter().collect(), generations, ..Self::default() };
        rows.iter().for_each(|(revision, client)| roster.set(*revision, client));
        roster
    }

    /// All lines with their revisions, oldest change first.
    pub(super) fn rows(&self) -> Vec<(u64, Client)> {
        let (_, lines) = self.lines.since(None, true);
        lines.map(|(revision, _, client, _)| (revision, client.clone())).collect()
    }

    /// The names in use, in their order.
    pub(super) fn in_use(&self) -> Vec<(NameKey, InUse)> {
        self.in_use.iter().map(|(name, held)| (name.clone(), *held)).collect()
    }

    /// The highest generation that a session has had.
    pub(super) fn generations(&self) -> u64 {
        self.generations
    }

    /// Which session has a name.
    pub(in crate::core::hub) fn holder(&self, name: &NameKey) -> Option<InUse> {
        self.in_use.get(name).copied()
    }

    /// A session has a name.
    pub(super) fn hold(&mut self, name: &NameKey, by: InUse) {
        self.generations = self.generations.max(by.generation);
        self.in_use.insert(name.clone(), by);
    }

    /// It has it no more. Says which session that was.
    pub(super) fn free(&mut self, name: &NameKey) -> Option<u64> {
        self.in_use.remove(name).map(|held| held.session)
    }

    /// All lines, by name.
    pub(in crate::core::hub) fn lines(&self) -> impl Iterator<Item = &Client> {
        self.lines.range_from(&String::new()).map(|(_, client)| client)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The line of a name, written as its owner writes it.
    pub(in crate::core::hub) fn get(&self, name: &str) -> Option<&Client> {
        self.lines.get(&name.to_owned())
    }

    /// The names with these visit numbers, in the order of the numbers.
    pub(in crate::core::hub) fn numbered(&self, range: impl RangeBounds<u64>) -> impl Iterator<Item = (u64, &String)> {
        self.numbers.range(range).map(|(number, name)| (*number, name))
    }

    /// The highest visit number of a client that is here.
    pub(in crate::core::hub) fn last_number(&self) -> Option<u64> {
        self.numbers.last_key_value().map(|(number, _)| *number)
    }

    /// The revision of the newest change.
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.lines.newest()
    }

    /// The position of a reader that was told everything up to a revision.
    pub(in crate::core::hub) fn cursor(&self, revision: u64) -> Cursor {
        self.lines.cursor(revision)
    }

    /// The changes after a position, see [`VersionedMap::since`].
    pub(in crate::core::hub) fn since(
        &self,
        seen: Option<Cursor>,
        whole: bool,
    ) -> (bool, impl Iterator<Item = (u64, &String, &Client, bool)>) {
        self.lines.since(seen, whole)
    }

    /// Sets a client's line. `revision` is higher than all before.
    pub(super) fn set(&mut self, revision: u64, client: &Client) {
        self.forget(&client.name);
        self.digest.add(client);
        self.numbers.insert(client.number, client.name.clone());
        self.lines.set(revision, client.name.clone(), client.clone());
    }

    /// Removes a client's line. The change shows it as offline since `closed`.
    pub(super) fn remove(&mut self, revision: u64, name: &str, closed: Timestamp) {
        if self.lines.get(&name.to_owned()).is_none() {
            return;
        }
        self.forget(name);
        let retire = |client: &mut Client| (client.state, client.since) = (Presence::Offline, closed);
        self.lines.remove(revision, &name.to_owned(), retire);
    }

    fn forget(&mut self, name: &str) {
        if let Some(before) = self.lines.get(&name.to_owned()) {
            self.digest.remove(before);
            self.numbers.remove(&before.number);
        }
    }
}
