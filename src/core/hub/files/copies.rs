//! The files that the hub serves itself: its own, and the copies that it keeps of clients' files (`offer --keep`).
//!
//! Which copies exist and are wished is part of the state. [`Copies`] knows what this machine does about it: whose
//! bytes are on disk, which copies wait, and which are being fetched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::ports::CopyPlan;
use crate::core::hub::state::{
    Body, CopyKey, ListedOffer, Owner, SessionRecord, Wish, body, check_content, decide, {self},
};
use crate::core::hub::{Output, PeerId};
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::record::{CopyRecord, Record};
use crate::protocol::types::Content;
use crate::protocol::{ContentHash, ErrorCode, Failure, event, log};

/// The number of copies that are made at the same time.
const AT_ONCE: usize = 2;

/// What this machine does for the copies of the state.
#[derive(Default)]
pub(in crate::core::hub) struct Copies {
    /// The contents whose bytes are on disk. After a start, those of earlier runs are added as the driver finds them.
    on_disk: BTreeSet<Body>,
    /// The copies to make, by client and by the number of the wish. Clients take turns.
    queue: BTreeMap<PeerId, BTreeMap<u64, Making>>,
    /// The client whose turn was last.
    turn: PeerId,
    /// The copies that are being fetched. One whose wish is gone by then is discarded.
    making: BTreeMap<u64, Making>,
}

/// A copy that does not exist yet.
struct Making {
    /// The client that offers the file, and is told whether it is kept.
    peer: PeerId,
    owner: String,
    content: Arc<Content>,
}

impl Making {
    fn key(&self) -> CopyKey {
        (NameKey::of(&self.owner), self.content.file.to_string())
    }
}

impl Copies {
    /// The next copy to make: clients take turns.
    fn next(&mut self) -> Option<(u64, Making)> {
        let after = self.queue.range(self.turn + 1..).next().map(|(peer, _)| *peer);
        let peer = after.or_else(|| self.queue.keys().next().copied())?;
        self.turn = peer;
        let number = *self.queue.get(&peer)?.keys().next()?;
        self.unqueue(peer, number).map(|making| (number, making))
    }

    fn unqueue(&mut self, peer: PeerId, number: u64) -> Option<Making> {
        let theirs = self.queue.get_mut(&peer)?;
        let making = theirs.remove(&number);
        if theirs.is_empty() {
            self.queue.remove(&peer);
        }
        making
    }

    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 2] {
        [("queued copies", self.queue.len()), ("copies", self.making.len())]
    }

    /// Whether the bytes of this hash are on disk, whatever size their offer claims.
    fn is_hash_on_disk(&self, hash: ContentHash) -> bool {
        self.on_disk.range((hash, 0)..=(hash, u64::MAX)).next().is_some()
    }
}

/// Removes the wish for a copy.
fn unwish(cx: &mut Cx<'_>, (owner, file): CopyKey) {
    cx.journal.state.apply_of_session(&SessionRecord::CopyUnwished { owner, file });
}

impl Files {
    /// The bytes of copies are on disk, with this size: lists those whose owners do not offer them now.
    pub(in crate::core::hub) fn copy_found(&mut self, cx: &mut Cx<'_>, hash: ContentHash, size: u64) {
        if cx.config.files.is_none() {
            return;
        }
        let found = match self.copies.on_disk.contains(&(hash, size)) {
            true => Vec::new(),
            false => cx.journal.state.copies().of_body((hash, size)),
        };
        if !found.is_empty() {
            self.copies.on_disk.insert((hash, size));
        }
        for (owner, content) in found {
            if cx.journal.state.table().get(&state::key(&content.file, &owner)).is_none() {
                self.list(cx, &owner, ListedOffer { owner: Owner::Kept, content });
            }
        }
    }

    /// Whether the bytes of a copy with this content are on disk.
    pub(in crate::core::hub) fn has_copy_of(&self, content: &Content) -> bool {
        self.copies.on_disk.contains(&body(content))
    }

    /// The content of a copy whose bytes are on disk.
    fn servable_copy(&self, cx: &Cx<'_>, name_key: &NameKey, file: &str) -> Option<Arc<Content>> {
        let content = cx.journal.state.copies().content(name_key, file);
        content.filter(|content| self.copies.on_disk.contains(&body(content))).cloned()
    }

    /// A client wants a copy of its offer kept: queues it, or tells the client why not. If the copy exists already, the
    /// client is told when that is on disk.
    pub(in crate::core::hub) fn keep_copy(&mut self, cx: &mut Cx<'_>, id: PeerId, content: &Arc<Content>) {
        let Ok(me) = cx.sessions.me(id) else { return };
        let there = self.servable_copy(cx, &me.name_key, &content.file).is_some_and(|kept| kept.hash == content.hash);
        if there && cx.config.files.is_some() && cx.journal.health.is_well() {
            // The first record may not be on disk yet, so it is recorded again, and told when that is on disk.
            return self.note_copy(cx, id, me.name_key, me.name, content.clone());
        }
        let wished = cx.journal.state.copies().wished(&(me.name_key.clone(), content.file.to_string()));
        if let Some(wished) = wished.filter(|wished| wished.content.hash == content.hash && wished.session == id) {
            let wish = Wish { content: content.clone(), ..wished.clone() };
            return cx.journal.state.apply_of_session(&SessionRecord::CopyWished { owner: me.name_key, wish });
        }
        let room = cx.config.files.as_ref().map_or(0, |files| files.room);
        let copies = cx.journal.state.copies();
        let known = copies.is_known(&body(content));
        let missing = copies.used().saturating_add(content.size).saturating_sub(room);
        let failure = if room == 0 {
            Some(Failure::from(ErrorCode::KeepsNothing))
        } else if let Err(failure) = cx.journal.can_keep() {
            Some(failure)
        } else if !known && missing > 0 {
            let message = format!("The hub has no room for a copy: {missing} bytes are missing.");
            Some(Failure::new(ErrorCode::NoRoom, message))
        } else {
            None
        };
        if let Some(failure) = failure {
            return tell_stored(cx, id, content, Some(failure));
        }
        let making = Making { peer: id, owner: me.name, content: content.clone() };
        if self.copies.on_disk.contains(&body(content)) {
            return self.copy_made(cx, making);
        }
        let number = cx.journal.state.copies().last() + 1;
        self.copy_unwanted(cx, &making.key(), ErrorCode::NotOffered);
        let wish = Wish { number, session: id, content: content.clone() };
        cx.journal.state.apply_of_session(&SessionRecord::CopyWished { owner: me.name_key, wish });
        self.copies.queue.entry(id).or_default().insert(number, making);
        self.make_copies(cx);
    }

    /// Starts the next copies, at most [`AT_ONCE`] at a time and only while the store is well.
    pub(in crate::core::hub) fn make_copies(&mut self, cx: &mut Cx<'_>) {
        while self.copies.making.len() < AT_ONCE && cx.journal.health.is_well() {
            let Some((copy, making)) = self.copies.next() else { return };
            match cx.only_holder(making.peer, &making.content) {
                Some((offer, key)) => {
                    let source = event::Holder { offer, key, has: None };
                    cx.out.push_back(Output::Copy(CopyPlan { copy, source }));
                    self.copies.making.insert(copy, making);
                }
                // Its owner has left before its turn came.
                None => self.copy_unwanted(cx, &making.key(), ErrorCode::NotOffered),
            }
        }
    }

    /// A copy is on disk, or could not be made: records or discards it, and tells its client.
    pub(in crate::core::hub) fn copied(&mut self, cx: &mut Cx<'_>, copy: u64, result: Result<(), Failure>) {
        let Some(making) = self.copies.making.remove(&copy) else { return };
        // By now the copy may not be wished any more, or another one in its place.
        let wish = decide::copied(&cx.journal.state, copy, &making.key());
        if result.is_ok() {
            self.copy_found(cx, making.content.hash, making.content.size);
        }
        match result {
            Ok(()) if wish.is_none() => self.discard(cx, making.content.hash),
            Ok(()) => self.copy_made(cx, making),
            Err(failure) => {
                if let Some(Wish { session, content, .. }) = wish {
                    unwish(cx, making.key());
                    tell_stored(cx, session, &content, Some(failure.clone()));
                }
                let (code, message) = (failure.code, failure.message.into_owned());
                cx.log(log::FileNotKept { name: making.owner, file: making.content.file.to_string(), code, message });
            }
        }
        self.make_copies(cx);
    }

    /// The bytes of a copy are on disk: records it, tells its client, and lists it if nobody offers it now.
    fn copy_made(&mut self, cx: &mut Cx<'_>, making: Making) {
        let (name_key, _) = making.key();
        let Making { peer, owner, content } = making;
        self.copies.on_disk.insert(body(&content));
        self.note_copy(cx, peer, name_key, owner.clone(), content.clone());
        let (file, size, total) = (content.file.to_string(), content.size, cx.journal.state.copies().used());
        cx.log(log::FileKept { name: owner.clone(), file: file.clone(), size, total });
        // The owner may have left already.
        if cx.journal.state.table().get(&state::key(&file, &owner)).is_none() {
            self.list(cx, &owner, ListedOffer { owner: Owner::Kept, content });
        }
    }

    /// Records a copy. Its client is told when the record is on disk.
    fn note_copy(&mut self, cx: &mut Cx<'_>, peer: PeerId, name_key: NameKey, owner: String, content: Arc<Content>) {
        let key = (name_key.clone(), content.file.to_string());
        cx.record(Record::Copy(CopyRecord { name_key, owner, content: (*content).clone() }));
        if cx.journal.state.copies().wished(&key).is_some_and(|wish| wish.content.hash == content.hash) {
            unwish(cx, key);
        }
        cx.journal.commits.hold(AwaitingCommit::Stored { peer, content });
    }

    /// Another content is offered under this name, so the copy of the old one is dropped.
    pub(in crate::core::hub) fn outdate_copy(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, content: &Content) {
        let key = (name_key.to_owned(), content.file.to_string());
        let kept = cx.journal.state.copies().content(name_key, &content.file).map(|kept| kept.hash);
        let wanted = cx.journal.state.copies().wished(&key).map(|wish| wish.content.hash);
        if [kept, wanted].into_iter().flatten().any(|hash| hash != content.hash) {
            self.drop_copy(cx, name_key, &content.file);
        }
    }

    /// Drops the copy of a file, whether it exists or is only wished.
    pub(in crate::core::hub) fn drop_copy(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, file: &str) {
        let key = (name_key.to_owned(), file.to_owned());
        self.copy_unwanted(cx, &key, ErrorCode::NotOffered);
        let Some(content) = cx.journal.state.copies().content(name_key, file).cloned() else { return };
        cx.record(Record::CopyGone { name_key: key.0, file: key.1 });
        if !cx.journal.state.copies().keeps(&body(&content)) {
            self.copies.on_disk.remove(&body(&content));
        }
        if !cx.journal.state.copies().is_known(&body(&content)) {
            self.discard(cx, content.hash);
        }
    }

    /// Drops all copies of somebody whose name is gone.
    pub(in crate::core::hub) fn drop_copies_of(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, owner: &str) {
        let files = cx.journal.state.copies().below(name_key, "");
        for file in &files {
            self.drop_copy(cx, name_key, file);
        }
        self.unlist(cx, owner, &files, true);
    }

    /// Drops the copies whose owners' names went while the hub did not run.
    pub(in crate::core::hub) fn drop_copies_of_nobody(&mut self, cx: &mut Cx<'_>) {
        for (name_key, file) in cx.journal.state.copies().of_nobody(|name| cx.journal.state.names().is_taken(name)) {
            self.drop_copy(cx, &name_key, &file);
        }
    }

    /// Removes the wish for a copy, and tells its client why.
    fn copy_unwanted(&mut self, cx: &mut Cx<'_>, key: &CopyKey, code: ErrorCode) {
        let Some(Wish { number, session, content }) = cx.journal.state.copies().wished(key).cloned() else { return };
        unwish(cx, key.clone());
        self.copies.unqueue(session, number);
        tell_stored(cx, session, &content, Some(code.into()));
    }

    /// A client has left, so its queued copies cannot be made any more.
    pub(in crate::core::hub) fn copies_left(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        for (_, making) in self.copies.queue.remove(&id).into_iter().flatten() {
            unwish(cx, making.key());
        }
    }

    /// Has the driver remove the bytes of a copy, unless they belong to another copy that exists or is being made.
    fn discard(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        let making = self.copies.making.values().any(|making| making.content.hash == hash);
        if !making && !self.copies.is_hash_on_disk(hash) {
            cx.out.push_back(Output::Discard(hash));
        }
    }

    /// The bytes of a copy are not on disk any more, or have changed: drops all copies of this hash.
    pub(in crate::core::hub) fn copy_lost(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        for ((name_key, file), owner) in cx.journal.state.copies().of_hash(hash) {
            self.drop_copy(cx, &name_key, &file);
            let kept = cx.journal.state.table().get(&state::key(&file, &owner));
            if kept.is_some_and(|listed| listed.owner == Owner::Kept) {
                self.unlist(cx, &owner, &[&file], true);
            }
            let (code, message) = (ErrorCode::SourceGone, "The copy is not on the disk any more.".to_owned());
            cx.log(log::FileNotKept { name: owner, file, code, message });
        }
    }

    /// The files that the hub itself offers have changed: lists and unlists them.
    pub(in crate::core::hub) fn hub_files_changed(
        &mut self,
        cx: &mut Cx<'_>,
        changed: Vec<Content>,
        gone: Vec<String>,
    ) {
        let sound = |content: &Content| check_content(content).is_ok();
        let files: Vec<String> = changed.iter().map(|content| content.file.to_string()).collect();
        for content in changed.into_iter().filter(sound) {
            self.list(cx, HUB, ListedOffer { owner: Owner::Hub, content: Arc::new(content) });
        }
        if !files.is_empty() {
            let revision = cx.journal.state.revision();
            cx.log(log::OffersAdded { name: HUB.to_owned(), files, revision });
        }
        self.unlist(cx, HUB, &gone, false);
    }
}

/// Tells a client whether a copy of its file is kept.
pub(in crate::core::hub) fn tell_stored(cx: &mut Cx<'_>, id: PeerId, content: &Content, failure: Option<Failure>) {
    let (file, hash) = (content.file.to_string(), content.hash);
    let (code, message) = failure.map(|failure| (failure.code, failure.message.into_owned())).unzip();
    cx.tell(id, event::Stored { file, hash, code, message });
}
