//! What the hub serves itself: its own shelf, and copies of what others offer with `--keep`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::commits::AwaitingCommit;
use super::offers::check_content;
use super::state::{self, Body, CopyKey, Owner, SessionRecord, Shelved, Wish, body};
use super::{Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::record::{CopyRecord, Record};
use crate::protocol::types::Content;
use crate::protocol::{ContentHash, ErrorCode, Failure, PublicKey, event, log};

/// How many copies are made at a time.
const AT_ONCE: usize = 2;

/// Where the hub serves files, and how much room it has for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFiles {
    /// The hub's key.
    pub key: PublicKey,
    /// Its address; unspecified if it listens on all: clients know under which one they reach it.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// Room for copies, in bytes.
    pub room: u64,
}

/// A copy to make.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyPlan {
    /// Its number.
    pub copy: u64,
    /// Who has the content.
    pub source: event::Holder,
}

/// What is being done on this machine for the copies of the state.
#[derive(Default)]
pub(super) struct Copies {
    /// The contents whose bytes are on disk. Those from before are looked for first.
    on_disk: BTreeSet<Body>,
    /// Copies to make, by their owners, who take turns, and by the numbers of their wishes. Whatever is being made that
    /// nobody wishes any more is void.
    queue: BTreeMap<PeerId, BTreeMap<u64, Making>>,
    /// Whose turn it was.
    turn: PeerId,
    making: BTreeMap<u64, Making>,
}

/// A copy that is not there yet.
struct Making {
    /// Who offers it, and wants to hear of it.
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
    /// The next copy to make: owners take turns.
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

    pub(super) fn counts(&self) -> [(&'static str, usize); 2] {
        [("queued copies", self.queue.len()), ("copies", self.making.len())]
    }

    /// Whether the bytes of a content are on disk, whatever its size is said to be.
    fn is_hash_on_disk(&self, hash: ContentHash) -> bool {
        self.on_disk.range((hash, 0)..=(hash, u64::MAX)).next().is_some()
    }
}

impl Hub {
    /// The bytes of copies from before are there, so many: these are offered, unless their owners do so.
    pub(super) fn copy_found(&mut self, now: Time, hash: ContentHash, size: u64) {
        if self.config.files.is_none() {
            return;
        }
        let found = match self.copies.on_disk.contains(&(hash, size)) {
            true => Vec::new(),
            false => self.state.copies().of_body((hash, size)),
        };
        if !found.is_empty() {
            self.copies.on_disk.insert((hash, size));
        }
        for (owner, content) in found {
            if self.state.table().get(&state::key(&content.file, &owner)).is_none() {
                self.list(now, &owner, Shelved { owner: Owner::Kept, content });
            }
        }
    }

    /// The content of a copy that can be served.
    pub(super) fn servable_copy(&self, name_key: &NameKey, file: &str) -> Option<Arc<Content>> {
        let content = self.state.copies().content(name_key, file);
        content.filter(|content| self.copies.on_disk.contains(&body(content))).cloned()
    }

    pub(super) fn has_copy(&self, name_key: &NameKey, file: &str) -> bool {
        self.state.copies().content(name_key, file).is_some()
    }

    /// A client wants a copy kept of what it offers.
    pub(super) fn keep_copy(&mut self, now: Time, id: PeerId, content: &Arc<Content>) {
        let Ok(me) = self.me(id) else { return };
        let there = self.servable_copy(&me.name_key, &content.file).is_some_and(|kept| kept.hash == content.hash);
        if there && self.config.files.is_some() && self.health.is_well() {
            // Noted again, and told when that is on disk: the first note may not be there yet.
            return self.note_copy(id, me.name_key, me.name, content.clone());
        }
        let wished = self.state.copies().wished(&(me.name_key.clone(), content.file.to_string()));
        if let Some(wished) = wished.filter(|wished| wished.content.hash == content.hash && wished.session == id) {
            let wish = Wish { content: content.clone(), ..wished.clone() };
            return self.state.apply_of_session(&SessionRecord::CopyWished { owner: me.name_key, wish });
        }
        let room = self.config.files.as_ref().map_or(0, |files| files.room);
        let known = self.state.copies().is_known(&body(content));
        let missing = self.state.copies().used().saturating_add(content.size).saturating_sub(room);
        let failure = if room == 0 {
            Some(Failure::from(ErrorCode::KeepsNothing))
        } else if let Err(failure) = self.can_keep() {
            Some(failure)
        } else if !known && missing > 0 {
            let message = format!("The hub has no room for a copy: {missing} bytes are missing.");
            Some(Failure::new(ErrorCode::NoRoom, message))
        } else {
            None
        };
        if let Some(failure) = failure {
            return self.tell_stored(now, id, content, Some(failure));
        }
        let making = Making { peer: id, owner: me.name, content: content.clone() };
        if self.copies.on_disk.contains(&body(content)) {
            return self.copy_made(now, making);
        }
        let number = self.state.copies().last() + 1;
        self.copy_unwanted(now, &making.key(), ErrorCode::NotOffered);
        let wish = Wish { number, session: id, content: content.clone() };
        self.state.apply_of_session(&SessionRecord::CopyWished { owner: me.name_key, wish });
        self.copies.queue.entry(id).or_default().insert(number, making);
        self.make_copies(now);
    }

    /// Begins what there is room for.
    pub(super) fn make_copies(&mut self, now: Time) {
        while self.copies.making.len() < AT_ONCE && self.health.is_well() {
            let Some((copy, making)) = self.copies.next() else { return };
            match self.only_holder(making.peer, &making.content) {
                Some((offer, key)) => {
                    let source = event::Holder { offer, key, has: None };
                    self.out.push_back(Output::Copy(CopyPlan { copy, source }));
                    self.copies.making.insert(copy, making);
                }
                // Its owner has left before its turn came.
                None => self.copy_unwanted(now, &making.key(), ErrorCode::NotOffered),
            }
        }
    }

    /// A copy is on disk, or could not be made.
    pub(super) fn copied(&mut self, now: Time, copy: u64, result: Result<(), Failure>) {
        let Some(making) = self.copies.making.remove(&copy) else { return };
        // Somebody else may wish it by now, or nobody.
        let wish = self.state.decide_copied(copy, &making.key());
        if result.is_ok() {
            self.copy_found(now, making.content.hash, making.content.size);
        }
        match result {
            Ok(()) if wish.is_none() => self.discard(making.content.hash),
            Ok(()) => self.copy_made(now, making),
            Err(failure) => {
                if let Some(Wish { session, content, .. }) = wish {
                    self.unwish(making.key());
                    self.tell_stored(now, session, &content, Some(failure.clone()));
                }
                let (code, message) = (failure.code, failure.message.into_owned());
                self.log(log::FileNotKept { name: making.owner, file: making.content.file.to_string(), code, message });
            }
        }
        self.make_copies(now);
    }

    /// The bytes are on disk: that is noted, and then told.
    fn copy_made(&mut self, now: Time, making: Making) {
        let (name_key, _) = making.key();
        let Making { peer, owner, content } = making;
        self.copies.on_disk.insert(body(&content));
        self.note_copy(peer, name_key, owner.clone(), content.clone());
        let (file, size, total) = (content.file.to_string(), content.size, self.state.copies().used());
        self.log(log::FileKept { name: owner.clone(), file: file.clone(), size, total });
        // Its owner may be gone already.
        if self.state.table().get(&state::key(&file, &owner)).is_none() {
            self.list(now, &owner, Shelved { owner: Owner::Kept, content });
        }
    }

    fn unwish(&mut self, (owner, file): CopyKey) {
        self.state.apply_of_session(&SessionRecord::CopyUnwished { owner, file });
    }

    fn note_copy(&mut self, peer: PeerId, name_key: NameKey, owner: String, content: Arc<Content>) {
        let key = (name_key.clone(), content.file.to_string());
        self.record(Record::Copy(CopyRecord { name_key, owner, content: (*content).clone() }));
        if self.state.copies().wished(&key).is_some_and(|wish| wish.content.hash == content.hash) {
            self.unwish(key);
        }
        self.commits.hold(AwaitingCommit::Stored { peer, content });
    }

    pub(super) fn tell_stored(&mut self, now: Time, id: PeerId, content: &Content, failure: Option<Failure>) {
        let (file, hash) = (content.file.to_string(), content.hash);
        let (code, message) = failure.map(|failure| (failure.code, failure.message.into_owned())).unzip();
        self.tell(now, id, event::Stored { file, hash, code, message });
    }

    /// Another content is offered under this name: the copy of the old one is of no more use.
    pub(super) fn outdate_copy(&mut self, now: Time, name_key: &NameKey, content: &Content) {
        let key = (name_key.to_owned(), content.file.to_string());
        let kept = self.state.copies().content(name_key, &content.file).map(|kept| kept.hash);
        let wanted = self.state.copies().wished(&key).map(|wish| wish.content.hash);
        if [kept, wanted].into_iter().flatten().any(|hash| hash != content.hash) {
            self.drop_copy(now, name_key, &content.file);
        }
    }

    /// The copy of a file is not wanted any more.
    pub(super) fn drop_copy(&mut self, now: Time, name_key: &NameKey, file: &str) {
        let key = (name_key.to_owned(), file.to_owned());
        self.copy_unwanted(now, &key, ErrorCode::NotOffered);
        let Some(content) = self.state.copies().content(name_key, file).cloned() else { return };
        self.record(Record::CopyGone { name_key: key.0, file: key.1 });
        if !self.state.copies().keeps(&body(&content)) {
            self.copies.on_disk.remove(&body(&content));
        }
        if !self.state.copies().is_known(&body(&content)) {
            self.discard(content.hash);
        }
    }

    /// Somebody's name is gone: nothing is kept for them any more.
    pub(super) fn drop_copies_of(&mut self, now: Time, name_key: &NameKey, owner: &str) {
        let files = self.state.copies().below(name_key, "");
        for file in &files {
            self.drop_copy(now, name_key, file);
        }
        self.unlist(now, owner, &files, true);
    }

    /// The names of some owners have gone while the hub did not run.
    pub(super) fn drop_copies_of_nobody(&mut self, now: Time) {
        for (name_key, file) in self.state.copies().of_nobody(|name| self.state.names().is_taken(name)) {
            self.drop_copy(now, &name_key, &file);
        }
    }

    /// A copy that is being made, or is to be, is void from now on. Whoever waits for it hears so.
    fn copy_unwanted(&mut self, now: Time, key: &CopyKey, code: ErrorCode) {
        let Some(Wish { number, session, content }) = self.state.copies().wished(key).cloned() else { return };
        self.unwish(key.clone());
        self.copies.unqueue(session, number);
        self.tell_stored(now, session, &content, Some(code.into()));
    }

    /// A client is gone: nothing can be copied from it any more.
    pub(super) fn copies_left(&mut self, id: PeerId) {
        for (_, making) in self.copies.queue.remove(&id).into_iter().flatten() {
            self.unwish(making.key());
        }
    }

    /// The bytes go, unless another copy has them or is being made of them.
    fn discard(&mut self, hash: ContentHash) {
        let making = self.copies.making.values().any(|making| making.content.hash == hash);
        if !making && !self.copies.is_hash_on_disk(hash) {
            self.out.push_back(Output::Discard(hash));
        }
    }

    /// The bytes of a copy are not there any more, or not what they were.
    pub(super) fn copy_lost(&mut self, now: Time, hash: ContentHash) {
        for ((name_key, file), owner) in self.state.copies().of_hash(hash) {
            self.drop_copy(now, &name_key, &file);
            let kept = self.state.table().get(&state::key(&file, &owner));
            if kept.is_some_and(|shelved| shelved.owner == Owner::Kept) {
                self.unlist(now, &owner, &[&file], true);
            }
            let (code, message) = (ErrorCode::SourceGone, "The copy is not on the disk any more.".to_owned());
            self.log(log::FileNotKept { name: owner, file, code, message });
        }
    }

    /// What lies on the hub's own shelf has changed.
    pub(super) fn shelf_changed(&mut self, now: Time, changed: Vec<Content>, gone: Vec<String>) {
        let sound = |content: &Content| check_content(content).is_ok();
        let files: Vec<String> = changed.iter().map(|content| content.file.to_string()).collect();
        for content in changed.into_iter().filter(sound) {
            self.list(now, HUB, Shelved { owner: Owner::Hub, content: Arc::new(content) });
        }
        if !files.is_empty() {
            let revision = self.state.revision();
            self.log(log::OffersAdded { name: HUB.to_owned(), files, revision });
        }
        self.unlist(now, HUB, &gone, false);
    }
}
