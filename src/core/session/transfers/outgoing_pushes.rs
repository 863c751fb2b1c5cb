//! Our own pushes: their files are hashed, the hub is told, and the receiver fetches them or they are taken back.

use std::collections::BTreeMap;

use super::Transfers;
use super::running::Running;
use crate::core::session::Output;
use crate::core::session::asks::Origin;
use crate::core::session::context::Context;
use crate::core::session::pending::Pending;
use crate::core::time::Time;
use crate::protocol::name::NameKey;
use crate::protocol::types::{Content, PushAnswer, Stage};
use crate::protocol::wire::{Ask, Push, TakeBack};
use crate::protocol::{ContentHash, Direction, ErrorCode, Failure, Transfer, event};

/// Our pushes that are not fetched yet.
#[derive(Default)]
pub(super) struct OutgoingPushes {
    /// By the numbers of their transfers.
    giving: BTreeMap<u64, Giving>,
    /// If one content is pushed to one person several times, it is uncertain which push was fetched until the hub says
    /// which was accepted. The numbers of the pushes that were taken for it, with content and receiver.
    uncertain: BTreeMap<u64, (ContentHash, String)>,
}

/// A push that is not fetched yet.
struct Giving {
    pending: Pending,
    to: String,
    content: Content,
    /// Its number at the hub, once it has one.
    push: Option<u64>,
    /// Whether its receiver has accepted it.
    accepted: bool,
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

impl OutgoingPushes {
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
            route: None,
        })
    }

    /// The hub was restarted, and knows none of them.
    pub(super) fn hub_has_forgotten(&mut self) {
        self.uncertain.clear();
        self.giving.values_mut().for_each(|giving| (giving.push, giving.accepted) = (None, false));
    }

    /// Whether one of them is not accepted.
    pub(super) fn is_untaken(&self) -> bool {
        self.giving.values().any(|giving| !giving.accepted)
    }

    /// The requests of those that the hub does not know.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.giving.values_mut().filter(|giving| giving.push.is_none()).map(|giving| &mut giving.pending)
    }

    /// Takes out all requests, each with its failure.
    pub(super) fn abandon(&mut self) -> Vec<(Pending, Failure)> {
        let all = std::mem::take(&mut self.giving).into_values();
        all.map(|giving| (giving.untaken(), giving)).map(|(failure, giving)| (giving.pending, failure)).collect()
    }
}

impl Transfers {
    /// The file is hashed and served to its receiver: asks the hub to tell them.
    pub(in crate::core::session) fn start_push(
        &mut self,
        now: Time,
        cx: &mut Context,
        pending: Pending,
        to: String,
        content: Content,
    ) {
        let transfer = self.numbers.take();
        self.outgoing.giving.insert(transfer, Giving { pending, to, content, push: None, accepted: false });
        self.ask_push(now, cx, transfer);
    }

    fn ask_push(&mut self, now: Time, cx: &mut Context, transfer: u64) {
        if let Some(giving) = self.outgoing.giving.get(&transfer) {
            let (push, to) = (giving.content.clone(), giving.to.clone());
            cx.uplink.ask_once_in(now, |id| Ask::Push(Push { id, push, to }), Origin::Push(transfer));
        }
    }

    /// Tells a restarted hub of our pushes, except for those that it is being asked already.
    pub(in crate::core::session) fn push_again(&mut self, now: Time, cx: &mut Context) {
        let asked: Vec<u64> = cx.uplink.asks().origins().filter_map(Origin::push).collect();
        let waiting =
            self.outgoing.giving.iter().filter(|(_, giving)| giving.push.is_none()).map(|(number, _)| *number);
        for transfer in waiting.filter(|number| !asked.contains(number)).collect::<Vec<_>>() {
            self.ask_push(now, cx, transfer);
        }
    }

    pub(in crate::core::session) fn push_asked(
        &mut self,
        now: Time,
        cx: &mut Context,
        transfer: u64,
        answer: event::PushAsked,
    ) {
        match self.outgoing.giving.get_mut(&transfer) {
            Some(giving) => {
                giving.push = Some(answer.push);
                giving.to.clone_from(&answer.to);
                let id = giving.pending.id.clone();
                cx.tell_for(now, id, false, event::PushAsked { push: transfer, transfer, ..answer });
            }
            // It was cancelled meanwhile.
            None => take_back(now, cx, answer.push),
        }
    }

    pub(in crate::core::session) fn push_refused(
        &mut self,
        now: Time,
        cx: &mut Context,
        transfer: u64,
        failure: Failure,
    ) {
        if let Some(giving) = self.outgoing.giving.remove(&transfer) {
            cx.output(Output::Revoke(giving.content.hash, giving.to));
            cx.refuse(now, giving.pending.id, failure);
        }
    }

    /// The receiver has accepted or declined.
    pub(in crate::core::session) fn push_answered(&mut self, now: Time, cx: &mut Context, answer: event::PushAnswered) {
        if answer.answer == PushAnswer::Accepted && self.outgoing.uncertain.remove(&answer.push).is_some() {
            return;
        }
        let ours = self.outgoing.giving.iter_mut().find(|(_, giving)| giving.push == Some(answer.push));
        let Some((&transfer, giving)) = ours else { return };
        // After accepting, they fetch it when their queue lets them; if that fails, it waits again.
        giving.accepted = answer.answer == PushAnswer::Accepted;
        let failure = match answer.answer {
            PushAnswer::Accepted => return self.correct(now, cx, transfer, answer.push),
            PushAnswer::Waiting => return,
            PushAnswer::Declined => {
                let message = format!("{} does not want {}.", giving.to, giving.content.file);
                Failure::new(ErrorCode::PushDeclined, message)
            }
            PushAnswer::Gone => {
                Failure::new(ErrorCode::NoSuchPerson, format!("The name {} was removed at the hub.", giving.to))
            }
        };
        self.push_refused(now, cx, transfer, failure);
    }

    /// This push was accepted. If another push of the same content was taken for it, the two change places.
    fn correct(&mut self, now: Time, cx: &mut Context, transfer: u64, accepted: u64) {
        let pushes = &mut self.outgoing;
        let Some(giving) = pushes.giving.get_mut(&transfer) else { return };
        let same = |(hash, to): &(ContentHash, String)| giving.is(*hash, to);
        let Some(taken) = pushes.uncertain.iter().find(|(_, of)| same(of)).map(|(taken, _)| *taken) else { return };
        pushes.uncertain.remove(&taken);
        giving.accepted = false;
        if let Some(running) = self.running.values_mut().find(|running| running.push == Some(taken)) {
            (running.push, giving.push) = (Some(accepted), Some(taken));
        } else {
            // The other push has ended, and was taken back in place of this one.
            giving.push = None;
            take_back(now, cx, accepted);
            self.ask_push(now, cx, transfer);
        }
    }

    /// Somebody fetches this content from us: takes out the push that this is, if it is one.
    pub(super) fn take_giving(&mut self, peer: &str, hash: ContentHash) -> Option<(u64, Pending, Option<u64>)> {
        // If the content is pushed to them twice, it is the push that was accepted.
        let mut ours = self.outgoing.giving.iter().filter(|(_, giving)| giving.is(hash, peer)).peekable();
        let first = ours.peek().map(|(transfer, _)| **transfer)?;
        let transfer = ours.find(|(_, giving)| giving.accepted).map_or(first, |(transfer, _)| *transfer);
        let giving = self.outgoing.giving.remove(&transfer)?;
        if let Some(push) = giving.push
            && !giving.accepted
            && self.outgoing.giving.values().any(|other| other.is(hash, peer))
        {
            self.outgoing.uncertain.insert(push, (hash, peer.to_owned()));
        }
        Some((transfer, giving.pending, giving.push))
    }

    /// Takes a push back at the hub. False if there is no such push, or its receiver has begun.
    pub(super) fn cancel_push(&mut self, now: Time, cx: &mut Context, transfer: u64) -> bool {
        let Some(giving) = self.outgoing.giving.get(&transfer) else { return false };
        if let Some(push) = giving.push {
            take_back(now, cx, push);
        }
        true
    }

    /// Gives up the pushes that nobody has taken.
    pub(in crate::core::session) fn take_back_untaken(&mut self, now: Time, cx: &mut Context) {
        let untaken = self.outgoing.giving.iter().filter(|(_, giving)| !giving.accepted);
        let untaken: Vec<(u64, Failure)> = untaken.map(|(number, giving)| (*number, giving.untaken())).collect();
        for (transfer, failure) in untaken {
            self.cancel_push(now, cx, transfer);
            self.push_refused(now, cx, transfer, failure);
        }
    }

    /// We have left the table: the pushes that nobody fetches fail.
    pub(super) fn leave_pushes(&mut self, now: Time, cx: &mut Context) {
        for transfer in self.outgoing.giving.keys().copied().collect::<Vec<_>>() {
            let failure = Failure::new(ErrorCode::NotRegistered, "You have left before they took it.")
                .hint("`rereg` comes back; then push it again.");
            self.push_refused(now, cx, transfer, failure);
        }
    }
}

/// Takes a push back at the hub, by the hub's number.
fn take_back(now: Time, cx: &mut Context, push: u64) {
    cx.send_if_in(now, Ask::TakeBack(TakeBack { take_back: push }));
}

/// An upload has ended. If it was a push, it is not served any more and taken back at the hub.
pub(super) fn given(now: Time, cx: &mut Context, running: &Running) {
    if running.is_asked_for() && running.direction == Direction::Up {
        cx.output(Output::Revoke(running.hash, running.peer.clone()));
        if let Some(push) = running.push {
            take_back(now, cx, push);
        }
    }
}
