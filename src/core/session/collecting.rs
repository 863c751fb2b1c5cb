//! Answers that the hub gives in pages, because we do not follow what they are about: put together here.

use super::requests::{Mark, Pending};
use super::{Event, Failure, Id, Origin, Session};
use crate::core::time::Time;
use crate::protocol::limits::{FOLDER_FILES, FOUND_FILES, LIST_BYTES, LIST_OFFERS, offer_bytes};
use crate::protocol::line::pointer_at;
use crate::protocol::types::FoundFile;
use crate::protocol::wire::{Ask, Folder};
use crate::protocol::{Client, ErrorCode, Offer, Request, event, request};

/// How often a list is begun anew because it changed between two pages. After that it is answered as far as it is of
/// one revision.
const AGAIN: u8 = 3;

/// An answer of which some pages are there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Collecting {
    pub(super) pending: Pending,
    /// The revision of the first page.
    revision: u64,
    again: u8,
    offers: Vec<Offer>,
    bytes: usize,
    clients: Vec<Client>,
    files: Vec<FoundFile>,
}

impl Collecting {
    pub(super) fn new(pending: Pending) -> Self {
        let (offers, clients, files) = (Vec::new(), Vec::new(), Vec::new());
        Self { pending, revision: 0, again: 0, offers, bytes: 0, clients, files }
    }

    fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.clients.is_empty() && self.revision == 0
    }

    /// Whether this page is of the same state as those before.
    fn fits(&mut self, revision: u64, changed: u64) -> bool {
        if self.is_empty() {
            self.revision = revision;
        }
        changed <= self.revision
    }

    fn begin_anew(self) -> Self {
        Self { again: self.again + 1, ..Self::new(self.pending) }
    }
}

impl Session {
    /// Whether this is answered in pages, between which no other answer may come.
    pub(super) fn is_paged(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Page(_) => true,
            Origin::User(pending) => match &pending.request {
                Request::List(_) => !self.replica.follows_table(),
                Request::Who(who) => who.since.is_none() && !self.replica.follows_roster(),
                _ => false,
            },
            Origin::Enter | Origin::Return | Origin::OfferAgain | Origin::Offer(_) => false,
            Origin::Change | Origin::Push(_) | Origin::Forgotten | Origin::Goodbye => false,
        }
    }

    /// A page of what is offered, or of a folder that is fetched.
    pub(super) fn table_page(&mut self, now: Time, mut so_far: Collecting, page: event::TablePage) {
        let event::TablePage { revision, changed, mut offers, next } = page;
        offers.iter_mut().for_each(|offer| self.place(offer));
        match so_far.pending.request.clone() {
            Request::List(list) => {
                if !so_far.fits(revision, changed) {
                    if so_far.again < AGAIN {
                        return self.ask_page(now, so_far.pending.request.clone(), so_far.begin_anew());
                    }
                    let next = so_far.offers.last().map(|last| format!("{}/{}", last.file, last.owner));
                    return self.listed(now, so_far, next.or(list.after));
                }
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
            Request::Get(get) => {
                so_far.offers.append(&mut offers);
                match next {
                    Some(_) if so_far.offers.len() >= FOLDER_FILES => {
                        let message = format!("{} has more than {FOLDER_FILES} files; fetch its folders.", get.file);
                        self.refuse(now, so_far.pending.id, Failure::new(ErrorCode::TooMany, message));
                    }
                    Some(after) => {
                        let id = self.next_ask;
                        self.next_ask += 1;
                        let ask = Ask::Folder(Folder { id, folder: get.file, from: get.from, after });
                        self.send(now, ask.to_body());
                        self.asks.insert(id, (ask, Origin::Page(Box::new(so_far))));
                    }
                    None => {
                        let offers = std::mem::take(&mut so_far.offers);
                        self.start_folder(now, so_far.pending, &get, offers.into_iter());
                    }
                }
            }
            _ => self.refuse_page(now, so_far.pending.id, "table-page"),
        }
    }

    fn listed(&mut self, now: Time, so_far: Collecting, next: Option<String>) {
        let Collecting { pending, revision, offers, .. } = so_far;
        self.finish(now, pending.id, event::Table { revision, offers, more: next.is_some(), next, stale: false });
    }

    /// A page of who is there.
    pub(super) fn roster_page(&mut self, now: Time, mut so_far: Collecting, page: event::RosterPage) {
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

    fn here(&mut self, now: Time, so_far: Collecting, next: Option<u64>) {
        let Collecting { pending, revision, clients, .. } = so_far;
        let mut roster = event::Roster { revision, clients, next };
        if let Request::Who(who) = &pending.request {
            roster = self.roster_for(who, roster);
        }
        self.finish(now, pending.id, roster);
    }

    /// A part of what was searched for: the hub does not look at everything at once.
    pub(super) fn found(&mut self, now: Time, mut so_far: Collecting, mut found: event::Found) {
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

    fn ask_page(&mut self, now: Time, request: Request, so_far: Collecting) {
        self.ask(now, request, Origin::Page(Box::new(so_far)));
    }

    fn refuse_page(&mut self, now: Time, id: Mark, event: &str) {
        let message = format!("The hub's answer does not fit: {event}.");
        self.refuse(now, id, Failure::new(ErrorCode::WrongProtocol, message));
    }

    /// The answer to a request for another page, or to what began it.
    pub(super) fn page_answered(&mut self, now: Time, so_far: Collecting, event: Event) {
        match event {
            Event::TablePage(page) => self.table_page(now, so_far, page),
            Event::RosterPage(page) => self.roster_page(now, so_far, page),
            Event::Found(found) => self.found(now, so_far, found),
            Event::Error(error) => self.refuse(now, so_far.pending.id, error.into()),
            other => self.refuse_page(now, so_far.pending.id, other.name()),
        }
    }

    /// A hub that has forgotten us is asked again for what is still wanted. It counts its revisions anew: answers of
    /// which some pages are there are begun anew, too.
    pub(super) fn ask_anew(&mut self) {
        self.asks.retain(|_, (_, origin)| origin.outlives_the_hub());
        for (id, (ask, origin)) in &mut self.asks {
            if let Origin::Page(so_far) = origin {
                let pending = so_far.pending.clone();
                *ask = Ask::Request(crate::protocol::RequestLine {
                    id: Some(Id::Number(*id)),
                    request: pending.request.clone(),
                });
                *origin = Origin::User(Box::new(pending));
            }
        }
    }
}

/// Whether a `list` can go on after this: it names an offer by its file, and its owner after the last `/`.
pub(super) fn check_place(place: &str) -> Result<(), Failure> {
    if place.rsplit_once('/').is_some_and(|(file, owner)| !file.is_empty() && !owner.is_empty()) {
        return Ok(());
    }
    let message = "To go on, name the offer that `next` named: FILE/OWNER.";
    Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after")))
}
