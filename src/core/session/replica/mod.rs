//! The client's copy of the table of offers and of the roster.

mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::protocol::event::{RosterUpdated, Table, TableUpdated};
use crate::protocol::limits::{
    FOLLOWED_BYTES, FOLLOWED_OFFERS, INTRODUCED, LIST_BYTES, LIST_OFFERS, ROSTER, STATUS_CLIENTS, offer_bytes,
};
use crate::protocol::name::{MAX_NAME, NameKey};
use crate::protocol::{Client, Follow, Follows, Offer, Presence, PublicKey, request};
use rows::{Row, Rows};

/// The table and the roster at a revision, as far as this client follows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replica {
    /// The newest revision that the hub has told.
    pub revision: u64,
    /// How many updates were taken, so that a watcher knows when to look again.
    pub updates: u64,
    /// The same of the table alone.
    pub table_updates: u64,
    offers: Rows,
    clients: BTreeMap<String, Client>,
    /// The names that have left last.
    gone: VecDeque<NameKey>,
    follows: Follows,
    /// Whether `offers` is the whole table.
    has_table: bool,
    /// Whether the table became too large to be followed.
    unfollowed: bool,
}

/// The keys whose owners may have changed with the roster.
pub(super) enum ChangedKeys {
    /// Any key: the whole roster is new.
    All,
    /// Only these keys.
    These(BTreeSet<PublicKey>),
}

impl Replica {
    pub(super) fn new(follows: Follows) -> Self {
        Self { follows, ..Self::default() }
    }

    /// The hub was restarted, and counts revisions from the start.
    pub(super) fn forget_revision(&mut self) {
        self.revision = 0;
    }

    /// Whether this has the whole table, or is about to.
    pub fn has_table(&self) -> bool {
        self.has_table
    }

    /// Whether the table is followed: it was asked for, and is not too large.
    pub(super) fn follows_table(&self) -> bool {
        self.follows.table == Follow::Table && !self.unfollowed
    }

    /// Whether the whole roster is followed.
    pub(super) fn follows_roster(&self) -> bool {
        self.follows.roster == Follow::Table
    }

    /// Takes an update of the table. `known` finds our own copy of a file's name, which is shared. False if the table
    /// has become too large: then it is not followed any more.
    #[must_use]
    pub(super) fn update_table(&mut self, update: &TableUpdated, known: impl Fn(&Offer) -> Option<Arc<str>>) -> bool {
        self.revision = self.revision.max(update.revision);
        if update.full && self.follows.table == Follow::Table {
            self.unfollow_table();
            (self.has_table, self.unfollowed) = (true, false);
        }
        if !self.has_table {
            return true;
        }
        self.updates += 1;
        self.table_updates += 1;
        for gone in &update.removed {
            self.offers.remove(&gone.file, &gone.owner);
        }
        for offer in &update.added {
            self.offers.put(offer, known(offer));
        }
        let fits = self.offers.len() <= FOLLOWED_OFFERS && self.offers.bytes() <= FOLLOWED_BYTES;
        if !fits {
            self.unfollowed = true;
            self.unfollow_table();
        }
        fits
    }

    /// The table is not followed any more.
    pub(super) fn unfollow_table(&mut self) {
        self.updates += 1;
        self.table_updates += 1;
        self.has_table = false;
        self.offers = Rows::default();
    }

    /// Takes one person whom we deal with, if we do not follow the roster; or that they have left. Returns the keys
    /// whose owners may have changed.
    pub(super) fn meet(&mut self, client: &Client) -> ChangedKeys {
        self.updates += 1;
        let mut keys = BTreeSet::from([client.key]);
        match client.state {
            Presence::Offline => {
                // Somebody else may have the name by now.
                if self.clients.get(&client.name).is_some_and(|known| known.number == client.number) {
                    keys.extend(self.clients.remove(&client.name).map(|known| known.key));
                    self.remember(NameKey::of(&client.name));
                }
            }
            Presence::Online | Presence::Away => {
                if self.clients.len() < INTRODUCED || self.clients.contains_key(&client.name) {
                    keys.extend(self.clients.insert(client.name.clone(), client.clone()).map(|known| known.key));
                }
            }
        }
        ChangedKeys::These(keys)
    }

    /// Takes an update of the roster. Returns the keys whose owners may have changed.
    pub(super) fn update_roster(&mut self, update: &RosterUpdated) -> ChangedKeys {
        self.revision = self.revision.max(update.revision);
        let mut keys = BTreeSet::new();
        if !self.follows_roster() {
            return ChangedKeys::These(keys);
        }
        self.updates += 1;
        if update.full {
            self.clients.clear();
        }
        // A hub could name too many people, or give them names that are too long.
        for client in update.clients.iter().filter(|client| client.name.chars().nth(MAX_NAME).is_none()) {
            match client.state {
                _ if self.clients.len() >= ROSTER && !self.clients.contains_key(&client.name) => {}
                Presence::Offline => {
                    keys.extend(self.clients.remove(&client.name).map(|known| known.key));
                    self.remember(NameKey::of(&client.name));
                }
                Presence::Online | Presence::Away => {
                    keys.insert(client.key);
                    keys.extend(self.clients.insert(client.name.clone(), client.clone()).map(|known| known.key));
                }
            }
        }
        if update.full { ChangedKeys::All } else { ChangedKeys::These(keys) }
    }

    fn remember(&mut self, name: NameKey) {
        self.gone.retain(|other| *other != name);
        if self.gone.len() >= STATUS_CLIENTS {
            self.gone.pop_front();
        }
        self.gone.push_back(name);
    }

    /// Somebody who is here, by their name in any spelling.
    pub(super) fn find(&self, name: &str) -> Option<&Client> {
        self.clients.get(name).or_else(|| self.find_key(&NameKey::of(name)))
    }

    /// Somebody who is here, by the key of their name.
    pub(super) fn find_key(&self, key: &NameKey) -> Option<&Client> {
        let same = || self.clients.values().find(|client| NameKey::of(&client.name) == *key);
        self.clients.get(key.as_str()).or_else(same)
    }

    /// Whether somebody was here and has left.
    pub(super) fn has_left(&self, name: &str) -> bool {
        self.gone.contains(&NameKey::of(name))
    }

    /// The offers, sorted by file, then owner.
    pub fn offers(&self) -> impl Iterator<Item = Offer> {
        self.offers.from("").map(Row::offer)
    }

    /// The names of the offered files, sorted, each once.
    pub fn files(&self) -> Vec<Arc<str>> {
        let mut files: Vec<Arc<str>> = self.offers.from("").map(Row::shared_file).collect();
        files.dedup();
        files
    }

    /// The offers whose file is below this folder, whose name ends in `/`.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = Offer> {
        self.offers.from(folder).take_while(move |row| row.file().starts_with(folder)).map(Row::offer)
    }

    /// The clients that are here, sorted by name.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    /// Answers a `list`.
    pub(super) fn list(&self, revision: u64, request: &request::List) -> Table {
        let owner = request.owner.as_deref().map(NameKey::of);
        let text = request.r#match.as_deref().map(str::to_lowercase);
        let wanted = |row: &Row<'_>| {
            owner.as_ref().is_none_or(|owner| NameKey::of(row.owner()) == *owner)
                && text.as_ref().is_none_or(|text| row.file().to_lowercase().contains(text))
        };
        let (file, owner_after) = request.after.as_deref().and_then(|after| after.rsplit_once('/')).unwrap_or_default();
        let rows = self.offers.from(file).filter(|row| (row.file(), row.owner()) > (file, owner_after));
        let limit = request.limit.map_or(LIST_OFFERS, |limit| limit as usize).min(LIST_OFFERS);
        let (mut offers, mut bytes, mut next): (Vec<Offer>, _, _) = (Vec::new(), 0, None);
        for row in rows.filter(wanted) {
            if offers.len() >= limit || bytes > LIST_BYTES {
                next = offers.last().map(|last| format!("{}/{}", last.file, last.owner));
                break;
            }
            bytes += offer_bytes(row.file(), row.owner());
            offers.push(row.offer());
        }
        Table { revision, offers, more: next.is_some(), next, stale: false }
    }

    pub(super) fn roster(&self, after: Option<u64>) -> Vec<Client> {
        let mut clients: Vec<Client> =
            self.clients().filter(|client| after.is_none_or(|after| client.number > after)).cloned().collect();
        clients.sort_by_key(|client| client.number);
        clients
    }

    /// The present owners of these keys.
    pub(super) fn owners_of(&self, keys: BTreeSet<PublicKey>) -> Vec<(PublicKey, Option<String>)> {
        let mut owners: BTreeMap<PublicKey, Option<&str>> = keys.into_iter().map(|key| (key, None)).collect();
        for client in self.clients() {
            if let Some(owner) = owners.get_mut(&client.key) {
                *owner = Some(&client.name);
            }
        }
        owners.into_iter().map(|(key, owner)| (key, owner.map(str::to_owned))).collect()
    }

    /// Everybody's key and name.
    pub(super) fn keys(&self) -> Vec<(PublicKey, String)> {
        self.clients().map(|client| (client.key, client.name.clone())).collect()
    }
}
