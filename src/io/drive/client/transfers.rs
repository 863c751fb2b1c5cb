//! Transfers: from the session's plan to the data plane and back.

use std::collections::hash_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use super::{ClientDriver, Message, Observer};
use crate::core::fetch::{FetchPlan, Source};
use crate::core::session::{TransferNote, UploadNote};
use crate::io::state::pins::Pins;
use crate::io::transfer::{Control, Fetched, Fetcher, UploadEvent, fetch};
use crate::protocol::cause;
use crate::protocol::name::HUB;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// Further sources of one transfer that may wait until their keys are looked up.
const SOURCES_WAITING: usize = 256;

impl<W: Observer> ClientDriver<W> {
    /// Checks whom a plan names, and runs it, on a thread. Once it has begun, the sources are told of that are not asked.
    pub(super) fn fetch(&mut self, transfer: u64, mut plan: Arc<FetchPlan>) {
        let (prep, number) = (self.fetch_prep(), self.fetching.tokens.next_u64());
        let control = self.control(transfer);
        let (sender, local, shelf) = (self.sender.clone(), self.local.clone(), self.serving.shelf.clone());
        self.on_thread(move || {
            let fetched = prep.check(Arc::make_mut(&mut plan)).and_then(|others| {
                let tell = |note| {
                    let begins = matches!(note, TransferNote::Started { .. });
                    let more = others.iter().filter(|_| begins).cloned();
                    for note in std::iter::once(note).chain(more) {
                        let _ = sender.blocking_send(Message::Transfer(transfer, note));
                    }
                };
                let folder = prep.downloads()?;
                // It begins at a place of its own, so that receivers who begin together have something to give each other.
                let (token, seed) = (token(number), number);
                let fetcher = Fetcher { token, seed, folder: &folder, local: &local, store: &shelf };
                fetch(plan, &fetcher, &tell, &control).map(completed)
            });
            Message::Transfer(transfer, fetched.unwrap_or_else(TransferNote::Failed))
        });
    }

    fn control(&mut self, transfer: u64) -> Control {
        let control = Control::default();
        self.fetching.running.insert(transfer, control.clone());
        control
    }

    /// A content that is being fetched can be had from these, too. Their keys are looked up on a thread, for one news of
    /// a transfer at a time.
    pub(super) fn add_sources(&mut self, transfer: u64, sources: Vec<Source>) {
        if !self.fetching.running.contains_key(&transfer) {
            return;
        }
        match self.fetching.checking.entry(transfer) {
            // A hub that tells of ever more sources does not fill the memory: no transfer asks so many.
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                waiting.retain(|known| sources.iter().all(|new| new.name != known.name));
                waiting.extend(sources);
                waiting.truncate(SOURCES_WAITING);
            }
            Entry::Vacant(free) => {
                free.insert(Vec::new());
                self.check_sources(transfer, sources);
            }
        }
    }

    /// The keys of a transfer's further sources were looked up; what came meanwhile is next.
    pub(super) fn sources_checked(&mut self, transfer: u64) {
        let waiting = self.fetching.checking.get_mut(&transfer).map(std::mem::take).unwrap_or_default();
        if waiting.is_empty() {
            self.fetching.checking.remove(&transfer);
        } else {
            self.check_sources(transfer, waiting);
        }
    }

    fn check_sources(&self, transfer: u64, sources: Vec<Source>) {
        let (prep, control) = (self.fetch_prep(), self.fetching.running.get(&transfer).cloned());
        self.on_thread(move || {
            // Those that have another key than they had are not asked, and nobody waits for them.
            if let Some(control) = control
                && let Ok(pinned) = prep.pinned(&sources, false)
            {
                let known = sources.into_iter().zip(pinned).filter(|(_, pinned)| pinned.is_ok());
                control.update(known.map(|(source, _)| source).collect());
            }
            Message::SourcesChecked(transfer)
        });
    }

    fn fetch_prep(&self) -> FetchPrep {
        FetchPrep {
            hub: self.hub.key,
            pins: self.options.folders.home.pins(),
            downloads: self.options.folders.downloads.clone(),
        }
    }
}

/// Prepares fetches. It reads and writes files, so it is used on threads that may block.
struct FetchPrep {
    hub: Option<PublicKey>,
    pins: Pins,
    downloads: PathBuf,
}

impl FetchPrep {
    /// Takes the sources out of a plan that have not the key that is known for them. Says which are not asked, and why,
    /// as that is told; if there are no others, or if it shall be the file of one of them, that is the failure.
    fn check(&self, plan: &mut FetchPlan) -> Result<Vec<TransferNote>, Failure> {
        let pinned = self.pinned(&plan.sources, plan.is_folder())?;
        let from = plan.from.as_deref().map(NameKey::of);
        let (mut keeps, mut others, mut last) = (Vec::new(), Vec::new(), None);
        for (source, pinned) in plan.sources.iter().zip(pinned) {
            keeps.push(pinned.is_ok());
            let Err(failure) = pinned else { continue };
            // Which content is theirs is what the hub says: with another key, it is not theirs.
            if from.as_ref().is_some_and(|from| *from == NameKey::of(&source.name)) {
                return Err(failure);
            }
            last = Some(failure.clone());
            others.push(TransferNote::Dropped { peer: source.name.clone(), failure });
        }
        plan.keep_sources(&keeps);
        match last.filter(|_| plan.sources.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(others),
        }
    }

    /// Whether each source has the key that was seen for its name at this hub before, and the hub its own. What the hub
    /// keeps of somebody's folder is named after them.
    fn pinned(&self, sources: &[Source], of_folder: bool) -> Result<Vec<Result<(), Failure>>, Failure> {
        let Some(hub) = self.hub else { return Ok(sources.iter().map(|_| Ok(())).collect()) };
        let is_hub = |source: &Source| source.name == HUB || (of_folder && source.key == hub);
        let shown = sources.iter().filter(|source| !is_hub(source)).map(|source| (source.name.as_str(), source.key));
        let mut checked = self.pins.check_peers(&hub, &shown.collect::<Vec<_>>())?.into_iter();
        let pinned = sources.iter().map(|source| match is_hub(source) {
            true if source.key == hub => Ok(()),
            true => Err(ErrorCode::PeerKeyChanged.into()),
            false => checked.next().unwrap_or(Ok(())),
        });
        let fits = |pinned: Result<(), Failure>| match pinned {
            Err(failure) if failure.code != ErrorCode::PeerKeyChanged => Err(failure),
            other => Ok(other),
        };
        pinned.map(fits).collect()
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

fn completed(fetched: Fetched) -> TransferNote {
    let path = fetched.path.to_string_lossy().into_owned();
    TransferNote::Completed { path, complete: fetched.complete, sources: fetched.from }
}

/// What the session hears of an upload. If it failed, how much was sent comes first.
pub(super) fn upload_note(event: UploadEvent) -> (u64, Vec<UploadNote>) {
    match event {
        UploadEvent::Started { upload, file, peer: _, peer_name, size, hash } => {
            (upload, vec![UploadNote::Started { peer: peer_name, file, size, hash }])
        }
        UploadEvent::Progress { upload, bytes } => (upload, vec![UploadNote::Progress(bytes)]),
        UploadEvent::Completed { upload, bytes, elapsed: _ } => (upload, vec![UploadNote::Completed(bytes)]),
        UploadEvent::Failed { upload, bytes, failure } => {
            (upload, vec![UploadNote::Progress(bytes), UploadNote::Failed(failure)])
        }
    }
}
