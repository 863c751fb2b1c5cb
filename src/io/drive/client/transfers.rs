//! Transfers: from the session's plan to the data plane and back.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{ClientDriver, Message};
use crate::core::session::{FetchPlan, FolderPlan, FolderSource, Replica, TransferNote, UploadNote};
use crate::io::data::{
    Control, FetchJob, FetchNote, Fetched, FolderFetched, FolderFile, FolderJob, FolderNote, LocalPeer, Shelf, Source,
    UploadNote as Upload, fetch, fetch_folder,
};
use crate::io::state::pins::Pins;
use crate::protocol::cause;
use crate::protocol::event::Holder;
use crate::protocol::name::HUB;
use crate::protocol::name::NameKey;
use crate::protocol::transfer::Chunking;
use crate::protocol::wire::Had;
use crate::protocol::{ChunkSet, ErrorCode, Failure, PublicKey, types};

/// What every fetch needs: who we are, what we serve, who is told, and who may end it.
type Around<'a> = (&'a LocalPeer, &'a Shelf, &'a (dyn Fn(TransferNote) + Send + Sync), &'a Control);

impl<W: FnMut(&Replica)> ClientDriver<W> {
    pub(super) fn fetch(&mut self, mut plan: FetchPlan) {
        let (transfer, desk, number) = (plan.transfer, self.desk(), self.tokens.next_u64());
        let prepare = move || {
            let others = desk.pinned(&mut plan.sources, |holder| (&holder.offer.owner, Some(holder.key)))?;
            // Which content is theirs is what the hub says: with another key, it is not theirs.
            let from = plan.from.as_deref().map(NameKey::of);
            for (name, failure) in &others {
                if from.as_ref().is_some_and(|from| *from == NameKey::of(name)) {
                    return Err(failure.clone());
                }
            }
            Ok((desk.job(plan, number)?, dropped(others)))
        };
        self.run_fetch(transfer, prepare, |job, (identity, shelf, tell, control)| {
            let notify = |note| fetch_note(job, note).into_iter().for_each(tell);
            fetch(job, identity, shelf, &notify, control).map(completed)
        });
    }

    pub(super) fn fetch_folder(&mut self, mut plan: FolderPlan) {
        let (transfer, desk, number) = (plan.transfer, self.desk(), self.tokens.next_u64());
        let prepare = move || {
            // Files name their sources by their places: these stay, and those that are not to be asked have none.
            let mut sources = plan.sources.clone();
            let others = desk.pinned(&mut sources, |source| (&source.name, source.key))?;
            let kept: Vec<bool> = plan.sources.iter().map(|source| sources.contains(source)).collect();
            for file in &mut plan.files {
                file.sources.retain(|source| kept.get(*source as usize) == Some(&true));
            }
            Ok((desk.folder_job(plan, number)?, dropped(others)))
        };
        self.run_fetch(transfer, prepare, |job, (identity, shelf, tell, control)| {
            let notify = |note| folder_note(job, note).into_iter().for_each(tell);
            fetch_folder(job, identity, shelf, &notify, control).map(folder_completed)
        });
    }

    /// Prepares and runs a fetch on a thread. Once it has begun, the sources are told of that are not asked.
    fn run_fetch<J>(
        &mut self,
        transfer: u64,
        prepare: impl FnOnce() -> Result<(J, Vec<TransferNote>), Failure> + Send + 'static,
        fetch: impl FnOnce(&J, Around<'_>) -> Result<TransferNote, Failure> + Send + 'static,
    ) {
        let control = self.control(transfer);
        let (sender, identity, shelf) = (self.sender.clone(), self.local.clone(), self.shelf.clone());
        self.on_thread(move || {
            let fetched = prepare().and_then(|(job, others)| {
                let tell = |note| {
                    let begins = matches!(note, TransferNote::Started { .. });
                    let more = others.iter().filter(|_| begins).cloned();
                    for note in std::iter::once(note).chain(more) {
                        let _ = sender.blocking_send(Message::Transfer(transfer, note));
                    }
                };
                fetch(&job, (&identity, &shelf, &tell, &control))
            });
            Message::Transfer(transfer, fetched.unwrap_or_else(TransferNote::Failed))
        });
    }

    fn control(&mut self, transfer: u64) -> Control {
        let control = Control::default();
        self.fetches.insert(transfer, control.clone());
        control
    }

    /// A content that is being fetched can be had from these, too.
    pub(super) fn add_sources(&mut self, transfer: u64, mut sources: Vec<Holder>) {
        let Some(control) = self.fetches.get(&transfer) else { return };
        // Those that have another key than they had are not asked, and nobody waits for them. Here it is done at once: a
        // hub that tells of ever more sources is to wait, not to fill the memory.
        if self.desk().pinned(&mut sources, |holder| (&holder.offer.owner, Some(holder.key))).is_ok() {
            control.update(sources.iter().map(source).collect());
        }
    }

    fn desk(&self) -> Desk {
        Desk { hub: self.hub_key, pins: self.options.home.pins(), downloads: self.options.downloads.clone() }
    }
}

/// Sources that are not asked, as they are told of.
fn dropped(others: Vec<(String, Failure)>) -> Vec<TransferNote> {
    others.into_iter().map(|(peer, failure)| TransferNote::Dropped { peer, failure }).collect()
}

/// What it takes to prepare a fetch. That reads and writes files, so it is for threads that may wait.
struct Desk {
    hub: Option<PublicKey>,
    pins: Pins,
    downloads: PathBuf,
}

impl Desk {
    /// Every source must have the key that was seen for its name at this hub before, and the hub its own. Those that
    /// have another are not asked, and told of as dropped; if there are no others, that is the failure.
    fn pinned<T>(
        &self,
        sources: &mut Vec<T>,
        who: impl Fn(&T) -> (&String, Option<PublicKey>),
    ) -> Result<Vec<(String, Failure)>, Failure> {
        let Some(hub) = self.hub else { return Ok(Vec::new()) };
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for source in sources.drain(..) {
            let (name, key) = who(&source);
            let checked = match key {
                None => Ok(()),
                Some(key) if name == HUB && key == hub => Ok(()),
                Some(_) if name == HUB => Err(ErrorCode::PeerKeyChanged.into()),
                Some(key) => self.pins.check_peer(name, &hub, key),
            };
            match checked {
                Ok(()) => kept.push(source),
                Err(failure) if failure.code == ErrorCode::PeerKeyChanged => others.push((name.clone(), failure)),
                Err(failure) => return Err(failure),
            }
        }
        match others.pop_if(|_| kept.is_empty()) {
            Some((_, failure)) => return Err(failure),
            None => *sources = kept,
        }
        Ok(others)
    }

    fn job(&self, plan: FetchPlan, number: u64) -> Result<FetchJob, Failure> {
        let first = &plan.sources.first().ok_or(ErrorCode::NotOffered)?.offer;
        Ok(FetchJob {
            token: token(number),
            file: first.file.clone(),
            hash: first.hash,
            chunking: first.chunking().ok_or_else(unfit)?,
            chunks: plan.chunks,
            sources: plan.sources.iter().map(source).collect(),
            folder: self.downloads()?,
            target: plan.target,
            on_conflict: plan.on_conflict,
            modified: first.modified,
            // From a place of its own, so that receivers who begin together have something to give each other.
            seed: number,
            share: plan.share,
        })
    }

    fn folder_job(&self, plan: FolderPlan, number: u64) -> Result<FolderJob, Failure> {
        let hub = self.hub.ok_or(ErrorCode::Internal)?;
        let hash = plan.hash();
        let files = plan.files.into_iter().map(|file| {
            let chunking = file.content.chunking().ok_or_else(unfit)?;
            Ok(FolderFile {
                file: file.content.file.to_string(),
                target: file.target,
                hash: file.content.hash,
                chunking,
                modified: file.content.modified,
                sources: file.sources,
            })
        });
        let source = |source: FolderSource| Source {
            name: source.name,
            address: source.address,
            key: source.key.unwrap_or(hub),
            has: None,
        };
        Ok(FolderJob {
            token: token(number),
            name: plan.folder,
            hash,
            files: files.collect::<Result<_, Failure>>()?,
            sources: plan.sources.into_iter().map(source).collect(),
            folder: self.downloads()?,
            on_conflict: plan.on_conflict,
            seed: number,
        })
    }

    /// The download folder, made if it is not there.
    fn downloads(&self) -> Result<PathBuf, Failure> {
        let folder = self.downloads.clone();
        std::fs::create_dir_all(&folder).map_err(|e| {
            Failure::new(
                ErrorCode::NotWritable,
                format!("The folder {} cannot be made: {}.", folder.display(), cause::of_io(&e)),
            )
        })?;
        Ok(folder)
    }
}

fn token(number: u64) -> String {
    format!("{number:016x}")
}

fn unfit() -> Failure {
    Failure::new(ErrorCode::PeerBroke, "The offer's size and chunks do not fit together.")
}

fn source(holder: &Holder) -> Source {
    Source {
        name: holder.offer.owner.clone(),
        address: SocketAddr::new(holder.offer.address, holder.offer.port),
        key: holder.key,
        has: holder.has.clone(),
    }
}

fn completed(fetched: Fetched) -> TransferNote {
    let path = fetched.path.to_string_lossy().into_owned();
    TransferNote::Completed { path, complete: fetched.complete, sources: sent(fetched.from) }
}

fn folder_completed(fetched: FolderFetched) -> TransferNote {
    let path = fetched.path.to_string_lossy().into_owned();
    TransferNote::Completed { path, complete: true, sources: sent(fetched.from) }
}

fn sent(from: Vec<(String, u64)>) -> Vec<types::Source> {
    from.into_iter().map(|(peer, bytes)| types::Source { peer, bytes }).collect()
}

/// What the user is told of it. That a connection was made is not told apart from the start.
fn fetch_note(job: &FetchJob, note: FetchNote) -> Option<TransferNote> {
    Some(match note {
        FetchNote::Started { path, resumed } => {
            TransferNote::Started { path: path.to_string_lossy().into_owned(), resumed }
        }
        FetchNote::Here(chunking) => TransferNote::Here(had(job.hash, chunking, ChunkSet::all(chunking.count()))),
        FetchNote::Connected { .. } => return None,
        FetchNote::Progress { bytes } => TransferNote::Progress(bytes),
        FetchNote::Have(chunks) => TransferNote::Have(vec![had(job.hash, job.chunking, chunks)]),
        FetchNote::Stalled(left) => TransferNote::Stalled { left: left.as_millis() as u64 },
        FetchNote::SourceDropped { name, failure } => TransferNote::Dropped { peer: name, failure },
    })
}

fn folder_note(job: &FolderJob, note: FolderNote) -> Option<TransferNote> {
    Some(match note {
        FolderNote::Started { path, resumed } => {
            TransferNote::Started { path: path.to_string_lossy().into_owned(), resumed }
        }
        FolderNote::Connected { .. } => return None,
        FolderNote::Progress { bytes } => TransferNote::Progress(bytes),
        FolderNote::Have(arrived) => {
            let arrived = arrived.into_iter().filter_map(|file| {
                let of = job.files.get(file.file as usize)?;
                // How it is cut here: a file that came whole is one chunk.
                let chunking = file.hashed.map_or(of.chunking, |hashed| hashed.chunking);
                Some(had(of.hash, chunking, ChunkSet::all(chunking.count())))
            });
            TransferNote::Have(arrived.collect())
        }
        FolderNote::FileFailed { file, failure } => TransferNote::FileFailed { file, failure },
        FolderNote::SourceDropped { name, failure } => TransferNote::Dropped { peer: name, failure },
    })
}

fn had(hash: crate::protocol::ContentHash, chunking: Chunking, chunks: ChunkSet) -> Had {
    Had { hash, size: chunking.size(), chunk_size: chunking.chunk_size(), chunks }
}

/// What is told of an upload. How much was sent until it failed is progress, too.
pub(super) fn upload_note(note: Upload) -> (u64, Vec<UploadNote>) {
    match note {
        Upload::Started { upload, file, peer: _, peer_name, size, hash } => {
            (upload, vec![UploadNote::Started { peer: peer_name, file, size, hash }])
        }
        Upload::Progress { upload, bytes } => (upload, vec![UploadNote::Progress(bytes)]),
        Upload::Completed { upload, bytes, elapsed: _ } => (upload, vec![UploadNote::Completed(bytes)]),
        Upload::Failed { upload, bytes, failure } => {
            (upload, vec![UploadNote::Progress(bytes), UploadNote::Failed(failure)])
        }
    }
}
