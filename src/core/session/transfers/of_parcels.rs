//! Transfers of parcels, in both directions. The requests about them belong to `parcels`, which is told how the downloads
//! end; here they are queued, run and shown like all others. The hub is told nothing of them.

use std::collections::BTreeMap;

use crate::core::session::pending::RequestId;
use crate::protocol::{Failure, PublicKey};

/// What transfers and parcels must know of each other.
#[derive(Default)]
pub(super) struct OfParcels {
    /// Under which names receivers fetch our parcels, each with the request of its parcel.
    receivers: BTreeMap<String, RequestId>,
    /// The keys of those whose parcels are being fetched, by the numbers of the downloads.
    senders: BTreeMap<u64, PublicKey>,
    /// Downloads that have ended, with the place of what was fetched.
    ended: Vec<(u64, Result<String, Failure>)>,
}

impl OfParcels {
    /// The request of the parcel that is fetched under this name.
    pub(super) fn request_of(&self, receiver: &str) -> Option<RequestId> {
        self.receivers.get(receiver).cloned()
    }

    /// Whoever fetches from us under this name fetches the parcel of this request.
    pub(super) fn expect_receiver(&mut self, name: String, id: RequestId) {
        self.receivers.insert(name, id);
    }

    /// Nobody fetches under this name any more.
    pub(super) fn forget_receiver(&mut self, name: &str) {
        self.receivers.remove(name);
    }

    /// A parcel is fetched from the holder of this key.
    pub(super) fn begin(&mut self, transfer: u64, sender: PublicKey) {
        self.senders.insert(transfer, sender);
    }

    /// How downloads have ended since the last call.
    pub(super) fn take_ended(&mut self) -> Vec<(u64, Result<String, Failure>)> {
        std::mem::take(&mut self.ended)
    }

    /// Whether a parcel is being fetched from the holder of this key.
    pub(super) fn is_sender(&self, key: &PublicKey) -> bool {
        self.senders.values().any(|sender| sender == key)
    }

    /// A download of a parcel has ended.
    pub(super) fn end(&mut self, transfer: u64, result: Result<String, Failure>) {
        self.senders.remove(&transfer);
        self.ended.push((transfer, result));
    }
}
