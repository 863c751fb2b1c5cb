//! Files for one person: those that we give, and those that are given to us.

mod taking;

use std::collections::BTreeMap;

use super::requests::Pending;
use super::{Origin, Output, Running, Session};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer, Stage};
use crate::protocol::wire::{Ask, NotTaken, Push, TakeBack};
use crate::protocol::{ContentHash, Direction, ErrorCode, Failure, Request, Transfer, event, request};

/// The hub counts from 1.
const NO_PUSH: u64 = 0;

/// The files that are given.
#[derive(Default)]
pub(super) struct Pushes {
    /// Ours, by the numbers of their transfers.
    giving: BTreeMap<u64, Giving>,
    /// Those that we may take, by their numbers here.
    offered: BTreeMap<u64, Offered>,
    /// Which of several pushes of one content was fetched is not certain until the hub says which was accepted: the
    /// numbers of those that were taken for it, with the content and for whom it is.
    uncertain: BTreeMap<u64, (ContentHash, String)>,
}

/// A file that we want to give.
struct Giving {
    pending: Pending,
    to: String,
    content: Content,
    /// Its number at the hub, once it has one.
    push: Option<u64>,
    /// They have accepted it, and may come for it.
    accepted: bool,
}

/// A file that somebody wants to give us.
struct Offered {
    /// Its number at the hub.
    push: u64,
    told: event::PushOffered,
    /// It cannot be accepted any more; that is told if what is under way of it fails.
    gone: bool,
}

impl Giving {
    fn untaken(&self) -> Failure {
        let (to, file) = (&self.to, &self.content.file);
        let message = match self.accepted {
            false => format!("{to} has not taken {file}, and you have left."),
            true => format!("{to} has accepted {file} and not fetched it yet, and you have left."),
        };
        Failure::new(ErrorCode::NotTaken, message)
    }

    fn is(&self, hash: ContentHash, to: &str) -> bool {
        self.content.hash == hash && NameKey::of(&self.to) == NameKey::of(to)
    }
}

impl Pushes {
    pub(super) fn is_giving(&self) -> bool {
        !self.giving.is_empty()
    }

    pub(super) fn show(&self) -> impl Iterator<Item = Transfer> {
        self.giving.iter().map(|(transfer, giving)| Transfer {
            transfer: *transfer,
            direction: Direction::Up,
            file: giving.content.file.to_string(),
            peer: giving.to.clone(),
            bytes: 0,
            size: giving.content.size,
            state: Stage::Waiting,
        })
    }

    /// What we were to take is not known to a hub that has forgotten everything.
    pub(super) fn forget_offered(&mut self) {
        self.offered.clear();
        self.uncertain.clear();
        self.giving.values_mut().for_each(|giving| (giving.push, giving.accepted) = (None, false));
    }

    /// The hub's number of what is offered to us under this one. Who has not been told of it has it from the hub.
    pub(super) fn at_hub(&self, number: u64) -> u64 {
        self.offered.get(&number).map_or(number, |offered| offered.push)
    }

    /// What was offered to us under this number is not wanted; gives the hub's number.
    pub(super) fn take_offered(&mut self, number: u64) -> Option<u64> {
        self.offered.remove(&number).map(|offered| offered.push)
    }

    /// The number under which we were told of the hub's.
    fn told_as(&self, push: u64) -> Option<u64> {
        self.offered.iter().find(|(_, offered)| offered.push == push).map(|(number, _)| *number)
    }

    /// Whether nobody has accepted one of ours.
    pub(super) fn is_untaken(&self) -> bool {
        self.giving.values().any(|giving| !giving.accepted)
    }

    /// Those that the hub does not have yet.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.giving.values_mut().filter(|giving| giving.push.is_none()).map(|giving| &mut giving.pending)
    }

    /// Gives up every push, each with what is to be said of it.
    pub(super) fn abandon(&mut self) -> Vec<(Pending, Failure)> {
        let all = std::mem::take(&mut self.giving).into_values();
        all.map(|giving| (giving.untaken(), giving)).map(|(failure, giving)| (giving.pending, failure)).collect()
    }
}

impl Session {
    pub(super) fn start_push(&mut self, now: Time, pending: Pending, push: &request::Push) {
        let name_key = NameKey::of(&push.to);
        let failure = match &self.registered {
            None => ErrorCode::NotRegistered.into(),
            Some(name) if NameKey::of(name) == name_key => Failure::from(ErrorCode::Yourself).at(pointer_at("/to")),
            Some(_) => {
                let (dir, file, to) = (self.dir.clone(), push.file.clone(), push.to.clone());
                return self.start_task(pending, |task| Output::Lend { task, dir, file, to });
            }
        };
        self.refuse(now, pending.id, failure);
    }

    /// The file is hashed, and its receiver can fetch it: the hub is asked to tell them.
    pub(super) fn lent(&mut self, now: Time, task: u64, result: Result<Content, Failure>) {
        let Some((_, pending)) = self.local.take_if(|(local, _)| *local == task) else { return };
        let Request::Push(request) = &pending.request else { return };
        let to = request.to.clone();
        match result {
            Ok(content) => {
                let transfer = self.numbers.take();
                self.pushes.giving.insert(transfer, Giving { pending, to, content, push: None, accepted: false });
                self.ask_push(now, transfer);
            }
            Err(failure) => {
                let failure = failure.at(pointer_at("/file"));
                self.refuse(now, pending.id, failure);
            }
        }
    }

    fn ask_push(&mut self, now: Time, transfer: u64) {
        let Some(giving) = self.pushes.giving.get(&transfer) else { return };
        let id = self.next_ask;
        self.next_ask += 1;
        let ask = Ask::Push(Push { id, push: giving.content.clone(), to: giving.to.clone() });
        if !self.is_entering() {
            self.send(now, ask.to_body());
        }
        self.asks.insert(id, (ask, Origin::Push(transfer)));
    }

    /// A hub that has forgotten what we give is told again, but for what it is being asked already.
    pub(super) fn push_again(&mut self, now: Time) {
        let asked: Vec<u64> = self.asks.values().filter_map(|(_, origin)| origin.push()).collect();
        let waiting = self.pushes.giving.iter().filter(|(_, giving)| giving.push.is_none()).map(|(number, _)| *number);
        for transfer in waiting.filter(|number| !asked.contains(number)).collect::<Vec<_>>() {
            self.ask_push(now, transfer);
        }
    }

    pub(super) fn push_asked(&mut self, now: Time, transfer: u64, answer: event::PushAsked) {
        match self.pushes.giving.get_mut(&transfer) {
            Some(giving) => {
                giving.push = Some(answer.push);
                giving.to.clone_from(&answer.to);
                let id = giving.pending.id.clone();
                self.tell_for(now, id, false, event::PushAsked { push: transfer, transfer, ..answer });
            }
            // It was cancelled meanwhile.
            None => self.take_back(now, answer.push),
        }
    }

    pub(super) fn push_refused(&mut self, now: Time, transfer: u64, failure: Failure) {
        if let Some(giving) = self.pushes.giving.remove(&transfer) {
            self.out.push_back(Output::Unlend(giving.content.hash, giving.to));
            self.refuse(now, giving.pending.id, failure);
        }
    }

    /// The numbers of a hub that has forgotten everything may be those of other pushes soon. What was asked about one
    /// of its pushes is asked about none, and refused in its turn.
    pub(super) fn void_push_answers(&mut self) {
        let void = |request: &mut Request| {
            if let Request::Accept(request::Accept { push, .. }) | Request::Decline(request::Decline { push }) = request
            {
                *push = NO_PUSH;
            }
        };
        for (ask, origin) in self.asks.values_mut() {
            if let Ask::Request(line) = ask {
                void(&mut line.request);
            }
            // Its refusal is about none of the pushes that the new hub has told of.
            if let Origin::User(pending) = origin {
                void(&mut pending.request);
            }
        }
    }

    fn take_back(&mut self, now: Time, push: u64) {
        if self.registered.is_some() {
            self.send(now, Ask::TakeBack(TakeBack { take_back: push }).to_body());
        }
    }

    /// They have accepted or declined.
    pub(super) fn push_answered(&mut self, now: Time, answer: event::PushAnswered) {
        if answer.answer == PushAnswer::Accepted && self.pushes.uncertain.remove(&answer.push).is_some() {
            return;
        }
        let ours = self.pushes.giving.iter_mut().find(|(_, giving)| giving.push == Some(answer.push));
        let Some((&transfer, giving)) = ours else { return };
        // They fetch it when their queue has come to it; if they cannot, it waits again.
        giving.accepted = answer.answer == PushAnswer::Accepted;
        let failure = match answer.answer {
            PushAnswer::Accepted => return self.correct(now, transfer, answer.push),
            PushAnswer::Waiting => return,
            PushAnswer::Declined => {
                let message = format!("{} does not want {}.", giving.to, giving.content.file);
                Failure::new(ErrorCode::PushDeclined, message)
            }
            PushAnswer::Gone => {
                Failure::new(ErrorCode::NoSuchPerson, format!("The name {} was removed at the hub.", giving.to))
            }
        };
        self.push_refused(now, transfer, failure);
    }

    /// This push was accepted. If another one was taken for it when the content was fetched, they change places.
    fn correct(&mut self, now: Time, transfer: u64, accepted: u64) {
        let pushes = &mut self.pushes;
        let Some(giving) = pushes.giving.get_mut(&transfer) else { return };
        let same = |(hash, to): &(ContentHash, String)| giving.is(*hash, to);
        let Some(taken) = pushes.uncertain.iter().find(|(_, of)| same(of)).map(|(taken, _)| *taken) else { return };
        pushes.uncertain.remove(&taken);
        giving.accepted = false;
        if let Some(running) = self.running.values_mut().find(|running| running.push == Some(taken)) {
            (running.push, giving.push) = (Some(accepted), Some(taken));
        } else {
            // That one has ended, and was taken back for this one.
            giving.push = None;
            self.take_back(now, accepted);
            self.ask_push(now, transfer);
        }
    }

    /// Somebody fetches from us: what we give them, if it is that.
    pub(super) fn take_giving(&mut self, peer: &str, hash: ContentHash) -> Option<(u64, Pending, Option<u64>)> {
        // The same content may be given twice: then it is the one that was accepted.
        let mut ours = self.pushes.giving.iter().filter(|(_, giving)| giving.is(hash, peer)).peekable();
        let first = ours.peek().map(|(transfer, _)| **transfer)?;
        let transfer = ours.find(|(_, giving)| giving.accepted).map_or(first, |(transfer, _)| *transfer);
        let giving = self.pushes.giving.remove(&transfer)?;
        if let Some(push) = giving.push
            && !giving.accepted
            && self.pushes.giving.values().any(|other| other.is(hash, peer))
        {
            self.pushes.uncertain.insert(push, (hash, peer.to_owned()));
        }
        Some((transfer, giving.pending, giving.push))
    }

    /// An upload has ended; if it was a push, nothing more can be fetched by it.
    pub(super) fn given(&mut self, now: Time, running: &Running) {
        if running.is_asked_for() && running.direction == Direction::Up {
            self.out.push_back(Output::Unlend(running.hash, running.peer.clone()));
            if let Some(push) = running.push {
                self.take_back(now, push);
            }
        }
    }

    /// What we have accepted, by the hub's number, could not be fetched: it can be accepted again, perhaps under another
    /// name.
    pub(super) fn not_taken(&mut self, now: Time, push: u64) {
        if self.registered.is_some() {
            self.send(now, Ask::NotTaken(NotTaken { not_taken: push }).to_body());
        }
    }

    /// Refuses an answer to a push that cannot be one: a number that was never that of a push, or is not any more.
    pub(super) fn check_answer(&self, number: u64) -> Result<(), Failure> {
        let failure = match (self.pushes.offered.contains_key(&number), self.running.contains_key(&number)) {
            (true, true) => Failure::new(ErrorCode::NoSuchPush, "It is being fetched already.")
                .hint(format!("`cancel {number}` stops it.")),
            (true, false) => return Ok(()),
            (false, _) if self.numbers.is_free(number) => return Ok(()),
            (false, _) => ErrorCode::NoSuchPush.into(),
        };
        Err(failure.at(pointer_at("/push")))
    }

    /// What others want to give us, and is not under way.
    pub(super) fn offered_to_us(&self) -> impl Iterator<Item = Transfer> {
        let waiting = self.pushes.offered.iter().filter(|(number, _)| !self.running.contains_key(number));
        waiting.map(|(number, offered)| Transfer {
            transfer: *number,
            direction: Direction::Down,
            file: offered.told.file.clone(),
            peer: offered.told.from.clone(),
            bytes: 0,
            size: offered.told.size,
            state: Stage::Waiting,
        })
    }

    /// Tells the hub that nobody shall fetch this any more; false if there is no such push, or somebody has begun.
    pub(super) fn cancel_push(&mut self, now: Time, transfer: u64) -> bool {
        let Some(giving) = self.pushes.giving.get(&transfer) else { return false };
        if let Some(push) = giving.push {
            self.take_back(now, push);
        }
        true
    }

    /// Gives up the pushes that nobody has taken.
    pub(super) fn take_back_untaken(&mut self, now: Time) {
        let untaken = self.pushes.giving.iter().filter(|(_, giving)| !giving.accepted);
        let untaken: Vec<(u64, Failure)> = untaken.map(|(number, giving)| (*number, giving.untaken())).collect();
        for (transfer, failure) in untaken {
            self.cancel_push(now, transfer);
            self.push_refused(now, transfer, failure);
        }
    }

    /// We are out of the table, and so is what nobody has begun to fetch.
    pub(super) fn leave_pushes(&mut self, now: Time) {
        for transfer in self.pushes.giving.keys().copied().collect::<Vec<_>>() {
            let failure = Failure::new(ErrorCode::NotRegistered, "You have left before they took it.")
                .hint("`rereg` comes back; then push it again.");
            self.push_refused(now, transfer, failure);
        }
        self.pushes.offered.clear();
    }
}
