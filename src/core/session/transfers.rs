//! Transfers, both directions: queued, under way, told of, ended.

use super::queue::Queue;
use super::requests::Pending;
use super::{Event, Failure, FetchPlan, FolderPlan, Origin, Output, Running, Session, TransferNote};
use crate::core::time::Time;
use crate::protocol::event::Holder;
use crate::protocol::limits::HOLDERS;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::{ChunkSet, Direction, ErrorCode, Offer, Request, Transfer, event, request};

impl Session {
    /// The hub has said where the content is.
    pub(super) fn start_get(&mut self, now: Time, pending: Pending, get: request::Get, located: event::Located) {
        let sources = self.holders(located.sources);
        let offer = sources.first().map(|first| &first.offer);
        let chunks = match wanted(get.chunks.as_deref(), offer) {
            Ok(chunks) => chunks,
            Err(failure) => {
                if let Some(hash) = offer.map(|offer| offer.hash) {
                    self.settle(now, hash);
                }
                return self.refuse(now, pending.id, failure);
            }
        };
        let (transfer, from, target) = (self.numbers.peek(), get.from, get.to.unwrap_or(get.file));
        let on_conflict = get.on_conflict.unwrap_or(self.config.on_conflict);
        self.fetch(now, pending, FetchPlan { transfer, from, sources, chunks, target, on_conflict, share: true });
    }

    /// The hub has said who gives us what we have accepted. It must be what was offered to us.
    pub(super) fn start_accepted(&mut self, now: Time, pending: Pending, located: event::Located) {
        let Request::Accept(accept) = pending.request.clone() else { return };
        match self.plan_accepted(accept, located) {
            Ok(plan) => self.fetch(now, pending, plan),
            Err(failure) => {
                if let Request::Accept(accept) = &pending.request {
                    self.not_taken(now, self.pushes.at_hub(accept.push));
                }
                self.refuse(now, pending.id, failure);
            }
        }
    }

    fn plan_accepted(&self, accept: request::Accept, located: event::Located) -> Result<FetchPlan, Failure> {
        let sources = self.holders(located.sources);
        let first = sources.first().map(|first| &first.offer).ok_or(ErrorCode::NoSuchPush)?;
        let fits = |offered: &event::PushOffered| {
            (first.hash, first.size, &first.file) == (offered.hash, offered.size, &offered.file)
        };
        // Whose key is looked at before anything is fetched is decided by the name: it must be the one that we were told.
        let is_by = |from: &str| sources.iter().all(|source| NameKey::of(&source.offer.owner) == NameKey::of(from));
        if self.offered_push(accept.push).is_some_and(|offered| !is_by(&offered.from)) {
            return Err(Failure::new(ErrorCode::PeerKeyChanged, "The hub names somebody else than who offered it."));
        }
        // Who accepts at once, by a number that they know from before, has not been told of it yet.
        if self.offered_push(accept.push).is_some_and(|offered| !fits(offered)) {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub gives another file than was offered."));
        }
        let target = accept.to.unwrap_or_else(|| first.file.clone());
        check_file(&target).map_err(|failure| failure.at(pointer_at("/push")))?;
        let on_conflict = accept.on_conflict.unwrap_or(self.config.on_conflict);
        // It is that of the push, unless that was not told of and has been used meanwhile.
        let told = self.offered_push(accept.push).is_some() || self.numbers.is_free(accept.push);
        let transfer = if told { accept.push } else { self.numbers.peek() };
        if self.running.contains_key(&transfer) {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub gives the same file twice."));
        }
        let from = Some(first.owner.clone());
        Ok(FetchPlan { transfer, from, sources, chunks: None, target, on_conflict, share: false })
    }

    fn fetch(&mut self, now: Time, pending: Pending, plan: FetchPlan) {
        let Some(first) = plan.sources.first() else {
            return self.refuse(now, pending.id, ErrorCode::NotOffered.into());
        };
        let offer = &first.offer;
        let chunking = offer.chunking();
        let size = match (&plan.chunks, chunking) {
            (Some(chunks), Some(chunking)) => {
                chunks.iter().map(|chunk| chunking.range(chunk)).map(|range| range.end - range.start).sum()
            }
            _ => offer.size,
        };
        let what = (offer.file.clone(), offer.owner.clone());
        let push = match &pending.request {
            Request::Accept(accept) => Some(self.pushes.at_hub(accept.push)),
            _ => None,
        };
        let running = Running {
            pending: Some(pending),
            push,
            chunks: plan.chunks.clone(),
            whole: offer.size,
            ..Running::new(now, Direction::Down, what, size, offer.hash)
        };
        self.enqueue_transfer(now, plan.transfer, running, Output::Fetch(plan));
    }

    /// Our copy of the table has everything that the folder had when it was asked for.
    pub(super) fn start_known_folder(&mut self, now: Time, pending: Pending, get: &request::Get) {
        let plan = self.plan_folder(self.numbers.peek(), get, self.replica.below(&get.file));
        self.start_planned_folder(now, pending, get, plan);
    }

    /// The hub has told us what is in the folder.
    pub(super) fn start_folder(
        &mut self,
        now: Time,
        pending: Pending,
        get: &request::Get,
        offers: impl Iterator<Item = Offer>,
    ) {
        let plan = self.plan_folder(self.numbers.peek(), get, offers);
        self.start_planned_folder(now, pending, get, plan);
    }

    fn start_planned_folder(
        &mut self,
        now: Time,
        pending: Pending,
        get: &request::Get,
        plan: Result<FolderPlan, Failure>,
    ) {
        let plan = match plan {
            Ok(plan) => plan,
            Err(failure) => return self.refuse(now, pending.id, failure),
        };
        let peer = plan.sources.first().map(|source| source.name.clone()).unwrap_or_default();
        let running = Running {
            pending: Some(pending),
            files: Some(plan.files.len() as u64),
            ..Running::new(now, Direction::Down, (get.file.clone(), peer), plan.size(), plan.hash())
        };
        self.enqueue_transfer(now, plan.transfer, running, Output::FetchFolder(plan));
    }

    /// Starts a download, now or when others have ended.
    fn enqueue_transfer(&mut self, now: Time, transfer: u64, mut running: Running, start: Output) {
        self.numbers.mark(transfer);
        running.queued = Some(start);
        self.queue.push(transfer, running.hash);
        self.running.insert(transfer, running);
        self.start_queued(now);
        if let Some(place) = self.queue.newest() {
            self.tell_place(now, place);
        }
    }

    /// Starts what may start.
    fn start_queued(&mut self, now: Time) {
        while let Some(transfer) = self.queue.begin(self.config.max_transfers) {
            self.out.extend(self.running.get_mut(&transfer).and_then(|running| running.queued.take()));
        }
        self.tell_places(now);
    }

    /// Tells those who wait their new places, if it is time for that.
    pub(super) fn tell_places(&mut self, now: Time) {
        for place in self.queue.places(now) {
            self.tell_place(now, place);
        }
    }

    fn tell_place(&mut self, now: Time, (transfer, position): (u64, u64)) {
        if let Some(running) = self.running.get(&transfer) {
            let (file, id) = (running.file.clone(), running.id());
            self.tell_for(now, id, false, event::TransferQueued { transfer, file, position });
        }
    }

    /// A transfer has ended: the next may begin.
    pub(super) fn end_transfer(&mut self, now: Time, transfer: u64) -> Option<Running> {
        let running = self.running.remove(&transfer)?;
        if running.direction == Direction::Down {
            if self.queue.end(transfer, running.hash) && running.files.is_none() {
                self.settle(now, running.hash);
            }
            self.start_queued(now);
        }
        Some(running)
    }

    pub(super) fn transfer_note(&mut self, now: Time, transfer: u64, note: TransferNote) {
        let note = match note {
            TransferNote::Have(had) => return self.now_have(now, had),
            TransferNote::Here(had) => {
                if let Some(running) = self.running.get_mut(&transfer) {
                    running.is_here();
                }
                return self.now_have(now, vec![had]);
            }
            note => note,
        };
        // What was given up meanwhile is not told any more.
        let Some(running) = self.running.get_mut(&transfer) else { return };
        let id = running.id();
        let event = match note {
            TransferNote::Started { path, resumed } => {
                (running.bytes, running.resumed, running.started) = (resumed, resumed, now);
                // With the chunks that are wanted the file is complete: then all of it counts.
                if resumed > running.size {
                    running.size = running.whole;
                }
                running.pace.note(now, resumed);
                running.started(transfer, Some(path), None)
            }
            TransferNote::Progress(bytes) => running.progress(transfer, now, bytes),
            TransferNote::Have(_) | TransferNote::Here(_) => return,
            TransferNote::FileFailed { file, failure } => {
                let message = failure.message.into_owned();
                event::FileFailed { transfer, file, code: failure.code, message }.into()
            }
            TransferNote::Stalled { left } => {
                let (file, bytes, size) = (running.file.clone(), running.bytes, running.size);
                event::TransferStalled { transfer, file, bytes, size, left }.into()
            }
            TransferNote::Dropped { peer, failure } => {
                let message = failure.message.into_owned();
                event::SourceDropped { transfer, peer, code: failure.code, message }.into()
            }
            TransferNote::Completed { path, complete, sources } => {
                let mut event = running.completed(transfer, now, Some(path), sources);
                event.chunks = running.chunks.take().filter(|_| !complete);
                let ended = self.end_transfer(now, transfer).and_then(|running| running.pending);
                if let Some(Pending { request: Request::Accept(accept), .. }) = ended {
                    self.forget_push(accept.push);
                }
                return self.finish(now, id, event);
            }
            TransferNote::Failed(failure) => return self.fail_transfer(now, transfer, failure),
        };
        self.tell_for(now, id, false, event);
    }

    pub(super) fn fail_transfer(&mut self, now: Time, transfer: u64, failure: Failure) {
        let Some(running) = self.end_transfer(now, transfer) else { return };
        self.given(now, &running);
        let event = running.failed(transfer, &failure);
        match running.pending {
            Some(pending) => {
                if let (Direction::Down, Some(push)) = (running.direction, running.push) {
                    self.not_taken(now, push);
                }
                self.tell_for(now, pending.id.clone(), false, event);
                let failure = pending.failed(failure);
                self.refuse(now, pending.id, failure);
                self.gone_meanwhile(now, transfer);
            }
            None => self.tell(now, event),
        }
    }

    /// Somebody has more of what we are fetching.
    pub(super) fn sources_updated(&mut self, update: event::SourcesUpdated) {
        let sources = self.holders(update.sources);
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
                None => self.out.push_back(Output::Sources(*transfer, sources.clone())),
            }
        }
    }

    /// Holders with the hub's own address put in, and all of the same content as the first.
    fn holders(&self, mut sources: Vec<Holder>) -> Vec<Holder> {
        let first = sources.first().map(|first| (first.offer.hash, first.offer.size));
        sources.retain(|holder| Some((holder.offer.hash, holder.offer.size)) == first);
        sources.iter_mut().for_each(|holder| self.place(&mut holder.offer));
        sources
    }

    /// The hub says of itself that it is anywhere: it is where we reach it.
    pub(super) fn place(&self, offer: &mut Offer) {
        if let Some(address) = self.hub_address
            && offer.address.is_unspecified()
        {
            offer.address = address;
        }
    }

    pub(super) fn start_cancel(&mut self, now: Time, pending: Pending, transfer: u64) {
        let queued = self.running.get(&transfer).map(|running| (running.direction, running.queued.is_some()));
        let pushed = queued.is_none() && self.cancel_push(now, transfer);
        if let (None, false, Some(push)) = (queued, pushed, self.pushes.take_offered(transfer)) {
            self.finish(now, pending.id, event::Cancelled { transfer });
            // Who gives it shall not wait for us.
            return self.ask(now, request::Decline { push }.into(), Origin::Forgotten);
        }
        if queued.is_none() && !pushed {
            let failure = Failure::from(ErrorCode::NoSuchTransfer).at(pointer_at("/transfer"));
            return self.refuse(now, pending.id, failure);
        }
        // First of all: what follows may end the program.
        self.finish(now, pending.id, event::Cancelled { transfer });
        match queued {
            None => {
                let taken_back = Failure::new(ErrorCode::Interrupted, "The push was taken back.");
                self.push_refused(now, transfer, taken_back);
            }
            Some((_, true)) => {
                self.fail_transfer(now, transfer, Failure::new(ErrorCode::Interrupted, "It was cancelled."));
            }
            Some((Direction::Down, false)) => self.out.push_back(Output::CancelFetch(transfer)),
            Some((Direction::Up, false)) => {
                self.out.extend(self.uploads.of_transfer(transfer).map(Output::CancelUpload));
            }
        }
    }

    pub(super) fn transfers(&self) -> Event {
        let running = self.running.iter().map(|(number, running)| running.show(*number));
        let mut transfers: Vec<Transfer> = running.chain(self.pushes.show()).chain(self.offered_to_us()).collect();
        transfers.sort_by_key(|transfer| transfer.transfer);
        event::Transfers { transfers }.into()
    }

    /// Breaks off all transfers, and says so. Says whether a request waited for one.
    pub(super) fn abandon_transfers(&mut self, now: Time, failure: &Failure) -> bool {
        let mut failed = false;
        self.queue = Queue::default();
        for (transfer, running) in std::mem::take(&mut self.running) {
            self.out.push_back(Output::CancelFetch(transfer));
            let event = running.failed(transfer, failure);
            match running.pending {
                Some(pending) => {
                    failed = true;
                    self.waits.give_up(&pending.request);
                    self.tell_for(now, pending.id.clone(), false, event);
                    let failure = pending.given_up(failure.clone());
                    self.finish(now, pending.id, event::Error::from(failure));
                }
                None => self.tell(now, event),
            }
        }
        self.uploads.clear();
        failed
    }
}

/// The chunks that are wanted, if not all are.
fn wanted(chunks: Option<&[u32]>, offer: Option<&Offer>) -> Result<Option<ChunkSet>, Failure> {
    let (Some(chunks), Some(offer)) = (chunks, offer) else { return Ok(None) };
    if let Some(i) = chunks.iter().position(|chunk| u64::from(*chunk) >= offer.chunks) {
        let message = format!("{} has {} chunks, counted from 0.", offer.file, offer.chunks);
        return Err(Failure::new(ErrorCode::NoSuchChunk, message).at(pointer_at(&format!("/chunks/{i}"))));
    }
    Ok(Some(chunks.iter().copied().collect()))
}
