//! Transfers: starts the session's downloads on threads, and reports their news back.

use std::collections::hash_map::Entry;
use std::path::PathBuf;

use super::{ClientDriver, Message, Observer};
use crate::core::fetch;
use crate::core::session::{FetchPlan, FolderPlan, TransferNote, UploadNote, source_of};
use crate::io::state::pins::Pins;
use crate::io::transfer::{Control, Fetched, Fetcher, UploadNote as Upload, fetch};
use crate::protocol::cause;
use crate::protocol::event::Holder;
use crate::protocol::name::HUB;
use crate::protocol::name::NameKey;
use crate::protocol::{ErrorCode, Failure, PublicKey};

/// The further sources of one transfer that may wait until their keys are looked up.
const SOURCES_WAITING: usize = 256;

impl<W: Observer> ClientDriver<W> {
    pub(super) fn fetch(&mut self, mut plan: FetchPlan) {
        self.run_fetch(plan.transfer, move |prep| {
            let others = prep.pinned(&mut plan.sources, |holder| (&holder.offer.owner, Some(holder.key)))?;
            // The hub says who has which content. A source whose key is not the pinned one is not trusted to have it.
            let from = plan.from.as_deref().map(NameKey::of);
            for (name, failure) in &others {
                if from.as_ref().is_some_and(|from| *from == NameKey::of(name)) {
                    return Err(failure.clone());
                }
            }
            Ok((plan.planned()?, dropped(others)))
        });
    }

    pub(super) fn fetch_folder(&mut self, mut plan: FolderPlan) {
        self.run_fetch(plan.transfer, move |prep| {
            // Files refer to sources by index. So rejected sources stay in the list, and only their references are
            // removed.
            let mut sources = plan.sources.clone();
            let others = prep.pinned(&mut sources, |source| (&source.name, source.key))?;
            let kept: Vec<bool> = plan.sources.iter().map(|source| sources.contains(source)).collect();
            for file in &mut plan.files {
                file.sources.retain(|source| kept.get(*source as usize) == Some(&true));
            }
            Ok((plan.planned(prep.hub.ok_or(ErrorCode::Internal)?)?, dropped(others)))
        });
    }

    /// Prepares a download and runs it on a thread. Once it has begun, rejected sources are reported.
    fn run_fetch(
        &mut self,
        transfer: u64,
        prepare: impl FnOnce(&FetchPrep) -> Result<(fetch::FetchPlan, Vec<TransferNote>), Failure> + Send + 'static,
    ) {
        let (prep, number) = (self.fetch_prep(), self.fetching.tokens.next_u64());
        let control = self.control(transfer);
        let (sender, local, shelf) = (self.sender.clone(), self.local.clone(), self.serving.shelf.clone());
        self.on_thread(move || {
            let fetched = prepare(&prep).and_then(|(plan, others)| {
                let tell = |note| {
                    let begins = matches!(note, TransferNote::Started { .. });
                    let more = others.iter().filter(|_| begins).cloned();
                    for note in std::iter::once(note).chain(more) {
                        let _ = sender.blocking_send(Message::Transfer(transfer, note));
                    }
                };
                let folder = prep.downloads()?;
                // Each receiver starts at a different chunk, so that receivers who start together have something to
                // give each other.
                let (token, seed) = (token(number), number);
                let fetcher = Fetcher { token, seed, folder: &folder, local: &local, store: &shelf };
                fetch(&plan, &fetcher, &tell, &control).map(completed)
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
    pub(super) fn add_sources(&mut self, transfer: u64, sources: Vec<Holder>) {
        if !self.fetching.running.contains_key(&transfer) {
            return;
        }
        match self.fetching.checking.entry(transfer) {
            // A hub that reports ever more sources must not fill the memory. No transfer asks so many.
            Entry::Occupied(mut waiting) => {
                let waiting = waiting.get_mut();
                waiting.retain(|known| sources.iter().all(|new| new.offer.owner != known.offer.owner));
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

    fn check_sources(&self, transfer: u64, mut sources: Vec<Holder>) {
        let (prep, control) = (self.fetch_prep(), self.fetching.running.get(&transfer).cloned());
        self.on_thread(move || {
            // Sources with another key than the pinned one are not asked, and nothing waits for them.
            if let Some(control) = control
                && prep.pinned(&mut sources, |holder| (&holder.offer.owner, Some(holder.key))).is_ok()
            {
                control.update(sources.iter().map(source_of).collect());
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

/// The news for sources that were rejected.
fn dropped(others: Vec<(String, Failure)>) -> Vec<TransferNote> {
    others.into_iter().map(|(peer, failure)| TransferNote::Dropped { peer, failure }).collect()
}

/// Prepares downloads. It reads and writes files, so it must run on threads that may block.
struct FetchPrep {
    hub: Option<PublicKey>,
    pins: Pins,
    downloads: PathBuf,
}

impl FetchPrep {
    /// Checks the sources' keys: each must have the key that is pinned for its name at this hub, and the hub its own.
    /// Other sources are rejected and reported as dropped. If all are rejected, that is the failure.
    fn pinned<T>(
        &self,
        sources: &mut Vec<T>,
        who: impl Fn(&T) -> (&String, Option<PublicKey>),
    ) -> Result<Vec<(String, Failure)>, Failure> {
        let Some(hub) = self.hub else { return Ok(Vec::new()) };
        let shown: Vec<_> = sources.iter().map(&who).filter(|(name, _)| *name != HUB).collect();
        let shown: Vec<_> = shown.iter().filter_map(|(name, key)| Some((name.as_str(), (*key)?))).collect();
        let mut checked = self.pins.check_peers(&hub, &shown)?.into_iter();
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for source in sources.drain(..) {
            let (name, key) = who(&source);
            let checked = match key {
                None => Ok(()),
                Some(key) if name == HUB && key == hub => Ok(()),
                Some(_) if name == HUB => Err(ErrorCode::PeerKeyChanged.into()),
                Some(_) => checked.next().unwrap_or(Ok(())),
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

    /// The download folder, created if it does not exist.
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

/// The news of an upload for the session. If it failed, the number of sent bytes comes first.
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
