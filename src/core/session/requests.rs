//! The user's requests: what may start when, and what is answered here.

use super::collecting::check_place;
use super::folders::check_get;
use super::{Failure, Id, Origin, Output, Session};
use crate::core::hub::check_text;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_file};
use crate::protocol::request::{At, ClientRequest, Starts};
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
    /// When the hub was asked, where the time that it takes is the answer.
    pub(super) started: Time,
    /// Whether the user has been told that it waits for the hub.
    pub(super) said_to_wait: bool,
}

impl Pending {
    /// A request as it was written, in so many bytes.
    pub(super) fn new(id: Mark, request: Request, bytes: usize) -> Self {
        Self { id, request, bytes, started: Time(0), said_to_wait: false }
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

/// When what was written may start.
enum Start {
    /// When its row says.
    Request(Starts),
    /// When everything before it has been answered, even if the hub is not there.
    Refused,
}

impl Pending {
    /// Whether it is a transfer once the hub has said where.
    pub(super) fn starts_a_transfer(&self) -> bool {
        matches!(self.request, Request::Get(_) | Request::Accept(_))
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
            Self::Request(pending) => Start::Request(pending.request.rules().starts),
            Self::Bad(..) => Start::Refused,
            Self::EndOfInput => Start::Request(Starts::Last),
        }
    }
}

impl Session {
    /// Starts what may start.
    pub(super) fn advance(&mut self, now: Time) {
        while self.leaving.is_none() && !self.ended {
            match self.next_to_start() {
                Some(Waiting::Request(pending)) => match pending.request.rules().at {
                    At::Hub => self.pass_on(now, pending),
                    At::Client | At::Both => self.start_local(now, pending),
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
        let waits = matches!(head.start(), Start::Request(Starts::Last)) && !locating;
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
            Start::Request(Starts::Passed) => {
                let registering = self.asks.values().any(|(_, origin)| origin.is_registration());
                // A large offer goes in pieces, and what comes after it sees all of it.
                let offering = |origin: &Origin| matches!(origin, Origin::Offer(offer) if offer.goes_on());
                let offering = self.asks.values().any(|(_, origin)| offering(origin));
                let paged = self.asks.values().any(|(_, origin)| self.is_paged(origin));
                self.settled && free && self.may_ask_more() && !registering && !offering && !paged
            }
            // The hub is not needed for what goes past it.
            Start::Request(Starts::Here) if !self.settled && self.goes_past_the_hub(head) => free,
            Start::Request(Starts::Alone) => self.settled && answered && self.asks.is_empty(),
            Start::Request(Starts::Here) => self.settled && answered,
            Start::Request(Starts::Last) => free && self.is_over_but_for_pushes() && !self.pushes.is_giving(),
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
        let request = pending.request.clone();
        // What the hub answers is passed on and never comes here.
        let Some(request) = request.for_client() else { return self.refuse(now, id, ErrorCode::Internal.into()) };
        let result = match request {
            ClientRequest::Rereg(_) => return self.pass_on(now, pending),
            ClientRequest::Setdir(request) => {
                let dir = request.dir.clone();
                return self.start_task(pending, |task| Output::CheckDir(task, dir));
            }
            ClientRequest::Offer(request) => return self.start_offer(now, pending, request),
            ClientRequest::Push(request) => return self.start_push(now, pending, request),
            ClientRequest::Transfers(_) => Ok(self.transfers()),
            ClientRequest::Cancel(request) => return self.start_cancel(now, pending, request.transfer),
            ClientRequest::Help(request) => {
                let help = human::help(request.command.as_deref()).map(|commands| event::Help { commands }.into());
                help.map_err(|failure| failure.at(pointer_at("/command")))
            }
            ClientRequest::Unfocus(_) => return self.unfocus(now, id),
            ClientRequest::Private(_) | ClientRequest::PrivateOpen(_) => {
                return self.start_private(now, pending, false);
            }
            ClientRequest::Ping(request) => return self.start_ping(now, pending, request),
            ClientRequest::PrivateClose(request) => return self.private_close(now, id, &request.to),
            ClientRequest::Wait(_) => Ok(event::Waited {}.into()),
            ClientRequest::Quit(_) => {
                let code = if self.waits.left_lost { ErrorCode::HubLost.exit() } else { self.entry.exit() };
                return self.leave(now, "quit".into(), code, id, true);
            }
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

    /// Starts `ping`.
    fn start_ping(&mut self, now: Time, pending: Pending, request: &request::Ping) {
        let to = request.to.clone();
        if self.is_lost() {
            let hub_failed = Some("the hub does not answer".to_owned());
            let pong = event::Pong { peer: to, hub_us: None, hub_failed, direct_us: None, direct_failed: None };
            return self.ping_directly(now, pending, pong);
        }
        let pending = Pending { started: now, ..pending };
        self.ask(now, request::Ping { to }.into(), Origin::User(Box::new(pending)));
    }

    /// The hub has reached them, or has not.
    pub(super) fn pinged_by_hub(&mut self, now: Time, pending: Pending, answer: event::Pong) {
        let hub_us = answer.hub_failed.is_none().then(|| now.0 - pending.started.0);
        let event::Pong { peer, hub_failed, .. } = answer;
        let pong = event::Pong { peer, hub_us, hub_failed, direct_us: None, direct_failed: None };
        self.ping_directly(now, pending, pong);
    }

    fn ping_directly(&mut self, now: Time, pending: Pending, pong: event::Pong) {
        let started =
            self.check_private(&pending.request).and_then(|person| self.privates.peers.round_trip(now, person));
        match started {
            Ok(ticket) => {
                self.privates.pongs.insert(ticket, pong);
                self.privates.pending.insert(ticket, pending);
            }
            Err(failure) => self.pong(now, pending, pong, Err(failure)),
        }
        self.private_news(now);
    }

    /// The connection for a `ping` is open.
    pub(super) fn ping_opened(&mut self, now: Time, peer: &str, ticket: u64) {
        self.privates.peers.measure(now, &NameKey::of(peer), ticket);
    }

    /// A `ping` is over: directly, it took so many microseconds, or failed. Says whether the ticket was that of one.
    pub(super) fn ping_ends(&mut self, now: Time, ticket: u64, direct: Result<u64, Failure>) -> bool {
        let Some(pong) = self.privates.pongs.remove(&ticket) else { return false };
        if let Some(pending) = self.privates.pending.remove(&ticket) {
            self.pong(now, pending, pong, direct);
        }
        true
    }

    fn pong(&mut self, now: Time, pending: Pending, pong: event::Pong, direct: Result<u64, Failure>) {
        let (direct_us, direct_failed) = match direct {
            Ok(micros) => (Some(micros), None),
            Err(failure) => (None, Some(failure.message.into_owned())),
        };
        self.finish(now, pending.id, event::Pong { direct_us, direct_failed, ..pong });
    }
}
