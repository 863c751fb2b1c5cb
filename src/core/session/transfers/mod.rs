//! Transfers in both directions, from the queue to their end, and the events that tell of them.

mod downloads;
mod folders;
mod holdings;
mod incoming_pushes;
mod of_parcels;
mod outgoing_pushes;
mod running;
mod starting;
mod transfer_numbers;
mod uploads;
mod whereabouts;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asks::Origin;
use super::context::Context;
use super::pending::{Pending, RequestId};
use super::{Output, TransferNote};
use crate::core::fetch::Source;
use crate::core::time::Time;
use crate::protocol::event::Holder;
use crate::protocol::limits::HOLDERS;
use crate::protocol::line::pointer_at;
use crate::protocol::wire::{Ask, Settled};
use crate::protocol::{ContentHash, Direction, ErrorCode, Event, Failure, Request, Transfer, event, request};
use downloads::DownloadQueue;
pub(super) use folders::check_get;
use holdings::Holdings;
pub(super) use incoming_pushes::void_push_answers;
use incoming_pushes::{IncomingPushes, not_taken};
use of_parcels::OfParcels;
use outgoing_pushes::{OutgoingPushes, given};
use running::Running;
use transfer_numbers::TransferNumbers;
use uploads::ShownUploads;

/// DownloadQueue, uploads, and pushes in both directions. See the [module](self).
#[derive(Default)]
pub(super) struct Transfers {
    /// Transfers that are queued or under way, by their numbers.
    running: BTreeMap<u64, Running>,
    downloads: DownloadQueue,
    uploads: ShownUploads,
    outgoing: OutgoingPushes,
    incoming: IncomingPushes,
    holdings: Holdings,
    parcels: OfParcels,
    numbers: TransferNumbers,
}

impl Transfers {
    /// Begins as many queued downloads as may run.
    fn begin_queued(&mut self, now: Time, cx: &mut Context) {
        while let Some(transfer) = self.downloads.begin(cx.config.downloads.max_transfers) {
            if let Some(start) = self.running.get_mut(&transfer).and_then(|running| running.queued.take()) {
                cx.output(Output::Fetch(transfer, start));
            }
        }
        self.tell_places(now, cx);
    }

    /// Tells the new places in the queue, if it is time for that.
    pub(super) fn tell_places(&mut self, now: Time, cx: &mut Context) {
        for place in self.downloads.places(now) {
            self.tell_place(now, cx, place);
        }
    }

    fn tell_place(&mut self, now: Time, cx: &mut Context, (transfer, position): (u64, u64)) {
        if let Some(running) = self.running.get(&transfer) {
            let (file, id) = (running.file.clone(), running.id());
            cx.tell_for(now, id, false, event::TransferQueued { transfer, file, position });
        }
    }

    /// Takes out a transfer that has ended, and begins the next one.
    fn take_ended(&mut self, now: Time, cx: &mut Context, transfer: u64) -> Option<Running> {
        let running = self.running.remove(&transfer)?;
        if running.direction == Direction::Down {
            let is_ours = running.files.is_none() && running.parcel.is_none();
            if self.downloads.take_out(transfer, running.hash) && is_ours {
                stop_following(now, cx, running.hash);
            }
            self.begin_queued(now, cx);
        }
        Some(running)
    }

    pub(super) fn transfer_note(&mut self, now: Time, cx: &mut Context, transfer: u64, note: TransferNote) {
        let is_shared = self.running.get(&transfer).is_none_or(|running| running.parcel.is_none());
        if let TransferNote::Have(had) = note {
            return if is_shared {
                self.holdings.add(now, cx, had)
            };
        }
        if let TransferNote::Here(had) = note {
            if let Some(running) = self.running.get_mut(&transfer) {
                running.is_here();
            }
            return if is_shared {
                self.holdings.add(now, cx, vec![had])
            };
        }
        // A transfer that was given up is not told of any more.
        let Some(running) = self.running.get_mut(&transfer) else { return };
        let id = running.id();
        let event = match note {
            TransferNote::Started { path, resumed, route } => {
                route.into_iter().for_each(|route| running.goes(route));
                running.begin(now, resumed);
                running.started(transfer, Some(path), None)
            }
            TransferNote::Progress(bytes) => running.progress(transfer, now, bytes),
            TransferNote::Way(route) => return running.goes(route),
            TransferNote::Have(_) | TransferNote::Here(_) => return,
            TransferNote::FileFailed { file, failure } => {
                let message = failure.message.into_owned();
                event::FileFailed { transfer, file, code: failure.code, message }.into()
            }
            TransferNote::Stalled { left } => {
                let (file, bytes, size) = (running.file.clone(), running.bytes(), running.size);
                event::TransferStalled { transfer, file, bytes, size, left }.into()
            }
            TransferNote::Dropped { peer, failure } => {
                let message = failure.message.into_owned();
                event::SourceDropped { transfer, peer, code: failure.code, message }.into()
            }
            TransferNote::Completed { path, complete: _, sources } if running.parcel.is_some() => {
                let event = running.completed(transfer, now, Some(path.clone()), sources);
                cx.tell_for(now, id, false, event);
                drop(self.take_ended(now, cx, transfer));
                return self.parcels.end(transfer, Ok(path));
            }
            TransferNote::Completed { path, complete, sources } => {
                let mut event = running.completed(transfer, now, Some(path), sources);
                event.chunks = running.chunks.take().filter(|_| !complete);
                let ended = self.take_ended(now, cx, transfer).and_then(|running| running.pending);
                if let Some(Pending { request: Request::Accept(accept), .. }) = ended {
                    self.forget_push(accept.push);
                }
                return cx.finish(now, id, event);
            }
            TransferNote::Failed(failure) => return self.fail(now, cx, transfer, failure),
        };
        cx.tell_for(now, id, false, event);
    }

    pub(super) fn fail(&mut self, now: Time, cx: &mut Context, transfer: u64, failure: Failure) {
        let Some(running) = self.take_ended(now, cx, transfer) else { return };
        given(now, cx, &running);
        let event = running.failed(transfer, &failure);
        match running.pending {
            Some(pending) => {
                if let (Direction::Down, Some(push)) = (running.direction, running.push) {
                    not_taken(now, cx, push);
                }
                cx.tell_for(now, pending.id.clone(), false, event);
                let failure = pending.failed(failure);
                cx.refuse(now, pending.id, failure);
                self.gone_meanwhile(now, cx, transfer);
            }
            None if running.parcel.is_some() && running.direction == Direction::Down => {
                cx.tell_for(now, running.parcel.unwrap_or_default(), false, event);
                self.parcels.end(transfer, Err(failure));
            }
            None => cx.tell_for(now, running.parcel.unwrap_or_default(), false, event),
        }
    }

    /// Others have a content that we are fetching, or have more of it.
    pub(super) fn sources_updated(&mut self, cx: &mut Context, update: event::SourcesUpdated) {
        let sources: Vec<Source> = holders(cx, update.sources).iter().map(Source::from).collect();
        let wants = |running: &Running| {
            running.hash == update.hash && running.direction == Direction::Down && running.parcel.is_none()
        };
        for (transfer, running) in self.running.iter_mut().filter(|(_, running)| wants(running)) {
            match &mut running.queued {
                Some(plan) if plan.is_folder() => {}
                Some(plan) => {
                    let known = &mut Arc::make_mut(plan).sources;
                    known.retain(|known| sources.iter().all(|source| source.key != known.key));
                    known.extend(sources.iter().cloned());
                    known.truncate(HOLDERS);
                }
                None => cx.output(Output::Sources(*transfer, sources.clone())),
            }
        }
    }

    pub(super) fn start_cancel(&mut self, now: Time, cx: &mut Context, pending: Pending, transfer: u64) {
        let queued = self.running.get(&transfer).map(|running| (running.direction, running.queued.is_some()));
        let pushed = queued.is_none() && self.cancel_push(now, cx, transfer);
        if let (None, false, Some(push)) = (queued, pushed, self.incoming.take(transfer)) {
            cx.finish(now, pending.id, event::Cancelled { transfer });
            // Its sender should not wait for us.
            return cx.ask(now, request::Decline { push }.into(), Origin::Forgotten);
        }
        if queued.is_none() && !pushed {
            let failure = Failure::from(ErrorCode::NoSuchTransfer).at(pointer_at("/transfer"));
            return cx.refuse(now, pending.id, failure);
        }
        // This comes first: the last transfer's end may end the program.
        cx.finish(now, pending.id, event::Cancelled { transfer });
        match queued {
            None => {
                let taken_back = Failure::new(ErrorCode::Interrupted, "The push was taken back.");
                self.push_refused(now, cx, transfer, taken_back);
            }
            Some((_, true)) => {
                self.fail(now, cx, transfer, Failure::new(ErrorCode::Interrupted, "It was cancelled."));
            }
            Some((Direction::Down, false)) => cx.output(Output::CancelFetch(transfer)),
            Some((Direction::Up, false)) => {
                if let Some(upload) = self.uploads.of_transfer(transfer) {
                    cx.output(Output::CancelUpload(upload));
                }
            }
        }
    }

    /// Answers `transfers`, with the parcels that are there.
    pub(super) fn show(&self, parcels: Vec<Transfer>) -> Event {
        let running = self.running.iter().map(|(number, running)| running.show(*number));
        let pushes = self.outgoing.show().chain(self.offered_to_us());
        let mut transfers: Vec<Transfer> = running.chain(pushes).chain(parcels).collect();
        transfers.sort_by_key(|transfer| transfer.transfer);
        event::Transfers { transfers }.into()
    }

    /// The transfers that the end waits for: those that were asked for, and our pushes.
    pub(super) fn show_awaited(&self) -> Vec<Transfer> {
        let running = self.running.iter().filter(|(_, running)| running.is_asked_for());
        let running = running.map(|(transfer, running)| running.show(*transfer));
        running.chain(self.outgoing.show()).collect()
    }

    /// How many are queued or under way.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing is queued or under way.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether a request waits for one of them.
    pub(super) fn are_awaited(&self) -> bool {
        self.running.values().any(Running::is_asked_for)
    }

    /// When new places in the queue may be told.
    pub(super) fn places_due(&self) -> Option<Time> {
        self.downloads.places_due()
    }

    /// Tells the hub what we have fetched, as far as it takes it.
    pub(super) fn announce(&mut self, now: Time, cx: &mut Context) {
        self.holdings.announce(now, cx);
    }

    /// The hub was restarted: it knows no pushes, and nothing of what we have fetched.
    pub(super) fn hub_has_forgotten(&mut self) {
        self.holdings.untell();
        self.outgoing.hub_has_forgotten();
        self.incoming.forget();
        self.running.values_mut().for_each(|running| running.push = None);
    }

    /// Breaks off every transfer and tells so. Returns whether a request waited for one.
    pub(super) fn abandon(&mut self, now: Time, cx: &mut Context, failure: &Failure) -> bool {
        let mut failed = false;
        self.downloads = DownloadQueue::default();
        for (transfer, running) in std::mem::take(&mut self.running) {
            cx.output(Output::CancelFetch(transfer));
            let event = running.failed(transfer, failure);
            match running.pending {
                Some(pending) => {
                    failed = true;
                    cx.tell_for(now, pending.id.clone(), false, event);
                    cx.effects.give_up(now, pending, failure.clone());
                }
                None => cx.tell_for(now, running.parcel.unwrap_or_default(), false, event),
            }
        }
        self.uploads.clear();
        self.parcels = OfParcels::default();
        failed
    }

    /// Whether a push of ours is not fetched yet.
    pub(super) fn is_giving(&self) -> bool {
        self.outgoing.is_giving()
    }

    /// Whether a push of ours is not accepted yet.
    pub(super) fn is_untaken(&self) -> bool {
        self.outgoing.is_untaken()
    }

    /// The requests of our pushes that the hub does not know yet.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.outgoing.unasked_mut()
    }

    /// We have left the table: pushes in both directions end, and what we have is told again when we are back.
    pub(super) fn leave(&mut self, now: Time, cx: &mut Context) {
        self.leave_pushes(now, cx);
        self.incoming.forget();
        self.holdings.untell();
    }

    /// Whether an upload is remembered by this number of its transfer.
    #[cfg(test)]
    pub(super) fn has_upload(&self, transfer: u64) -> bool {
        self.uploads.of_transfer(transfer).is_some()
    }

    /// Whether somebody wants to give us something under this number.
    #[cfg(test)]
    pub(super) fn is_offered(&self, number: u64) -> bool {
        self.incoming.get(number).is_some()
    }

    /// Takes out the requests of our pushes, each with its failure.
    pub(super) fn abandon_pushes(&mut self) -> Vec<(Pending, Failure)> {
        self.outgoing.abandon()
    }

    /// Takes a number for a parcel of ours.
    pub(in crate::core::session) fn take_number(&mut self) -> u64 {
        self.numbers.take()
    }

    /// How the downloads of parcels have ended since the last call.
    pub(in crate::core::session) fn take_ended_parcels(&mut self) -> Vec<(u64, Result<String, Failure>)> {
        self.parcels.take_ended()
    }

    /// Stops the download of a parcel.
    pub(in crate::core::session) fn stop_parcel(&mut self, now: Time, cx: &mut Context, transfer: u64) {
        match self.running.get(&transfer).map(|running| running.queued.is_some()) {
            Some(true) => self.fail(now, cx, transfer, Failure::new(ErrorCode::Interrupted, "It was cancelled.")),
            Some(false) => cx.output(Output::CancelFetch(transfer)),
            None => {}
        }
    }

    /// Whoever fetches from us under this name fetches the parcel of this request.
    pub(in crate::core::session) fn expect_receiver(&mut self, name: String, id: RequestId) {
        self.parcels.expect_receiver(name, id);
    }
}

/// Tells the hub that we do not fetch this content any more, and need not hear of its holders.
fn stop_following(now: Time, cx: &mut Context, hash: ContentHash) {
    cx.send_if_in(now, Ask::Settled(Settled { settled: hash }));
}

/// The holders that have the same content as the first, with the hub's address put in.
fn holders(cx: &Context, mut sources: Vec<Holder>) -> Vec<Holder> {
    let first = sources.first().map(|first| (first.offer.hash, first.offer.size));
    sources.retain(|holder| Some((holder.offer.hash, holder.offer.size)) == first);
    sources.iter_mut().for_each(|holder| cx.uplink.set_hub_address(&mut holder.offer));
    sources
}
