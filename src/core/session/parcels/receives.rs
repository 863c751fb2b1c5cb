//! Parcels of others that are received.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Hands;
use super::asks::Asked;
use super::receive::{End, Receive};
use crate::core::handover::{Receiving, ReceivingStep};
use crate::core::session::context::Context;
use crate::core::session::pending::Pending;
use crate::core::session::{Output, ParcelOutput};
use crate::core::time::Time;
use crate::protocol::limits::CODES_EACH;
use crate::protocol::line::pointer_at;
use crate::protocol::name::check_file;
use crate::protocol::parcel::Ticket;
use crate::protocol::wire::{Ask, HangUp};
use crate::protocol::{Code, Content, ErrorCode, Failure, PublicKey, request};

/// Parcels that are received, by the numbers of their tasks.
#[derive(Default)]
pub(super) struct Receives {
    open: BTreeMap<u64, Receive>,
    last_task: u64,
}

impl Receives {
    /// Starts a `parcel-receive`.
    pub(super) fn start(&mut self, now: Time, cx: &mut Context, pending: Pending, request: request::ParcelReceive) {
        match self.check(&request) {
            Ok(code) => {
                self.last_task += 1;
                let task = self.last_task;
                cx.output(Output::Parcel(ParcelOutput::FindTicket(task, code.clone())));
                self.open.insert(task, Receive::new(task, pending, request, code));
            }
            Err(failure) => cx.refuse(now, pending.id, failure),
        }
    }

    fn check(&self, request: &request::ParcelReceive) -> Result<Code, Failure> {
        let code = request.code.parse::<Code>().map_err(|bad| {
            let failure = Failure { code: ErrorCode::BadCode, ..Failure::from(bad) };
            failure.at(pointer_at("/code"))
        })?;
        code.check_of_parcel().map_err(|failure| failure.at(pointer_at("/code")))?;
        if let Some(to) = &request.to {
            let named = check_file(to.strip_suffix('/').unwrap_or(to));
            named.map_err(|failure| failure.at(pointer_at("/to")))?;
        }
        if self.open.values().any(|receive| receive.code() == &code) {
            return Err(Failure::new(ErrorCode::CodeBusy, "It is being received already."));
        }
        if self.open.len() >= CODES_EACH {
            let message = format!("{CODES_EACH} parcels are being received already.");
            return Err(Failure::new(ErrorCode::TooMany, message).hint("Wait until one is here."));
        }
        Ok(code)
    }

    /// What this machine has kept of a code.
    pub(super) fn ticket_found(&mut self, hands: &mut Hands<'_>, task: u64, ticket: Option<Box<Ticket>>) {
        if let Some(receive) = self.open.get_mut(&task) {
            receive.begin(hands, ticket.map(|ticket| *ticket));
        }
    }

    /// Lets time pass, and does what is to be done.
    pub(super) fn tick(&mut self, hands: &mut Hands<'_>) {
        for task in self.open.keys().copied().collect::<Vec<_>>() {
            let Some(receive) = self.open.get_mut(&task) else { continue };
            if let Some(receiving) = receive.receiving_mut() {
                receiving.tick(hands.now, hands.secrets);
            }
            match receive.carry_out(hands) {
                None => {}
                Some(End::Failed(failure)) => self.refuse(hands, task, failure),
                Some(End::Received(received)) => {
                    if let Some(receive) = self.open.remove(&task) {
                        hands.asks.forget(Asked::Knock(task));
                        hands.cx.finish(hands.now, receive.pending.id, received);
                    }
                }
            }
        }
    }

    /// The number can be talked to.
    pub(super) fn answered(
        &mut self,
        hands: &mut Hands<'_>,
        asked: Option<Asked>,
        (conversation, key): (u64, PublicKey),
    ) {
        let receive = asked.and_then(Asked::receive).and_then(|task| self.open.get_mut(&task));
        match receive.and_then(Receive::receiving_mut) {
            Some(receiving) => receiving.answered(hands.now, conversation, key, hands.secrets),
            // It was given up meanwhile.
            None => hands.hang_up(conversation, false),
        }
    }

    /// The hub refuses a knock.
    pub(super) fn refused(&mut self, hands: &mut Hands<'_>, asked: Option<Asked>, failure: Failure) {
        let receive = asked.and_then(Asked::receive).and_then(|task| self.open.get_mut(&task));
        if let Some(receiving) = receive.and_then(Receive::receiving_mut) {
            receiving.refused(hands.now, failure);
        }
    }

    /// Every knock that is not answered fails.
    pub(super) fn fail_asked(&mut self, hands: &mut Hands<'_>, failure: &Failure) {
        for receiving in self.open.values_mut().filter_map(Receive::receiving_mut) {
            receiving.refused(hands.now, failure.clone());
        }
    }

    fn in_conversation(&mut self, conversation: u64) -> Option<&mut Receiving> {
        let all = self.open.values_mut().filter_map(Receive::receiving_mut);
        all.into_iter().find(|receiving| receiving.conversation() == Some(conversation))
    }

    /// The sender says something.
    pub(super) fn said(&mut self, hands: &mut Hands<'_>, conversation: u64, message: &[u8]) {
        if let Some(receiving) = self.in_conversation(conversation) {
            receiving.said(hands.now, message);
        }
    }

    /// The sender lets us fetch, and is seen by the hub at this address.
    pub(super) fn admitted(&mut self, hands: &mut Hands<'_>, conversation: u64, address: IpAddr) {
        let in_it =
            |receive: &mut Receive| receive.receiving_mut().and_then(|it| it.conversation()) == Some(conversation);
        let Some(task) = self.open.iter_mut().find_map(|(task, receive)| in_it(receive).then_some(*task)) else {
            return;
        };
        let placed = self.open.get_mut(&task).map(|receive| receive.placed(hands, address));
        if let Some(Err(failure)) = placed {
            self.refuse(hands, task, failure);
        }
    }

    /// A conversation is over.
    pub(super) fn hung_up(&mut self, hands: &mut Hands<'_>, conversation: u64, gone: bool) {
        if let Some(receiving) = self.in_conversation(conversation) {
            receiving.hung_up(hands.now, gone);
        }
    }

    /// A listing has arrived, or could not be fetched.
    pub(super) fn listed(&mut self, hands: &mut Hands<'_>, task: u64, result: Result<Vec<Content>, Failure>) {
        let listed = self.open.get_mut(&task).map(|receive| receive.listed(hands, result));
        if let Some(Err(failure)) = listed {
            self.refuse(hands, task, failure);
        }
    }

    /// The download of a parcel has ended.
    pub(super) fn fetched(&mut self, hands: &mut Hands<'_>, transfer: u64, result: Result<String, Failure>) {
        let fetched = self.open.iter_mut().find(|(_, receive)| receive.transfer() == Some(transfer));
        let Some((&task, receive)) = fetched else { return };
        match result {
            Ok(path) => receive.here(hands, Some(path)),
            Err(failure) => {
                let failure = receive.not_fetched(failure, hands.cx.uplink.is_lost());
                self.refuse(hands, task, failure);
            }
        }
    }

    /// Ends one, with a failure for its request.
    fn refuse(&mut self, hands: &mut Hands<'_>, task: u64, failure: Failure) {
        let Some(mut receive) = self.open.remove(&task) else { return };
        hands.asks.forget(Asked::Knock(task));
        if let Some(transfer) = receive.transfer() {
            hands.transfers.stop_parcel(hands.now, hands.cx, transfer);
        }
        hang_up(hands.now, hands.cx, &mut receive);
        let failure = receive.explained(failure);
        hands.cx.refuse(hands.now, receive.pending.id, failure);
    }

    /// Takes out the requests, each with its failure; with `fetching`, also those whose files are being fetched.
    pub(super) fn abandon(
        &mut self,
        now: Time,
        cx: &mut Context,
        failure: &Failure,
        fetching: bool,
    ) -> Vec<(Pending, Failure)> {
        let taken = self.open.extract_if(.., |_, receive| fetching || receive.sender().is_none());
        let taken = taken.map(|(_, mut receive)| {
            hang_up(now, cx, &mut receive);
            let failure = receive.explained(failure.clone());
            (receive.pending, failure)
        });
        taken.collect()
    }

    /// The hub has forgotten all conversations.
    pub(super) fn hub_has_forgotten(&mut self, now: Time) {
        self.open
            .values_mut()
            .filter_map(Receive::receiving_mut)
            .for_each(|receiving| receiving.hub_has_forgotten(now));
    }

    /// The hub is back, and remembers.
    pub(super) fn hub_is_back(&mut self, now: Time) {
        self.open.values_mut().filter_map(Receive::receiving_mut).for_each(|receiving| receiving.hub_is_back(now));
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.open.values().filter_map(|receive| receive.receiving()?.next_timeout()).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether the holder of this key sends one of them.
    pub(super) fn is_from(&self, key: &PublicKey) -> bool {
        self.open.values().any(|receive| receive.sender() == Some(*key))
    }

    /// The requests that wait for the hub.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.open.values_mut().filter(|receive| receive.sender().is_none()).map(|receive| &mut receive.pending)
    }
}

/// Ends every conversation of one that is over.
fn hang_up(now: Time, cx: &mut Context, receive: &mut Receive) {
    receive.end();
    while let Some(step) = receive.receiving_mut().and_then(Receiving::poll) {
        if let ReceivingStep::HangUp(hang_up) = step {
            cx.uplink.send(now, Ask::HangUp(HangUp { hang_up, guessed: false }));
        }
    }
}
