//! Uploads: what others fetch from us, and which of these uploads the user is told of.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::Transfers;
use super::outgoing_pushes::given;
use super::running::Running;
use crate::core::session::UploadNote;
use crate::core::session::context::Context;
use crate::core::session::pending::RequestId;
use crate::core::time::Time;
use crate::protocol::Direction;

/// How many uploads to one peer are told at once, and after that one in `EVERY`: a peer could begin thousands a second
/// over many connections, and nobody could read that.
const BURST: u32 = 64;
const EVERY: Duration = Duration::from_millis(200);
/// How many peers are remembered.
const PEERS: usize = 4_096;

/// How many uploads to a peer were told.
#[derive(Default)]
struct Told {
    /// When its burst is available again as a whole.
    until: Time,
    /// How many uploads were left out since the last one that was told.
    untold: u64,
}

/// The uploads that the user is told of.
#[derive(Default)]
pub(super) struct ShownUploads {
    /// Their transfers, by the driver's numbers.
    transfers: BTreeMap<u64, u64>,
    told: HashMap<String, Told>,
}

impl ShownUploads {
    pub(super) fn clear(&mut self) {
        self.transfers.clear();
    }

    pub(super) fn of_transfer(&self, transfer: u64) -> Option<u64> {
        self.transfers.iter().find(|(_, of)| **of == transfer).map(|(upload, _)| *upload)
    }

    /// Nothing more is told of the upload with this number of its transfer.
    pub(super) fn forget(&mut self, transfer: u64) {
        self.transfers.retain(|_, of| *of != transfer);
    }

    fn insert(&mut self, upload: u64, transfer: u64) {
        self.transfers.insert(upload, transfer);
    }

    fn get(&self, upload: u64) -> Option<u64> {
        self.transfers.get(&upload).copied()
    }

    fn remove(&mut self, upload: u64) {
        self.transfers.remove(&upload);
    }

    /// Whether one more upload to this peer is told.
    fn may_tell(&mut self, now: Time, peer: &str) -> bool {
        if self.told.len() >= PEERS && !self.told.contains_key(peer) {
            self.told.retain(|_, told| told.until > now);
            if self.told.len() >= PEERS {
                return false;
            }
        }
        let told = self.told.entry(peer.to_owned()).or_default();
        let until = told.until.max(now) + EVERY;
        if until > now + EVERY * BURST {
            told.untold += 1;
            return false;
        }
        told.until = until;
        true
    }

    /// How many uploads to this peer were left out since the last call, if any.
    fn untold(&mut self, peer: &str) -> Option<u64> {
        let untold = self.told.get_mut(peer).map(|told| std::mem::take(&mut told.untold));
        untold.filter(|untold| *untold > 0)
    }
}

impl Transfers {
    pub(in crate::core::session) fn upload_note(&mut self, now: Time, cx: &mut Context, upload: u64, note: UploadNote) {
        if let UploadNote::Started { peer, file, size, hash, route } = note {
            let (transfer, pending, push) = match self.take_giving(&peer, hash) {
                Some((transfer, pending, push)) => (transfer, Some(pending), push),
                // Pushes are always told; of other uploads, as many as a user can read.
                None if self.uploads.may_tell(now, &peer) => (self.numbers.take(), None, None),
                None => return,
            };
            let untold = self.uploads.untold(&peer);
            let parcel = self.parcels.request_of(&peer);
            let mut running =
                Running { pending, push, parcel, ..Running::new(now, Direction::Up, (file, peer), size, hash) };
            running.goes(route);
            self.uploads.insert(upload, transfer);
            cx.tell_for(now, running.id(), false, running.started(transfer, None, untold));
            self.running.entry(transfer).or_insert(running).begin(now, 0);
            return;
        }
        let Some(transfer) = self.uploads.get(upload) else { return };
        let Some(running) = self.running.get_mut(&transfer) else { return };
        match note {
            UploadNote::Started { .. } => {}
            UploadNote::Way(route) => running.goes(route),
            UploadNote::Progress(bytes) => {
                let (event, id) = (running.progress(transfer, now, bytes), running.id());
                cx.tell_for(now, id, false, event);
            }
            UploadNote::Completed(bytes) => {
                running.has_sent(bytes);
                let event = running.completed(transfer, now, None, Vec::new());
                self.uploads.remove(upload);
                let Some(running) = self.take_ended(now, cx, transfer) else { return };
                given(now, cx, &running);
                match running.pending {
                    Some(pending) => cx.finish(now, pending.id, event),
                    None => cx.tell_for(now, running.parcel.unwrap_or_default(), false, event),
                }
            }
            UploadNote::Failed(failure) => {
                self.uploads.remove(upload);
                self.fail(now, cx, transfer, failure);
            }
        }
    }

    /// Whether somebody fetches from the parcel of this request now.
    pub(in crate::core::session) fn is_giving_parcel(&self, id: &RequestId) -> bool {
        self.running.values().any(|running| running.direction == Direction::Up && running.parcel.as_ref() == Some(id))
    }

    /// The receiver of this name has everything: what it was fetching is complete.
    pub(in crate::core::session) fn receiver_has_all(&mut self, now: Time, cx: &mut Context, name: &str) {
        let of_parcel = |running: &Running| running.parcel.is_some() && running.direction == Direction::Up;
        let uploads = self.running.iter().filter(|(_, running)| of_parcel(running) && running.peer == name);
        for transfer in uploads.map(|(transfer, _)| *transfer).collect::<Vec<_>>() {
            self.uploads.forget(transfer);
            if let Some(running) = self.take_ended(now, cx, transfer) {
                let event = running.completed(transfer, now, None, Vec::new());
                cx.tell_for(now, running.id(), false, event);
            }
        }
        self.parcels.forget_receiver(name);
    }
}
