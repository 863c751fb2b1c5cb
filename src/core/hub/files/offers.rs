//! Changes the table of offers: clients publish and withdraw files, leave, or move to another address.

use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::state::decide::TakenOff;
use crate::core::hub::state::{Holder, ListedOffer, Owner, SessionRecord, decide, key};
use crate::core::hub::{PeerId, roster};
use crate::protocol::limits::FILES_PER_REQUEST;
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::types::Content;
use crate::protocol::wire::Publish;
use crate::protocol::{ErrorCode, Event, Failure, event, log, request};

/// The number of files that are published for the price of one request.
const FILES_FOR_ONE: usize = 64;

impl Files {
    /// Handles `offer`: puts a client's files into the table.
    ///
    /// # Errors
    /// `not-registered`, `too-many-offers`, `slow-down`; what is wrong with one of the files. Nothing has changed then.
    pub(in crate::core::hub) fn publish(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: Publish,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.holder(id)?;
        if request.publish.len() > FILES_PER_REQUEST {
            return Err(ErrorCode::TooManyOffers.into());
        }
        for _ in 0..=request.publish.len() / FILES_FOR_ONE {
            cx.spend_request(id)?;
        }
        let contents: Vec<Arc<Content>> = request.publish.into_iter().map(Arc::new).collect();
        let most = cx.config.limits.offers;
        let changed = decide::offer(&cx.journal.state, &me, &contents, request.more, most)?;
        let added: Vec<String> = changed.iter().map(|content| content.file.to_string()).collect();
        for content in changed {
            self.list(cx, &me.name, ListedOffer { owner: Owner::Client(id), content });
        }
        for content in &contents {
            self.outdate_copy(cx, &me.name_key, content);
            if request.keep {
                self.keep_copy(cx, id, content);
            }
        }
        let revision = cx.journal.state.revision();
        if !added.is_empty() {
            cx.log(log::OffersAdded { name: me.name.clone(), files: added, revision });
        }
        let listed = contents.iter().filter_map(|content| {
            cx.journal.state.table().get(&key(&content.file, &me.name)).map(|listed| cx.offer(&me.name, listed))
        });
        Ok(event::OfferAcked { offers: listed.collect(), revision, skipped: Vec::new(), at_most: None }.into())
    }

    /// Handles `withdraw` for files and folders. It succeeds only if each of them has something to withdraw.
    ///
    /// # Errors
    /// `not-registered`, `not-offered`; `too-many` if the answer would be too long
    pub(in crate::core::hub) fn withdraw(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: request::Withdraw,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.holder(id)?;
        let files = decide::withdraw(&cx.journal.state, &me, request)?;
        Ok(self.take_off(cx, &me, files))
    }

    /// Files have disappeared at their owner's: withdraws those that are offered. At most as many are taken as one frame
    /// can carry.
    pub(in crate::core::hub) fn gone(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        files: Vec<String>,
    ) -> Result<Event, Failure> {
        let me = cx.sessions.holder(id)?;
        cx.spend_request(id)?;
        let files = decide::files_gone(&cx.journal.state, &me, files);
        Ok(self.take_off(cx, &me, files))
    }

    /// Withdraws a client's files, and drops the hub's copies of them.
    fn take_off(&mut self, cx: &mut Cx<'_>, me: &Holder, files: Vec<String>) -> Event {
        for file in &files {
            self.drop_copy(cx, &me.name_key, file);
        }
        self.unlist(cx, &me.name, &files, false);
        event::Withdrawn { files, revision: cx.journal.state.revision() }.into()
    }

    /// Puts an offer into the table, or replaces it.
    pub(in crate::core::hub) fn list(&mut self, cx: &mut Cx<'_>, owner: &str, listed: ListedOffer) {
        let key = cx.journal.state.table().key_of(&listed.content.file, owner);
        if let Some(old) = cx.journal.state.table().get(&key) {
            self.holders.unlisted(&old.content.hash, &key);
        }
        self.holders.listed(listed.content.hash, &key);
        if let Owner::Client(id) = listed.owner {
            self.is_news(cx, listed.content.hash, id);
        }
        let (owner, server, content) = (key.1, listed.owner, listed.content);
        cx.record_of_session(&SessionRecord::Listed { owner, server, content });
    }

    /// Takes offers out of the table. Files of which the hub has a copy stay, served by the hub. If the owner has
    /// `left`, the others are remembered as orphans while somebody has fetched their contents.
    pub(in crate::core::hub) fn unlist(&mut self, cx: &mut Cx<'_>, owner: &str, files: &[impl AsRef<str>], left: bool) {
        let mut gone = Vec::with_capacity(files.len());
        for file in files.iter().map(AsRef::as_ref) {
            let can_serve = |content: &Content| cx.config.files.is_some() && self.has_copy_of(content);
            let content = match decide::taken_off(&cx.journal.state, owner, file, can_serve) {
                Some(TakenOff::Kept(content)) => {
                    self.list(cx, owner, ListedOffer { owner: Owner::Kept, content });
                    continue;
                }
                Some(TakenOff::Gone(content)) => content,
                None => continue,
            };
            let key = key(file, owner);
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

    /// A client's address has changed: updates its line in the roster and tells its offers anew.
    pub(in crate::core::hub) fn moved(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        let Some(peer) = cx.sessions.get(id) else { return };
        let Some(name) = peer.name.clone() else { return };
        let files = cx.journal.state.table().files_of(id).cloned().collect();
        self.offers_moved(cx, id, &name.name, files);
        if let Some((state, since)) =
            cx.journal.state.roster().get(&name.name).map(|client| (client.state, client.since))
        {
            roster::show(cx, id, state, since);
        }
    }
}

/// Whether an offer is by this person. The hub's copies are also by the hub.
pub(in crate::core::hub) fn is_from(from: Option<&NameKey>, owner: &str, listed: &ListedOffer) -> bool {
    from.is_none_or(|from| NameKey::of(owner) == *from || (from.as_str() == HUB && listed.owner == Owner::Kept))
}
