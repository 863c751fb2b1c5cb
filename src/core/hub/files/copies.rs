//! What the hub serves itself: its own shelf, and copies of what others offer with `--keep`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::files::kept::{Body, Kept, Key, body};
use crate::core::hub::files::offers::check_content;
use crate::core::hub::files::{Files, locate};
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::ports::CopyPlan;
use crate::core::hub::state::{
    Owner, Shelved, {self},
};
use crate::core::hub::{Output, PeerId};
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::record::{CopyRecord, Record};
use crate::protocol::types::Content;
use crate::protocol::{ContentHash, ErrorCode, Failure, event, log};

/// How many copies are made at a time.
const AT_ONCE: usize = 2;

/// A copy that is to be made.
struct Wanted {
    number: u64,
    peer: PeerId,
    content: Arc<Content>,
}

/// The copies of others' files.
#[derive(Default)]
pub(in crate::core::hub) struct Copies {
    /// Those that have been noted.
    kept: Kept,
    /// Those that are to be made: their numbers, and who waits for them. Whatever else is being made is void.
    wanted: BTreeMap<Key, Wanted>,
    /// Those of them that have not begun, by their owners, who take turns.
    queue: BTreeMap<PeerId, BTreeMap<u64, Making>>,
    /// Whose turn it was.
    turn: PeerId,
    making: BTreeMap<u64, Making>,
    last: u64,
    /// How many copies each content has or is to have. The same content is kept once.
    shares: HashMap<Body, usize>,
    /// What all of them take, in bytes.
    used: u64,
}

/// A copy that is not there yet.
struct Making {
    /// Who offers it, and wants to hear of it.
    peer: PeerId,
    owner: String,
    content: Arc<Content>,
}

impl Making {
    fn key(&self) -> Key {
        (NameKey::of(&self.owner), self.content.file.to_string())
    }
}

impl Copies {
    pub(in crate::core::hub) fn load(records: Vec<CopyRecord>) -> Self {
        let mut copies = Self::default();
        for CopyRecord { name_key, owner, content } in records {
            copies.share(&content);
            copies.kept.recall((name_key, content.file.to_string()), owner, Arc::new(content));
        }
        copies
    }

    /// The content of a copy that can be served.
    pub(in crate::core::hub) fn servable(&self, name_key: &NameKey, file: &str) -> Option<Arc<Content>> {
        self.content(name_key, file).filter(|content| self.kept.is_on_disk(&body(content)))
    }

    pub(in crate::core::hub) fn has(&self, name_key: &NameKey, file: &str) -> bool {
        self.content(name_key, file).is_some()
    }

    pub(in crate::core::hub) fn content(&self, name_key: &NameKey, file: &str) -> Option<Arc<Content>> {
        self.kept.content(name_key, file).cloned()
    }

    /// The files of an owner of which there are copies and whose names begin so.
    pub(in crate::core::hub) fn below(&self, name_key: &NameKey, prefix: &str) -> Vec<String> {
        self.kept.below(name_key, prefix)
    }

    /// One copy more of a content.
    fn share(&mut self, content: &Content) {
        let shares = self.shares.entry(body(content)).or_default();
        *shares += 1;
        if *shares == 1 {
            self.used = self.used.saturating_add(content.size);
        }
    }

    /// One copy less of a content. Says whether it was the last one.
    fn unshare(&mut self, content: &Content) -> bool {
        let Some(shares) = self.shares.get_mut(&body(content)) else { return false };
        *shares -= 1;
        let last = *shares == 0;
        if last {
            self.shares.remove(&body(content));
            self.used = self.used.saturating_sub(content.size);
        }
        last
    }

    /// A copy that has its share is on disk.
    fn keep(&mut self, key: Key, owner: String, content: Arc<Content>) {
        // One from before, which had not been found when it was wanted again, has its share already.
        if let Some(before) = self.kept.remove(&key) {
            self.unshare(&before);
        }
        self.kept.insert(key, owner, content);
    }

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

    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 3] {
        [("wanted copies", self.wanted.len()), ("queued copies", self.queue.len()), ("copies", self.making.len())]
    }

    fn is_wanted(&self, number: u64, making: &Making) -> bool {
        self.wanted.get(&making.key()).is_some_and(|wanted| wanted.number == number)
    }
}

impl Files {
    /// The bytes of copies from before are there, so many: these are offered, unless their owners do so.
    pub(in crate::core::hub) fn copy_found(&mut self, cx: &mut Cx<'_>, hash: ContentHash, size: u64) {
        if cx.config.files.is_none() {
            return;
        }
        let found = self.copies.kept.found((hash, size));
        for (owner, content) in found {
            if cx.journal.state.table().get(&state::key(&content.file, &owner)).is_none() {
                self.list(cx, &owner, Shelved { owner: Owner::Kept, content });
            }
        }
    }

    /// A client wants a copy kept of what it offers.
    pub(in crate::core::hub) fn keep_copy(&mut self, cx: &mut Cx<'_>, id: PeerId, content: &Arc<Content>) {
        let Ok(me) = cx.sessions.me(id) else { return };
        let there = self.copies.servable(&me.name_key, &content.file).is_some_and(|kept| kept.hash == content.hash);
        if there && cx.config.files.is_some() && cx.journal.health.is_well() {
            // Noted again, and told when that is on disk: the first note may not be there yet.
            return self.note_copy(cx, id, me.name_key, me.name, content.clone());
        }
        let wanted = self.copies.wanted.get_mut(&(me.name_key.clone(), content.file.to_string()));
        if let Some(wanted) = wanted.filter(|wanted| wanted.content.hash == content.hash && wanted.peer == id) {
            wanted.content = content.clone();
            return;
        }
        let room = cx.config.files.as_ref().map_or(0, |files| files.room);
        let known = self.copies.shares.contains_key(&body(content));
        let missing = self.copies.used.saturating_add(content.size).saturating_sub(room);
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
        self.copies.share(content);
        if self.copies.kept.is_on_disk(&body(content)) {
            return self.copy_made(cx, making);
        }
        self.copies.last += 1;
        let number = self.copies.last;
        self.copy_unwanted(cx, &making.key(), ErrorCode::NotOffered);
        self.copies.wanted.insert(making.key(), Wanted { number, peer: id, content: content.clone() });
        self.copies.queue.entry(id).or_default().insert(number, making);
        self.make_copies(cx);
    }

    /// Begins what there is room for.
    pub(in crate::core::hub) fn make_copies(&mut self, cx: &mut Cx<'_>) {
        while self.copies.making.len() < AT_ONCE && cx.journal.health.is_well() {
            let Some((copy, making)) = self.copies.next() else { return };
            match locate::only_holder(cx, making.peer, &making.content) {
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

    /// A copy is on disk, or could not be made.
    pub(in crate::core::hub) fn copied(&mut self, cx: &mut Cx<'_>, copy: u64, result: Result<(), Failure>) {
        let Some(making) = self.copies.making.remove(&copy) else { return };
        let wanted = self.copies.is_wanted(copy, &making);
        if result.is_ok() {
            self.copy_found(cx, making.content.hash, making.content.size);
        }
        match result {
            Ok(()) if !wanted => self.discard(cx, making.content.hash),
            Ok(()) => {
                self.copies.wanted.remove(&making.key());
                self.copy_made(cx, making);
            }
            Err(failure) => {
                if wanted && let Some(wanted) = self.copies.wanted.remove(&making.key()) {
                    self.copies.unshare(&wanted.content);
                    tell_stored(cx, wanted.peer, &wanted.content, Some(failure.clone()));
                }
                let (code, message) = (failure.code, failure.message.into_owned());
                cx.log(log::FileNotKept { name: making.owner, file: making.content.file.to_string(), code, message });
            }
        }
        self.make_copies(cx);
    }

    /// The bytes are on disk, and their share is counted: that is noted, and then told.
    fn copy_made(&mut self, cx: &mut Cx<'_>, making: Making) {
        let key = making.key();
        let Making { peer, owner, content } = making;
        let name_key = key.0.clone();
        self.copies.keep(key, owner.clone(), content.clone());
        let (file, size, total) = (content.file.to_string(), content.size, self.copies.used);
        cx.log(log::FileKept { name: owner.clone(), file: file.clone(), size, total });
        // Its owner may be gone already.
        if cx.journal.state.table().get(&state::key(&file, &owner)).is_none() {
            self.list(cx, &owner, Shelved { owner: Owner::Kept, content: content.clone() });
        }
        self.note_copy(cx, peer, name_key, owner, content);
    }

    fn note_copy(&mut self, cx: &mut Cx<'_>, peer: PeerId, name_key: NameKey, owner: String, content: Arc<Content>) {
        let record = CopyRecord { name_key, owner, content: (*content).clone() };
        cx.persist(Record::Copy(record));
        cx.journal.commits.hold(AwaitingCommit::Stored { peer, content });
    }

    /// Another content is offered under this name: the copy of the old one is of no more use.
    pub(in crate::core::hub) fn outdate_copy(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, content: &Content) {
        let key = (name_key.to_owned(), content.file.to_string());
        let kept = self.copies.kept.content(name_key, &content.file).map(|kept| kept.hash);
        let wanted = self.copies.wanted.get(&key).map(|wanted| wanted.content.hash);
        if [kept, wanted].into_iter().flatten().any(|hash| hash != content.hash) {
            self.drop_copy(cx, name_key, &content.file);
        }
    }

    /// The copy of a file is not wanted any more.
    pub(in crate::core::hub) fn drop_copy(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, file: &str) {
        let key = (name_key.to_owned(), file.to_owned());
        self.copy_unwanted(cx, &key, ErrorCode::NotOffered);
        if let Some(content) = self.copies.kept.remove(&key) {
            cx.persist(Record::CopyGone { name_key: key.0, file: key.1 });
            if self.copies.unshare(&content) {
                self.discard(cx, content.hash);
            }
        }
    }

    /// Somebody's name is gone: nothing is kept for them any more.
    pub(in crate::core::hub) fn drop_copies_of(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, owner: &str) {
        let files = self.copies.kept.below(name_key, "");
        for file in &files {
            self.drop_copy(cx, name_key, file);
        }
        self.unlist(cx, owner, &files, true);
    }

    /// The names of some owners have gone while the hub did not run.
    pub(in crate::core::hub) fn drop_copies_of_nobody(&mut self, cx: &mut Cx<'_>) {
        for (name_key, file) in self.copies.kept.of_nobody(|name| cx.journal.state.names().is_taken(name)) {
            self.drop_copy(cx, &name_key, &file);
        }
    }

    /// A copy that is being made, or is to be, is void from now on. Whoever waits for it hears so.
    fn copy_unwanted(&mut self, cx: &mut Cx<'_>, key: &Key, code: ErrorCode) {
        let Some(Wanted { number, peer, content }) = self.copies.wanted.remove(key) else { return };
        self.copies.unshare(&content);
        self.copies.unqueue(peer, number);
        tell_stored(cx, peer, &content, Some(code.into()));
    }

    /// A client is gone: nothing can be copied from it any more.
    pub(in crate::core::hub) fn copies_left(&mut self, id: PeerId) {
        for (_, making) in self.copies.queue.remove(&id).into_iter().flatten() {
            if let Some(wanted) = self.copies.wanted.remove(&making.key()) {
                self.copies.unshare(&wanted.content);
            }
        }
    }

    /// The bytes go, unless another copy has them or is being made of them.
    fn discard(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        let making = self.copies.making.values().any(|making| making.content.hash == hash);
        if !making && !self.copies.kept.is_hash_on_disk(hash) {
            cx.out.push_back(Output::Discard(hash));
        }
    }

    /// The bytes of a copy are not there any more, or not what they were.
    pub(in crate::core::hub) fn copy_lost(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        for ((name_key, file), owner) in self.copies.kept.of_hash(hash) {
            self.drop_copy(cx, &name_key, &file);
            let kept = cx.journal.state.table().get(&state::key(&file, &owner));
            if kept.is_some_and(|shelved| shelved.owner == Owner::Kept) {
                self.unlist(cx, &owner, &[&file], true);
            }
            let (code, message) = (ErrorCode::SourceGone, "The copy is not on the disk any more.".to_owned());
            cx.log(log::FileNotKept { name: owner, file, code, message });
        }
    }

    /// What lies on the hub's own shelf has changed.
    pub(in crate::core::hub) fn shelf_changed(&mut self, cx: &mut Cx<'_>, changed: Vec<Content>, gone: Vec<String>) {
        let sound = |content: &Content| check_content(content).is_ok();
        let files: Vec<String> = changed.iter().map(|content| content.file.to_string()).collect();
        for content in changed.into_iter().filter(sound) {
            self.list(cx, HUB, Shelved { owner: Owner::Hub, content: Arc::new(content) });
        }
        if !files.is_empty() {
            let revision = cx.journal.state.revision();
            cx.log(log::OffersAdded { name: HUB.to_owned(), files, revision });
        }
        self.unlist(cx, HUB, &gone, false);
    }
}

pub(in crate::core::hub) fn tell_stored(cx: &mut Cx<'_>, id: PeerId, content: &Content, failure: Option<Failure>) {
    let (file, hash) = (content.file.to_string(), content.hash);
    let (code, message) = failure.map(|failure| (failure.code, failure.message.into_owned())).unzip();
    cx.tell(id, event::Stored { file, hash, code, message });
}
