//! Transfers: starts the session's downloads on threads, and reports their news back.

use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{ClientDriver, Message, Observer};
use crate::core::fetch::{FetchPlan, Source};
use crate::core::session::{TransferNote, UploadNote};
use crate::io::state::pins::Pins;
use crate::io::transfer::{Control, Fetched, Fetcher, UploadEvent, fetch};
use crate::protocol::cause;
use crate::protocol::name::HUB;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// How long the end of the program waits for transfers that were broken off.
const BROKEN_OFF: Duration = Duration::from_secs(2);

/// The further sources of one transfer that may wait until their keys are looked up.
const SOURCES_WAITING: usize = 256;

impl<W: Observer> ClientDriver<W> {
    /// Checks the sources' keys and runs the download on a thread. Once it has begun, rejected sources are reported.
    pub(super) fn fetch(&mut self, transfer: u64, mut plan: Arc<FetchPlan>) {
        let (prep, number) = (self.fetch_prep(), self.fetching.tokens.next_u64());
        let control = self.control(transfer);
        let (sender, local, contents) = (self.sender.clone(), self.local.clone(), self.serving.contents.clone());
        self.on_thread(move || {
            let fetched = prep.check(Arc::make_mut(&mut plan)).and_then(|others| {
                let tell = |note| {
                    let begins = matches!(note, TransferNote::Started { .. });
                    let more = others.iter().filter(|_| begins).cloned();
                    for note in std::iter::once(note).chain(more) {
                        let _ = sender.blocking_send(Message::Transfer(transfer, note));
                    }
                };
                let folder = prep.folder(&plan)?;
                // Each receiver starts at a different chunk, so that receivers who start together have something to
                // give each other.
                let (token, seed) = (token(number), number);
                let fetcher = Fetcher { token, seed, folder: &folder, local: &local, store: &contents };
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

    /// Adds sources to a running download. Their keys are looked up on a thread, for one report of a transfer at a
    /// time.
    pub(super) fn add_sources(&mut self, transfer: u64, sources: Vec<Source>) {
        if !self.fetching.running.contains_key(&transfer) {
            return;
        }
        match self.fetching.checking.entry(transfer) {
            // A hub that reports ever more sources must not fill the memory. No transfer asks so many.
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

    /// The keys of a transfer's further sources were looked up; the sources reported meanwhile are next.
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
            // Sources with another key than the pinned one are not asked, and nothing waits for them.
            if let Some(control) = control
                && let Ok(pinned) = prep.pinned(&sources, false)
            {
                let known = sources.into_iter().zip(pinned).filter(|(_, pinned)| pinned.is_ok());
                control.update(known.map(|(source, _)| source).collect());
            }
            Message::SourcesChecked(transfer)
        });
    }

    /// Tells the downloads where the owners of keys are now.
    pub(super) fn tell_whereabouts(&self, whereabouts: &[(PublicKey, Option<SocketAddr>)]) {
        for control in self.fetching.running.values().chain(self.serving.parcels.listings()) {
            whereabouts.iter().for_each(|(key, address)| control.whereabouts(*key, *address));
        }
    }

    /// Lets transfers that were broken off put down what they have, and goodbyes reach those whom they are for.
    pub(super) async fn wait_for_transfers(&mut self) {
        self.serving.stop_hashing();
        self.serving.parcels.listings().for_each(Control::cancel);
        let over = async {
            while !self.fetching.running.is_empty() {
                match self.messages.recv().await {
                    Some(Message::Transfer(transfer, TransferNote::Completed { .. } | TransferNote::Failed(_))) => {
                        self.fetching.running.remove(&transfer);
                    }
                    Some(_) => {}
                    None => return,
                }
            }
        };
        let _ = tokio::time::timeout(BROKEN_OFF, over).await;
        self.peers.flush_goodbyes().await;
    }

    fn fetch_prep(&self) -> FetchPrep {
        FetchPrep {
            hub: self.hub.key,
            pins: self.options.folders.home.pins(),
            downloads: self.options.folders.downloads.clone(),
            apart: self.options.folders.apart.clone(),
        }
    }
}

/// Prepares downloads. It reads and writes files, so it must run on threads that may block.
struct FetchPrep {
    hub: Option<PublicKey>,
    pins: Pins,
    downloads: PathBuf,
    apart: Option<PathBuf>,
}

impl FetchPrep {
    /// Takes the sources out of a plan whose key is not the pinned one, and returns the news of them. If none is left, or
    /// if the plan asks for the file of one of them by name, that is the failure.
    fn check(&self, plan: &mut FetchPlan) -> Result<Vec<TransferNote>, Failure> {
        // Their keys were sealed by a code, which says more than the hub or an earlier contact.
        if plan.by_key {
            return Ok(Vec::new());
        }
        let pinned = self.pinned(&plan.sources, plan.is_folder())?;
        let from = plan.from.as_deref().map(NameKey::of);
        let (mut keeps, mut others, mut last) = (Vec::new(), Vec::new(), None);
        for (source, pinned) in plan.sources.iter().zip(pinned) {
            keeps.push(pinned.is_ok());
            let Err(failure) = pinned else { continue };
            // The hub says who has which content. A source whose key is not the pinned one is not trusted to have it.
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

    /// Checks the sources' keys: each must have the key that is pinned for its name at this hub, and the hub its own. In
    /// a folder, the hub's copies are listed under the name of their owner.
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
            Err(failure) if !matches!(failure.code, ErrorCode::PeerKeyChanged | ErrorCode::VerifiedKeyChanged) => {
                Err(failure)
            }
            other => Ok(other),
        };
        pinned.map(fits).collect()
    }

    /// The folder for this plan, created if it does not exist.
    fn folder(&self, plan: &FetchPlan) -> Result<PathBuf, Failure> {
        let folder = self.apart.as_ref().filter(|_| plan.apart).unwrap_or(&self.downloads).clone();
        std::fs::create_dir_all(&folder).map_err(|e| {
            Failure::new(
                ErrorCode::NotWritable,
                format!("The folder {} cannot be made: {}.", folder.display(), cause::of_io(&e)),
            )
        })?;
        Ok(folder)
    }
}

pub(super) fn token(number: u64) -> String {
    format!("{number:016x}")
}

fn completed(fetched: Fetched) -> TransferNote {
    let path = fetched.path.to_string_lossy().into_owned();
    TransferNote::Completed { path, complete: fetched.complete, sources: fetched.from }
}

/// The news of an upload for the session. If it failed, the number of sent bytes comes first.
pub(super) fn upload_note(event: UploadEvent) -> (u64, Vec<UploadNote>) {
    match event {
        UploadEvent::Started { upload, file, peer: _, peer_name, size, hash, route } => {
            (upload, vec![UploadNote::Started { peer: peer_name, file, size, hash, route }])
        }
        UploadEvent::Way { upload, route } => (upload, vec![UploadNote::Way(route)]),
        UploadEvent::Progress { upload, bytes } => (upload, vec![UploadNote::Progress(bytes)]),
        UploadEvent::Completed { upload, bytes, elapsed: _ } => (upload, vec![UploadNote::Completed(bytes)]),
        UploadEvent::Failed { upload, bytes, failure } => {
            (upload, vec![UploadNote::Progress(bytes), UploadNote::Failed(failure)])
        }
    }
}
