//! Simulated transfers: who sends what to whom, and how both ends learn of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::client::{Actor, Done};
use super::shelf::HUB_KEY;
use super::{Happening, Sim};
use crate::core::session::{FetchPlan, FolderFile, FolderPlan, TransferNote, UploadNote};
use crate::protocol::transfer::{Chunking, OnConflict};
use crate::protocol::types::Source;
use crate::protocol::wire::Had;
use crate::protocol::{ChunkSet, ContentHash, ErrorCode, Failure, PublicKey};

/// When a transfer begins, is in its middle and ends, in milliseconds from when it is asked for.
const MOMENTS: [u64; 3] = [10, 20, 30];

/// The hub's machine, which tells nobody of what it sends.
const HUB: usize = usize::MAX;

/// When it fails, if it cannot begin.
const REFUSED: u64 = 5;

/// A client's transfers.
#[derive(Default)]
pub(super) struct Traffic {
    fetching: BTreeMap<u64, Fetching>,
    /// By the upload's number: who fetches, and the transfer's number there.
    sending: BTreeMap<u64, (usize, u64)>,
    uploads: u64,
    /// What has been fetched and can be had from here, by its content and the size of its chunks.
    had: BTreeMap<(ContentHash, u64), ChunkSet>,
    /// What there is of files that are not complete, by the name that they will have, too.
    partial: BTreeMap<(String, ContentHash, u64), ChunkSet>,
}

/// What is being fetched: it is a download only once it is complete.
struct Fetching {
    /// What it will be: names and contents.
    files: Vec<(String, ContentHash)>,
    /// Whether each file is complete once it is there: those of a folder are.
    folder: bool,
    /// Who sends, and the numbers of the uploads there.
    from: Vec<(usize, u64)>,
}

/// What one source sends.
struct Share {
    source: usize,
    name: String,
    chunks: Vec<u32>,
}

/// Who sends what, and who cannot.
#[derive(Default)]
struct Shares {
    shares: Vec<Share>,
    dropped: Vec<TransferNote>,
}

impl Traffic {
    /// Whether an upload goes on, or has just ended.
    pub(super) fn sends(&mut self, upload: u64, note: &UploadNote) -> bool {
        match note {
            UploadNote::Completed(_) | UploadNote::Failed(_) => self.sending.remove(&upload).is_some(),
            UploadNote::Started { .. } | UploadNote::Progress(_) => self.sending.contains_key(&upload),
        }
    }

    fn has(&self, hash: &ContentHash) -> bool {
        self.had.keys().any(|(had, _)| had == hash)
    }
}

impl Actor {
    /// Whether a transfer goes on, or has just ended; what has arrived is on the disk.
    pub(super) fn fetched(&mut self, transfer: u64, note: &TransferNote) -> bool {
        let Traffic { fetching, had, partial, .. } = &mut self.traffic;
        if matches!(note, TransferNote::Failed(_)) {
            fetching.remove(&transfer);
            return true;
        }
        let Some(running) = fetching.get(&transfer) else { return false };
        match note {
            TransferNote::Have(news) => {
                for Had { hash, chunk_size, chunks, .. } in news {
                    had.entry((*hash, *chunk_size)).or_default().add(chunks);
                    for (target, _) in running.files.iter().filter(|(_, of)| of == hash) {
                        match running.folder {
                            true => drop(self.downloads.insert(target.clone(), *hash)),
                            false => partial.entry((target.clone(), *hash, *chunk_size)).or_default().add(chunks),
                        }
                    }
                }
            }
            TransferNote::Here(Had { hash, chunk_size, chunks, .. }) => {
                had.entry((*hash, *chunk_size)).or_default().add(chunks);
            }
            TransferNote::Completed { complete, .. } => {
                if *complete && !running.folder {
                    partial.retain(|(target, hash, _), _| !running.files.contains(&(target.clone(), *hash)));
                    self.downloads.extend(running.files.iter().cloned());
                }
                fetching.remove(&transfer);
            }
            _ => {}
        }
        true
    }
}

/// The bytes of these chunks.
fn bytes_of(chunking: Chunking, chunks: &[u32]) -> u64 {
    chunks.iter().map(|chunk| chunking.range(*chunk)).map(|range| range.end - range.start).sum()
}

fn have(hash: ContentHash, chunking: Chunking, chunks: &[u32]) -> TransferNote {
    TransferNote::Have(vec![Had { chunks: chunks.iter().copied().collect(), ..had_all(hash, chunking) }])
}

fn had_all(hash: ContentHash, chunking: Chunking) -> Had {
    let (size, chunk_size) = (chunking.size(), chunking.chunk_size());
    Had { hash, size, chunk_size, chunks: ChunkSet::all(chunking.count()) }
}

/// The name under which a folder is saved.
fn target_of(plan: &FolderPlan) -> &str {
    let whole = plan.files.first().and_then(|file| {
        let below = file.content.file.strip_prefix(&plan.folder)?;
        file.target.strip_suffix(below)
    });
    whole.unwrap_or(&plan.folder).trim_end_matches('/')
}

impl Sim {
    fn transfer_later(&mut self, millis: u64, client: usize, transfer: u64, note: TransferNote) {
        let at = self.now + Duration::from_millis(millis);
        self.later(at, Happening::Local(client, Done::Transfer(transfer, note)));
    }

    /// The machine of whoever has this key, if a client can fetch this content there.
    fn reach(&self, client: usize, key: PublicKey, hash: &ContentHash) -> Result<usize, Failure> {
        if key == HUB_KEY {
            return if self.shelf.serves(hash) { Ok(HUB) } else { Err(ErrorCode::SourceGone.into()) };
        }
        let source = self.actors.iter().position(|actor| actor.key == key && actor.ended.is_none());
        let source = source.ok_or(ErrorCode::PeerUnreachable)?;
        let peer = self.actors[source].peers.get(&self.actors[client].key).ok_or(ErrorCode::PeerRefused)?;
        match self.actors[source].disk.serves(hash, peer) || self.actors[source].traffic.has(hash) {
            true => Ok(source),
            false => Err(ErrorCode::SourceGone.into()),
        }
    }

    /// Plays a transfer: both ends learn of its start, its middle and its end.
    pub(super) fn fetch(&mut self, client: usize, plan: FetchPlan) {
        let Some((offer, chunking)) = plan.sources.first().and_then(|s| Some((&s.offer, s.offer.chunking()?))) else {
            return;
        };
        let (transfer, hash) = (plan.transfer, offer.hash);
        let actor = &self.actors[client];
        let there = actor.downloads.get(&plan.target);
        if plan.share && there == Some(&hash) {
            let path = format!("downloads/{}", plan.target);
            self.transfer_later(REFUSED, client, transfer, TransferNote::Here(had_all(hash, chunking)));
            let fetching = Fetching { files: vec![(plan.target, hash)], folder: false, from: Vec::new() };
            self.actors[client].traffic.fetching.insert(transfer, fetching);
            let completed = TransferNote::Completed { path, complete: true, sources: Vec::new() };
            return self.transfer_later(REFUSED, client, transfer, completed);
        }
        if plan.on_conflict == OnConflict::Fail && there.is_some_and(|there| *there != hash) {
            let failure = Failure::exists(&plan.target);
            return self.transfer_later(REFUSED, client, transfer, TransferNote::Failed(failure));
        }
        let partial = actor.traffic.partial.get(&(plan.target.clone(), hash, chunking.chunk_size()));
        let partial = partial.cloned().unwrap_or_default();
        let wanted = plan.chunks.clone().unwrap_or_else(|| ChunkSet::all(chunking.count()));
        let (there, missing): (Vec<u32>, Vec<u32>) = wanted.iter().partition(|chunk| partial.contains(*chunk));
        let Shares { shares, dropped } = match self.share_out(client, &plan, &missing) {
            Ok(shares) => shares,
            Err(failure) => return self.transfer_later(REFUSED, client, transfer, TransferNote::Failed(failure)),
        };
        let resumed = bytes_of(chunking, &there);
        let all = wanted.iter().chain(partial.iter()).collect::<ChunkSet>();
        let complete = all.len() == chunking.count();
        let target = format!("downloads/{}", plan.target);
        let path = match complete {
            true => target.clone(),
            false => format!("downloads/.{}.{}.potluck", plan.target, &hash.to_string()[..8]),
        };
        let (first, rest) = missing.split_at(missing.len() / 2);
        // A single chunk is there or not; of its bytes, one half comes before the other.
        let half = if first.is_empty() { bytes_of(chunking, rest) / 2 } else { bytes_of(chunking, first) };
        let sources = shares.iter().map(|s| Source { peer: s.name.clone(), bytes: bytes_of(chunking, &s.chunks) });
        let sources = sources.collect();
        let what = (offer.file.clone(), chunking.size(), hash);
        let from: Vec<(usize, u64)> = shares.iter().map(|s| (s.source, bytes_of(chunking, &s.chunks))).collect();
        let from = self.send(client, transfer, &what, &from);
        let fetching = Fetching { files: vec![(plan.target, hash)], folder: false, from };
        self.actors[client].traffic.fetching.insert(transfer, fetching);
        let begins = std::iter::once(TransferNote::Started { path: target, resumed }).chain(dropped);
        begins.for_each(|note| self.transfer_later(MOMENTS[0], client, transfer, note));
        for (at, note) in [
            (MOMENTS[1], TransferNote::Progress(resumed + half)),
            (MOMENTS[1], have(hash, chunking, first)),
            (MOMENTS[2], have(hash, chunking, rest)),
            (MOMENTS[2], TransferNote::Completed { path, complete, sources }),
        ] {
            self.transfer_later(at, client, transfer, note);
        }
    }

    /// The sources send in turn, each what it has.
    fn share_out(&self, client: usize, plan: &FetchPlan, missing: &[u32]) -> Result<Shares, Failure> {
        let mut out = Shares::default();
        let mut sound = Vec::new();
        for holder in &plan.sources {
            match self.reach(client, holder.key, &holder.offer.hash) {
                Ok(source) => {
                    sound.push((holder, Share { source, name: holder.offer.owner.clone(), chunks: Vec::new() }))
                }
                // There is none left: that is the failure.
                Err(failure) if plan.sources.len() == out.dropped.len() + 1 => return Err(failure),
                Err(failure) => {
                    out.dropped.push(TransferNote::Dropped { peer: holder.offer.owner.clone(), failure });
                }
            }
        }
        for chunk in missing {
            let able =
                sound.iter_mut().filter(|(holder, _)| holder.has.as_ref().is_none_or(|has| has.contains(*chunk)));
            let Some((_, share)) = able.min_by_key(|(_, share)| share.chunks.len()) else {
                return Err(Failure::new(ErrorCode::SourceGone, "Nobody who is there has the rest of the file."));
            };
            share.chunks.push(*chunk);
        }
        out.shares = sound.into_iter().map(|(_, share)| share).filter(|share| !share.chunks.is_empty()).collect();
        Ok(out)
    }

    /// Each of these clients sends so many bytes of a content.
    fn send(
        &mut self,
        client: usize,
        transfer: u64,
        (file, size, hash): &(String, u64, ContentHash),
        from: &[(usize, u64)],
    ) -> Vec<(usize, u64)> {
        let mut uploads = Vec::new();
        for (source, bytes) in from.iter().filter(|(source, _)| *source != HUB) {
            let actor = &mut self.actors[*source];
            actor.traffic.uploads += 1;
            let upload = actor.traffic.uploads;
            actor.traffic.sending.insert(upload, (client, transfer));
            uploads.push((*source, upload));
            let peer = self.actors[*source].peers.get(&self.actors[client].key).cloned().unwrap_or_default();
            let started = UploadNote::Started { peer, file: file.clone(), size: *size, hash: *hash };
            let notes = [started, UploadNote::Progress(bytes / 2), UploadNote::Completed(*bytes)];
            for (at, note) in MOMENTS.into_iter().zip(notes) {
                let at = self.now + Duration::from_millis(at);
                self.later(at, Happening::Local(*source, Done::Upload(upload, note)));
            }
        }
        uploads
    }

    /// Plays the transfer of a folder: its files come all at once, after a while.
    pub(super) fn fetch_folder(&mut self, client: usize, plan: FolderPlan) {
        let (transfer, all) = (plan.transfer, plan.files.len());
        let mut from: BTreeMap<usize, u64> = BTreeMap::new();
        let (mut files, mut arrived, mut failed) = (Vec::new(), Vec::new(), Vec::new());
        for file in &plan.files {
            let content = &file.content;
            let source = match self.source_of(client, &plan, file) {
                Ok(source) => source,
                Err(failure) => {
                    failed.push((content.file.clone(), failure));
                    continue;
                }
            };
            *from.entry(source).or_default() += content.size;
            files.push((file.target.clone(), content.hash));
            if let Some(chunking) = content.chunking() {
                let (size, chunk_size) = (content.size, chunking.chunk_size());
                arrived.push(Had { hash: content.hash, size, chunk_size, chunks: ChunkSet::all(chunking.count()) });
            }
        }
        let name_of = |source: &usize| {
            let key = self.actors.get(*source).map(|actor| actor.key);
            let of = plan.sources.iter().find(|of| of.key == key);
            of.map(|of| of.name.clone()).unwrap_or_default()
        };
        let sources = from.iter().map(|(source, bytes)| Source { peer: name_of(source), bytes: *bytes }).collect();
        let path = format!("downloads/{}", target_of(&plan));
        let bytes = from.values().sum::<u64>() / 2;
        let end = match failed.first() {
            None => TransferNote::Completed { path: path.clone(), complete: true, sources },
            Some((_, Failure { code, message, .. })) => {
                let message = format!("{} of {all} files could not be had. Of the first: {message}", failed.len());
                TransferNote::Failed(Failure::new(*code, message))
            }
        };
        let size = plan.files.iter().map(|file| file.content.size).sum();
        let from: Vec<(usize, u64)> = from.into_iter().collect();
        let from = self.send(client, transfer, &(plan.folder.clone(), size, plan.hash()), &from);
        self.actors[client].traffic.fetching.insert(transfer, Fetching { files, folder: true, from });
        self.transfer_later(MOMENTS[0], client, transfer, TransferNote::Started { path, resumed: 0 });
        for (file, failure) in failed {
            self.transfer_later(
                MOMENTS[0],
                client,
                transfer,
                TransferNote::FileFailed { file: file.to_string(), failure },
            );
        }
        self.transfer_later(MOMENTS[1], client, transfer, TransferNote::Progress(bytes));
        self.transfer_later(MOMENTS[2], client, transfer, TransferNote::Have(arrived));
        self.transfer_later(MOMENTS[2], client, transfer, end);
    }

    /// Who sends a file of a folder.
    fn source_of(&self, client: usize, plan: &FolderPlan, file: &FolderFile) -> Result<usize, Failure> {
        let there = self.actors[client].downloads.get(&file.target);
        if plan.on_conflict == OnConflict::Fail && there.is_some_and(|there| *there != file.content.hash) {
            return Err(Failure::exists(&file.target));
        }
        let mut failure = ErrorCode::SourceGone.into();
        for source in file.sources.iter().filter_map(|at| plan.sources.get(*at as usize)) {
            match self.reach(client, source.key.unwrap_or(HUB_KEY), &file.content.hash) {
                Ok(source) => return Ok(source),
                Err(because) => failure = because,
            }
        }
        Err(failure)
    }

    /// A client breaks a fetch off.
    pub(super) fn cancel_fetch(&mut self, client: usize, transfer: u64) {
        let Some(Fetching { from, .. }) = self.actors[client].traffic.fetching.remove(&transfer) else { return };
        self.transfer_later(1, client, transfer, TransferNote::Failed(ErrorCode::Interrupted.into()));
        for (source, upload) in from {
            self.upload_fails(source, upload, ErrorCode::PeerBroke);
        }
    }

    /// A client does not send any more: whoever fetches that cannot go on.
    pub(super) fn cancel_upload(&mut self, client: usize, upload: u64) {
        let Some((fetcher, transfer)) = self.actors[client].traffic.sending.get(&upload).copied() else { return };
        self.upload_fails(client, upload, ErrorCode::Interrupted);
        let Some(Fetching { from, .. }) = self.actors[fetcher].traffic.fetching.remove(&transfer) else { return };
        self.transfer_later(1, fetcher, transfer, TransferNote::Failed(ErrorCode::PeerBroke.into()));
        for (source, other) in from.into_iter().filter(|other| *other != (client, upload)) {
            self.upload_fails(source, other, ErrorCode::PeerBroke);
        }
    }

    fn upload_fails(&mut self, source: usize, upload: u64, code: ErrorCode) {
        let at = self.now + Duration::from_millis(1);
        self.later(at, Happening::Local(source, Done::Upload(upload, UploadNote::Failed(code.into()))));
    }
}
