//! The table: what is offered, and by whom.

use std::ops::Bound;
use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::files::check_content;
use crate::core::hub::files::copies::has_copy;
use crate::core::hub::state::{Owner, SessionRecord, Shelved, key};
use crate::core::hub::{PeerId, roster};
use crate::protocol::human::quoted;
use crate::protocol::limits::{ANSWER_BYTES, FILES_PER_REQUEST, PUBLISH_FILES};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::types::Content;
use crate::protocol::wire::Publish;
use crate::protocol::{ErrorCode, Event, Failure, event, log, request};

/// How many files are offered for the price of one request.
const FILES_FOR_ONE: usize = 64;

impl Files {
    pub(in crate::core::hub) fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: Publish,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.me(id)?;
        if request.publish.len() > FILES_PER_REQUEST {
            return Err(ErrorCode::TooManyOffers.into());
        }
        for _ in 0..=request.publish.len() / FILES_FOR_ONE {
            cx.spend_request(id)?;
        }
        for (i, content) in request.publish.iter().enumerate() {
            let at = |failure: Failure| failure.at(pointer_at(&format!("/files/{i}")));
            check_content(content).map_err(at)?;
        }
        let limit = cx.config.limits.offers;
        let offers = &cx.sessions.get(id).ok_or(ErrorCode::Internal)?.offers;
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
            if self.shelve(cx, id, &me.name, &content) {
                added.push(content.file.to_string());
            }
            self.outdate_copy(cx, &me.name_key, &content);
            if request.keep {
                self.keep_copy(cx, id, &content);
            }
        }
        let revision = cx.journal.state.revision();
        if !added.is_empty() {
            cx.log(log::OffersAdded { name: me.name.clone(), files: added, revision });
        }
        let shelved = files.into_iter().filter_map(|file| {
            cx.journal.state.table().get(&key(&file, &me.name)).map(|shelved| cx.offer(&me.name, shelved))
        });
        Ok(event::OfferAcked { offers: shelved.collect(), revision, skipped: Vec::new(), at_most: None }.into())
    }

    /// Puts a client's content into the table; says whether that changed anything.
    fn shelve(&mut self, cx: &mut Cx<'_>, id: PeerId, owner: &str, content: &Arc<Content>) -> bool {
        let Some(peer) = cx.sessions.get_mut(id) else { return false };
        if peer.offers.get(&content.file).is_some_and(|known| known == content) {
            return false;
        }
        peer.offers.insert(content.file.clone(), content.clone());
        self.list(cx, owner, Shelved { owner: Owner::Client(id), content: content.clone() });
        true
    }

    pub(in crate::core::hub) fn withdraw(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: request::Withdraw,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.me(id)?;
        request::check_count(&request.files)?;
        let peer = cx.sessions.get(id).ok_or(ErrorCode::Internal)?;
        let mut files = Vec::with_capacity(request.files.len());
        for (i, file) in request.files.into_iter().enumerate() {
            let before = files.len();
            if file.ends_with('/') {
                // `./` is all there is, as `.` is when it is offered.
                let prefix = if file == "./" { "" } else { &file };
                let from = (Bound::Included(prefix), Bound::Unbounded);
                let below = peer.offers.range::<str, _>(from).map(|(name, _)| name.to_string());
                files.extend(below.take_while(|name| name.starts_with(prefix)));
                files.extend(cx.journal.state.copies().below(&me.name_key, prefix));
            } else if peer.offers.contains_key(file.as_str()) || has_copy(cx, &me.name_key, &file) {
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
        self.take_off(cx, id, files)
    }

    /// Files are gone at their owner's: those of them that are offered are withdrawn.
    pub(in crate::core::hub) fn gone(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        mut files: Vec<String>,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.me(id)?;
        cx.spend_request(id)?;
        let peer = cx.sessions.get(id).ok_or(ErrorCode::Internal)?;
        files.truncate(PUBLISH_FILES);
        files.retain(|file| peer.offers.contains_key(file.as_str()) || has_copy(cx, &me.name_key, file));
        files.sort();
        files.dedup();
        self.take_off(cx, id, files)
    }

    fn take_off(&mut self, cx: &mut Cx<'_>, id: PeerId, files: Vec<String>) -> Result<Event, Failure> {
        let me = cx.sessions.me(id)?;
        let peer = cx.sessions.get_mut(id).ok_or(ErrorCode::Internal)?;
        for file in &files {
            peer.offers.remove(file.as_str());
        }
        for file in &files {
            self.drop_copy(cx, &me.name_key, file);
        }
        self.unlist(cx, &me.name, &files, false);
        Ok(event::Withdrawn { files, revision: cx.journal.state.revision() }.into())
    }

    /// Puts an offer into the table.
    pub(in crate::core::hub) fn list(&mut self, cx: &mut Cx<'_>, owner: &str, shelved: Shelved) {
        let key = cx.journal.state.table().key_of(&shelved.content.file, owner);
        if let Some(old) = cx.journal.state.table().get(&key) {
            self.holders.unlisted(&old.content.hash, &key);
        }
        self.holders.listed(shelved.content.hash, &key);
        if let Owner::Client(id) = shelved.owner {
            self.is_news(cx, shelved.content.hash, id);
        }
        let (owner, server, content) = (key.1, shelved.owner, shelved.content);
        cx.record_of_session(&SessionRecord::Listed { owner, server, content });
    }

    /// Takes offers out of the table. Those of which the hub has a copy stay, served by the hub. If it is their owner who
    /// is gone, the others can still be had from those who have fetched them.
    pub(in crate::core::hub) fn unlist(&mut self, cx: &mut Cx<'_>, owner: &str, files: &[impl AsRef<str>], left: bool) {
        let name_key = NameKey::of(owner);
        let mut gone = Vec::with_capacity(files.len());
        for file in files.iter().map(AsRef::as_ref) {
            if cx.config.files.is_some()
                && let Some(content) = self.servable_copy(cx, &name_key, file)
            {
                self.list(cx, owner, Shelved { owner: Owner::Kept, content });
                continue;
            }
            let key = key(file, owner);
            let Some(shelved) = cx.journal.state.table().get(&key) else { continue };
            let content = shelved.content.clone();
            self.holders.unlisted(&content.hash, &key);
            if left {
                self.holders.orphaned(key.clone(), content);
            }
            let (file_key, owner_key) = key;
            cx.record_of_session(&SessionRecord::Unlisted { owner: owner_key, file: file_key });
            gone.push(file.to_owned());
        }
        if !gone.is_empty() {
            let revision = cx.journal.state.revision();
            cx.log(log::OffersRemoved { name: owner.to_owned(), files: gone, revision });
        }
    }

    /// The client's address has changed, and so have its offers and its line in the roster.
    pub(in crate::core::hub) fn moved(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        let Some(peer) = cx.sessions.get(id) else { return };
        let Some(name) = peer.name.clone() else { return };
        let files = peer.offers.keys().cloned().collect();
        self.offers_moved(cx, id, &name.name, files);
        if let Some((state, since)) =
            cx.journal.state.roster().get(&name.name).map(|client| (client.state, client.since))
        {
            roster::show(cx, id, state, since);
        }
    }
}

/// Whether an offer is this person's. What the hub keeps is the hub's, too.
pub(in crate::core::hub) fn is_from(from: Option<&NameKey>, owner: &str, shelved: &Shelved) -> bool {
    from.is_none_or(|from| NameKey::of(owner) == *from || (from.as_str() == HUB && shelved.owner == Owner::Kept))
}
