//! The user's requests: what may start when, and what is answered here.

use super::{Failure, Id, Origin, Output, Publishing, Session};
use crate::core::hub::check_text;
use crate::core::time::Time;
use crate::protocol::limits::REQUESTS_IN_FLIGHT;
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::when::When;
use crate::protocol::{ErrorCode, Request, event, human, request};

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
    /// Whether it is a transfer once the hub has said where.
    fn starts_a_transfer(&self) -> bool {
        matches!(self.request, Request::Get(_) | Request::Accept(_))
    }

    fn start(&self) -> Start {
        match self.request {
            Request::Register(_) | Request::Login(_) | Request::Rereg(_) => Start::Alone,
            Request::Dereg(_)
            | Request::Status(_)
            | Request::Who(_)
            | Request::List(_)
            | Request::Withdraw(_)
            | Request::Get(_)
            | Request::Search(_)
            | Request::Chunks(_)
            | Request::Accept(_)
            | Request::Decline(_)
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
            | Request::Push(_)
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
            .any(|(_, origin)| matches!(origin, Origin::User(pending) if pending.starts_a_transfer()));
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
                // A large offer goes in pieces, and what comes after it sees all of it.
                let offering = |origin: &Origin| matches!(origin, Origin::Offer(offer) if offer.goes_on());
                let offering = self.asks.values().any(|(_, origin)| offering(origin));
                self.settled && self.local.is_none() && room && !registering && !offering
            }
            // The hub is not needed for what goes past it.
            Start::Here if !self.settled && self.goes_past_the_hub(head) => self.local.is_none(),
            Start::Alone | Start::Here => self.settled && answered,
            Start::Last => {
                self.settled
                    && answered
                    && !self.inbox.catching_up
                    && self.running.values().all(|running| !running.is_asked_for())
                    && self.keeping.is_empty()
                    && !self.pushes.is_giving()
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
    pub(super) fn check(&self, asked: &Request) -> Result<(), Failure> {
        match asked {
            Request::Rereg(_) => match (&self.registered, &self.parted) {
                (Some(name), _) => {
                    Err(Failure::new(ErrorCode::AlreadyRegistered, format!("You are registered as {name}.")))
                }
                (None, Some(_)) => Ok(()),
                (None, None) => Err(ErrorCode::NotRegistered.into()),
            },
            Request::Get(get) => check_get(get),
            Request::List(request::List { after: Some(after), .. }) if !is_place(after) => {
                let message = "To go on, name the offer that `next` named: FILE/OWNER.";
                Err(Failure::new(ErrorCode::BadRequest, message).at(pointer_at("/after")))
            }
            Request::Chunks(chunks) => check_file(&chunks.file).map_err(|failure| failure.at(pointer_at("/file"))),
            Request::Accept(request::Accept { push, .. }) | Request::Decline(request::Decline { push })
                if self.pushes.is_stale(*push) =>
            {
                Err(Failure::from(ErrorCode::NoSuchPush).at(pointer_at("/push")))
            }
            Request::Accept(request::Accept { to: Some(to), .. }) => {
                check_file(to).map_err(|failure| failure.at(pointer_at("/to")))
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
            Request::Offer(request) => {
                let request = request.clone();
                return self.start_offer(now, pending, &request);
            }
            Request::Push(request) => {
                let request = request.clone();
                return self.start_push(now, pending, &request);
            }
            Request::Transfers(_) => Ok(self.transfers()),
            Request::Cancel(request) => {
                let transfer = request.transfer;
                return self.start_cancel(now, pending, transfer);
            }
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
            // All others are passed on: `Pending::start` says so.
            _ => Err(ErrorCode::Internal.into()),
        };
        match result {
            Ok(answer) => self.finish(now, id, answer),
            Err(failure) => self.refuse(now, id, failure),
        }
    }

    pub(super) fn start_task(&mut self, pending: Pending, output: impl FnOnce(u64) -> Output) {
        let task = self.next_task;
        self.next_task += 1;
        self.local = Some((task, pending));
        self.out.push_back(output(task));
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

    /// Every request that is not final fails.
    pub(super) fn abandon(&mut self, now: Time, failure: &Failure) {
        let asks: Vec<Pending> = std::mem::take(&mut self.asks)
            .into_iter()
            .filter_map(|(id, (ask, origin))| match origin {
                Origin::User(pending) => Some(*pending),
                Origin::Page(so_far) => Some(so_far.pending),
                Origin::Offer(publishing) => Some(publishing.into_pending()),
                Origin::Goodbye => {
                    self.asks.insert(id, (ask, Origin::Goodbye));
                    None
                }
                Origin::Enter | Origin::Return | Origin::OfferAgain => None,
                Origin::Change | Origin::Push(_) | Origin::Forgotten => None,
            })
            .collect();
        let local = self.local.take().map(|(_, pending)| pending);
        let private = self.privates.abandon();
        let keeping = std::mem::take(&mut self.keeping).into_iter().map(Publishing::into_pending);
        let giving = self.pushes.abandon();
        let waiting = std::mem::take(&mut self.waiting);
        self.abandon_transfers(now, failure);
        let begun = asks.into_iter().chain(local).chain(private).chain(keeping).chain(giving);
        for waiting in begun.map(Waiting::Request).chain(waiting) {
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
}

/// Whether this names an offer: its file, and its owner after the last `/`.
fn is_place(place: &str) -> bool {
    place.rsplit_once('/').is_some_and(|(file, owner)| !file.is_empty() && !owner.is_empty())
}

fn check_get(get: &request::Get) -> Result<(), Failure> {
    let folder = get.file.strip_suffix('/');
    if folder.is_some() && get.chunks.is_some() {
        return Err(Failure::new(ErrorCode::BadRequest, "A folder has no chunks.").at(pointer_at("/chunks")));
    }
    if get.chunks.as_ref().is_some_and(Vec::is_empty) {
        return Err(Failure::new(ErrorCode::BadRequest, "No chunk is named.").at(pointer_at("/chunks")));
    }
    let file = folder.unwrap_or(&get.file);
    check_file(file).map_err(|failure| failure.at(pointer_at("/file")))?;
    let Some(to) = &get.to else { return Ok(()) };
    let to = if folder.is_some() { to.strip_suffix('/').unwrap_or(to) } else { to };
    check_file(to).map_err(|failure| failure.at(pointer_at("/to")))
}
