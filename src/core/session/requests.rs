//! The user's requests: what may start when, and what is answered here.

use super::{Event, Failure, Id, Origin, Output, Session};
use crate::core::hub::check_text;
use crate::core::time::Time;
use crate::protocol::limits::REQUESTS_IN_FLIGHT;
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::when::When;
use crate::protocol::wire::{Ask, Publish};
use crate::protocol::{At, Content, ErrorCode, Request, event, human, request};

/// A request that is not answered yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) id: Option<Id>,
    pub(super) request: Request,
}

/// Something that was written and has not begun.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Waiting {
    Request(Pending),
    /// It cannot begin. That is said in its turn, so that answers keep the order of what was written.
    Bad(Option<Id>, Failure),
    EndOfInput,
}

/// When a request may start.
enum Start {
    /// When everything before it that is answered here has been answered: the hub keeps the order.
    Passed,
    /// When everything before it has been answered, but for transfers; and nothing else is passed on before it is
    /// answered itself. A registration may take the hub a while, and what comes after it depends on it.
    Alone,
    /// When everything before it has been answered, but for transfers.
    Here,
    /// When everything before it is final.
    Last,
    /// When everything before it has been answered, even if the hub is not there.
    Refused,
}

impl Pending {
    fn start(&self) -> Start {
        match self.request {
            Request::Register(_) | Request::Login(_) | Request::Rereg(_) => Start::Alone,
            Request::Dereg(_)
            | Request::Status(_)
            | Request::Who(_)
            | Request::List(_)
            | Request::Withdraw(_)
            | Request::Get(_)
            | Request::Message(_)
            | Request::Broadcast(_)
            | Request::Block(_)
            | Request::Unblock(_)
            | Request::Blocks(_)
            | Request::History(_)
            | Request::RoomCreate(_)
            | Request::Rooms(_)
            | Request::RoomJoin(_)
            | Request::RoomInvite(_)
            | Request::RoomLeave(_)
            | Request::Members(_)
            | Request::Say(_)
            | Request::Focus(_) => Start::Passed,
            Request::Setdir(_)
            | Request::Offer(_)
            | Request::Transfers(_)
            | Request::Cancel(_)
            | Request::PrivateOpen(_)
            | Request::Private(_)
            | Request::PrivateClose(_)
            | Request::Unfocus(_)
            | Request::Help(_) => Start::Here,
            Request::Wait(_) | Request::Quit(_) => Start::Last,
        }
    }
}

impl Waiting {
    fn start(&self) -> Start {
        match self {
            Self::Request(pending) => pending.start(),
            Self::Bad(..) => Start::Refused,
            Self::EndOfInput => Start::Last,
        }
    }
}

impl Session {
    /// Starts what may start.
    pub(super) fn advance(&mut self, now: Time) {
        while self.leaving.is_none() && !self.ended {
            match self.next_to_start() {
                Some(Waiting::Request(pending)) => match pending.start() {
                    Start::Passed | Start::Alone => self.pass_on(now, pending),
                    Start::Here | Start::Last | Start::Refused => self.start_local(now, pending),
                },
                Some(Waiting::Bad(id, failure)) => self.refuse(now, id, failure),
                Some(Waiting::EndOfInput) => self.leave(now, "end of input".into(), 0, None, false),
                None => return,
            }
        }
    }

    fn next_to_start(&mut self) -> Option<Waiting> {
        let head = self.waiting.front()?;
        if self.may_start(head) {
            return self.waiting.pop_front();
        }
        // Who waits for transfers, or for the hub to be back, can still see and stop what is under way.
        // But they see the `get` before them, which is under way once the hub has said where.
        let locating = self
            .asks
            .values()
            .any(|(_, origin)| matches!(origin, Origin::User(pending) if matches!(pending.request, Request::Get(_))));
        let waits = matches!(head.start(), Start::Last) && !locating;
        let held_up = waits || (!self.settled && !self.running.is_empty());
        let over = |waiting: &Waiting| {
            matches!(waiting, Waiting::Request(pending)
                if matches!(pending.request, Request::Cancel(_) | Request::Transfers(_)))
        };
        let at = self.waiting.iter().position(over).filter(|_| held_up)?;
        self.waiting.remove(at)
    }

    fn may_start(&self, head: &Waiting) -> bool {
        let answered = self.local.is_none() && self.asks.is_empty();
        // A refusal of ours must not overtake an answer, and that may change it: `rereg` after `dereg`.
        if let Waiting::Request(pending) = head
            && !answered
            && self.check(&pending.request).is_err()
        {
            return false;
        }
        if !self.privates_permit(head) {
            return false;
        }
        match head.start() {
            Start::Passed => {
                // With `fail_fast`, what comes after a failure must not have been asked already.
                let room = self.asks.len() < if self.config.fail_fast { 1 } else { REQUESTS_IN_FLIGHT };
                let registering = self.asks.values().any(|(_, origin)| origin.is_registration());
                self.settled && self.local.is_none() && room && !registering
            }
            // The hub is not needed for what goes past it.
            Start::Here if !self.settled && self.goes_past_the_hub(head) => self.local.is_none(),
            Start::Alone | Start::Here => self.settled && answered,
            Start::Last => {
                self.settled
                    && answered
                    && !self.inbox.catching_up
                    && self.running.values().all(|running| !running.is_asked_for())
            }
            Start::Refused => answered,
        }
    }

    /// Whether the hub has forgotten us and is being told who we are.
    pub(super) fn is_entering(&self) -> bool {
        let entering = self.asks.values().any(|(_, origin)| matches!(origin, Origin::Enter | Origin::Return));
        entering || self.again.as_ref().is_some_and(|again| again.then_ask)
    }

    fn pass_on(&mut self, now: Time, pending: Pending) {
        if let Err(failure) = self.check(&pending.request) {
            return self.refuse(now, pending.id, failure);
        }
        let request = match (&pending.request, &self.parted) {
            (Request::Rereg(_), Some(name)) => request::Register { name: name.clone() }.into(),
            (other, _) => other.clone(),
        };
        self.ask(now, request, Origin::User(Box::new(pending)));
    }

    /// Refuses what the hub need not be asked.
    fn check(&self, asked: &Request) -> Result<(), Failure> {
        match asked {
            Request::Rereg(_) => match (&self.registered, &self.parted) {
                (Some(name), _) => {
                    Err(Failure::new(ErrorCode::AlreadyRegistered, format!("You are registered as {name}.")))
                }
                (None, Some(_)) => Ok(()),
                (None, None) => Err(ErrorCode::NotRegistered.into()),
            },
            Request::Get(get) => {
                let target = get.to.as_ref().map_or((&get.file, "/file"), |to| (to, "/to"));
                check_file(target.0).map_err(|failure| failure.at(pointer_at(target.1)))
            }
            Request::Withdraw(withdraw) => request::check_count(&withdraw.files),
            Request::Message(request::Message { text, .. })
            | Request::Broadcast(request::Broadcast { text })
            | Request::Say(request::Say { text, .. }) => check_text(text),
            Request::History(request::History { since: Some(since), .. }) => {
                When::parse(since).map(drop).map_err(|failure| failure.at(pointer_at("/since")))
            }
            _ => Ok(()),
        }
    }

    /// Carries out a request that is answered here.
    pub(super) fn start_local(&mut self, now: Time, pending: Pending) {
        let id = pending.id.clone();
        let result = match &pending.request {
            Request::Setdir(request) => {
                let dir = request.dir.clone();
                return self.start_task(pending, |task| Output::CheckDir(task, dir));
            }
            Request::Offer(request) => match self.to_hash(request) {
                Ok((dir, files)) => {
                    let chunks = request.chunks;
                    return self.start_task(pending, |task| Output::Hash { task, dir, files, chunks });
                }
                Err(failure) => Err(failure),
            },
            Request::Transfers(_) => Ok(self.transfers()),
            Request::Cancel(request) => self.cancel(request),
            Request::Help(request) => {
                human::help(request.command.as_deref()).map(|commands| event::Help { commands }.into())
            }
            Request::Unfocus(_) => return self.unfocus(now, id),
            Request::Private(_) | Request::PrivateOpen(_) => return self.start_private(now, pending, false),
            Request::PrivateClose(request) => {
                let to = request.to.clone();
                return self.private_close(now, id, &to);
            }
            Request::Wait(_) => Ok(event::Waited {}.into()),
            Request::Quit(_) => return self.leave(now, "quit".into(), 0, id, true),
            Request::Register(_)
            | Request::Dereg(_)
            | Request::Rereg(_)
            | Request::Status(_)
            | Request::Who(_)
            | Request::List(_)
            | Request::Withdraw(_)
            | Request::Login(_)
            | Request::Message(_)
            | Request::Broadcast(_)
            | Request::Block(_)
            | Request::Unblock(_)
            | Request::Blocks(_)
            | Request::History(_)
            | Request::RoomCreate(_)
            | Request::Rooms(_)
            | Request::RoomJoin(_)
            | Request::RoomInvite(_)
            | Request::RoomLeave(_)
            | Request::Members(_)
            | Request::Say(_)
            | Request::Focus(_)
            | Request::Get(_) => Err(ErrorCode::Internal.into()),
        };
        match result {
            Ok(answer) => self.finish(now, id, answer),
            Err(failure) => self.refuse(now, id, failure),
        }
    }

    fn start_task(&mut self, pending: Pending, output: impl FnOnce(u64) -> Output) {
        let task = self.next_task;
        self.next_task += 1;
        self.local = Some((task, pending));
        self.out.push_back(output(task));
    }

    fn to_hash(&self, offer: &request::Offer) -> Result<(String, Vec<String>), Failure> {
        if self.registered.is_none() {
            return Err(ErrorCode::NotRegistered.into());
        }
        let dir = self.dir.clone().ok_or(ErrorCode::NoDir)?;
        request::check_count(&offer.files)?;
        if offer.chunks.is_some_and(|chunks| !(1..=crate::protocol::transfer::MAX_CHUNKS).contains(&chunks)) {
            let message = format!("A file has 1 to {} chunks.", crate::protocol::transfer::MAX_CHUNKS);
            return Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/chunks")));
        }
        let mut files = Vec::with_capacity(offer.files.len());
        let mut seen = std::collections::HashSet::new();
        for (i, file) in offer.files.iter().enumerate() {
            check_file(file).map_err(|failure| failure.at(pointer_at(&format!("/files/{i}"))))?;
            if seen.insert(file) {
                files.push(file.clone());
            }
        }
        Ok((dir, files))
    }

    pub(super) fn dir_checked(&mut self, now: Time, task: u64, result: Result<String, Failure>) {
        let Some((_, pending)) = self.local.take_if(|(local, _)| *local == task) else { return };
        match result {
            Ok(dir) => {
                self.dir = Some(dir.clone());
                self.finish(now, pending.id, event::DirSet { dir });
            }
            Err(failure) => self.refuse(now, pending.id, failure.at(pointer_at("/dir"))),
        }
    }

    pub(super) fn hashed(&mut self, now: Time, task: u64, result: Result<Vec<Content>, Failure>) {
        let Some((_, pending)) = self.local.take_if(|(local, _)| *local == task) else { return };
        match result {
            Ok(publish) => {
                let id = self.next_ask;
                self.next_ask += 1;
                let ask = Ask::Publish(Publish { id, publish });
                // While the hub is lost, the link keeps it. While we enter, what is asked is sent after that.
                if !self.is_entering() {
                    self.send(now, ask.to_body());
                }
                self.asks.insert(id, (ask, Origin::User(Box::new(pending))));
            }
            Err(failure) => {
                let failure = as_written(&pending.request, failure);
                self.refuse(now, pending.id, failure);
            }
        }
    }

    /// Every request that is not final fails.
    pub(super) fn abandon(&mut self, now: Time, failure: &Failure) {
        let asks: Vec<Pending> = std::mem::take(&mut self.asks)
            .into_iter()
            .filter_map(|(id, (ask, origin))| match origin {
                Origin::User(pending) => Some(*pending),
                Origin::Goodbye => {
                    self.asks.insert(id, (ask, Origin::Goodbye));
                    None
                }
                Origin::Enter | Origin::Return | Origin::OfferAgain => None,
            })
            .collect();
        let local = self.local.take().map(|(_, pending)| pending);
        let private = self.privates.abandon();
        let waiting = std::mem::take(&mut self.waiting);
        self.abandon_transfers(now, failure);
        for waiting in asks.into_iter().chain(local).chain(private).map(Waiting::Request).chain(waiting) {
            match waiting {
                Waiting::Request(pending) => self.finish(now, pending.id, event::Error::from(failure.clone())),
                Waiting::Bad(id, failure) => self.finish(now, id, event::Error::from(failure)),
                Waiting::EndOfInput => {}
            }
        }
    }

    /// The user wants to end without waiting for anything.
    pub(super) fn interrupt(&mut self, now: Time, code: u8) {
        self.break_off(now, "interrupted", code, None, false);
    }

    pub(super) fn quit_now(&mut self, now: Time, id: Option<Id>) {
        self.break_off(now, "quit", 0, id, true);
    }

    fn break_off(&mut self, now: Time, reason: &str, code: u8, id: Option<Id>, asked_for: bool) {
        let failure = Failure::new(ErrorCode::Interrupted, "It was broken off.");
        if let Some(quit) = self.leaving.take().filter(|leaving| leaving.asked_for) {
            self.finish(now, quit.id, event::Error::from(failure.clone()));
        }
        self.abandon(now, &failure);
        self.hurried = true;
        self.leave(now, reason.into(), code, id, asked_for);
    }

    fn transfers(&self) -> Event {
        event::Transfers { transfers: self.running.iter().map(|(number, running)| running.show(*number)).collect() }
            .into()
    }
}

/// Files that were named twice were hashed once. The place of a failure is that in the request as it was written.
fn as_written(request: &Request, failure: Failure) -> Failure {
    let (Request::Offer(offer), Some(At::Pointer(pointer))) = (request, &failure.at) else { return failure };
    let Some(hashed) = pointer.strip_prefix("/files/").and_then(|i| i.parse().ok()) else { return failure };
    let mut seen = std::collections::HashSet::new();
    let mut first = (0..).zip(&offer.files).filter(|(_, file)| seen.insert(*file)).map(|(i, _): (usize, _)| i);
    match first.nth(hashed) {
        Some(i) => failure.at(pointer_at(&format!("/files/{i}"))),
        None => failure,
    }
}
