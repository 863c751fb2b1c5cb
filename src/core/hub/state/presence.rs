//! Who is here: the roster.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

use crate::core::digest::Digest;
use crate::core::versioned_map::{Cursor, VersionedMap};
use crate::protocol::{Client, Presence, Timestamp};

/// The roster, with its revisions.
#[derive(Default)]
pub(in crate::core::hub) struct Roster {
    lines: VersionedMap<String, Client>,
    /// The names by their numbers: the same again, for finding.
    numbers: BTreeMap<u64, String>,
    digest: Digest,
}

impl Roster {
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    /// What [`Roster::rows`] gave.
    pub(super) fn of(rows: &[(u64, Client)]) -> Self {
        let mut roster = Self::default();
        rows.iter().for_each(|(revision, client)| roster.set(*revision, client));
        roster
    }

    /// Everybody who is here, with the revisions of their lines, in this order.
    pub(super) fn rows(&self) -> Vec<(u64, Client)> {
        let (_, lines) = self.lines.since(None, true);
        lines.map(|(revision, _, client, _)| (revision, client.clone())).collect()
    }

    /// Everybody who is here, in the order of their names.
    pub(in crate::core::hub) fn lines(&self) -> impl Iterator<Item = &Client> {
        self.lines.range_from(&String::new()).map(|(_, client)| client)
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Somebody's line, by the name as they write it.
    pub(in crate::core::hub) fn get(&self, name: &str) -> Option<&Client> {
        self.lines.get(&name.to_owned())
    }

    /// The names of those with these numbers, in the order of the numbers.
    pub(in crate::core::hub) fn numbered(&self, range: impl RangeBounds<u64>) -> impl Iterator<Item = (u64, &String)> {
        self.numbers.range(range).map(|(number, name)| (*number, name))
    }

    /// The highest number of those who are here.
    pub(in crate::core::hub) fn last_number(&self) -> Option<u64> {
        self.numbers.last_key_value().map(|(number, _)| *number)
    }

    /// The newest revision in which something changed.
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.lines.newest()
    }

    /// What a reader has seen who has been told everything up to a revision.
    pub(in crate::core::hub) fn cursor(&self, revision: u64) -> Cursor {
        self.lines.cursor(revision)
    }

    /// What changed, see [`VersionedMap::since`].
    pub(in crate::core::hub) fn since(
        &self,
        seen: Option<Cursor>,
        whole: bool,
    ) -> (bool, impl Iterator<Item = (u64, &String, &Client, bool)>) {
        self.lines.since(seen, whole)
    }

    /// Somebody has come, or their line has changed. `revision` is new and higher than all before.
    pub(super) fn set(&mut self, revision: u64, client: &Client) {
        self.forget(&client.name);
        self.digest.add(client);
        self.numbers.insert(client.number, client.name.clone());
        self.lines.set(revision, client.name.clone(), client.clone());
    }

    /// Somebody is gone.
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
