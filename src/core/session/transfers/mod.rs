//! Transfers, both directions: queued, under way, told of, ended.

mod downloads;
mod folders;
mod holdings;
mod incoming;
mod numbers;
mod outgoing;
mod running;
mod starting;
mod uploads;

use std::collections::BTreeMap;

use super::asks::Origin;
use super::context::Context;
use super::pending::Pending;
use super::{Output, TransferNote};
use crate::core::time::Time;
use crate::protocol::event::Holder;
use crate::protocol::limits::HOLDERS;
use crate::protocol::line::pointer_at;
use crate::protocol::wire::{Ask, Settled};
use crate::protocol::{ContentHash, Direction, ErrorCode, Event, Failure, Request, Transfer, event, request};
use downloads::Downloads;
pub(super) use folders::check_get;
use holdings::Holdings;
pub(super) use incoming::void_push_answers;
use incoming::{IncomingPushes, not_taken};
use numbers::Numbers;
use outgoing::{OutgoingPushes, given};
use running::Running;
use uploads::Uploads;

/// What is fetched and what is given. See the [module](self).
#[derive(Default)]
pub(super) struct Transfers {
    /// Those under way and those that wait for others to end, by their numbers.
    running: BTreeMap<u64, Running>,
    downloads: Downloads,
    uploads: Uploads,
    outgoing: OutgoingPushes,
    incoming: IncomingPushes,
    holdings: Holdings,
    numbers: Numbers,
}

impl Transfers {
    /// Starts what may start.
    fn begin_queued(&mut self, now: Time, cx: &mut Context) {
        while let Some(transfer) = self.downloads.begin(cx.config.max_transfers) {
            if let Some(start) = self.running.get_mut(&transfer).and_then(|running| running.queued.take()) {
                cx.output(start);
            }
        }
        self.tell_places(now, cx);
    }

    /// Tells those who wait their new places, if it is time for that.
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

    /// A transfer has ended: the next may begin.
    fn take_ended(&mut self, now: Time, cx: &mut Context, transfer: u64) -> Option<Running> {
        let running = self.running.remove(&transfer)?;
        if running.direction == Direction::Down {
            if self.downloads.end(transfer, running.hash) && running.files.is_none() {
                stop_following(now, cx, running.hash);
            }
            self.begin_queued(now, cx);
        }
        Some(running)
    }

    pub(super) fn transfer_note(&mut self, now: Time, cx: &mut Context, transfer: u64, note: TransferNote) {
        let note = match note {
            TransferNote::Have(had) => return self.holdings.add(now, cx, had),
            TransferNote::Here(had) => {
                if let Some(running) = self.running.get_mut(&transfer) {
                    running.is_here();
                }
                return self.holdings.add(now, cx, vec![had]);
            }
            note => note,
        };
        // What was given up meanwhile is not told any more.
        let Some(running) = self.running.get_mut(&transfer) else { return };
        let id = running.id();
        let event = match note {
            TransferNote::Started { path, resumed } => {
                running.begin(now, resumed);
                running.started(transfer, Some(path), None)
            }
            TransferNote::Progress(bytes) => running.progress(transfer, now, bytes),
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
            None => cx.tell(now, event),
        }
    }

    /// Somebody has more of what we are fetching.
    pub(super) fn sources_updated(&mut self, cx: &mut Context, update: event::SourcesUpdated) {
        let sources = holders(cx, update.sources);
        let wants = |running: &Running| running.hash == update.hash && running.direction == Direction::Down;
        for (transfer, running) in self.running.iter_mut().filter(|(_, running)| wants(running)) {
            match &mut running.queued {
                Some(Output::Fetch(plan)) => {
                    for source in &sources {
                        plan.sources.retain(|known| known.key != source.key);
                        plan.sources.push(source.clone());
                    }
                    plan.sources.truncate(HOLDERS);
                }
                Some(_) => {}
                None => cx.output(Output::Sources(*transfer, sources.clone())),
            }
        }
    }

    pub(super) fn start_cancel(&mut self, now: Time, cx: &mut Context, pending: Pending, transfer: u64) {
        let queued = self.running.get(&transfer).map(|running| (running.direction, running.queued.is_some()));
        let pushed = queued.is_none() && self.cancel_push(now, cx, transfer);
        if let (None, false, Some(push)) = (queued, pushed, self.incoming.take(transfer)) {
            cx.finish(now, pending.id, event::Cancelled { transfer });
            // Who gives it shall not wait for us.
            return cx.ask(now, request::Decline { push }.into(), Origin::Forgotten);
        }
        if queued.is_none() && !pushed {
            let failure = Failure::from(ErrorCode::NoSuchTransfer).at(pointer_at("/transfer"));
            return cx.refuse(now, pending.id, failure);
        }
        // First of all: what follows may end the program.
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

    /// What is under way, and what waits.
    pub(super) fn show(&self) -> Event {
        let running = self.running.iter().map(|(number, running)| running.show(*number));
        let mut transfers: Vec<Transfer> = running.chain(self.outgoing.show()).chain(self.offered_to_us()).collect();
        transfers.sort_by_key(|transfer| transfer.transfer);
        event::Transfers { transfers }.into()
    }

    /// What the end waits for: what was asked for, and what we give.
    pub(super) fn show_awaited(&self) -> Vec<Transfer> {
        let running = self.running.iter().filter(|(_, running)| running.is_asked_for());
        let running = running.map(|(transfer, running)| running.show(*transfer));
        running.chain(self.outgoing.show()).collect()
    }

    /// How many are under way or wait for others to end.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// Whether nothing is under way.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether a request waits for one that is under way.
    pub(super) fn are_awaited(&self) -> bool {
        self.running.values().any(Running::is_asked_for)
    }

    /// When there are places in the queue to tell.
    pub(super) fn places_due(&self) -> Option<Time> {
        self.downloads.places_due()
    }

    /// The hub is told what it does not know of what we have, if it listens.
    pub(super) fn announce(&mut self, now: Time, cx: &mut Context) {
        self.holdings.announce(now, cx);
    }

    /// A hub that has forgotten everything knows none of its pushes any more, nor what we have.
    pub(super) fn hub_has_forgotten(&mut self) {
        self.holdings.untell();
        self.outgoing.hub_has_forgotten();
        self.incoming.forget();
        self.running.values_mut().for_each(|running| running.push = None);
    }

    /// Breaks off all that is under way, and says so. Says whether a request waited for one.
    pub(super) fn abandon(&mut self, now: Time, cx: &mut Context, failure: &Failure) -> bool {
        let mut failed = false;
        self.downloads = Downloads::default();
        for (transfer, running) in std::mem::take(&mut self.running) {
            cx.output(Output::CancelFetch(transfer));
            let event = running.failed(transfer, failure);
            match running.pending {
                Some(pending) => {
                    failed = true;
                    cx.tell_for(now, pending.id.clone(), false, event);
                    cx.effects.give_up(now, pending, failure.clone());
                }
                None => cx.tell(now, event),
            }
        }
        self.uploads.clear();
        failed
    }

    /// Whether something is given that is not fetched yet.
    pub(super) fn is_giving(&self) -> bool {
        self.outgoing.is_giving()
    }

    /// Whether nobody has accepted something that is given.
    pub(super) fn is_untaken(&self) -> bool {
        self.outgoing.is_untaken()
    }

    /// The pushes that the hub does not have yet.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.outgoing.unasked_mut()
    }

    /// We have left the table: what others want to give us is not told to us any more.
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

    /// Gives up every push, each with what is to be said of it.
    pub(super) fn abandon_pushes(&mut self) -> Vec<(Pending, Failure)> {
        self.outgoing.abandon()
    }
}

/// We do not want to hear who else has this content any more.
fn stop_following(now: Time, cx: &mut Context, hash: ContentHash) {
    cx.send_if_in(now, Ask::Settled(Settled { settled: hash }));
}

/// Holders with the hub's own address put in, and all of the same content as the first.
fn holders(cx: &Context, mut sources: Vec<Holder>) -> Vec<Holder> {
    let first = sources.first().map(|first| (first.offer.hash, first.offer.size));
    sources.retain(|holder| Some((holder.offer.hash, holder.offer.size)) == first);
    sources.iter_mut().for_each(|holder| cx.uplink.place(&mut holder.offer));
    sources
}
