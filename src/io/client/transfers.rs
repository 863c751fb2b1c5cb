//! Transfers: from the session's plan to the data plane and back.

use super::{ClientDriver, Message};
use crate::core::session::{FetchPlan, Replica, TransferNote, UploadNote};
use crate::io::cancel::Cancel;
use crate::io::data::{FetchJob, FetchNote, Fetched, Source, UploadNote as Upload, fetch};
use crate::protocol::event::Holder;
use crate::protocol::transfer::Chunking;
use crate::protocol::{ErrorCode, Failure, types};

impl<W: FnMut(&Replica)> ClientDriver<W> {
    pub(super) fn fetch(&mut self, mut plan: FetchPlan) {
        let transfer = plan.transfer;
        let token = format!("{:016x}", self.tokens.next_u64());
        let others = self.pinned(&mut plan.sources);
        let job = others.and_then(|others| Ok((self.job(plan, token)?, others)));
        let cancel = Cancel::default();
        self.fetches.insert(transfer, cancel.clone());
        let (sender, identity) = (self.sender.clone(), self.identity.clone());
        self.on_thread(move || {
            let notes = sender;
            let tell = |note| {
                let _ = notes.blocking_send(Message::Transfer(transfer, note));
            };
            let fetched = job.and_then(|(job, others)| {
                let notify = |note| {
                    let begins = matches!(note, FetchNote::Started { .. });
                    fetch_note(note).into_iter().for_each(tell);
                    if begins {
                        others.iter().cloned().for_each(tell);
                    }
                };
                fetch(&job, &identity, &notify, &cancel)
            });
            Message::Transfer(transfer, fetched.map_or_else(TransferNote::Failed, completed))
        });
    }

    /// Every source must have the key that was seen for its name at this hub before. Those that have another are
    /// not asked, and told of as dropped; if there are no others, that is the failure.
    fn pinned(&self, sources: &mut Vec<Holder>) -> Result<Vec<TransferNote>, Failure> {
        let Some(hub) = self.hub_key else { return Ok(Vec::new()) };
        let pins = self.options.home.pins();
        let (mut kept, mut others) = (Vec::new(), Vec::new());
        for holder in sources.drain(..) {
            match pins.check_peer(&holder.offer.owner, &hub, holder.key) {
                Ok(()) => kept.push(holder),
                Err(failure) if failure.code == ErrorCode::PeerKeyChanged => others.push((holder.offer.owner, failure)),
                Err(failure) => return Err(failure),
            }
        }
        match others.pop_if(|_| kept.is_empty()) {
            Some((_, failure)) => return Err(failure),
            None => *sources = kept,
        }
        Ok(others.into_iter().map(|(peer, failure)| TransferNote::Dropped { peer, failure }).collect())
    }

    fn job(&self, plan: FetchPlan, token: String) -> Result<FetchJob, Failure> {
        let first = &plan.sources.first().ok_or(ErrorCode::NotOffered)?.offer;
        let chunking = Chunking::checked(first.size, first.chunk_size, first.chunks)
            .ok_or_else(|| Failure::new(ErrorCode::PeerBroke, "The offer's size and chunks do not fit together."))?;
        let folder = self.options.downloads.clone();
        std::fs::create_dir_all(&folder).map_err(|e| {
            Failure::new(ErrorCode::NotWritable, format!("The folder {} cannot be made: {e}.", folder.display()))
        })?;
        let sources = plan.sources.iter().map(|holder| Source {
            name: holder.offer.owner.clone(),
            address: (holder.offer.address, holder.offer.port).into(),
            key: holder.key,
        });
        Ok(FetchJob {
            token,
            file: first.file.clone(),
            hash: first.hash,
            chunking,
            sources: sources.collect(),
            folder,
            target: plan.target,
            on_conflict: plan.on_conflict,
        })
    }
}

fn completed(fetched: Fetched) -> TransferNote {
    let sources = fetched.from.into_iter().map(|(peer, bytes)| types::Source { peer, bytes }).collect();
    TransferNote::Completed { path: fetched.path.to_string_lossy().into_owned(), sources }
}

/// What the user is told of it. That a connection was made is not told apart from the start.
fn fetch_note(note: FetchNote) -> Option<TransferNote> {
    Some(match note {
        FetchNote::Started { path, resumed } => {
            TransferNote::Started { path: path.to_string_lossy().into_owned(), resumed }
        }
        FetchNote::Connected { .. } => return None,
        FetchNote::Progress { bytes } => TransferNote::Progress(bytes),
        FetchNote::SourceDropped { name, failure } => TransferNote::Dropped { peer: name, failure },
    })
}

pub(super) fn upload_note(note: Upload) -> (u64, UploadNote) {
    match note {
        Upload::Started { upload, file, peer: _, peer_name, size, hash } => {
            (upload, UploadNote::Started { peer: peer_name, file, size, hash })
        }
        Upload::Progress { upload, bytes } => (upload, UploadNote::Progress(bytes)),
        Upload::Completed { upload, bytes, elapsed: _ } => (upload, UploadNote::Completed(bytes)),
        Upload::Failed { upload, bytes: _, failure } => (upload, UploadNote::Failed(failure)),
    }
}
