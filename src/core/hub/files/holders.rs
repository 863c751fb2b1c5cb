//! Knows for each content which offers in the table name it, which clients have it or a part of it without offering it,
//! and which clients are fetching it. A client that is fetching a content is told when others have got more of it.
//!
//! A client *has* a content if it has said so with `have`: it has fetched all or some chunks and can serve them. A
//! client that offers a content need not say so; its offer counts. An offer whose owner has left is kept as an orphan
//! while some other client has the content. Nothing here is stored: what a client has and wants is forgotten when its
//! session ends, and all of it when the hub stops.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::core::few::Few;
use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::Files;
use crate::core::hub::files::orphans::Orphans;
use crate::core::hub::state::Key;
use crate::core::time::Time;
use crate::protocol::limits::{ANSWER_BYTES, HAVE_CONTENTS, HOLDERS, HOLDINGS, PARTIAL_HOLDINGS};
use crate::protocol::transfer::Chunking;
use crate::protocol::types::Content;
use crate::protocol::wire::{Had, Have};
use crate::protocol::{ChunkSet, ContentHash, event};

/// How long news of a content is gathered before the clients that are fetching it are told.
const NEWS: Duration = Duration::from_millis(250);

/// The most offers of one content that are remembered by its hash; further ones are not found by it.
const NAMES_OF_ONE: usize = 1_024;

/// Contents by their hashes: who offers, has and wants each of them.
#[derive(Default)]
pub(in crate::core::hub) struct Holders {
    /// The offers of each content.
    offers: BTreeMap<ContentHash, Few<Key>>,
    /// Offers whose owners are gone, but whose contents others have fetched.
    orphans: Orphans,
    /// The clients that have a content, or a part of it, without offering it.
    had: HashMap<ContentHash, BTreeMap<PeerId, Part>>,
    /// The clients that are fetching a content.
    wanted: HashMap<ContentHash, BTreeSet<PeerId>>,
    /// The clients that have got more of a content since those that are fetching it were told.
    news: BTreeMap<ContentHash, BTreeSet<PeerId>>,
    /// When the news is told; `None` if there is none.
    news_at: Option<Time>,
    /// What each client has and wants.
    of: BTreeMap<PeerId, Own>,
}

/// What one client has and wants: it may have at most [`HOLDINGS`] contents, of which at most [`PARTIAL_HOLDINGS`] in
/// part, and be fetching at most [`PARTIAL_HOLDINGS`] more.
#[derive(Default)]
struct Own {
    had: BTreeSet<ContentHash>,
    /// The number of contents of which it has only a part.
    partial: usize,
    wanted: BTreeSet<ContentHash>,
}

/// What a client has of a content.
#[derive(Clone)]
pub(in crate::core::hub) struct Part {
    pub(in crate::core::hub) chunking: Chunking,
    /// The chunks that it has; `None` if it has all of them.
    pub(in crate::core::hub) chunks: Option<ChunkSet>,
}

impl Part {
    /// Adds chunks that the client has. If it then has all of them, sets `chunks` to `None`.
    fn add(&mut self, more: &ChunkSet) {
        let count = self.chunking.count();
        if let Some(chunks) = &mut self.chunks {
            chunks.add(more);
            if chunks.len() == count {
                self.chunks = None;
            }
        }
    }
}

impl Holders {
    /// Notes an offer that came into the table.
    pub(in crate::core::hub) fn listed(&mut self, hash: ContentHash, offer: &Key) {
        match self.offers.entry(hash) {
            Entry::Vacant(none) => drop(none.insert(Few::One(offer.clone()))),
            Entry::Occupied(mut offers) if offers.get().len() < NAMES_OF_ONE => offers.get_mut().insert(offer.clone()),
            Entry::Occupied(_) => {}
        }
        self.orphans.remove(offer);
    }

    /// The owner of an offer is gone. The offer is kept if somebody has fetched its content, or a part of it.
    pub(in crate::core::hub) fn orphaned(&mut self, offer: Key, content: Arc<Content>) {
        if self.had.contains_key(&content.hash) {
            self.orphans.add(offer, content);
        }
    }

    pub(in crate::core::hub) fn orphans(&self) -> &Orphans {
        &self.orphans
    }

    /// Forgets a content that no client has any more, with its orphaned offers. The caller has checked that.
    fn nobody_has(&mut self, hash: &ContentHash) {
        self.had.remove(hash);
        self.orphans.remove_all(hash);
    }

    /// Notes that an offer no longer names this content: it was removed from the table, or its file has changed.
    pub(in crate::core::hub) fn unlisted(&mut self, hash: &ContentHash, offer: &Key) {
        if let Some(offers) = self.offers.get_mut(hash) {
            offers.remove(offer);
            if offers.is_empty() {
                self.offers.remove(hash);
            }
        }
    }

    /// The offers of a content, by file and owner; at most [`NAMES_OF_ONE`].
    pub(in crate::core::hub) fn offers(&self, hash: &ContentHash) -> impl Iterator<Item = &Key> {
        self.offers.get(hash).into_iter().flat_map(Few::iter)
    }

    /// The clients that have fetched a content, or a part of it.
    pub(in crate::core::hub) fn had(&self, hash: &ContentHash) -> impl Iterator<Item = (PeerId, &Part)> {
        self.had.get(hash).into_iter().flatten().map(|(id, part)| (*id, part))
    }

    /// Whether a client has fetched a content, or a part of it.
    pub(in crate::core::hub) fn has(&self, id: PeerId, hash: &ContentHash) -> bool {
        self.had.get(hash).is_some_and(|parts| parts.contains_key(&id))
    }

    /// The offers of all contents whose hashes begin with these hex digits: first those in the table, at most
    /// [`NAMES_OF_ONE`] for each content, then the orphans.
    pub(in crate::core::hub) fn of_hash(&self, digits: &str) -> impl Iterator<Item = (ContentHash, &Key)> {
        let first = format!("{digits:0<64.64}").parse().unwrap_or(ContentHash([0xff; 32]));
        let range = self.offers.range(first..).take_while(move |(hash, _)| hash.to_string().starts_with(digits));
        range.flat_map(|(hash, keys)| keys.iter().map(|key| (*hash, key))).chain(self.orphans.of_hash(digits))
    }

    /// Notes what a client says it has of one content, and returns whether that is more than before. An empty list
    /// means that it has nothing of the content any more. A list that is implausible or beyond the client's bounds is
    /// ignored; other clients are then not told that this one has the content.
    fn note(&mut self, id: PeerId, had: Had) -> bool {
        let Had { hash, size, chunk_size, chunks } = had;
        let count = size.div_ceil(chunk_size.max(1));
        let Some(chunking) = Chunking::checked(size, chunk_size, count) else { return false };
        if chunks.end() > chunking.count() {
            return false;
        }
        if chunks.is_empty() {
            self.lose(id, &hash);
            return false;
        }
        let own = self.of.entry(id).or_default();
        let parts = self.had.entry(hash).or_default();
        if let Some(part) = parts.get_mut(&id).filter(|part| part.chunking == chunking) {
            let before = part.chunks.as_ref().map(ChunkSet::len);
            part.add(&chunks);
            let now = part.chunks.as_ref().map(ChunkSet::len);
            own.partial -= usize::from(before.is_some() && now.is_none());
            return before != now;
        }
        let mut part = Part { chunking, chunks: Some(ChunkSet::default()) };
        part.add(&chunks);
        let replaced = parts.get(&id).is_some_and(|old| old.chunks.is_some());
        let partial = own.partial - usize::from(replaced) + usize::from(part.chunks.is_some());
        let room = own.had.len() < HOLDINGS || own.had.contains(&hash);
        if !room || partial > PARTIAL_HOLDINGS {
            if parts.is_empty() {
                self.nobody_has(&hash);
            }
            return false;
        }
        own.had.insert(hash);
        own.partial = partial;
        parts.insert(id, part);
        true
    }

    /// Notes that a client does not have a content any more.
    fn lose(&mut self, id: PeerId, hash: &ContentHash) {
        let Some(own) = self.of.get_mut(&id) else { return };
        if !own.had.remove(hash) {
            return;
        }
        if let Some(parts) = self.had.get_mut(hash) {
            own.partial -= usize::from(parts.remove(&id).is_some_and(|part| part.chunks.is_some()));
            if parts.is_empty() {
                self.nobody_has(hash);
            }
        }
    }

    /// Notes that a client is fetching a content, so that it is told who else gets it.
    pub(in crate::core::hub) fn want(&mut self, id: PeerId, hash: ContentHash) {
        let own = self.of.entry(id).or_default();
        if own.wanted.len() < PARTIAL_HOLDINGS && own.wanted.insert(hash) {
            self.wanted.entry(hash).or_default().insert(id);
        }
    }

    /// Notes that a client is not fetching a content any more.
    pub(in crate::core::hub) fn settle(&mut self, id: PeerId, hash: &ContentHash) {
        if self.of.get_mut(&id).is_some_and(|own| own.wanted.remove(hash))
            && let Some(wanting) = self.wanted.get_mut(hash)
        {
            wanting.remove(&id);
            if wanting.is_empty() {
                self.wanted.remove(hash);
                self.news.remove(hash);
            }
        }
    }

    /// Forgets a client that has left.
    pub(in crate::core::hub) fn forget(&mut self, id: PeerId) {
        let Some(own) = self.of.get(&id) else { return };
        let (had, wanted) = (own.had.clone(), own.wanted.clone());
        had.iter().for_each(|hash| self.lose(id, hash));
        wanted.iter().for_each(|hash| self.settle(id, hash));
        self.of.remove(&id);
    }

    pub(in crate::core::hub) fn news_at(&self) -> Option<Time> {
        self.news_at
    }

    pub(in crate::core::hub) fn counts(&self) -> [(&'static str, usize); 6] {
        [
            ("holders", self.had.len()),
            ("wanted contents", self.wanted.len()),
            ("news", self.news.len()),
            ("holders' own", self.of.len()),
            ("orphans", self.orphans.len()),
            ("orphans' contents", self.orphans.contents()),
        ]
    }
}

impl Files {
    /// Handles `have`: a client says what it has. At most [`HAVE_CONTENTS`] contents are taken.
    pub(in crate::core::hub) fn have(&mut self, cx: &mut Cx<'_>, id: PeerId, have: Have) {
        if cx.sessions.me(id).is_err() {
            return;
        }
        for had in have.have.into_iter().take(HAVE_CONTENTS) {
            let hash = had.hash;
            if self.holders.note(id, had) {
                self.is_news(cx, hash, id);
            }
        }
    }

    /// Notes that a client (`holder`) has got more of a content. If other clients are fetching the content, they are
    /// told after the gathering time, see [`Files::tell_news`].
    pub(in crate::core::hub) fn is_news(&mut self, cx: &mut Cx<'_>, hash: ContentHash, holder: PeerId) {
        let Some(wanting) = self.holders.wanted.get(&hash) else { return };
        if wanting.iter().any(|id| *id != holder) {
            self.holders.news.entry(hash).or_default().insert(holder);
            self.holders.news_at.get_or_insert(cx.now + NEWS);
        }
    }

    /// Tells the clients that are fetching something who has got more of it. Called when the gathering time is over.
    pub(in crate::core::hub) fn tell_news(&mut self, cx: &mut Cx<'_>) {
        self.holders.news_at = None;
        for (hash, changed) in std::mem::take(&mut self.holders.news) {
            let Some(content) = self.any_content(cx, &hash) else { continue };
            let wanting = self.holders.wanted.get(&hash).cloned().unwrap_or_default();
            let changed = changed.into_iter().filter_map(|id| Some((id, self.holder(cx, id, &content)?)));
            let mut holders: Vec<(PeerId, event::Holder)> = changed.collect();
            cut_to_size(&mut holders, |(_, holder)| holder);
            for &wants in &wanting {
                let others = holders.iter().filter(|(id, _)| *id != wants);
                let sources: Vec<_> = others.map(|(_, holder)| holder.clone()).collect();
                // A client whose link is full misses this; it is only a hint.
                let takes = cx.sessions.get(wants).is_some_and(|peer| peer.link.takes_state());
                if !sources.is_empty() && takes {
                    cx.tell(wants, event::SourcesUpdated { hash, sources });
                }
            }
            // The holders must know who will ask them.
            for (id, _) in holders {
                for &wants in wanting.iter().filter(|wants| **wants != id) {
                    cx.introduce(id, wants);
                }
            }
        }
    }
}

/// Cuts a list of holders to what fits one frame, and to [`HOLDERS`] entries.
pub(in crate::core::hub) fn cut_to_size<T>(holders: &mut Vec<T>, holder: impl Fn(&T) -> &event::Holder) {
    let mut room = ANSWER_BYTES;
    let fits = holders.iter().take(HOLDERS).take_while(|entry| {
        let ranges = holder(entry).has.as_ref().map_or(0, |has| has.ranges().count());
        let needed = 1_024 + holder(entry).offer.file.len() + 16 * ranges;
        let fits = needed <= room;
        room = room.saturating_sub(needed);
        fits
    });
    let fits = fits.count();
    holders.truncate(fits);
}
