//! Answers for clients that do not follow the table or the roster, a page at a time. A page costs the same however
//! large the table is, and the hub keeps nothing between pages: each page ends with a key, after which the next one
//! starts.

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

/// The number of offers that a page may have for the price of one request.
const OFFERS_FOR_ONE: usize = 64;
/// The price of the largest page, in simple requests.
const MOST_FOR_A_PAGE: usize = 16;

/// The conditions that the offers of a page must meet.
struct Wanted<'a> {
    /// How their files' names begin.
    prefix: &'a str,
    /// The owner; `None` means any.
    owner: Option<NameKey>,
    /// A text that their files' names contain, in lower case.
    text: Option<String>,
    /// A client whose offers are left out.
    but: Option<PeerId>,
    limit: usize,
}

/// Handles `list` for a client that does not keep the table.
pub(in crate::core::hub) fn table_page(cx: &mut Cx<'_>, id: PeerId, request: &request::List) -> Result<Event, Failure> {
    cx.look_on(id);
    let limit = request.limit.map_or(LIST_OFFERS, |limit| (limit as usize).clamp(1, LIST_OFFERS));
    spend_for_page(cx, id, limit)?;
    let owner = request.owner.as_deref().map(NameKey::of);
    let text = request.r#match.as_deref().map(str::to_lowercase);
    let wanted = Wanted { prefix: "", owner, text, but: None, limit };
    let (offers, next) = page(cx, &wanted, request.after.as_deref())?;
    Ok(as_page(cx, offers, next))
}

/// One page of the offers in a folder that a client fetches. The client and the owners of these offers are introduced
/// to each other.
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
    Ok(as_page(cx, offers, next))
}

/// A page of the table as its answer; `next` is where the following page starts.
fn as_page(cx: &Cx<'_>, offers: Vec<Offer>, next: Option<String>) -> Event {
    let state = &cx.journal.state;
    event::TablePage { revision: state.revision(), changed: state.table().newest(), offers, next }.into()
}

/// Takes the price of a page before it is known how much is on it.
fn spend_for_page(cx: &mut Cx<'_>, id: PeerId, limit: usize) -> Result<(), Failure> {
    let cost = (limit / OFFERS_FOR_ONE).clamp(1, MOST_FOR_A_PAGE);
    (0..cost).try_for_each(|_| cx.spend_request(id))
}

/// The next offers that meet the conditions, and the key after which the following page starts; `None` if there is no
/// more. A page ends after [`PAGE_LOOKS`] offers, [`ANSWER_BYTES`] or the limit, whichever comes first.
fn page(cx: &Cx<'_>, wanted: &Wanted<'_>, after: Option<&str>) -> Result<(Vec<Offer>, Option<String>), Failure> {
    let mut start = key(wanted.prefix, "");
    if let Some(after) = after {
        start = start.max(read_place(after)?);
    }
    let (mut offers, mut bytes, mut looked) = (Vec::new(), 0, 0);
    let mut last = None;
    let rows = cx.journal.state.table().like(&start, wanted.text.as_deref().unwrap_or_default());
    for (key, listed) in rows.filter(|(key, _)| **key > start) {
        let (file, owner) = key;
        if !file.starts_with(wanted.prefix) {
            break;
        }
        if looked >= PAGE_LOOKS || bytes > ANSWER_BYTES || offers.len() >= wanted.limit {
            return Ok((offers, last.map(|(file, owner): &Key| format!("{file}/{owner}"))));
        }
        looked += 1;
        last = Some(key);
        let theirs = is_from(wanted.owner.as_ref(), owner, listed);
        let named = wanted.text.as_ref().is_none_or(|text| file.to_lowercase().contains(text));
        if theirs && named && wanted.but.is_none_or(|but| listed.owner != Owner::Client(but)) {
            bytes += offer_bytes(file, owner);
            offers.push(cx.offer(owner, listed));
        }
    }
    Ok((offers, None))
}

/// Handles `who` for a client that does not keep the roster: a page of clients by their numbers.
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

/// The place in the table after which a page starts: the file's name, and its owner after the last `/`.
///
/// # Errors
/// `bad-request`
fn read_place(place: &str) -> Result<Key, Failure> {
    let parts = place.rsplit_once('/').filter(|(file, owner)| !file.is_empty() && !owner.is_empty());
    let (file, owner) = parts.ok_or_else(|| {
        let message = "To go on, name the offer that `next` named: FILE/OWNER.";
        Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after"))
    })?;
    Ok(key(file, owner))
}
