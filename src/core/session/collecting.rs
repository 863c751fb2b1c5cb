//! Puts together the answers that the hub gives in pages, because we do not follow the table or the roster.

use super::asks::Origin;
use super::context::Context;
use super::paged_answer::PagedAnswer;
use super::pending::{Pending, RequestId};
use super::replica::Replica;
use crate::core::time::Time;
use crate::protocol::limits::{FOLDER_FILES, FOUND_FILES, LIST_BYTES, LIST_OFFERS, offer_bytes};
use crate::protocol::line::pointer_at;
use crate::protocol::wire::{Ask, Folder};
use crate::protocol::{ErrorCode, Event, Failure, Offer, Request, event, request};

/// How often a list is begun anew because it changed between two pages. After that, the answer ends where the revision
/// changes.
const AGAIN: u8 = 3;

/// A `get` of a folder, with everything that is offered in it.
pub(super) struct ListedFolder {
    pub(super) pending: Pending,
    pub(super) get: request::Get,
    pub(super) offers: Vec<Offer>,
}

/// Whether the answer comes in pages, between which no other answer may come.
pub(super) fn is_paged(origin: &Origin, replica: &Replica) -> bool {
    match origin {
        Origin::Page(_) => true,
        Origin::User(pending) => {
            let lists = matches!(pending.request, Request::List(_)) && !replica.follows_table();
            lists || matches!(&pending.request, Request::Who(who) if who.since.is_none() && !replica.follows_roster())
        }
        Origin::Enter | Origin::Return | Origin::OfferAgain | Origin::Offer(_) => false,
        Origin::Change | Origin::Push(_) | Origin::Seek(_) | Origin::Forgotten | Origin::Goodbye => false,
    }
}

impl Context {
    /// A page of a `list`, or of a folder that is fetched.
    fn table_page(&mut self, now: Time, mut so_far: PagedAnswer, page: event::TablePage) -> Option<ListedFolder> {
        let event::TablePage { revision, changed, mut offers, next } = page;
        offers.iter_mut().for_each(|offer| self.uplink.set_hub_address(offer));
        let request = so_far.pending.request.clone();
        if let Request::Get(get) = request {
            so_far.offers.append(&mut offers);
            return self.folder_page(now, so_far, get, next);
        }
        let Request::List(list) = request else {
            self.refuse_page(now, so_far.pending.id, "table-page");
            return None;
        };
        if so_far.fits(revision, changed) {
            self.list_page(now, so_far, list, offers, next);
        } else if so_far.again < AGAIN {
            self.ask_page(now, so_far.pending.request.clone(), so_far.begin_anew());
        } else {
            let next = so_far.offers.last().map(|last| format!("{}/{}", last.file, last.owner));
            self.listed(now, so_far, next.or(list.after));
        }
        None
    }

    fn list_page(
        &mut self,
        now: Time,
        mut so_far: PagedAnswer,
        list: request::List,
        mut offers: Vec<Offer>,
        next: Option<String>,
    ) {
        so_far.bytes += offers.iter().map(|offer| offer_bytes(&offer.file, &offer.owner)).sum::<usize>();
        so_far.offers.append(&mut offers);
        let limit = list.limit.map_or(LIST_OFFERS, |limit| limit as usize).min(LIST_OFFERS);
        let left = limit.saturating_sub(so_far.offers.len());
        match next {
            Some(next) if left > 0 && so_far.bytes < LIST_BYTES => {
                let limit = Some(u32::try_from(left).unwrap_or(u32::MAX));
                self.ask_page(now, request::List { after: Some(next), limit, ..list }.into(), so_far);
            }
            next => self.listed(now, so_far, next),
        }
    }

    fn folder_page(
        &mut self,
        now: Time,
        so_far: PagedAnswer,
        get: request::Get,
        next: Option<String>,
    ) -> Option<ListedFolder> {
        match next {
            Some(_) if so_far.offers.len() >= FOLDER_FILES => {
                let message = format!("{} has more than {FOLDER_FILES} files; fetch its folders.", get.file);
                self.refuse(now, so_far.pending.id, Failure::new(ErrorCode::TooMany, message));
                None
            }
            Some(after) => {
                let ask = |id| Ask::Folder(Folder { id, folder: get.file, from: get.from, after });
                self.uplink.ask_by_number(now, ask, Origin::Page(Box::new(so_far)));
                None
            }
            None => Some(ListedFolder { pending: so_far.pending, get, offers: so_far.offers }),
        }
    }

    fn listed(&mut self, now: Time, so_far: PagedAnswer, next: Option<String>) {
        let PagedAnswer { pending, revision, offers, .. } = so_far;
        self.finish(now, pending.id, event::Table { revision, offers, more: next.is_some(), next, stale: false });
    }

    /// A page of a `who`.
    fn roster_page(&mut self, now: Time, mut so_far: PagedAnswer, page: event::RosterPage) {
        let event::RosterPage { revision, changed, mut clients, next } = page;
        if !matches!(so_far.pending.request, Request::Who(_)) {
            return self.refuse_page(now, so_far.pending.id, "roster-page");
        }
        if !so_far.fits(revision, changed) {
            if so_far.again < AGAIN {
                return self.ask_page(now, so_far.pending.request.clone(), so_far.begin_anew());
            }
            let next = so_far.clients.last().map(|client| client.number);
            return self.here(now, so_far, next);
        }
        so_far.clients.append(&mut clients);
        match next {
            Some(after) if so_far.clients.len() < LIST_OFFERS => {
                self.ask_page(now, request::Who { after: Some(after), ..request::Who::default() }.into(), so_far);
            }
            next => self.here(now, so_far, next),
        }
    }

    fn here(&mut self, now: Time, so_far: PagedAnswer, next: Option<u64>) {
        let PagedAnswer { pending, revision, clients, .. } = so_far;
        let mut roster = event::Roster { revision, clients, next };
        if let Request::Who(who) = &pending.request {
            roster = self.registration.roster_for(who, roster);
        }
        self.show_people(now, pending.id, roster);
    }

    /// A page of a `search`: the hub does not search everything at once.
    pub(super) fn found(&mut self, now: Time, mut so_far: PagedAnswer, mut found: event::Found) {
        let Request::Search(search) = so_far.pending.request.clone() else {
            return self.refuse_page(now, so_far.pending.id, "found");
        };
        if so_far.is_empty() {
            so_far.revision = found.revision;
        }
        found.revision = so_far.revision;
        so_far.files.append(&mut found.files);
        let limit = search.limit.map_or(FOUND_FILES, |limit| limit as usize).min(FOUND_FILES);
        let left = limit.saturating_sub(so_far.files.len());
        match found.next.clone() {
            Some(next) if left > 0 => {
                let limit = Some(u32::try_from(left).unwrap_or(u32::MAX));
                self.ask_page(now, request::Search { after: Some(next), limit, ..search }.into(), so_far);
            }
            _ => self.finish(now, so_far.pending.id, event::Found { files: so_far.files, ..found }),
        }
    }

    fn ask_page(&mut self, now: Time, request: Request, so_far: PagedAnswer) {
        self.ask(now, request, Origin::Page(Box::new(so_far)));
    }

    fn refuse_page(&mut self, now: Time, id: RequestId, event: &str) {
        let message = format!("The hub's answer does not fit: {event}.");
        self.refuse(now, id, Failure::new(ErrorCode::WrongProtocol, message));
    }

    /// Takes a page, and asks for the next one or answers the request. Returns the folder, if one was asked for and all
    /// of it is there.
    pub(super) fn page_answered(&mut self, now: Time, so_far: PagedAnswer, event: Event) -> Option<ListedFolder> {
        if let Event::TablePage(page) = event {
            return self.table_page(now, so_far, page);
        }
        if let Event::RosterPage(page) = event {
            self.roster_page(now, so_far, page);
        } else if let Event::Found(found) = event {
            self.found(now, so_far, found);
        } else if let Event::Error(error) = event {
            self.refuse(now, so_far.pending.id, error.into());
        } else {
            self.refuse_page(now, so_far.pending.id, event.name());
        }
        None
    }
}

/// Checks the place after which a `list` goes on: `FILE/OWNER`.
pub(super) fn check_place(place: &str) -> Result<(), Failure> {
    if place.rsplit_once('/').is_some_and(|(file, owner)| !file.is_empty() && !owner.is_empty()) {
        return Ok(());
    }
    let message = "To go on, name the offer that `next` named: FILE/OWNER.";
    Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after")))
}
