//! What the hub serves itself: its own shelf, and copies of what others offer with `--keep`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::journal::commits::AwaitingCommit;
use crate::core::hub::ports::CopyPlan;
use crate::core::hub::state::{
    Body, CopyKey, Owner, SessionRecord, Shelved, Wish, body, check_content, {self},
};
use crate::core::hub::{Output, PeerId};
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::record::{CopyRecord, Record};
use crate::protocol::types::Content;
use crate::protocol::{ContentHash, ErrorCode, Failure, event, log};

/// How many copies are made at a time.
const AT_ONCE: usize = 2;

/// What is being done on this machine for the copies of the state.
#[derive(Default)]
pub(in crate::core::hub) struct Copies {
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

    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 2] {
        [("queued copies", self.queue.len()), ("copies", self.making.len())]
    }

    /// Whether the bytes of a content are on disk, whatever its size is said to be.
    fn is_hash_on_disk(&self, hash: ContentHash) -> bool {
        self.on_disk.range((hash, 0)..=(hash, u64::MAX)).next().is_some()
    }
}

fn unwish(cx: &mut Cx<'_>, (owner, file): CopyKey) {
    cx.journal.state.apply_of_session(&SessionRecord::CopyUnwished { owner, file });
}

impl Files {
    /// The bytes of copies from before are there, so many: these are offered, unless their owners do so.
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
                self.list(cx, &owner, Shelved { owner: Owner::Kept, content });
            }
        }
    }

    /// The content of a copy that can be served.
    pub(in crate::core::hub) fn servable_copy(
        &self,
        cx: &Cx<'_>,
        name_key: &NameKey,
        file: &str,
    ) -> Option<Arc<Content>> {
        let content = cx.journal.state.copies().content(name_key, file);
        content.filter(|content| self.copies.on_disk.contains(&body(content))).cloned()
    }

    /// A client wants a copy kept of what it offers.
    pub(in crate::core::hub) fn keep_copy(&mut self, cx: &mut Cx<'_>, id: PeerId, content: &Arc<Content>) {
        let Ok(me) = cx.sessions.me(id) else { return };
        let there = self.servable_copy(cx, &me.name_key, &content.file).is_some_and(|kept| kept.hash == content.hash);
        if there && cx.config.files.is_some() && cx.journal.health.is_well() {
            // Noted again, and told when that is on disk: the first note may not be there yet.
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

    /// Begins what there is room for.
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

    /// A copy is on disk, or could not be made.
    pub(in crate::core::hub) fn copied(&mut self, cx: &mut Cx<'_>, copy: u64, result: Result<(), Failure>) {
        let Some(making) = self.copies.making.remove(&copy) else { return };
        // Somebody else may wish it by now, or nobody.
        let wish = cx.journal.state.decide_copied(copy, &making.key());
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

    /// The bytes are on disk: that is noted, and then told.
    fn copy_made(&mut self, cx: &mut Cx<'_>, making: Making) {
        let (name_key, _) = making.key();
        let Making { peer, owner, content } = making;
        self.copies.on_disk.insert(body(&content));
        self.note_copy(cx, peer, name_key, owner.clone(), content.clone());
        let (file, size, total) = (content.file.to_string(), content.size, cx.journal.state.copies().used());
        cx.log(log::FileKept { name: owner.clone(), file: file.clone(), size, total });
        // Its owner may be gone already.
        if cx.journal.state.table().get(&state::key(&file, &owner)).is_none() {
            self.list(cx, &owner, Shelved { owner: Owner::Kept, content });
        }
    }

    fn note_copy(&mut self, cx: &mut Cx<'_>, peer: PeerId, name_key: NameKey, owner: String, content: Arc<Content>) {
        let key = (name_key.clone(), content.file.to_string());
        cx.record(Record::Copy(CopyRecord { name_key, owner, content: (*content).clone() }));
        if cx.journal.state.copies().wished(&key).is_some_and(|wish| wish.content.hash == content.hash) {
            unwish(cx, key);
        }
        cx.journal.commits.hold(AwaitingCommit::Stored { peer, content });
    }

    /// Another content is offered under this name: the copy of the old one is of no more use.
    pub(in crate::core::hub) fn outdate_copy(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, content: &Content) {
        let key = (name_key.to_owned(), content.file.to_string());
        let kept = cx.journal.state.copies().content(name_key, &content.file).map(|kept| kept.hash);
        let wanted = cx.journal.state.copies().wished(&key).map(|wish| wish.content.hash);
        if [kept, wanted].into_iter().flatten().any(|hash| hash != content.hash) {
            self.drop_copy(cx, name_key, &content.file);
        }
    }

    /// The copy of a file is not wanted any more.
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

    /// Somebody's name is gone: nothing is kept for them any more.
    pub(in crate::core::hub) fn drop_copies_of(&mut self, cx: &mut Cx<'_>, name_key: &NameKey, owner: &str) {
        let files = cx.journal.state.copies().below(name_key, "");
        for file in &files {
            self.drop_copy(cx, name_key, file);
        }
        self.unlist(cx, owner, &files, true);
    }

    /// The names of some owners have gone while the hub did not run.
    pub(in crate::core::hub) fn drop_copies_of_nobody(&mut self, cx: &mut Cx<'_>) {
        for (name_key, file) in cx.journal.state.copies().of_nobody(|name| cx.journal.state.names().is_taken(name)) {
            self.drop_copy(cx, &name_key, &file);
        }
    }

    /// A copy that is being made, or is to be, is void from now on. Whoever waits for it hears so.
    fn copy_unwanted(&mut self, cx: &mut Cx<'_>, key: &CopyKey, code: ErrorCode) {
        let Some(Wish { number, session, content }) = cx.journal.state.copies().wished(key).cloned() else { return };
        unwish(cx, key.clone());
        self.copies.unqueue(session, number);
        tell_stored(cx, session, &content, Some(code.into()));
    }

    /// A client is gone: nothing can be copied from it any more.
    pub(in crate::core::hub) fn copies_left(&mut self, cx: &mut Cx<'_>, id: PeerId) {
        for (_, making) in self.copies.queue.remove(&id).into_iter().flatten() {
            unwish(cx, making.key());
        }
    }

    /// The bytes go, unless another copy has them or is being made of them.
    fn discard(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        let making = self.copies.making.values().any(|making| making.content.hash == hash);
        if !making && !self.copies.is_hash_on_disk(hash) {
            cx.out.push_back(Output::Discard(hash));
        }
    }

    /// The bytes of a copy are not there any more, or not what they were.
    pub(in crate::core::hub) fn copy_lost(&mut self, cx: &mut Cx<'_>, hash: ContentHash) {
        for ((name_key, file), owner) in cx.journal.state.copies().of_hash(hash) {
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
    pub(in crate::core::hub) fn hub_files_changed(
        &mut self,
        cx: &mut Cx<'_>,
        changed: Vec<Content>,
        gone: Vec<String>,
    ) {
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
