//! The copies that the hub keeps of clients' files, and the wishes for further ones. Whose bytes are on this machine's
//! disk, and which are being fetched, is known in `core/hub/files/copies.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hashed::HashedMap;
use crate::core::digest::{Digest, combined};
use crate::protocol::ContentHash;
use crate::protocol::name::NameKey;
use crate::protocol::record::CopyRecord;
use crate::protocol::types::Content;

/// A copy: the name of the file's owner, and of the file.
pub(in crate::core::hub) type CopyKey = (NameKey, String);

/// A content as its owner describes it. One with the same hash and another size is a false description, and shares
/// nothing with it.
pub(in crate::core::hub) type Body = (ContentHash, u64);

pub(in crate::core::hub) fn body(content: &Content) -> Body {
    (content.hash, content.size)
}

/// The copies and wishes, and indexes of them.
#[derive(Default)]
pub(in crate::core::hub) struct Copies {
    kept: HashedMap<CopyKey, Kept>,
    wished: HashedMap<CopyKey, Wish>,
    /// The copies by content.
    of: BTreeMap<Body, BTreeSet<CopyKey>>,
    /// The number of copies and wishes of each content, which takes room only once.
    shares: HashMap<Body, usize>,
    /// The bytes that all copies and wishes take.
    used: u64,
    /// The number of the newest wish.
    last: u64,
}

/// A copy that the hub keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The owner's name as they write it.
    owner: String,
    content: Arc<Content>,
}

/// A wish for a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The wish's number, higher than all before in this run.
    pub(in crate::core::hub) number: u64,
    /// The session that is told of it.
    pub(in crate::core::hub) session: u64,
    pub(in crate::core::hub) content: Arc<Content>,
}

/// All copies and wishes, for a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CopyRows {
    kept: Vec<CopyRecord>,
    last: u64,
    wished: Vec<(CopyKey, Wish)>,
}

impl Copies {
    /// The copies that the store has.
    pub(super) fn load(records: Vec<CopyRecord>) -> Self {
        Self::of(CopyRows { kept: records, ..CopyRows::default() })
    }

    /// The copies and wishes that [`Copies::rows`] gave.
    pub(super) fn of(rows: CopyRows) -> Self {
        let mut copies = Self::default();
        rows.kept.iter().for_each(|record| copies.keep(record));
        rows.wished.into_iter().for_each(|(key, wish)| copies.wish(key, wish));
        copies.last = rows.last;
        copies
    }

    /// All copies and wishes, by owner.
    pub(super) fn rows(&self) -> CopyRows {
        let kept = self.kept.iter().map(|((name_key, _), Kept { owner, content })| CopyRecord {
            name_key: name_key.clone(),
            owner: owner.clone(),
            content: (**content).clone(),
        });
        let wished = self.wished.iter().map(|(key, wish)| (key.clone(), wish.clone()));
        CopyRows { kept: kept.collect(), last: self.last, wished: wished.collect() }
    }

    pub(super) fn digest(&self) -> Digest {
        combined(&[self.kept.digest(), self.wished.digest()])
    }

    /// Removes all wishes, because nobody is here when a hub starts.
    pub(super) fn end_all(&mut self) {
        let wished: Vec<CopyKey> = self.wished.iter().map(|(key, _)| key.clone()).collect();
        wished.iter().for_each(|key| self.unwish(key));
        self.last = 0;
    }

    /// The bytes that all copies and wishes take.
    pub(in crate::core::hub) fn used(&self) -> u64 {
        self.used
    }

    /// The number of the newest wish.
    pub(in crate::core::hub) fn last(&self) -> u64 {
        self.last
    }

    pub(in crate::core::hub) fn count_wished(&self) -> usize {
        self.wished.len()
    }

    /// The content of a copy that is kept.
    pub(in crate::core::hub) fn content(&self, name_key: &NameKey, file: &str) -> Option<&Arc<Content>> {
        self.kept.get(&(name_key.clone(), file.to_owned())).map(|kept| &kept.content)
    }

    /// The wish for a copy.
    pub(in crate::core::hub) fn wished(&self, key: &CopyKey) -> Option<&Wish> {
        self.wished.get(key)
    }

    /// Whether a content has a copy or a wish.
    pub(in crate::core::hub) fn is_known(&self, body: &Body) -> bool {
        self.shares.contains_key(body)
    }

    /// Whether a content has a copy.
    pub(in crate::core::hub) fn keeps(&self, body: &Body) -> bool {
        self.of.contains_key(body)
    }

    /// The copies of a content, with the names of their owners.
    pub(in crate::core::hub) fn of_body(&self, body: Body) -> Vec<(String, Arc<Content>)> {
        let kept = self.of.get(&body).into_iter().flatten().filter_map(|key| self.kept.get(key));
        kept.map(|kept| (kept.owner.clone(), kept.content.clone())).collect()
    }

    /// The copies of a hash, whatever their size is said to be, with the names of their owners.
    pub(in crate::core::hub) fn of_hash(&self, hash: ContentHash) -> Vec<(CopyKey, String)> {
        let keys = self.of.range((hash, 0)..=(hash, u64::MAX)).flat_map(|(_, keys)| keys);
        keys.filter_map(|key| Some((key.clone(), self.kept.get(key)?.owner.clone()))).collect()
    }

    /// The files of an owner of which copies are kept and whose names begin with `prefix`.
    pub(in crate::core::hub) fn below(&self, name_key: &NameKey, prefix: &str) -> Vec<String> {
        let from = self.kept.range((name_key.to_owned(), prefix.to_owned())..);
        let theirs = from.take_while(|((owner, file), _)| owner == name_key && file.starts_with(prefix));
        theirs.map(|((_, file), _)| file.clone()).collect()
    }

    /// The copies of owners whose names are not known any more.
    pub(in crate::core::hub) fn of_nobody(&self, is_known: impl Fn(&NameKey) -> bool) -> Vec<CopyKey> {
        self.kept.iter().filter(|((name_key, _), _)| !is_known(name_key)).map(|(key, _)| key.clone()).collect()
    }

    /// Adds or replaces a copy.
    pub(super) fn keep(&mut self, record: &CopyRecord) {
        let CopyRecord { name_key, owner, content } = record;
        let key = (name_key.clone(), content.file.to_string());
        self.share(content);
        self.lose(&key);
        self.of.entry(body(content)).or_default().insert(key.clone());
        self.kept.insert(key, Kept { owner: owner.clone(), content: Arc::new(content.clone()) });
    }

    /// Removes a copy.
    pub(super) fn lose(&mut self, key: &CopyKey) {
        let Some(Kept { content, .. }) = self.kept.remove(key) else { return };
        self.unshare(&content);
        if let Some(keys) = self.of.get_mut(&body(&content)) {
            keys.remove(key);
            if keys.is_empty() {
                self.of.remove(&body(&content));
            }
        }
    }

    /// Adds or replaces a wish.
    pub(super) fn wish(&mut self, key: CopyKey, wish: Wish) {
        self.share(&wish.content);
        self.unwish(&key);
        self.last = self.last.max(wish.number);
        self.wished.insert(key, wish);
    }

    /// Removes a wish.
    pub(super) fn unwish(&mut self, key: &CopyKey) {
        if let Some(wish) = self.wished.remove(key) {
            self.unshare(&wish.content);
        }
    }

    fn share(&mut self, content: &Content) {
        let shares = self.shares.entry(body(content)).or_default();
        *shares += 1;
        if *shares == 1 {
            self.used = self.used.saturating_add(content.size);
        }
    }

    fn unshare(&mut self, content: &Content) {
        let Some(shares) = self.shares.get_mut(&body(content)) else { return };
        *shares -= 1;
        if *shares == 0 {
            self.shares.remove(&body(content));
            self.used = self.used.saturating_sub(content.size);
        }
    }
}
