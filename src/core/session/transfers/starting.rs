//! Starts downloads: turns the hub's answer into a plan, and puts it into the queue.

use std::sync::Arc;

use super::incoming_pushes::not_taken;
use super::running::Running;
use super::{Transfers, folders, holders, stop_following};
use crate::core::fetch::FetchPlan;
use crate::core::session::collecting::ListedFolder;
use crate::core::session::context::Context;
use crate::core::session::pending::{Pending, RequestId};
use crate::core::session::replica::Replica;
use crate::core::time::Time;
use crate::protocol::event::Holder;
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
        let holders = holders(cx, located.sources);
        match plan_get(cx, get, &holders) {
            Ok(plan) => self.fetch(now, cx, pending, self.numbers.peek(), plan),
            Err(failure) => {
                if let Some(first) = holders.first() {
                    stop_following(now, cx, first.offer.hash);
                }
                cx.refuse(now, pending.id, failure);
            }
        }
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
            Ok((transfer, plan)) => self.fetch(now, cx, pending, transfer, plan),
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
    ) -> Result<(u64, FetchPlan), Failure> {
        let holders = holders(cx, located.sources);
        let first = holders.first().map(|first| &first.offer).ok_or(ErrorCode::NoSuchPush)?;
        let fits = |offered: &event::PushOffered| {
            (first.hash, first.size, &first.file) == (offered.hash, offered.size, &offered.file)
        };
        // The name decides whose key is checked before anything is fetched, so it must be the one that we were told.
        let is_by = |from: &str| holders.iter().all(|holder| NameKey::of(&holder.offer.owner) == NameKey::of(from));
        if self.incoming.get(accept.push).is_some_and(|offered| !is_by(&offered.from)) {
            let failure = Failure::new(ErrorCode::PeerKeyChanged, "The hub names somebody else than who offered it.");
            return Err(failure.hint("Ask them to push it again; if it happens again, the hub is not to be trusted."));
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
        let mut plan = FetchPlan::of_held(&holders)?;
        plan.from = Some(first.owner.clone());
        (plan.files[0].target, plan.on_conflict, plan.share) = (target, on_conflict, false);
        Ok((transfer, plan))
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
        let plan = folders::plan(cx, replica, get, replica.below(&get.file));
        self.start_folder(now, cx, pending, plan);
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
        let plan = folders::plan(cx, replica, &get, offers.into_iter());
        self.start_folder(now, cx, pending, plan);
    }

    fn start_folder(&mut self, now: Time, cx: &mut Context, pending: Pending, plan: Result<FetchPlan, Failure>) {
        match plan {
            Ok(plan) => self.fetch(now, cx, pending, self.numbers.peek(), plan),
            Err(failure) => cx.refuse(now, pending.id, failure),
        }
    }

    /// Puts a download into the queue, and begins it if it may run.
    fn fetch(&mut self, now: Time, cx: &mut Context, pending: Pending, transfer: u64, plan: FetchPlan) {
        let accept = if let Request::Accept(accept) = &pending.request { Some(accept) } else { None };
        let push = accept.map(|accept| self.incoming.at_hub(accept.push));
        let peer = plan.sources.first().map(|source| source.name.clone()).unwrap_or_default();
        let running = Running {
            pending: Some(pending),
            push,
            chunks: plan.chunks.clone(),
            whole: plan.size(),
            files: plan.is_folder().then_some(plan.files.len() as u64),
            ..Running::new(now, Direction::Down, (plan.name.clone(), peer), plan.wanted_size(), plan.hash)
        };
        self.numbers.reserve(transfer);
        self.enqueue(now, cx, transfer, plan, running);
    }

    /// Puts a download with this number at the end of the queue, and begins it if it may run.
    pub(super) fn enqueue(&mut self, now: Time, cx: &mut Context, transfer: u64, plan: FetchPlan, running: Running) {
        self.downloads.push(transfer, running.hash);
        self.running.insert(transfer, Running { queued: Some(Arc::new(plan)), ..running });
        self.begin_queued(now, cx);
        if let Some(place) = self.downloads.newest() {
            self.tell_place(now, cx, place);
        }
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
        if let Some(source) = source {
            self.parcels.begin(transfer, source.key);
        }
        let running = Running {
            parcel: Some(id),
            files: plan.is_folder().then_some(plan.files.len() as u64),
            ..Running::new(now, Direction::Down, (plan.name.clone(), peer), plan.size(), plan.hash)
        };
        self.enqueue(now, cx, transfer, plan, running);
        transfer
    }
}

/// What a `get` of a file fetches from those who have it.
fn plan_get(cx: &Context, get: request::Get, holders: &[Holder]) -> Result<FetchPlan, Failure> {
    let chunks = wanted(get.chunks.as_deref(), holders.first().map(|first| &first.offer))?;
    let mut plan = FetchPlan::of_held(holders)?;
    plan.files[0].target = get.to.unwrap_or(get.file);
    plan.on_conflict = get.on_conflict.unwrap_or(cx.config.downloads.on_conflict);
    (plan.from, plan.chunks) = (get.from, chunks);
    Ok(plan)
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
