//! The table: what is offered, and by whom.

use std::ops::Bound;
use std::sync::Arc;

use super::state::{Owner, SessionRecord, Shelved, key};
use super::{Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::human::quoted;
use crate::protocol::limits::{ANSWER_BYTES, FILES_PER_REQUEST, PUBLISH_FILES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::types::Content;
use crate::protocol::wire::Publish;
use crate::protocol::{ErrorCode, Event, Failure, Offer, event, log, request};

/// How many files are offered for the price of one request.
const FILES_FOR_ONE: usize = 64;

impl Hub {
    pub(super) fn publish(&mut self, now: Time, id: PeerId, request: Publish) -> Result<Event, Failure> {
        let me = self.me(id)?;
        if request.publish.len() > FILES_PER_REQUEST {
            return Err(ErrorCode::TooManyOffers.into());
        }
        for _ in 0..=request.publish.len() / FILES_FOR_ONE {
            self.spend_request(now, id)?;
        }
        for (i, content) in request.publish.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/files/{i}")));
            check_content(content).map_err(at)?;
        }
        let limit = self.config.limits.offers;
        let offers = &self.peers.get(&id).ok_or(ErrorCode::Internal)?.offers;
        let fresh = request.publish.iter().filter(|content| !offers.contains_key(&content.file)).count();
        let more = usize::try_from(request.more).unwrap_or(usize::MAX);
        if (offers.len() + fresh).saturating_add(more) > limit {
            return Err(Failure::new(ErrorCode::TooManyOffers, format!("A client may offer {limit} files.")));
        }
        let mut added = Vec::new();
        let mut files = Vec::with_capacity(request.publish.len());
        for content in request.publish {
            files.push(content.file.clone());
            let content = Arc::new(content);
            if self.shelve(now, id, &me.name, &content) {
                added.push(content.file.to_string());
            }
            self.outdate_copy(now, &me.name_key, &content);
            if request.keep {
                self.keep_copy(now, id, &content);
            }
        }
        let revision = self.state.revision();
        if !added.is_empty() {
            self.log(log::OffersAdded { name: me.name.clone(), files: added, revision });
        }
        let shelved = files.into_iter().filter_map(|file| {
            self.state.table().get(&key(&file, &me.name)).map(|shelved| self.offer(&me.name, shelved))
        });
        Ok(event::OfferAcked { offers: shelved.collect(), revision, skipped: Vec::new(), at_most: None }.into())
    }

    /// Puts a client's content into the table; says whether that changed anything.
    fn shelve(&mut self, now: Time, id: PeerId, owner: &str, content: &Arc<Content>) -> bool {
        let Some(peer) = self.peers.get_mut(&id) else { return false };
        if peer.offers.get(&content.file).is_some_and(|known| known == content) {
            return false;
        }
        peer.offers.insert(content.file.clone(), content.clone());
        self.list(now, owner, Shelved { owner: Owner::Client(id), content: content.clone() });
        true
    }

    pub(super) fn withdraw(&mut self, now: Time, id: PeerId, request: request::Withdraw) -> Result<Event, Failure> {
        let me = self.me(id)?;
        request::check_count(&request.files)?;
        let peer = self.peers.get(&id).ok_or(ErrorCode::Internal)?;
        let mut files = Vec::with_capacity(request.files.len());
        for (i, file) in request.files.into_iter().enumerate() {
            let before = files.len();
            if file.ends_with('/') {
                // `./` is all there is, as `.` is when it is offered.
                let prefix = if file == "./" { "" } else { &file };
                let from = (Bound::Included(prefix), Bound::Unbounded);
                let below = peer.offers.range::<str, _>(from).map(|(name, _)| name.to_string());
                files.extend(below.take_while(|name| name.starts_with(prefix)));
                files.extend(self.state.copies().below(&me.name_key, prefix));
            } else if peer.offers.contains_key(file.as_str()) || self.has_copy(&me.name_key, &file) {
                files.push(file.clone());
            }
            if files.len() == before {
                let folder = format!("{file}/");
                let from = (Bound::Included(folder.as_str()), Bound::Unbounded);
                let below = peer.offers.range::<str, _>(from).next().is_some_and(|(name, _)| name.starts_with(&folder));
                let failure = match below {
                    true => Failure::new(ErrorCode::NotOffered, format!("{file} is a folder: you offer {folder}."))
                        .hint(format!("`withdraw {}` takes back all that is in it.", quoted(&folder))),
                    false => Failure::new(ErrorCode::NotOffered, format!("You do not offer {file}.")),
                };
                return Err(failure.at(pointer_at(&format!("/files/{i}"))));
            }
        }
        files.sort();
        files.dedup();
        if files.iter().map(|file| file.len() + 16).sum::<usize>() > ANSWER_BYTES {
            let message = "That is more than can be taken back at once; name the folders in it one by one.";
            return Err(Failure::new(ErrorCode::TooMany, message));
        }
        self.take_off(now, id, files)
    }

    /// Files are gone at their owner's: those of them that are offered are withdrawn.
    pub(super) fn gone(&mut self, now: Time, id: PeerId, mut files: Vec<String>) -> Result<Event, Failure> {
        let me = self.me(id)?;
        self.spend_request(now, id)?;
        let peer = self.peers.get(&id).ok_or(ErrorCode::Internal)?;
        files.truncate(PUBLISH_FILES);
        files.retain(|file| peer.offers.contains_key(file.as_str()) || self.has_copy(&me.name_key, file));
        files.sort();
        files.dedup();
        self.take_off(now, id, files)
    }

    fn take_off(&mut self, now: Time, id: PeerId, files: Vec<String>) -> Result<Event, Failure> {
        let me = self.me(id)?;
        let peer = self.peers.get_mut(&id).ok_or(ErrorCode::Internal)?;
        for file in &files {
            peer.offers.remove(file.as_str());
        }
        for file in &files {
            self.drop_copy(now, &me.name_key, file);
        }
        self.unlist(now, &me.name, &files, false);
        Ok(event::Withdrawn { files, revision: self.state.revision() }.into())
    }

    /// Puts an offer into the table.
    pub(super) fn list(&mut self, now: Time, owner: &str, shelved: Shelved) {
        let key = self.state.table().key_of(&shelved.content.file, owner);
        if let Some(old) = self.state.table().get(&key) {
            self.holders.unlisted(&old.content.hash, &key);
        }
        self.holders.listed(shelved.content.hash, &key);
        if let Owner::Client(id) = shelved.owner {
            self.is_news(now, shelved.content.hash, id);
        }
        let (owner, server, content) = (key.1, shelved.owner, shelved.content);
        self.record_of_session(now, &SessionRecord::Listed { owner, server, content });
    }

    /// Takes offers out of the table. Those of which the hub has a copy stay, served by the hub. If it is their owner who
    /// is gone, the others can still be had from those who have fetched them.
    pub(super) fn unlist(&mut self, now: Time, owner: &str, files: &[impl AsRef<str>], left: bool) {
        let name_key = NameKey::of(owner);
        let mut gone = Vec::with_capacity(files.len());
        for file in files.iter().map(AsRef::as_ref) {
            if self.config.files.is_some()
                && let Some(content) = self.servable_copy(&name_key, file)
            {
                self.list(now, owner, Shelved { owner: Owner::Kept, content });
                continue;
            }
            let key = key(file, owner);
            let Some(shelved) = self.state.table().get(&key) else { continue };
            let content = shelved.content.clone();
            self.holders.unlisted(&content.hash, &key);
            if left {
                self.holders.orphaned(key.clone(), content);
            }
            let (file_key, owner_key) = key;
            self.record_of_session(now, &SessionRecord::Unlisted { owner: owner_key, file: file_key });
            gone.push(file.to_owned());
        }
        if !gone.is_empty() {
            let revision = self.state.revision();
            self.log(log::OffersRemoved { name: owner.to_owned(), files: gone, revision });
        }
    }

    /// The client's address has changed, and so have its offers and its line in the roster.
    pub(super) fn moved(&mut self, now: Time, id: PeerId) {
        let Some(peer) = self.peers.get(&id) else { return };
        let Some(name) = peer.name.clone() else { return };
        let files = peer.offers.keys().cloned().collect();
        self.offers_moved(now, id, &name.name, files);
        if let Some((state, since)) = self.state.roster().get(&name.name).map(|client| (client.state, client.since)) {
            self.show(now, id, state, since);
        }
    }

    /// An offer as everybody sees it.
    pub(super) fn offer(&self, owner: &str, shelved: &Shelved) -> Offer {
        let (address, port) = match shelved.owner {
            Owner::Client(id) => self.peers.get(&id).map(|peer| (peer.address.ip(), peer.port)),
            Owner::Gone => None,
            Owner::Hub | Owner::Kept => self.config.files.as_ref().map(|files| (files.address, files.port)),
        }
        .unwrap_or((std::net::Ipv4Addr::UNSPECIFIED.into(), 0));
        let content = &shelved.content;
        Offer {
            file: content.file.to_string(),
            owner: owner.to_owned(),
            size: content.size,
            hash: content.hash,
            chunk_size: content.chunk_size,
            chunks: content.chunks,
            modified: content.modified,
            kept: shelved.owner == Owner::Kept,
            address,
            port,
        }
    }
}

/// Whether a content can be offered.
pub(super) fn check_content(content: &Content) -> Result<(), Failure> {
    check_file(&content.file)?;
    content.chunking().ok_or_else(|| Failure::new(ErrorCode::BadRequest, "size and chunks do not fit together"))?;
    Ok(())
}
