//! What the hub serves itself: its own shelf, and copies of what others offer with `--keep`.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::held::Held;
use super::offers::{HUB, Owner, Shelved, check_content};
use super::{Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::name::fold;
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

/// The copies of others' files.
#[derive(Default)]
pub(super) struct Copies {
    /// Those that are on disk, by their owners' folded names and their files.
    kept: BTreeMap<(String, String), (String, Arc<Content>)>,
    /// Those that are being made, by number.
    making: BTreeMap<u64, Making>,
    /// Those that are to be made.
    queue: VecDeque<Making>,
    last: u64,
}

/// A copy that is not there yet.
struct Making {
    /// Who offers it, and wants to hear of it.
    peer: PeerId,
    owner: String,
    content: Arc<Content>,
    /// It is not wanted any more.
    void: bool,
}

impl Copies {
    pub(super) fn load(copies: Vec<CopyRecord>) -> Self {
        let kept = copies.into_iter().map(|copy| {
            let key = (copy.fold, copy.content.file.clone());
            (key, (copy.owner, Arc::new(copy.content)))
        });
        Self { kept: kept.collect(), ..Self::default() }
    }

    pub(super) fn has(&self, fold: &str, file: &str) -> bool {
        self.content(fold, file).is_some()
    }

    pub(super) fn content(&self, fold: &str, file: &str) -> Option<Arc<Content>> {
        self.kept.get(&(fold.to_owned(), file.to_owned())).map(|(_, content)| content.clone())
    }

    /// The files of an owner of which there are copies and whose names begin so.
    pub(super) fn below(&self, fold: &str, prefix: &str) -> Vec<String> {
        let from = self.kept.range((fold.to_owned(), prefix.to_owned())..);
        let theirs = from.take_while(|((owner, file), _)| owner == fold && file.starts_with(prefix));
        theirs.map(|((_, file), _)| file.clone()).collect()
    }

    /// What is kept or about to be, in bytes; the same content counts once.
    fn used(&self) -> u64 {
        let making = self.making.values().chain(&self.queue).filter(|making| !making.void);
        let contents = self.kept.values().map(|(_, content)| content).chain(making.map(|making| &making.content));
        let sizes: BTreeMap<ContentHash, u64> = contents.map(|content| (content.hash, content.size)).collect();
        sizes.values().sum()
    }

    fn has_content(&self, hash: &ContentHash) -> bool {
        self.kept.values().any(|(_, content)| content.hash == *hash)
    }
}

impl Hub {
    /// What the hub keeps from before is offered again.
    pub(super) fn list_copies(&mut self) {
        if self.config.files.is_none() {
            return;
        }
        for (owner, content) in self.copies.kept.values().cloned().collect::<Vec<_>>() {
            self.list(Time(0), &owner, Shelved { owner: Owner::Kept, content });
        }
    }

    /// A client wants a copy kept of what it offers.
    pub(super) fn keep_copy(&mut self, now: Time, id: PeerId, content: &Arc<Content>) {
        let Ok(me) = self.me(id) else { return };
        let there = self.copies.content(&me.fold, &content.file).is_some_and(|kept| kept.hash == content.hash);
        if there {
            return self.tell_stored(now, id, content, None);
        }
        let room = self.config.files.as_ref().map_or(0, |files| files.room);
        let known = self.copies.has_content(&content.hash);
        let used = self.copies.used();
        let failure = if room == 0 {
            Some(Failure::from(ErrorCode::KeepsNothing))
        } else if !known && used.saturating_add(content.size) > room {
            let missing = used.saturating_add(content.size) - room;
            Some(Failure::new(
                ErrorCode::NoRoom,
                format!("The hub has no room for a copy: {missing} bytes are missing."),
            ))
        } else {
            None
        };
        if let Some(failure) = failure {
            return self.tell_stored(now, id, content, Some(failure));
        }
        let making = Making { peer: id, owner: me.name, content: content.clone(), void: false };
        self.copies.queue.push_back(making);
        self.make_copies();
    }

    /// Begins what there is room for.
    fn make_copies(&mut self) {
        while self.copies.making.len() < AT_ONCE {
            let Some(making) = self.copies.queue.pop_front() else { return };
            if making.void {
                continue;
            }
            self.copies.last += 1;
            let copy = self.copies.last;
            if let Some((offer, key)) = self.only_holder(making.peer, &making.content) {
                let source = event::Holder { offer, key, has: None };
                self.out.push_back(Output::Copy(CopyPlan { copy, source }));
                self.copies.making.insert(copy, making);
            }
        }
    }

    /// A copy is on disk, or could not be made.
    pub(super) fn copied(&mut self, now: Time, copy: u64, result: Result<(), Failure>) {
        let Some(Making { peer, owner, content, void }) = self.copies.making.remove(&copy) else { return };
        self.make_copies();
        match result {
            Ok(()) if void => self.discard(content.hash),
            Ok(()) => {
                let key = (fold(&owner), content.file.clone());
                let record = CopyRecord { fold: key.0.clone(), owner: owner.clone(), content: (*content).clone() };
                self.copies.kept.insert(key, (owner.clone(), content.clone()));
                let (name, file, size) = (owner.clone(), content.file.clone(), content.size);
                let total = self.copies.used();
                self.log(log::FileKept { name, file, size, total });
                // Its owner may be gone already.
                let key = (content.file.clone(), owner.clone());
                if self.table.get(&key).is_none() {
                    self.list(now, &owner, Shelved { owner: Owner::Kept, content: content.clone() });
                }
                let commit = self.persist(Record::Copy(record));
                self.held.push_back((commit, Held::Stored { peer, content }));
            }
            Err(failure) => {
                let (code, message) = (failure.code, failure.message.clone().into_owned());
                self.log(log::FileNotKept { name: owner, file: content.file.clone(), code, message });
                if !void {
                    self.tell_stored(now, peer, &content, Some(failure));
                }
            }
        }
    }

    pub(super) fn tell_stored(&mut self, now: Time, id: PeerId, content: &Content, failure: Option<Failure>) {
        let (file, hash) = (content.file.clone(), content.hash);
        let (code, message) = failure.map(|failure| (failure.code, failure.message.into_owned())).unzip();
        self.tell(now, id, event::Stored { file, hash, code, message });
    }

    /// Another content is offered under this name: the copy of the old one is of no more use.
    pub(super) fn outdate_copy(&mut self, fold: &str, content: &Content) {
        let old = self.copies.content(fold, &content.file);
        if old.is_some_and(|old| old.hash != content.hash) {
            self.drop_copy(fold, &content.file);
        }
        for making in self.copies.making.values_mut().chain(&mut self.copies.queue) {
            let same_name = making.content.file == content.file && making.content.hash != content.hash;
            making.void |= same_name && crate::protocol::name::fold(&making.owner) == fold;
        }
    }

    /// The copy of a file is not wanted any more.
    pub(super) fn drop_copy(&mut self, fold: &str, file: &str) {
        for making in self.copies.making.values_mut().chain(&mut self.copies.queue) {
            making.void |= making.content.file == file && crate::protocol::name::fold(&making.owner) == fold;
        }
        let key = (fold.to_owned(), file.to_owned());
        if let Some((_, content)) = self.copies.kept.remove(&key) {
            self.persist(Record::CopyGone { fold: key.0, file: key.1 });
            self.discard(content.hash);
        }
    }

    /// The bytes go, unless another copy needs them.
    fn discard(&mut self, hash: ContentHash) {
        let making = self.copies.making.values().any(|making| !making.void && making.content.hash == hash);
        if !making && !self.copies.has_content(&hash) {
            self.out.push_back(Output::Discard(hash));
        }
    }

    /// The bytes of a copy are not there any more, or not what they were.
    pub(super) fn copy_lost(&mut self, now: Time, hash: ContentHash) {
        let lost = self.copies.kept.iter().filter(|(_, (_, content))| content.hash == hash);
        for ((fold, file), (owner, _)) in lost.map(|(key, copy)| (key.clone(), copy.clone())).collect::<Vec<_>>() {
            self.drop_copy(&fold, &file);
            let kept = self.table.get(&(file.clone(), owner.clone()));
            if kept.is_some_and(|shelved| shelved.owner == Owner::Kept) {
                self.unlist(now, &owner, vec![file.clone()]);
            }
            let (code, message) = (ErrorCode::SourceGone, "The copy is not on the disk any more.".to_owned());
            self.log(log::FileNotKept { name: owner, file, code, message });
        }
    }

    /// What lies on the hub's own shelf has changed.
    pub(super) fn shelf_changed(&mut self, now: Time, changed: Vec<Content>, gone: Vec<String>) {
        let sound = |content: &Content| check_content(content).is_ok();
        let files: Vec<String> = changed.iter().map(|content| content.file.clone()).collect();
        for content in changed.into_iter().filter(sound) {
            self.list(now, HUB, Shelved { owner: Owner::Hub, content: Arc::new(content) });
        }
        if !files.is_empty() {
            let revision = self.revision;
            self.log(log::OffersAdded { name: HUB.to_owned(), files, revision });
        }
        self.unlist(now, HUB, gone);
    }
}
