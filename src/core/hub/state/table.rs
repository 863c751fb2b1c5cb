//! The table of offers, with the revisions of their changes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::search_index::SearchIndex;
use crate::core::digest::Digest;
use crate::core::versioned_map::{Cursor, VersionedMap};
use crate::protocol::limits::{FOLLOWED_BYTES, FOLLOWED_OFFERS, offer_bytes};
use crate::protocol::types::Content;

/// The name of an offer: the file and its owner. Both are shared with everybody who refers to the offer.
pub(in crate::core::hub) type Key = (Arc<str>, Arc<str>);

pub(in crate::core::hub) fn key(file: &str, owner: &str) -> Key {
    (file.into(), owner.into())
}

/// All offers, by file and then by owner.
#[derive(Default)]
pub(in crate::core::hub) struct Table {
    offers: VersionedMap<Key, ListedOffer>,
    names: SearchIndex,
    /// The size of all offers, as [`offer_bytes`] counts it.
    bytes: usize,
    /// The number of offers of each owner.
    owners: BTreeMap<Arc<str>, usize>,
    /// What each session offers: under which name, and which files.
    of_sessions: BTreeMap<u64, (Arc<str>, BTreeSet<Arc<str>>)>,
    digest: Digest,
}

/// Who serves an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// The client with this session.
    Client(u64),
    /// The hub: the file is its own.
    Hub,
    /// The hub, from a copy: the owner is not here, or does not offer the file any more.
    Kept,
    /// Nobody: the owner has left, and the offer is not in the table any more, but others have fetched some of its
    /// content.
    Gone,
}

/// An offer in the table.
#[derive(Debug, Clone)]
pub(in crate::core::hub) struct ListedOffer {
    pub(in crate::core::hub) owner: Owner,
    pub(in crate::core::hub) content: Arc<Content>,
}

/// An offer in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listing {
    owner: Arc<str>,
    server: Owner,
    content: Arc<Content>,
}

/// Gives `change` the fields of an offer that count for the digest.
fn digested(key: &Key, offer: &ListedOffer, change: impl FnOnce(&[&[u8]])) {
    let server = match offer.owner {
        Owner::Client(session) => session,
        Owner::Hub | Owner::Kept | Owner::Gone => 0,
    };
    let Content { hash, size, .. } = &*offer.content;
    change(&[key.0.as_bytes(), key.1.as_bytes(), &server.to_be_bytes(), &hash.0, &size.to_be_bytes()]);
}

/// A session does not offer a file any more.
fn unlist(of_sessions: &mut BTreeMap<u64, (Arc<str>, BTreeSet<Arc<str>>)>, server: Owner, (file, owner): &Key) {
    let Owner::Client(session) = server else { return };
    let Some((name, files)) = of_sessions.get_mut(&session) else { return };
    if name == owner && files.remove(file) && files.is_empty() {
        of_sessions.remove(&session);
    }
}

impl Table {
    /// The table that [`Table::rows`] gave.
    pub(super) fn of(rows: Vec<(u64, Listing)>) -> Self {
        let mut table = Self::default();
        for (revision, Listing { owner, server, content }) in rows {
            let key = table.key_of(&content.file, &owner);
            table.set(revision, key, ListedOffer { owner: server, content });
        }
        table
    }

    /// All offers with their revisions, oldest change first.
    pub(super) fn rows(&self) -> Vec<(u64, Listing)> {
        let (_, offers) = self.offers.since(None, true);
        let listing = |key: &Key, offer: &ListedOffer| Listing {
            owner: key.1.clone(),
            server: offer.owner,
            content: offer.content.clone(),
        };
        offers.map(|(revision, key, offer, _)| (revision, listing(key, offer))).collect()
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    pub(in crate::core::hub) fn len(&self) -> usize {
        self.offers.len()
    }

    /// Whether the table is too large for clients to keep a copy.
    pub(in crate::core::hub) fn is_too_large(&self) -> bool {
        self.offers.len() > FOLLOWED_OFFERS || self.bytes > FOLLOWED_BYTES
    }

    pub(in crate::core::hub) fn get(&self, key: &Key) -> Option<&ListedOffer> {
        self.offers.get(key)
    }

    /// The name of an offer that comes into the table. It shares the owner's name with their other offers.
    pub(in crate::core::hub) fn key_of(&self, file: &Arc<str>, owner: &str) -> Key {
        let owner = self.owners.get_key_value(owner).map_or_else(|| owner.into(), |(owner, _)| owner.clone());
        (file.clone(), owner)
    }

    /// Adds or replaces an offer. `revision` is higher than all before.
    pub(super) fn set(&mut self, revision: u64, key: Key, offer: ListedOffer) {
        let before = self.offers.get(&key);
        if let Some(before) = before {
            digested(&key, before, |fields| self.digest.remove_fields(fields));
            unlist(&mut self.of_sessions, before.owner, &key);
        }
        if let Owner::Client(session) = offer.owner {
            let offers = self.of_sessions.entry(session).or_insert_with(|| (key.1.clone(), BTreeSet::new()));
            if offers.0 != key.1 {
                *offers = (key.1.clone(), BTreeSet::new());
            }
            offers.1.insert(key.0.clone());
        }
        let fresh = before.is_none().then(|| key.clone());
        digested(&key, &offer, |fields| self.digest.add_fields(fields));
        self.offers.set(revision, key, offer);
        if let Some((file, owner)) = fresh {
            self.bytes += offer_bytes(&file, &owner);
            *self.owners.entry(owner).or_default() += 1;
            self.names.add(&file);
            self.renew_names(&file);
        }
    }

    /// A session offers nothing any more. What is still in the table of it is taken out a part at a time.
    pub(super) fn disown(&mut self, session: u64) {
        self.of_sessions.remove(&session);
    }

    /// How many files a session offers.
    pub(in crate::core::hub) fn count_of(&self, session: u64) -> usize {
        self.of_sessions.get(&session).map_or(0, |(_, files)| files.len())
    }

    /// What a session offers under a name.
    pub(in crate::core::hub) fn offered(&self, session: u64, owner: &str, file: &str) -> Option<&Arc<Content>> {
        let (_, files) = self.of_sessions.get(&session).filter(|(name, _)| **name == *owner)?;
        let offer = self.offers.get(&key(file, owner)).filter(|_| files.contains(file))?;
        Some(&offer.content)
    }

    /// The files that a session offers.
    pub(in crate::core::hub) fn files_of(&self, session: u64) -> impl Iterator<Item = &Arc<str>> {
        self.of_sessions.get(&session).into_iter().flat_map(|(_, files)| files)
    }

    /// Those of them whose names begin so.
    pub(in crate::core::hub) fn files_below<'a>(
        &'a self,
        session: u64,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let files = self.of_sessions.get(&session).into_iter();
        let files = files.flat_map(move |(_, files)| files.range::<str, _>((Included(prefix), Unbounded)));
        files.map(|file| &**file).take_while(move |file| file.starts_with(prefix))
    }

    /// Removes an offer.
    pub(super) fn remove(&mut self, revision: u64, key: &Key) {
        if let Some(offer) = self.offers.get(key) {
            digested(key, offer, |fields| self.digest.remove_fields(fields));
            unlist(&mut self.of_sessions, offer.owner, key);
            self.bytes -= offer_bytes(&key.0, &key.1);
            self.offers.remove(revision, key, |_| ());
            if let Some(offers) = self.owners.get_mut(&key.1) {
                *offers -= 1;
                if *offers == 0 {
                    self.owners.remove(&key.1);
                }
            }
            self.names.remove(&key.0);
            self.renew_names(&key.0);
        }
    }

    fn renew_names(&mut self, file: &str) {
        let Some((start, next)) = self.names.due(file) else { return };
        let rows = self.offers.range_from(&key(&start, "")).map(|((file, _), _)| &**file);
        self.names.renew(start, rows.take_while(|file| next.as_ref().is_none_or(|next| *file < next.as_str())));
    }

    /// The offers from a key on.
    pub(in crate::core::hub) fn from<'a>(
        &'a self,
        key: &Key,
    ) -> impl Iterator<Item = (&'a Key, &'a ListedOffer)> + use<'a> {
        self.offers.range_from(key)
    }

    /// The offers from a key on whose file names may contain this lower-case text. The caller must check the name;
    /// those that are left out do not contain it.
    pub(in crate::core::hub) fn like<'a>(
        &'a self,
        from: &Key,
        text: &str,
    ) -> impl Iterator<Item = (&'a Key, &'a ListedOffer)> + use<'a> {
        let start = from.clone();
        self.names.places(&from.0, text).flat_map(move |(first, next)| {
            let first = key(first, "").max(start.clone());
            self.offers.range_from(&first).take_while(move |((file, _), _)| next.is_none_or(|next| **file < *next))
        })
    }

    /// The revision of the newest change.
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.offers.newest()
    }

    /// The position of a reader that was told everything up to a revision.
    pub(in crate::core::hub) fn cursor(&self, revision: u64) -> Cursor {
        self.offers.cursor(revision)
    }

    /// The changes after a position, see [`VersionedMap::since`].
    pub(in crate::core::hub) fn since(
        &self,
        seen: Option<Cursor>,
        whole: bool,
    ) -> (bool, impl Iterator<Item = (u64, &Key, &ListedOffer, bool)>) {
        self.offers.since(seen, whole)
    }
}
