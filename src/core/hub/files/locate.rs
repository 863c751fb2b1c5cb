//! Answers where a content can be had: to clients that fetch it (`get`), and to those that ask (`chunks`, `search`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::cx::Cx;
use crate::core::hub::files::holders::{Part, cut_to_size};
use crate::core::hub::files::offers::is_from;
use crate::core::hub::files::{Files, pages};
use crate::core::hub::state::{Key, ListedOffer, Owner, key};
use crate::protocol::human::quoted;
use crate::protocol::limits::{ANSWER_BYTES, HOLDERS};
use crate::protocol::line::pointer_at;
use crate::protocol::name::{HUB, NameKey};
use crate::protocol::types::{ChunkHolder, Content, FoundFile, Holding};
use crate::protocol::wire::Folder;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Event, Failure, Id, event, request};

/// The number of offers that are looked through for the price of one request.
const LOOKED_THROUGH: usize = 10_000;

impl Files {
    /// Handles `get` for a file: everybody who has the same content, and can serve it.
    ///
    /// # Errors
    /// `not-registered`, `not-offered`, `own-file`; `ambiguous` if several contents have this name.
    pub(in crate::core::hub) fn locate(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request: &request::Get,
    ) -> Result<Event, Failure> {
        cx.sessions.me(id)?;
        let offers = self.offers_of(cx, &request.file, request.from.as_deref())?;
        let own = Owner::Client(id);
        let others: Vec<(&str, &ListedOffer)> = offers.into_iter().filter(|(_, listed)| listed.owner != own).collect();
        let content = the_one(&others)?.ok_or(ErrorCode::OwnFile)?;
        let named: Vec<String> = others.iter().map(|(owner, _)| (*owner).to_owned()).collect();
        let sources = self.sources(cx, id, &content, &named);
        self.holders.want(id, content.hash);
        // The holders must know who will ask them.
        for source in &sources {
            if let Some(holder) = cx.sessions.named(&NameKey::of(&source.offer.owner)) {
                cx.introduce(holder, id);
            }
        }
        Ok(event::Located { sources }.into())
    }

    /// Handles `get` for a folder. A client that follows the table finds the offers in its own copy, once that is up to
    /// date; any other client gets them page by page.
    ///
    /// # Errors
    /// `not-registered`, `not-offered`, `own-file`, `slow-down`
    pub(in crate::core::hub) fn locate_folder(
        &mut self,
        cx: &mut Cx<'_>,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Get,
    ) -> Result<Option<Event>, Failure> {
        cx.sessions.me(id)?;
        if !cx.follows_table(id) || !cx.follows_roster(id) {
            let folder = Folder { id: 0, folder: request.file, from: request.from, after: String::new() };
            return pages::folder_page(cx, id, &folder).map(Some);
        }
        let from = request.from.as_deref().map(NameKey::of);
        let below = cx.journal.state.table().from(&key(&request.file, ""));
        // Each owner once: most folders have one owner and many files.
        let (mut rows, mut others, mut owners) = (0, false, BTreeMap::<&str, bool>::new());
        for ((_, owner), listed) in below.take_while(|((file, _), _)| file.starts_with(request.file.as_str())) {
            rows += 1;
            let named = || from.as_ref().is_none_or(|from| NameKey::of(owner) == *from);
            // Copies that the hub keeps can also be fetched from it by its own name.
            let theirs = *owners.entry(&**owner).or_insert_with(named)
                || (listed.owner == Owner::Kept && from.as_ref().is_some_and(|from| from.as_str() == HUB));
            owners.insert(&**owner, theirs);
            others |= theirs && listed.owner != Owner::Client(id);
        }
        let owners: Vec<String> =
            owners.into_iter().filter(|(_, theirs)| *theirs).map(|(owner, _)| owner.to_owned()).collect();
        if owners.is_empty() {
            return Err(self.not_offered(cx, &request.file, request.from.as_deref()));
        }
        if !others {
            return Err(Failure::from(ErrorCode::OwnFile).at(pointer_at("/file")));
        }
        spend_for(cx, id, rows)?;
        for owner in owners {
            if let Some(holder) = cx.sessions.named(&NameKey::of(&owner)) {
                cx.introduce(holder, id);
            }
        }
        cx.sync(id, request_id).map(|()| None)
    }

    /// Everybody who has a content, except `id`. Clients without a connection come last; before that, those who offer
    /// it under a name in `named` come first, and those who have all of it before those who have a part.
    fn sources(&self, cx: &Cx<'_>, id: PeerId, content: &Arc<Content>, named: &[String]) -> Vec<event::Holder> {
        let own = Owner::Client(id);
        let mut seen = BTreeSet::new();
        let keys = named.iter().map(|owner| key(&content.file, owner));
        let keys = keys.chain(self.holders.offers(&content.hash).cloned());
        let mut holders: Vec<event::Holder> = keys
            .filter(|(_, owner)| seen.insert(owner.clone()))
            .filter_map(|key| {
                let listed = cx.journal.state.table().get(&key).filter(|listed| listed.owner != own)?;
                self.as_holder(cx, &key.1, listed, content)
            })
            .collect();
        // An owner whose process was killed stays in the table for its grace; the hub's copy must serve meanwhile.
        if self.has_copy_of(content) {
            let copy = ListedOffer { owner: Owner::Kept, content: content.clone() };
            holders.extend(self.as_holder(cx, HUB, &copy, content));
        }
        let had = self.holders.had(&content.hash).filter(|(holder, _)| *holder != id);
        holders.extend(had.filter_map(|(holder, part)| self.part_holder(cx, holder, part, content)));
        let mut sources: BTreeMap<(bool, bool, bool, String), event::Holder> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for holder in holders {
            let owner = holder.offer.owner.clone();
            let online = cx.sessions.named(&NameKey::of(&owner)).and_then(|id| cx.sessions.get(id));
            let silent = online.is_some_and(|peer| peer.conn.is_none());
            if known.insert(owner.clone()) {
                sources.insert((silent, !named.contains(&owner), holder.has.is_some(), owner), holder);
            }
        }
        let mut sources: Vec<event::Holder> = sources.into_values().collect();
        cut_to_size(&mut sources, |holder| holder);
        sources
    }

    /// The owner of an offer, as a holder of this content; `None` if it cannot serve it.
    fn as_holder(
        &self,
        cx: &Cx<'_>,
        owner: &str,
        listed: &ListedOffer,
        content: &Arc<Content>,
    ) -> Option<event::Holder> {
        let key = match listed.owner {
            Owner::Client(id) => cx.sessions.get(id)?.key,
            Owner::Hub | Owner::Kept => cx.config.files.as_ref()?.key,
            Owner::Gone => return None,
        };
        let mut offer = cx.offer(owner, &ListedOffer { owner: listed.owner, content: content.clone() });
        // The hub is one holder, even if it has copies for several clients.
        if listed.owner == Owner::Kept {
            offer.owner = HUB.to_owned();
        }
        Some(event::Holder { offer, key, has: None })
    }

    /// A client as a holder of a content; `None` if it has nothing of it.
    pub(in crate::core::hub) fn holder(
        &self,
        cx: &Cx<'_>,
        id: PeerId,
        content: &Arc<Content>,
    ) -> Option<event::Holder> {
        let name = &cx.sessions.get(id)?.name.as_ref()?.name;
        if self.holders.offers(&content.hash).any(|(_, owner)| **owner == **name) {
            let (offer, key) = cx.only_holder(id, content)?;
            return Some(event::Holder { offer, key, has: None });
        }
        let (_, part) = self.holders.had(&content.hash).find(|(holder, _)| *holder == id)?;
        self.part_holder(cx, id, part, content)
    }

    /// A client that has fetched a content, or a part of it, as a holder.
    fn part_holder(&self, cx: &Cx<'_>, id: PeerId, part: &Part, content: &Arc<Content>) -> Option<event::Holder> {
        // A part in chunks of another size cannot be described in those of this content.
        if part.chunks.is_some() && Some(part.chunking) != content.chunking() {
            return None;
        }
        let (offer, key) = cx.only_holder(id, content)?;
        Some(event::Holder { offer, key, has: part.chunks.clone() })
    }

    /// A content of this hash that is offered, or was offered by a client that is gone.
    pub(in crate::core::hub) fn any_content(&self, cx: &Cx<'_>, hash: &ContentHash) -> Option<Arc<Content>> {
        let mut offers = self.holders.offers(hash);
        let offered = offers.find_map(|key| cx.journal.state.table().get(key));
        offered.or_else(|| self.holders.orphans().any(hash)).map(|listed| listed.content.clone())
    }

    /// The offers of a file, by anybody or by one person. If there are none, those by owners who are gone.
    ///
    /// # Errors
    /// `not-offered`
    fn offers_of<'a>(
        &'a self,
        cx: &'a Cx<'_>,
        file: &str,
        from: Option<&str>,
    ) -> Result<Vec<(&'a str, &'a ListedOffer)>, Failure> {
        let name_key = from.map(NameKey::of);
        let mut offers = named(cx.journal.state.table().from(&key(file, "")), file, name_key.as_ref());
        if offers.is_empty() {
            offers = named(self.holders.orphans().from(file), file, name_key.as_ref());
        }
        if offers.is_empty() { Err(self.not_offered(cx, file, from)) } else { Ok(offers) }
    }

    /// The offers of a file whose content, or a part of it, somebody has fetched without offering it.
    fn offers_held_by<'a>(&'a self, cx: &'a Cx<'_>, file: &str, name: &str) -> Vec<(&'a str, &'a ListedOffer)> {
        let Some(holder) = cx.sessions.named(&NameKey::of(name)) else { return Vec::new() };
        let mut offers = self.offers_of(cx, file, None).unwrap_or_default();
        offers.retain(|(_, listed)| self.holders.has(holder, &listed.content.hash));
        offers
    }

    /// The failure for a name that is not offered. Its hint says if that is the name of a folder, or of a file written
    /// like a folder.
    pub(in crate::core::hub) fn not_offered(&self, cx: &Cx<'_>, file: &str, from: Option<&str>) -> Failure {
        let at = pointer_at(if from.is_some() { "/from" } else { "/file" });
        let name_key = from.map(NameKey::of);
        let is_theirs = |owner: &str, listed: &ListedOffer| is_from(name_key.as_ref(), owner, listed);
        let shown = |name: &str| quoted(name).into_owned();
        if let Some(name) = file.strip_suffix('/') {
            if !named(cx.journal.state.table().from(&key(name, "")), name, name_key.as_ref()).is_empty() {
                let message = format!("{name} is a file and not a folder.");
                let hint = format!("`get {}` fetches it.", shown(name));
                return Failure::new(ErrorCode::NotOffered, message).hint(hint).at(pointer_at("/file"));
            }
        } else {
            let folder = format!("{file}/");
            let mut below =
                cx.journal.state.table().from(&key(&folder, "")).take_while(|((name, _), _)| name.starts_with(&folder));
            if below.by_ref().take(LOOKED_THROUGH).any(|((_, owner), listed)| is_theirs(owner, listed)) {
                let message = format!("{file} is a folder: {folder} is offered.");
                let hint = format!("`get {}` fetches all that is in it.", shown(&folder));
                return Failure::new(ErrorCode::NotOffered, message).hint(hint).at(pointer_at("/file"));
            }
        }
        match from {
            Some(from) => Failure::new(ErrorCode::NotOffered, format!("{from} does not offer {file}.")),
            None => Failure::new(ErrorCode::NotOffered, format!("Nobody offers {file}.")),
        }
        .at(at)
    }

    /// Handles `chunks`: who has which chunks of a file's content, those with the most chunks first.
    ///
    /// # Errors
    /// `not-registered`, `not-offered`, `ambiguous`, `no-such-chunk`
    pub(in crate::core::hub) fn chunks(
        &self,
        cx: &Cx<'_>,
        id: PeerId,
        request: &request::Chunks,
    ) -> Result<Event, Failure> {
        cx.sessions.me(id)?;
        let offers = match (self.offers_of(cx, &request.file, request.from.as_deref()), &request.from) {
            (Err(failure), Some(from)) => match self.offers_held_by(cx, &request.file, from) {
                none if none.is_empty() => return Err(failure),
                held => held,
            },
            (offers, _) => offers?,
        };
        let content = the_one(&offers)?.ok_or(ErrorCode::NotOffered)?;
        if let Some(i) = request.chunks.iter().position(|chunk| u64::from(*chunk) >= content.chunks) {
            let message = format!("{} has {} chunks, counted from 0.", content.file, content.chunks);
            return Err(Failure::new(ErrorCode::NoSuchChunk, message).at(pointer_at(&format!("/chunks/{i}"))));
        }
        let count = content.chunking().map_or(0, |chunking| chunking.count());
        let all = ChunkSet::all(count);
        let asked: Option<ChunkSet> = (!request.chunks.is_empty()).then(|| request.chunks.iter().copied().collect());
        let mut has: BTreeMap<String, ChunkSet> = BTreeMap::new();
        for (_, owner) in self.holders.offers(&content.hash) {
            has.insert(owner.to_string(), all.clone());
        }
        for (holder, part) in self.holders.had(&content.hash) {
            let Ok(name) = cx.sessions.me(holder) else { continue };
            let chunks = match &part.chunks {
                Some(_) if Some(part.chunking) != content.chunking() => continue,
                chunks => chunks.clone().unwrap_or_else(|| all.clone()),
            };
            has.entry(name.name).or_insert(chunks);
        }
        let of_these = |set: ChunkSet| match &asked {
            Some(asked) => set.iter().filter(|chunk| asked.contains(*chunk)).collect(),
            None => set,
        };
        let mut holders: Vec<ChunkHolder> =
            has.into_iter().map(|(name, has)| ChunkHolder { name, has: of_these(has) }).collect();
        holders.retain(|holder| !holder.has.is_empty() || (count == 0 && asked.is_none()));
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.has.len()));
        let mut room = ANSWER_BYTES;
        holders.retain(|holder| {
            let needed = 64 + 16 * holder.has.ranges().count();
            let fits = needed <= room;
            room = room.saturating_sub(needed);
            fits
        });
        holders.truncate(HOLDERS);
        let Content { size, hash, chunk_size, chunks, .. } = *content;
        let file = content.file.to_string();
        Ok(event::Chunks { file, size, hash, chunk_size, chunks, holders }.into())
    }

    /// A found content, with at most [`HOLDERS`] holders: first those who offer it, then those who have fetched it.
    /// `None` if nobody has it any more.
    pub(in crate::core::hub) fn found_file(&self, cx: &Cx<'_>, file: &str, hash: ContentHash) -> Option<FoundFile> {
        let content = self.any_content(cx, &hash)?;
        let mut holders: Vec<Holding> = Vec::new();
        let mut seen = BTreeSet::new();
        for (_, owner) in self.holders.offers(&hash) {
            if seen.insert(owner.clone()) {
                holders.push(Holding { name: owner.to_string(), chunks: content.chunks, offered: true });
            }
        }
        holders.sort_by(|a, b| a.name.cmp(&b.name));
        let mut fetched: Vec<Holding> = Vec::new();
        for (holder, part) in self.holders.had(&hash) {
            let chunks = match &part.chunks {
                Some(_) if Some(part.chunking) != content.chunking() => continue,
                Some(chunks) => chunks.len().into(),
                None => content.chunks,
            };
            if let Ok(name) = cx.sessions.me(holder)
                && !seen.contains(name.name.as_str())
            {
                fetched.push(Holding { name: name.name, chunks, offered: false });
            }
        }
        fetched.sort_by(|a, b| a.name.cmp(&b.name));
        holders.extend(fetched);
        holders.truncate(HOLDERS);
        let Content { size, chunks, .. } = *content;
        Some(FoundFile { file: file.to_owned(), size, hash, chunks, holders })
    }
}

/// Takes the price of looking through this many offers, beyond the first [`LOOKED_THROUGH`].
///
/// # Errors
/// `slow-down`
pub(in crate::core::hub) fn spend_for(cx: &mut Cx<'_>, id: PeerId, offers: usize) -> Result<(), Failure> {
    (0..offers / LOOKED_THROUGH).try_for_each(|_| cx.spend_request(id))
}

/// The offers of one file at the beginning of `all`, by anybody or by one person.
fn named<'a>(
    all: impl Iterator<Item = (&'a Key, &'a ListedOffer)>,
    file: &str,
    from: Option<&NameKey>,
) -> Vec<(&'a str, &'a ListedOffer)> {
    all.take_while(|((name, _), _)| **name == *file)
        .filter(|((_, owner), listed)| is_from(from, owner, listed))
        .map(|((_, owner), listed)| (&**owner, listed))
        .collect()
}

/// The one content of these offers; `None` if there are no offers.
///
/// # Errors
/// `ambiguous` if they have several contents.
fn the_one(offers: &[(&str, &ListedOffer)]) -> Result<Option<Arc<Content>>, Failure> {
    let Some((_, first)) = offers.first() else { return Ok(None) };
    if offers.iter().any(|(_, other)| other.content.hash != first.content.hash) {
        return Err(Failure::from(ErrorCode::Ambiguous).at(pointer_at("/from")));
    }
    Ok(Some(first.content.clone()))
}
