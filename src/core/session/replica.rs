//! The client's copy of the table and the roster.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::event::{RosterUpdated, TableUpdated};
use crate::protocol::limits::{ROSTER, STATUS_CLIENTS};
use crate::protocol::name::{MAX_NAME, fold};
use crate::protocol::{Client, Offer, Presence, PublicKey, request};

/// What is offered and who is there, at a revision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replica {
    /// The newest revision that was told.
    pub revision: u64,
    /// Counts what was told, so that a watcher knows when to look again.
    pub updates: u64,
    offers: BTreeMap<(String, String), Offer>,
    clients: BTreeMap<String, Client>,
    /// The newest of those who have left, folded.
    gone: VecDeque<String>,
}

impl Replica {
    pub(super) fn update_table(&mut self, update: &TableUpdated) {
        self.updates += 1;
        if update.full {
            self.offers.clear();
        }
        for gone in &update.removed {
            self.offers.remove(&(gone.file.clone(), gone.owner.clone()));
        }
        for offer in &update.added {
            self.offers.insert((offer.file.clone(), offer.owner.clone()), offer.clone());
        }
        self.revision = self.revision.max(update.revision);
    }

    pub(super) fn update_roster(&mut self, update: &RosterUpdated) {
        self.updates += 1;
        if update.full {
            self.clients.clear();
        }
        // How many there are and how long their names are is what the hub says.
        for client in update.clients.iter().filter(|client| client.name.chars().nth(MAX_NAME).is_none()) {
            match client.state {
                _ if self.clients.len() >= ROSTER && !self.clients.contains_key(&client.name) => {}
                Presence::Offline => {
                    self.clients.remove(&client.name);
                    self.remember(fold(&client.name));
                }
                Presence::Online | Presence::Away => drop(self.clients.insert(client.name.clone(), client.clone())),
            }
        }
        self.revision = self.revision.max(update.revision);
    }

    fn remember(&mut self, name: String) {
        self.gone.retain(|other| *other != name);
        if self.gone.len() >= STATUS_CLIENTS {
            self.gone.pop_front();
        }
        self.gone.push_back(name);
    }

    /// Somebody who is here, by their name in any spelling.
    pub(super) fn find(&self, name: &str) -> Option<&Client> {
        self.clients.get(name).or_else(|| {
            let name = fold(name);
            self.clients.values().find(|client| fold(&client.name) == name)
        })
    }

    /// Whether somebody was here and has left.
    pub(super) fn has_left(&self, name: &str) -> bool {
        self.gone.contains(&fold(name))
    }

    /// The offers, sorted by file, then owner.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values()
    }

    /// The offers whose file is below this folder, whose name ends in `/`.
    pub(super) fn below(&self, folder: &str) -> impl Iterator<Item = &Offer> {
        let from = self.offers.range((folder.to_owned(), String::new())..);
        from.map(|(_, offer)| offer).take_while(move |offer| offer.file.starts_with(folder))
    }

    /// The clients that are here, sorted by name.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.clients.values()
    }

    pub(super) fn list(&self, request: &request::List) -> Vec<Offer> {
        let owner = request.owner.as_deref().map(fold);
        let text = request.r#match.as_deref().map(str::to_lowercase);
        let wanted = |offer: &&Offer| {
            owner.as_ref().is_none_or(|owner| fold(&offer.owner) == *owner)
                && text.as_ref().is_none_or(|text| offer.file.to_lowercase().contains(text))
        };
        self.offers().filter(wanted).cloned().collect()
    }

    pub(super) fn roster(&self) -> Vec<Client> {
        let mut clients: Vec<Client> = self.clients().cloned().collect();
        clients.sort_by_key(|client| client.number);
        clients
    }

    pub(super) fn keys(&self) -> Vec<(PublicKey, String)> {
        self.clients().map(|client| (client.key, client.name.clone())).collect()
    }
}
