//! Starts downloads: turns the hub's answer into a plan, and puts it into the queue.

use super::incoming_pushes::not_taken;
use super::running::Running;
use super::{Transfers, folders, holders, stop_following};
use crate::core::session::collecting::ListedFolder;
use crate::core::session::context::Context;
use crate::core::session::pending::Pending;
use crate::core::session::replica::Replica;
use crate::core::session::{FetchPlan, FolderPlan, Output};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::{ChunkSet, Direction, ErrorCode, Failure, Offer, Request, event, request};

impl Transfers {
    /// The hub has located the content of a `get`.
    pub(in crate::core::session) fn start_get(
        &mut self,
        now: Time,
        cx: &mut Context,
        pending: Pending,
        get: request::Get,
        located: event::Located,
    ) {
        let sources = holders(cx, located.sources);
        let offer = sources.first().map(|first| &first.offer);
        let chunks = match wanted(get.chunks.as_deref(), offer) {
            Ok(chunks) => chunks,
            Err(failure) => {
                if let Some(hash) = offer.map(|offer| offer.hash) {
                    stop_following(now, cx, hash);
                }
                return cx.refuse(now, pending.id, failure);
            }
        };
        let (transfer, from, target) = (self.numbers.peek(), get.from, get.to.unwrap_or(get.file));
        let on_conflict = get.on_conflict.unwrap_or(cx.config.downloads.on_conflict);
        self.fetch(now, cx, pending, FetchPlan { transfer, from, sources, chunks, target, on_conflict, share: true });
    }

    /// The hub has located the content of a push that we have accepted. It must be the one that was offered to us.
    pub(in crate::core::session) fn start_accepted(
        &mut self,
        now: Time,
        cx: &mut Context,
        pending: Pending,
        located: event::Located,
    ) {
        let Request::Accept(accept) = pending.request.clone() else { return };
        match self.plan_accepted(cx, accept, located) {
            Ok(plan) => self.fetch(now, cx, pending, plan),
            Err(failure) => {
                if let Request::Accept(accept) = &pending.request {
                    not_taken(now, cx, self.incoming.at_hub(accept.push));
                }
                cx.refuse(now, pending.id, failure);
            }
        }
    }

    fn plan_accepted(
        &self,
        cx: &Context,
        accept: request::Accept,
        located: event::Located,
    ) -> Result<FetchPlan, Failure> {
        let sources = holders(cx, located.sources);
        let first = sources.first().map(|first| &first.offer).ok_or(ErrorCode::NoSuchPush)?;
        let fits = |offered: &event::PushOffered| {
            (first.hash, first.size, &first.file) == (offered.hash, offered.size, &offered.file)
        };
        // The name decides whose key is checked before anything is fetched, so it must be the one that we were told.
        let is_by = |from: &str| sources.iter().all(|source| NameKey::of(&source.offer.owner) == NameKey::of(from));
        if self.incoming.get(accept.push).is_some_and(|offered| !is_by(&offered.from)) {
            return Err(Failure::new(ErrorCode::PeerKeyChanged, "The hub names somebody else than who offered it."));
        }
        // A push may be accepted by its number before we are told of it.
        if self.incoming.get(accept.push).is_some_and(|offered| !fits(offered)) {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub gives another file than was offered."));
        }
        let target = accept.to.unwrap_or_else(|| first.file.clone());
        check_file(&target).map_err(|failure| failure.at(pointer_at("/push")))?;
        let on_conflict = accept.on_conflict.unwrap_or(cx.config.downloads.on_conflict);
        // The transfer has the push's number, unless we were not told of the push and that number is in use.
        let told = self.incoming.get(accept.push).is_some() || self.numbers.is_free(accept.push);
        let transfer = if told { accept.push } else { self.numbers.peek() };
        if self.running.contains_key(&transfer) {
            return Err(Failure::new(ErrorCode::WrongProtocol, "The hub gives the same file twice."));
        }
        let from = Some(first.owner.clone());
        Ok(FetchPlan { transfer, from, sources, chunks: None, target, on_conflict, share: false })
    }

    fn fetch(&mut self, now: Time, cx: &mut Context, pending: Pending, plan: FetchPlan) {
        let Some(first) = plan.sources.first() else {
            return cx.refuse(now, pending.id, ErrorCode::NotOffered.into());
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
        let accept = if let Request::Accept(accept) = &pending.request { Some(accept) } else { None };
        let push = accept.map(|accept| self.incoming.at_hub(accept.push));
        let running = Running {
            pending: Some(pending),
            push,
            chunks: plan.chunks.clone(),
            whole: offer.size,
            ..Running::new(now, Direction::Down, what, size, offer.hash)
        };
        self.enqueue(now, cx, plan.transfer, running, Output::Fetch(plan));
    }

    /// Begins a folder whose files our copy of the table has.
    pub(in crate::core::session) fn start_known_folder(
        &mut self,
        now: Time,
        cx: &mut Context,
        replica: &Replica,
        pending: Pending,
        get: &request::Get,
    ) {
        let plan = folders::plan(cx, replica, self.numbers.peek(), get, replica.below(&get.file));
        self.start_planned_folder(now, cx, pending, get, plan);
    }

    /// Begins a folder whose files the hub has listed.
    pub(in crate::core::session) fn start_listed_folder(
        &mut self,
        now: Time,
        cx: &mut Context,
        replica: &Replica,
        folder: ListedFolder,
    ) {
        let ListedFolder { pending, get, offers } = folder;
        let plan = folders::plan(cx, replica, self.numbers.peek(), &get, offers.into_iter());
        self.start_planned_folder(now, cx, pending, &get, plan);
    }

    fn start_planned_folder(
        &mut self,
        now: Time,
        cx: &mut Context,
        pending: Pending,
        get: &request::Get,
        plan: Result<FolderPlan, Failure>,
    ) {
        let plan = match plan {
            Ok(plan) => plan,
            Err(failure) => return cx.refuse(now, pending.id, failure),
        };
        let peer = plan.sources.first().map(|source| source.name.clone()).unwrap_or_default();
        let running = Running {
            pending: Some(pending),
            files: Some(plan.files.len() as u64),
            ..Running::new(now, Direction::Down, (get.file.clone(), peer), plan.size(), plan.hash())
        };
        self.enqueue(now, cx, plan.transfer, running, Output::FetchFolder(plan));
    }

    /// Puts a download into the queue, and begins it if it may run.
    fn enqueue(&mut self, now: Time, cx: &mut Context, transfer: u64, mut running: Running, start: Output) {
        self.numbers.mark(transfer);
        running.queued = Some(start);
        self.downloads.push(transfer, running.hash);
        self.running.insert(transfer, running);
        self.begin_queued(now, cx);
        if let Some(place) = self.downloads.newest() {
            self.tell_place(now, cx, place);
        }
    }
}

/// The wanted chunks; none if all are wanted.
fn wanted(chunks: Option<&[u32]>, offer: Option<&Offer>) -> Result<Option<ChunkSet>, Failure> {
    let (Some(chunks), Some(offer)) = (chunks, offer) else { return Ok(None) };
    if let Some(i) = chunks.iter().position(|chunk| u64::from(*chunk) >= offer.chunks) {
        let message = format!("{} has {} chunks, counted from 0.", offer.file, offer.chunks);
        return Err(Failure::new(ErrorCode::NoSuchChunk, message).at(pointer_at(&format!("/chunks/{i}"))));
    }
    Ok(Some(chunks.iter().copied().collect()))
}
