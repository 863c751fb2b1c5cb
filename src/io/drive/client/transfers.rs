//! Transfers: from the session's plan to the data plane and back.

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

/// Further sources of one transfer that may wait until their keys are looked up.
const SOURCES_WAITING: usize = 256;

impl<W: Observer> ClientDriver<W> {
    pub(super) fn fetch(&mut self, mut plan: FetchPlan) {
        self.run_fetch(plan.transfer, move |prep| {
            let others = prep.pinned(&mut plan.sources, |holder| (&holder.offer.owner, Some(holder.key)))?;
            // Which content is theirs is what the hub says: with another key, it is not theirs.
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
            // Files name their sources by their places: these stay, and those that are not to be asked have none.
            let mut sources = plan.sources.clone();
            let others = prep.pinned(&mut sources, |source| (&source.name, source.key))?;
            let kept: Vec<bool> = plan.sources.iter().map(|source| sources.contains(source)).collect();
            for file in &mut plan.files {
                file.sources.retain(|source| kept.get(*source as usize) == Some(&true));
            }
            Ok((plan.planned(prep.hub.ok_or(ErrorCode::Internal)?)?, dropped(others)))
        });
    }

    /// Prepares and runs a fetch on a thread. Once it has begun, the sources are told of that are not asked.
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
                // It begins at a place of its own, so that receivers who begin together have something to give each other.
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

    /// A content that is being fetched can be had from these, too. Their keys are looked up on a thread, for one news of
    /// a transfer at a time.
    pub(super) fn add_sources(&mut self, transfer: u64, sources: Vec<Holder>) {
        if !self.fetching.running.contains_key(&transfer) {
            return;
        }
        match self.fetching.checking.entry(transfer) {
            // A hub that tells of ever more sources does not fill the memory: no transfer asks so many.
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

    /// The keys of a transfer's further sources were looked up; what came meanwhile is next.
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
            // Those that have another key than they had are not asked, and nobody waits for them.
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

/// Sources that are not asked, as they are told of.
fn dropped(others: Vec<(String, Failure)>) -> Vec<TransferNote> {
    others.into_iter().map(|(peer, failure)| TransferNote::Dropped { peer, failure }).collect()
}

/// Prepares fetches. It reads and writes files, so it is used on threads that may block.
struct FetchPrep {
    hub: Option<PublicKey>,
    pins: Pins,
    downloads: PathBuf,
}

impl FetchPrep {
    /// Every source must have the key that was seen for its name at this hub before, and the hub its own. Those that
    /// have another are not asked, and told of as dropped; if there are no others, that is the failure.
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
