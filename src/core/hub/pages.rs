//! Answers for who does not follow the table or the roster: a page at a time. The cost of a page is the page, however
//! much there is, and nothing of it is kept here: where a page ends is a key, from which the next one goes on.

use std::collections::BTreeSet;

use super::locate::is_from;
use super::state::Owner;
use super::state::{Key, key};
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::limits::{ANSWER_BYTES, LIST_OFFERS, PAGE_LOOKS, offer_bytes};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Folder;
use crate::protocol::{Client, ErrorCode, Event, Failure, Offer, event, request};

/// How many offers are told for the price of one request, and the price of a full page.
const OFFERS_FOR_ONE: usize = 64;
const MOST_FOR_A_PAGE: usize = 16;

/// Which offers are on a page.
struct Wanted<'a> {
    /// How their names begin.
    prefix: &'a str,
    /// Whose they are.
    owner: Option<NameKey>,
    /// What is in their names, in lower case.
    text: Option<String>,
    /// Not those of this client.
    but: Option<PeerId>,
    limit: usize,
}

impl Hub {
    /// Clients by name and state, for whoever embeds or tests a hub.
    pub fn roster(&self) -> Vec<Client> {
        self.state.roster().lines().cloned().collect()
    }

    /// All offers in the order of `list`.
    pub fn offers(&self) -> Vec<Offer> {
        self.state.table().from(&key("", "")).map(|((_, owner), shelved)| self.offer(owner, shelved)).collect()
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.state.revision()
    }

    /// What is offered, for who has no copy of the table.
    pub(super) fn table_page(&mut self, now: Time, id: PeerId, request: &request::List) -> Result<Event, Failure> {
        self.look_on(now, id);
        let limit = request.limit.map_or(LIST_OFFERS, |limit| (limit as usize).clamp(1, LIST_OFFERS));
        self.spend_for_page(now, id, limit)?;
        let owner = request.owner.as_deref().map(NameKey::of);
        let text = request.r#match.as_deref().map(str::to_lowercase);
        let wanted = Wanted { prefix: "", owner, text, but: None, limit };
        let (offers, next) = self.page(&wanted, request.after.as_deref())?;
        Ok(event::TablePage { revision: self.state.revision(), changed: self.state.table().newest(), offers, next }
            .into())
    }

    /// What is offered in a folder that a client fetches: it is told how to reach whose files these are, and they are
    /// told of it.
    pub(super) fn folder_page(&mut self, now: Time, id: PeerId, asked: &Folder) -> Result<Event, Failure> {
        self.me(id)?;
        self.spend_for_page(now, id, LIST_OFFERS)?;
        let after = Some(asked.after.as_str()).filter(|after| !after.is_empty());
        let owner = asked.from.as_deref().map(NameKey::of);
        let wanted = Wanted { prefix: &asked.folder, owner, text: None, but: Some(id), limit: LIST_OFFERS };
        let (offers, next) = self.page(&wanted, after)?;
        let owners: BTreeSet<&str> = offers.iter().map(|offer| offer.owner.as_str()).collect();
        for owner in owners {
            if let Some(&holder) = self.online.get(&NameKey::of(owner)) {
                self.introduce(now, id, holder);
                self.introduce(now, holder, id);
            }
        }
        Ok(event::TablePage { revision: self.state.revision(), changed: self.state.table().newest(), offers, next }
            .into())
    }

    /// A page is more work than most requests, before it is known how much is on it.
    fn spend_for_page(&mut self, now: Time, id: PeerId, limit: usize) -> Result<(), Failure> {
        let cost = (limit / OFFERS_FOR_ONE).clamp(1, MOST_FOR_A_PAGE);
        (0..cost).try_for_each(|_| self.spend_request(now, id))
    }

    /// The next offers that are wanted, and where they end, if there may be more.
    fn page(&self, wanted: &Wanted<'_>, after: Option<&str>) -> Result<(Vec<Offer>, Option<String>), Failure> {
        let mut start = key(wanted.prefix, "");
        if let Some(after) = after {
            start = start.max(read_place(after)?);
        }
        let (mut offers, mut bytes, mut looked) = (Vec::new(), 0, 0);
        let mut last = None;
        let rows = self.state.table().like(&start, wanted.text.as_deref().unwrap_or_default());
        for (key, shelved) in rows.filter(|(key, _)| **key > start) {
            let (file, owner) = key;
            if !file.starts_with(wanted.prefix) {
                break;
            }
            if looked >= PAGE_LOOKS || bytes > ANSWER_BYTES || offers.len() >= wanted.limit {
                return Ok((offers, last.map(|(file, owner): &Key| format!("{file}/{owner}"))));
            }
            looked += 1;
            last = Some(key);
            let theirs = is_from(wanted.owner.as_ref(), owner, shelved);
            let named = wanted.text.as_ref().is_none_or(|text| file.to_lowercase().contains(text));
            if theirs && named && wanted.but.is_none_or(|but| shelved.owner != Owner::Client(but)) {
                bytes += offer_bytes(file, owner);
                offers.push(self.offer(owner, shelved));
            }
        }
        Ok((offers, None))
    }

    /// Who is there, for who does not follow the roster.
    pub(super) fn roster_page(&mut self, now: Time, id: PeerId, after: Option<u64>) -> Event {
        self.look_on(now, id);
        let (mut clients, mut bytes, mut next) = (Vec::new(), 0, None);
        for (number, name) in self.state.roster().numbered(after.map_or(0, |after| after.saturating_add(1))..) {
            if bytes > ANSWER_BYTES {
                break;
            }
            if let Some(client) = self.state.roster().get(name) {
                bytes += 300 + 2 * name.len();
                clients.push(client.clone());
            }
            next = Some(number);
        }
        let next = next.filter(|next| self.state.roster().last_number() > Some(*next));
        event::RosterPage { revision: self.state.revision(), changed: self.state.roster().newest(), clients, next }
            .into()
    }
}

/// A place in the table, as it is written: the file, and its owner after the last `/`.
fn read_place(place: &str) -> Result<Key, Failure> {
    let parts = place.rsplit_once('/').filter(|(file, owner)| !file.is_empty() && !owner.is_empty());
    let (file, owner) = parts.ok_or_else(|| {
        let message = "To go on, name the offer that `next` named: FILE/OWNER.";
        Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after"))
    })?;
    Ok(key(file, owner))
}
