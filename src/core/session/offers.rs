//! Our offers. They are hashed, published to the hub in pieces, published again after changes on disk, and withdrawn.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use super::asks::Origin;
use super::context::Context;
use super::pending::{Pending, RequestId};
use super::pending_offer::{Offered, PendingOffer};
use super::{FilesChanged, Hashed, Output};
use crate::core::time::Time;
use crate::protocol::limits::{HubLimits, PUBLISH_FILES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::transfer::MAX_CHUNKS;
use crate::protocol::wire::{Ask, Gone, Publish};
use crate::protocol::{At, Content, ErrorCode, Failure, Offer, Request, event, request};

/// Our offers, and the folder that they are relative to. See the [module](self).
pub(super) struct Offers {
    /// The folder that has been chosen, if one has.
    dir: Option<String>,
    /// The offered files, by name.
    offered: BTreeMap<Arc<str>, Box<Offered>>,
    /// Offers with `--keep` of which the hub has not made all copies.
    keeping: Vec<PendingOffer>,
    /// The prefixes of watched folders, in which new files are offered by themselves.
    watched: BTreeSet<String>,
    /// Changes on disk that the hub has not been told of; `None` for a file that is gone.
    changes: BTreeMap<Arc<str>, Option<Content>>,
}

impl Offers {
    /// No offers. `dir` is the folder to begin with.
    pub(super) fn new(dir: Option<String>) -> Self {
        Self { dir, offered: BTreeMap::new(), keeping: Vec::new(), watched: BTreeSet::new(), changes: BTreeMap::new() }
    }

    /// The folder that has been chosen.
    pub(super) fn dir(&self) -> Option<&str> {
        self.dir.as_deref()
    }

    /// Another folder is chosen.
    pub(super) fn choose_dir(&mut self, dir: String) {
        self.dir = Some(dir);
    }

    /// Whether an `offer --keep` waits for the hub's copies.
    pub(super) fn waits_for_copies(&self) -> bool {
        !self.keeping.is_empty()
    }

    /// Our own copy of an offer's file name, if we offer it, so that it is held in memory once.
    pub(super) fn name_of(&self, offer: &Offer) -> Option<Arc<str>> {
        self.offered.get_key_value(offer.file.as_str()).map(|(file, _)| file.clone())
    }

    /// The folder and the files that an `offer` is about, each once.
    ///
    /// # Errors
    /// Why they cannot be offered.
    pub(super) fn to_hash(&self, cx: &Context, offer: &request::Offer) -> Result<(String, Vec<String>), Failure> {
        if !cx.registration.is_in() {
            return Err(ErrorCode::NotRegistered.into());
        }
        let dir = self.dir.clone().ok_or(ErrorCode::NoDir)?;
        request::check_count(&offer.files)?;
        if offer.chunks.is_some_and(|chunks| !(1..=MAX_CHUNKS).contains(&chunks)) {
            let message = format!("A file has 1 to {MAX_CHUNKS} chunks.");
            return Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/chunks")));
        }
        for (i, file) in offer.files.iter().enumerate() {
            check_entry(file).map_err(|failure| failure.at(pointer_at(&format!("/files/{i}"))))?;
        }
        Ok((dir, distinct(&offer.files).map(|(_, file)| file.clone()).collect()))
    }

    /// Files have been hashed, or could not be: the hub is told of them.
    pub(super) fn hashed(&mut self, now: Time, cx: &mut Context, pending: Pending, result: Result<Hashed, Failure>) {
        let Hashed { contents, skipped } = match result {
            Ok(hashed) => hashed,
            Err(failure) => {
                let failure = as_written(&pending.request, failure);
                return cx.refuse(now, pending.id, failure);
            }
        };
        let Request::Offer(offer) = &pending.request else { return };
        let keep = offer.keep;
        let watched: Vec<String> = offer.files.iter().filter(|_| offer.watch).map(|folder| prefix(folder)).collect();
        let limit = HubLimits::default().offers;
        let fresh = contents.iter().filter(|content| !self.offered.contains_key(&content.file)).count();
        if self.offered.len() + fresh > limit {
            self.unserve(cx, contents.iter().map(|content| content.file.to_string()).chain(folders(&watched)));
            let message = format!("A client may offer {limit} files; these would be {fresh} more.");
            return cx.refuse(now, pending.id, Failure::new(ErrorCode::TooManyOffers, message));
        }
        let uncopied = keep.then(|| contents.iter().map(|content| content.file.clone()).collect());
        let count = contents.len();
        let mut pieces = in_pieces(contents);
        let first = pieces.pop_front().unwrap_or_default();
        let publishing = PendingOffer {
            pending,
            pieces,
            more: fresh,
            acked: Vec::with_capacity(count),
            like: None,
            skipped,
            uncopied,
            failure: None,
            watched,
        };
        self.publish(now, cx, first, Origin::Offer(Box::new(publishing)));
    }

    /// Publishes contents to the hub. While the hub is lost, the link keeps the frame; while we are registering, it is
    /// sent afterwards.
    fn publish(&mut self, now: Time, cx: &mut Context, publish: Vec<Content>, mut origin: Origin) {
        let (more, keep) = match &mut origin {
            Origin::Offer(publishing) => {
                let fresh = publish.iter().filter(|content| !self.offered.contains_key(&content.file)).count();
                publishing.more = publishing.more.saturating_sub(fresh);
                (publishing.more as u64, publishing.uncopied.is_some())
            }
            Origin::Change => (0, publish.iter().any(|content| self.is_kept(&content.file))),
            Origin::Enter | Origin::Return | Origin::OfferAgain | Origin::User(_) | Origin::Page(_) => (0, false),
            Origin::Push(_) | Origin::Seek(_) | Origin::Forgotten | Origin::Goodbye => (0, false),
        };
        cx.uplink.ask_once_in(now, |id| Ask::Publish(Publish { id, publish, more, keep }), origin);
    }

    fn is_kept(&self, file: &str) -> bool {
        self.offered.get(file).is_some_and(|offered| offered.keep)
    }

    /// The hub has acknowledged a piece: publishes the next one, or answers the request.
    pub(super) fn acked(
        &mut self,
        now: Time,
        cx: &mut Context,
        mut publishing: Box<PendingOffer>,
        published: Vec<Content>,
        mut answer: event::OfferAcked,
    ) {
        let keep = publishing.uncopied.is_some();
        let names: HashSet<Arc<str>> = published.into_iter().map(|content| content.file).collect();
        for offer in &answer.offers {
            let file = names.get(offer.file.as_str()).cloned().unwrap_or_else(|| offer.file.as_str().into());
            let content = offer.content_of(file.clone());
            publishing.acked.push(file.clone());
            self.offered.insert(file, Box::new(Offered { content, keep }));
        }
        publishing.like = answer.offers.pop().or(publishing.like);
        if let Some(next) = publishing.pieces.pop_front() {
            return self.publish(now, cx, next, Origin::Offer(publishing));
        }
        self.watched.extend(std::mem::take(&mut publishing.watched));
        let offers = publishing.offers(&self.offered);
        let skipped = std::mem::take(&mut publishing.skipped);
        let at_most = if let Request::Offer(offer) = &publishing.pending.request { offer.chunks } else { None };
        let acked = event::OfferAcked { offers, revision: answer.revision, skipped, at_most };
        let id = publishing.pending.id.clone();
        if !keep {
            return cx.finish(now, id, acked);
        }
        cx.tell_for(now, id, false, acked);
        self.keeping.push(*publishing);
        self.finish_kept(now, cx);
    }

    /// The hub has refused a piece: takes back the pieces before it, so that all or nothing is offered.
    pub(super) fn refused(
        &mut self,
        now: Time,
        cx: &mut Context,
        publishing: PendingOffer,
        refused: Vec<Content>,
        error: event::Error,
    ) {
        let before: Vec<String> = publishing.acked.iter().map(|file| file.to_string()).collect();
        before.iter().for_each(|file| drop(self.offered.remove(file.as_str())));
        for files in before.chunks(PUBLISH_FILES) {
            cx.ask(now, request::Withdraw { files: files.to_vec() }.into(), Origin::Forgotten);
        }
        let rest = refused.iter().chain(publishing.pieces.iter().flatten()).map(|content| content.file.to_string());
        self.unserve(cx, before.into_iter().chain(rest).chain(folders(&publishing.watched)));
        cx.refuse(now, publishing.pending.id, error.into());
    }

    /// Has the driver stop serving and watching these, except for what other offers still need.
    fn unserve(&mut self, cx: &mut Context, files: impl Iterator<Item = String>) {
        let stays = |file: &String| {
            self.offered.contains_key(file.as_str()) || (file.ends_with('/') && self.watched.contains(&prefix(file)))
        };
        let files: Vec<String> = files.filter(|file| !stays(file)).collect();
        cx.output(Output::Unserve(files));
    }

    /// The hub has copied a file that we offer, or has failed to.
    pub(super) fn stored(&mut self, now: Time, cx: &mut Context, stored: event::Stored) {
        let event::Stored { file, hash, code, message } = stored;
        let failure = code.map(|code| match message {
            Some(message) => Failure::new(code, message),
            None => code.into(),
        });
        let asked =
            cx.uplink.asks_mut().origins_mut().filter_map(|origin| {
                if let Origin::Offer(publishing) = origin { Some(&mut **publishing) } else { None }
            });
        let waiting = asked.chain(&mut self.keeping).filter(|publishing| publishing.waits_for(&file));
        let waited = waiting.map(|publishing| publishing.stored(&file, failure.clone())).count();
        if waited > 0 {
            return self.finish_kept(now, cx);
        }
        // No request waits for it: the file has changed, or was offered again to a restarted hub.
        match (failure, self.offered.get(file.as_str())) {
            (None, Some(offered)) if offered.content.hash == hash => {
                let bytes = offered.content.size;
                cx.tell(now, event::OfferKept { files: vec![file], bytes });
            }
            (Some(failure), Some(_)) => cx.tell(now, event::Error::from(failure)),
            (None, Some(_)) | (_, None) => {}
        }
    }

    fn finish_kept(&mut self, now: Time, cx: &mut Context) {
        while let Some(at) = self.keeping.iter().position(PendingOffer::is_over) {
            let PendingOffer { pending, acked, failure, .. } = self.keeping.remove(at);
            match failure {
                Some(failure) => cx.refuse(now, pending.id, failure),
                None => {
                    let sizes = acked.iter().filter_map(|file| Some(self.offered.get(file)?.content.size));
                    let bytes = sizes.fold(0u64, u64::saturating_add);
                    let files = acked.iter().map(|file| file.to_string()).collect();
                    cx.finish(now, pending.id, event::OfferKept { files, bytes });
                }
            }
        }
    }

    /// Notes changes on disk. Of several changes of a file, the newest counts.
    pub(super) fn files_changed(&mut self, changes: FilesChanged) {
        self.changes.extend(changes.changed.into_iter().map(|content| (content.file.clone(), Some(content))));
        self.changes.extend(changes.gone.into_iter().map(|file| (file.into(), None)));
    }

    /// Tells the hub the changes on disk, once it has all earlier offers and as far as it takes more.
    pub(super) fn tell_changes(&mut self, now: Time, cx: &mut Context, is_hashing: bool) {
        while !self.changes.is_empty() {
            let offering = cx.uplink.asks().origins().any(|origin| matches!(origin, Origin::Offer(_)));
            let busy = offering || is_hashing || cx.uplink.is_reoffering() || !cx.uplink.takes_requests();
            if cx.registration.is_in() && (busy || !cx.uplink.takes_state()) {
                return;
            }
            let rest = self.changes.keys().nth(PUBLISH_FILES).cloned();
            let rest = rest.map(|from| self.changes.split_off(&from)).unwrap_or_default();
            let piece = std::mem::replace(&mut self.changes, rest);
            self.publish_changes(now, cx, piece);
        }
    }

    fn publish_changes(&mut self, now: Time, cx: &mut Context, changes: BTreeMap<Arc<str>, Option<Content>>) {
        let (mut kept, mut others, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (file, content) in changes {
            // It may have been withdrawn meanwhile.
            let known = self.offered.contains_key(&file) || self.watched.iter().any(|folder| file.starts_with(folder));
            match content {
                Some(content) if known => {
                    let keep = self.is_kept(&file);
                    self.offered.insert(file, Box::new(Offered { content: content.clone(), keep }));
                    if keep { kept.push(content) } else { others.push(content) }
                }
                None if self.offered.remove(&file).is_some() => gone.push(file.to_string()),
                Some(_) | None => {}
            }
        }
        if !cx.registration.is_in() {
            return;
        }
        for contents in [kept, others] {
            if !contents.is_empty() {
                self.publish(now, cx, contents, Origin::Change);
            }
        }
        if !gone.is_empty() {
            cx.uplink.ask_by_number(now, |id| Ask::Gone(Gone { id, gone }), Origin::Change);
        }
    }

    /// Takes out the requests that wait for copies.
    pub(super) fn abandon_copies(&mut self) -> impl Iterator<Item = Pending> + use<> {
        std::mem::take(&mut self.keeping).into_iter().map(|publishing| publishing.pending)
    }

    /// We have left the table: the hub copies nothing of ours any more.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context) {
        for publishing in std::mem::take(&mut self.keeping) {
            let failure = Failure::new(ErrorCode::NotRegistered, "You have left before the hub had a copy.")
                .hint("`rereg` comes back; then offer it again with --keep.");
            cx.refuse(now, publishing.pending.id, failure);
        }
    }

    pub(super) fn withdrawn(
        &mut self,
        now: Time,
        cx: &mut Context,
        id: RequestId,
        asked: &[String],
        answer: event::Withdrawn,
    ) {
        answer.files.iter().for_each(|file| drop(self.offered.remove(file.as_str())));
        let folders = asked.iter().filter(|file| file.ends_with('/')).cloned();
        let ended: Vec<String> = asked.iter().filter(|file| file.ends_with('/')).map(|file| prefix(file)).collect();
        self.watched.retain(|folder| !ended.contains(folder));
        cx.output(Output::Unserve(answer.files.iter().cloned().chain(folders).collect()));
        cx.finish(now, id, answer);
    }

    /// All our offers in pieces that a frame can hold, each with whether the hub is to keep copies.
    pub(super) fn pieces(&self) -> VecDeque<(Vec<Content>, bool)> {
        let mut pieces = VecDeque::new();
        for keep in [false, true] {
            let offered = self.offered.values().filter(|offered| offered.keep == keep);
            let contents = offered.map(|offered| offered.content.clone()).collect();
            pieces.extend(in_pieces(contents).into_iter().map(|piece| (piece, keep)));
        }
        pieces
    }
}

#[cfg(test)]
impl Offers {
    /// Offers a content that nobody was told of.
    pub(super) fn put(&mut self, content: Content) {
        self.offered.insert(content.file.clone(), Box::new(Offered { content, keep: false }));
    }

    /// What is offered under a name.
    pub(super) fn get(&self, file: &str) -> Option<&Content> {
        self.offered.get(file).map(|offered| &offered.content)
    }

    /// How many files are offered.
    pub(super) fn len(&self) -> usize {
        self.offered.len()
    }
}

/// Splits contents into pieces that a frame can hold.
fn in_pieces(contents: Vec<Content>) -> VecDeque<Vec<Content>> {
    let mut contents = contents.into_iter();
    let next = || Some(contents.by_ref().take(PUBLISH_FILES).collect::<Vec<_>>()).filter(|piece| !piece.is_empty());
    std::iter::from_fn(next).collect()
}

/// Checks the name of a file or folder as `offer` has it.
fn check_entry(entry: &str) -> Result<(), Failure> {
    match entry {
        "." | "./" => Ok(()),
        _ => check_file(entry.strip_suffix('/').unwrap_or(entry)),
    }
}

/// The prefix of the names of files in an offered folder.
fn prefix(folder: &str) -> String {
    match folder {
        "." | "./" => String::new(),
        _ => format!("{}/", folder.trim_end_matches('/')),
    }
}

/// Watched folders by their names, as `withdraw` has them.
fn folders(prefixes: &[String]) -> impl Iterator<Item = String> {
    prefixes.iter().map(|prefix| if prefix.is_empty() { "./".to_owned() } else { prefix.clone() })
}

/// The files without repetitions, each with its first place.
fn distinct(files: &[String]) -> impl Iterator<Item = (usize, &String)> {
    let mut seen = HashSet::new();
    files.iter().enumerate().filter(move |(_, file)| seen.insert(*file))
}

/// Repeated files were hashed once; this moves the place of a failure to that in the request as it was written.
fn as_written(request: &Request, failure: Failure) -> Failure {
    let (Request::Offer(offer), Some(At::Pointer(pointer))) = (request, &failure.at) else { return failure };
    let Some(hashed) = pointer.strip_prefix("/files/").and_then(|i| i.parse().ok()) else { return failure };
    match distinct(&offer.files).nth(hashed) {
        Some((i, _)) => failure.at(pointer_at(&format!("/files/{i}"))),
        None => failure,
    }
}
