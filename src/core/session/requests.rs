//! The user's requests: what may start when, and what is answered here.

use super::collecting::check_place;
use super::folders::check_get;
use super::{Failure, Id, Origin, Output, Session};
use crate::core::hub::check_text;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::when::When;
use crate::protocol::{ErrorCode, Request, event, human, request};

/// By what a caller knows to what an event belongs.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Mark {
    /// The request's own.
    pub(super) id: Option<Id>,
    /// The line of the input on which it stands. It is told where there is no other mark.
    pub(super) line: Option<u64>,
}

/// A request that is not answered yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pending {
    pub(super) id: Mark,
    pub(super) request: Request,
    /// How large it is, as it was written.
    pub(super) bytes: usize,
    /// Whether the user has been told that it waits for the hub.
    pub(super) said_to_wait: bool,
}

impl Pending {
    /// A request as it was written, in so many bytes.
    pub(super) fn new(id: Mark, request: Request, bytes: usize) -> Self {
        Self { id, request, bytes, said_to_wait: false }
    }
}

/// Something that was written and has not begun.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Waiting {
    Request(Pending),
    /// It cannot begin. That is said in its turn, so that answers keep the order of what was written.
    Bad(Mark, Failure),
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
    pub(super) fn starts_a_transfer(&self) -> bool {
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
    /// Whether it is the user's wish to leave, once what is before it is over.
    pub(super) fn is_quit(&self) -> bool {
        match self {
            Self::Request(pending) => matches!(pending.request, Request::Quit(_)),
            Self::Bad(..) | Self::EndOfInput => false,
        }
    }

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
                Some(Waiting::EndOfInput) => {
                    self.leave(now, "end of input".into(), self.entry.exit(), Mark::default(), false)
                }
                None => return,
            }
        }
    }

    fn next_to_start(&mut self) -> Option<Waiting> {
        let head = self.waiting.first()?;
        if !self.has_room_for(head) {
            return None;
        }
        if self.may_start(head) {
            return self.waiting.pop();
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
        let at = self.waiting.iter().position(over).filter(|_| held_up);
        let at = at
            .or_else(|| self.next_after_quit())
            .or_else(|| self.next_private())
            .or_else(|| self.next_without_hub())?;
        self.waiting.take_at(at)
    }

    pub(super) fn may_start(&self, head: &Waiting) -> bool {
        let free = self.is_free_for(head);
        let answered = free && self.is_answered();
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
                let registering = self.asks.values().any(|(_, origin)| origin.is_registration());
                // A large offer goes in pieces, and what comes after it sees all of it.
                let offering = |origin: &Origin| matches!(origin, Origin::Offer(offer) if offer.goes_on());
                let offering = self.asks.values().any(|(_, origin)| offering(origin));
                let paged = self.asks.values().any(|(_, origin)| self.is_paged(origin));
                self.settled && free && self.may_ask_more() && !registering && !offering && !paged
            }
            // The hub is not needed for what goes past it.
            Start::Here if !self.settled && self.goes_past_the_hub(head) => free,
            Start::Alone => self.settled && answered && self.asks.is_empty(),
            Start::Here => self.settled && answered,
            Start::Last => free && self.is_over_but_for_pushes() && !self.pushes.is_giving(),
            Start::Refused => answered,
        }
    }

    /// Whether the hub has forgotten us and is being told who we are.
    pub(super) fn is_entering(&self) -> bool {
        let entering = self.asks.values().any(|(_, origin)| matches!(origin, Origin::Enter | Origin::Return));
        entering || self.entry.waits() || self.again.as_ref().is_some_and(|again| again.then_ask)
    }

    fn pass_on(&mut self, now: Time, pending: Pending) {
        if let Err(failure) = self.check(&pending.request) {
            return self.refuse(now, pending.id, failure);
        }
        if let (Request::List(list), true) = (&pending.request, self.is_lost() && self.replica.has_table()) {
            return self.list_without_hub(now, pending.id.clone(), list);
        }
        let request = match (&pending.request, &self.parted) {
            (Request::Rereg(_), Some(name)) => request::Register { name: name.clone() }.into(),
            // The hub has numbers of its own for pushes.
            (Request::Accept(accept), _) => {
                request::Accept { push: self.pushes.at_hub(accept.push), ..accept.clone() }.into()
            }
            (Request::Decline(decline), _) => request::Decline { push: self.pushes.at_hub(decline.push) }.into(),
            // Whose it is has been checked.
            (Request::Dereg(_), _) => request::Dereg::default().into(),
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
            Request::Dereg(request::Dereg { name: Some(name) }) => self.check_own_name(name),
            Request::Get(get) => check_get(get),
            Request::List(request::List { after: Some(after), .. }) => check_place(after),
            Request::Chunks(chunks) => check_file(&chunks.file).map_err(|failure| failure.at(pointer_at("/file"))),
            Request::Accept(request::Accept { push, to, .. }) => {
                self.check_answer(*push)?;
                to.as_ref().map_or(Ok(()), |to| check_file(to).map_err(|failure| failure.at(pointer_at("/to"))))
            }
            Request::Decline(request::Decline { push }) => self.check_answer(*push),
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

    /// Whether that is us: nobody takes somebody else out of the table.
    fn check_own_name(&self, name: &str) -> Result<(), Failure> {
        let ours = self.registered.as_ref().or(self.parted.as_ref()).unwrap_or(&self.config.name);
        if NameKey::of(ours) == NameKey::of(name) {
            return Ok(());
        }
        let shown: String = name.chars().take(40).collect();
        let failure =
            Failure::new(ErrorCode::BadRequest, format!("You are {ours}, and only {shown} can dereg {shown}."));
        Err(failure.hint("`dereg` alone takes you out of the table.").at(pointer_at("/name")))
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
                let help = human::help(request.command.as_deref()).map(|commands| event::Help { commands }.into());
                help.map_err(|failure| failure.at(pointer_at("/command")))
            }
            Request::Unfocus(_) => return self.unfocus(now, id),
            Request::Private(_) | Request::PrivateOpen(_) => return self.start_private(now, pending, false),
            Request::PrivateClose(request) => {
                let to = request.to.clone();
                return self.private_close(now, id, &to);
            }
            Request::Wait(_) => Ok(event::Waited {}.into()),
            Request::Quit(_) => {
                let code = if self.waits.left_lost { ErrorCode::HubLost.exit() } else { self.entry.exit() };
                return self.leave(now, "quit".into(), code, id, true);
            }
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
}
