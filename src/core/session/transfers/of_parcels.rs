//! Transfers of parcels, in both directions. The requests about them belong to `parcels`, which is told how the downloads
//! end; here they are queued, run and shown like all others. The hub is told nothing of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use super::Transfers;
use super::running::Running;
use crate::core::fetch::FetchPlan;
use crate::core::session::Output;
use crate::core::session::context::Context;
use crate::core::session::pending::RequestId;
use crate::core::time::Time;
use crate::protocol::{Direction, ErrorCode, Failure, PublicKey};

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

impl Transfers {
    /// Takes a number for a parcel of ours.
    pub(in crate::core::session) fn take_number(&mut self) -> u64 {
        self.numbers.take()
    }

    /// Fetches a parcel, or waits in the queue for it. Returns the transfer's number.
    pub(in crate::core::session) fn fetch_parcel(
        &mut self,
        now: Time,
        cx: &mut Context,
        id: RequestId,
        plan: FetchPlan,
    ) -> u64 {
        let transfer = self.numbers.take();
        let source = plan.sources.first();
        let peer = source.map(|source| source.name.clone()).unwrap_or_default();
        self.parcels.senders.extend(source.map(|source| (transfer, source.key)));
        let running = Running {
            parcel: Some(id),
            files: plan.is_folder().then_some(plan.files.len() as u64),
            ..Running::new(now, Direction::Down, (plan.name.clone(), peer), plan.size(), plan.hash)
        };
        self.enqueue(now, cx, transfer, plan, running);
        transfer
    }

    /// How the downloads of parcels have ended since the last call.
    pub(in crate::core::session) fn take_ended_parcels(&mut self) -> Vec<(u64, Result<String, Failure>)> {
        std::mem::take(&mut self.parcels.ended)
    }

    /// Stops the download of a parcel.
    pub(in crate::core::session) fn stop_parcel(&mut self, now: Time, cx: &mut Context, transfer: u64) {
        match self.running.get(&transfer).map(|running| running.queued.is_some()) {
            Some(true) => self.fail(now, cx, transfer, Failure::new(ErrorCode::Interrupted, "It was cancelled.")),
            Some(false) => cx.output(Output::CancelFetch(transfer)),
            None => {}
        }
    }

    /// The sender of a parcel is at this address now.
    pub(in crate::core::session) fn sender_is_at(
        &mut self,
        cx: &mut Context,
        transfer: u64,
        key: PublicKey,
        address: SocketAddr,
    ) {
        let Some(running) = self.running.get_mut(&transfer) else { return };
        match &mut running.queued {
            Some(plan) => Arc::make_mut(plan).sources.iter_mut().for_each(|source| source.address = address),
            None => cx.output(Output::Whereabouts(vec![(key, Some(address))])),
        }
    }

    /// Whoever fetches from us under this name fetches the parcel of this request.
    pub(in crate::core::session) fn expect_receiver(&mut self, name: String, id: RequestId) {
        self.parcels.receivers.insert(name, id);
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
        self.parcels.receivers.remove(name);
    }
}
