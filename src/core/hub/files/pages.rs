//! Answers for who does not follow the table or the roster: a page at a time. The cost of a page is the page, however
//! much there is, and nothing of it is kept here: where a page ends is a key, from which the next one goes on.

use std::collections::BTreeSet;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::offers::is_from;
use crate::core::hub::state::{Key, Owner, key};
use crate::protocol::limits::{ANSWER_BYTES, LIST_OFFERS, PAGE_LOOKS, offer_bytes};
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::wire::Folder;
use crate::protocol::{ErrorCode, Event, Failure, Offer, event, request};

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

/// What is offered, for who has no copy of the table.
pub(in crate::core::hub) fn table_page(cx: &mut Cx<'_>, id: PeerId, request: &request::List) -> Result<Event, Failure> {
    cx.look_on(id);
    let limit = request.limit.map_or(LIST_OFFERS, |limit| (limit as usize).clamp(1, LIST_OFFERS));
    spend_for_page(cx, id, limit)?;
    let owner = request.owner.as_deref().map(NameKey::of);
    let text = request.r#match.as_deref().map(str::to_lowercase);
    let wanted = Wanted { prefix: "", owner, text, but: None, limit };
    let (offers, next) = page(cx, &wanted, request.after.as_deref())?;
    Ok(event::TablePage {
        revision: cx.journal.state.revision(),
        changed: cx.journal.state.table().newest(),
        offers,
        next,
    }
    .into())
}

/// What is offered in a folder that a client fetches: it is told how to reach whose files these are, and they are
/// told of it.
pub(in crate::core::hub) fn folder_page(cx: &mut Cx<'_>, id: PeerId, asked: &Folder) -> Result<Event, Failure> {
    cx.sessions.me(id)?;
    spend_for_page(cx, id, LIST_OFFERS)?;
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty());
    let owner = asked.from.as_deref().map(NameKey::of);
    let wanted = Wanted { prefix: &asked.folder, owner, text: None, but: Some(id), limit: LIST_OFFERS };
    let (offers, next) = page(cx, &wanted, after)?;
    let owners: BTreeSet<&str> = offers.iter().map(|offer| offer.owner.as_str()).collect();
    for owner in owners {
        if let Some(holder) = cx.sessions.named(&NameKey::of(owner)) {
            cx.introduce(id, holder);
            cx.introduce(holder, id);
        }
    }
    Ok(event::TablePage {
        revision: cx.journal.state.revision(),
        changed: cx.journal.state.table().newest(),
        offers,
        next,
    }
    .into())
}

/// A page is more work than most requests, before it is known how much is on it.
fn spend_for_page(cx: &mut Cx<'_>, id: PeerId, limit: usize) -> Result<(), Failure> {
    let cost = (limit / OFFERS_FOR_ONE).clamp(1, MOST_FOR_A_PAGE);
    (0..cost).try_for_each(|_| cx.spend_request(id))
}

/// The next offers that are wanted, and where they end, if there may be more.
fn page(cx: &Cx<'_>, wanted: &Wanted<'_>, after: Option<&str>) -> Result<(Vec<Offer>, Option<String>), Failure> {
    let mut start = key(wanted.prefix, "");
    if let Some(after) = after {
        start = start.max(read_place(after)?);
    }
    let (mut offers, mut bytes, mut looked) = (Vec::new(), 0, 0);
    let mut last = None;
    let rows = cx.journal.state.table().like(&start, wanted.text.as_deref().unwrap_or_default());
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
            offers.push(cx.offer(owner, shelved));
        }
    }
    Ok((offers, None))
}

/// Who is there, for who does not follow the roster.
pub(in crate::core::hub) fn roster_page(cx: &mut Cx<'_>, id: PeerId, after: Option<u64>) -> Event {
    cx.look_on(id);
    let (mut clients, mut bytes, mut next) = (Vec::new(), 0, None);
    for (number, name) in cx.journal.state.roster().numbered(after.map_or(0, |after| after.saturating_add(1))..) {
        if bytes > ANSWER_BYTES {
            break;
        }
        if let Some(client) = cx.journal.state.roster().get(name) {
            bytes += 300 + 2 * name.len();
            clients.push(client.clone());
        }
        next = Some(number);
    }
    let next = next.filter(|next| cx.journal.state.roster().last_number() > Some(*next));
    event::RosterPage {
        revision: cx.journal.state.revision(),
        changed: cx.journal.state.roster().newest(),
        clients,
        next,
    }
    .into()
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
