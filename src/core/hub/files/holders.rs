//! Who has which content, beside those who offer it: whoever has fetched it, or is fetching it. Those who are fetching
//! hear of it when others have more.

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

/// How long news of who has more are gathered.
const NEWS: Duration = Duration::from_millis(250);

/// Offers of one content that are known by its hash; of more, those that come first.
const NAMES_OF_ONE: usize = 1_024;

/// What is known of contents by their hashes.
#[derive(Default)]
pub(in crate::core::hub) struct Holders {
    /// The offers of each content: file and owner.
    offers: BTreeMap<ContentHash, Few<Key>>,
    /// What others have fetched and whose owners are gone.
    orphans: Orphans,
    /// Who has it without offering it.
    had: HashMap<ContentHash, BTreeMap<PeerId, Part>>,
    /// Who is fetching it.
    wanted: HashMap<ContentHash, BTreeSet<PeerId>>,
    /// Who has more of it than those who are fetching it have been told.
    news: BTreeMap<ContentHash, BTreeSet<PeerId>>,
    news_at: Option<Time>,
    of: BTreeMap<PeerId, Own>,
}

/// What one client has and wants.
#[derive(Default)]
struct Own {
    had: BTreeSet<ContentHash>,
    partial: usize,
    wanted: BTreeSet<ContentHash>,
}

/// What somebody has of a content.
#[derive(Clone)]
pub(in crate::core::hub) struct Part {
    pub(in crate::core::hub) chunking: Chunking,
    /// All of it, unless this says otherwise.
    pub(in crate::core::hub) chunks: Option<ChunkSet>,
}

impl Part {
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
    pub(in crate::core::hub) fn listed(&mut self, hash: ContentHash, offer: &Key) {
        match self.offers.entry(hash) {
            Entry::Vacant(none) => drop(none.insert(Few::One(offer.clone()))),
            Entry::Occupied(mut offers) if offers.get().len() < NAMES_OF_ONE => offers.get_mut().insert(offer.clone()),
            Entry::Occupied(_) => {}
        }
        self.orphans.remove(offer);
    }

    /// The owner of an offer is gone. If somebody has fetched it, or some of it, it can still be had.
    pub(in crate::core::hub) fn orphaned(&mut self, offer: Key, content: Arc<Content>) {
        if self.had.contains_key(&content.hash) {
            self.orphans.add(offer, content);
        }
    }

    pub(in crate::core::hub) fn orphans(&self) -> &Orphans {
        &self.orphans
    }

    /// Nobody has anything of a content any more.
    fn nobody_has(&mut self, hash: &ContentHash) {
        self.had.remove(hash);
        self.orphans.remove_all(hash);
    }

    pub(in crate::core::hub) fn unlisted(&mut self, hash: &ContentHash, offer: &Key) {
        if let Some(offers) = self.offers.get_mut(hash) {
            offers.remove(offer);
            if offers.is_empty() {
                self.offers.remove(hash);
            }
        }
    }

    /// The offers of a content: file and owner, in this order.
    pub(in crate::core::hub) fn offers(&self, hash: &ContentHash) -> impl Iterator<Item = &Key> {
        self.offers.get(hash).into_iter().flat_map(Few::iter)
    }

    /// Who has a content, or some of it, because they fetched it.
    pub(in crate::core::hub) fn had(&self, hash: &ContentHash) -> impl Iterator<Item = (PeerId, &Part)> {
        self.had.get(hash).into_iter().flatten().map(|(id, part)| (*id, part))
    }

    /// Whether this client has a content, or some of it, because it fetched it.
    pub(in crate::core::hub) fn has(&self, id: PeerId, hash: &ContentHash) -> bool {
        self.had.get(hash).is_some_and(|parts| parts.contains_key(&id))
    }

    /// The offers of contents whose hashes begin with these digits, and those whose owners are gone.
    pub(in crate::core::hub) fn of_hash(&self, digits: &str) -> impl Iterator<Item = (ContentHash, &Key)> {
        let first = format!("{digits:0<64.64}").parse().unwrap_or(ContentHash([0xff; 32]));
        let range = self.offers.range(first..).take_while(move |(hash, _)| hash.to_string().starts_with(digits));
        range.flat_map(|(hash, keys)| keys.iter().map(|key| (*hash, key))).chain(self.orphans.of_hash(digits))
    }

    /// Notes what a client has; says whether that is more than before. What goes beyond the limits is not noted: nobody
    /// will ask for it.
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

    /// A client fetches a content: it wants to hear who has more of it.
    pub(in crate::core::hub) fn want(&mut self, id: PeerId, hash: ContentHash) {
        let own = self.of.entry(id).or_default();
        if own.wanted.len() < PARTIAL_HOLDINGS && own.wanted.insert(hash) {
            self.wanted.entry(hash).or_default().insert(id);
        }
    }

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

    /// A client is gone.
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
    /// A client says what it has.
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

    /// Somebody has more of a content: those who are fetching it will hear of it.
    pub(in crate::core::hub) fn is_news(&mut self, cx: &mut Cx<'_>, hash: ContentHash, holder: PeerId) {
        let Some(wanting) = self.holders.wanted.get(&hash) else { return };
        if wanting.iter().any(|id| *id != holder) {
            self.holders.news.entry(hash).or_default().insert(holder);
            self.holders.news_at.get_or_insert(cx.now + NEWS);
        }
    }

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
                // Who takes no more at the moment does without: these are hints.
                let takes = cx.sessions.get(wants).is_some_and(|peer| peer.link.takes_state());
                if !sources.is_empty() && takes {
                    cx.tell(wants, event::SourcesUpdated { hash, sources });
                }
            }
            // Who is about to be asked must know who asks.
            for (id, _) in holders {
                for &wants in wanting.iter().filter(|wants| **wants != id) {
                    cx.introduce(id, wants);
                }
            }
        }
    }
}

/// Leaves out the last holders of what would be too much for one frame.
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
