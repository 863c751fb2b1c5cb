//! Copies that are noted: by whose they are, and by what is in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::ContentHash;
use crate::protocol::name::NameKey;
use crate::protocol::types::Content;

/// The name of an owner, and of a file of theirs.
pub(in crate::core::hub) type Key = (NameKey, String);

/// A content as its owner describes it: what has the same hash and another size is a lie, and shares nothing.
pub(in crate::core::hub) type Body = (ContentHash, u64);

pub(in crate::core::hub) fn body(content: &Content) -> Body {
    (content.hash, content.size)
}

/// The copies that have been noted, with their owners' names.
#[derive(Default)]
pub(in crate::core::hub) struct Kept {
    all: BTreeMap<Key, (String, Arc<Content>)>,
    of: BTreeMap<Body, BTreeSet<Key>>,
    /// How many of those each content has whose bytes are on disk. Those from before are looked for first.
    on_disk: BTreeMap<Body, usize>,
}

impl Kept {
    /// One from before, whose bytes have not been found yet.
    pub(in crate::core::hub) fn recall(&mut self, key: Key, owner: String, content: Arc<Content>) {
        self.of.entry(body(&content)).or_default().insert(key.clone());
        self.all.insert(key, (owner, content));
    }

    /// One whose bytes are on disk.
    pub(in crate::core::hub) fn insert(&mut self, key: Key, owner: String, content: Arc<Content>) {
        *self.on_disk.entry(body(&content)).or_default() += 1;
        self.recall(key, owner, content);
    }

    pub(in crate::core::hub) fn remove(&mut self, key: &Key) -> Option<Arc<Content>> {
        let (_, content) = self.all.remove(key)?;
        let body = body(&content);
        if let Some(keys) = self.of.get_mut(&body) {
            keys.remove(key);
            if keys.is_empty() {
                self.of.remove(&body);
            }
        }
        if let Some(count) = self.on_disk.get_mut(&body) {
            *count -= 1;
            if *count == 0 {
                self.on_disk.remove(&body);
            }
        }
        Some(content)
    }

    pub(in crate::core::hub) fn content(&self, name_key: &NameKey, file: &str) -> Option<&Arc<Content>> {
        self.all.get(&(name_key.to_owned(), file.to_owned())).map(|(_, content)| content)
    }

    /// Whether the bytes of a content are on disk.
    pub(in crate::core::hub) fn is_on_disk(&self, body: &Body) -> bool {
        self.on_disk.contains_key(body)
    }

    /// The same, whatever its size is said to be.
    pub(in crate::core::hub) fn is_hash_on_disk(&self, hash: ContentHash) -> bool {
        self.on_disk.range((hash, 0)..=(hash, u64::MAX)).next().is_some()
    }

    /// The bytes of a content from before have been found: the copies that have them, if that was not known.
    pub(in crate::core::hub) fn found(&mut self, body: Body) -> Vec<(String, Arc<Content>)> {
        if self.is_on_disk(&body) {
            return Vec::new();
        }
        let keys = self.of.get(&body).into_iter().flatten();
        let found: Vec<_> = keys.filter_map(|key| self.all.get(key)).cloned().collect();
        if !found.is_empty() {
            self.on_disk.insert(body, found.len());
        }
        found
    }

    /// The copies of a content, and the names of their owners.
    pub(in crate::core::hub) fn of_hash(&self, hash: ContentHash) -> Vec<(Key, String)> {
        let keys = self.of.range((hash, 0)..=(hash, u64::MAX)).flat_map(|(_, keys)| keys);
        keys.filter_map(|key| Some((key.clone(), self.all.get(key)?.0.clone()))).collect()
    }

    /// The files of an owner of which there are copies and whose names begin so.
    pub(in crate::core::hub) fn below(&self, name_key: &NameKey, prefix: &str) -> Vec<String> {
        let from = self.all.range((name_key.to_owned(), prefix.to_owned())..);
        let theirs = from.take_while(|((owner, file), _)| owner == name_key && file.starts_with(prefix));
        theirs.map(|((_, file), _)| file.clone()).collect()
    }

    /// Those of owners whom nobody knows.
    pub(in crate::core::hub) fn of_nobody(&self, is_known: impl Fn(&NameKey) -> bool) -> Vec<Key> {
        self.all.keys().filter(|(name_key, _)| !is_known(name_key)).cloned().collect()
    }
}
