//! Parcels: what is sent and received by short codes, from the request to its final event.
//!
//! The decisions between the two sides are those of [`handover`](crate::core::handover); this part carries their steps to
//! the hub, the driver and the user, and belongs to no name: a parcel can be sent and received without being registered.

mod asks;
mod planning;
mod receive;
mod receives;
mod send;
mod sends;

use super::context::Context;
use super::pending::Pending;
use super::transfers::Transfers;
use super::words::ParcelInput;
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::limits::ANSWER_SMALL;
use crate::protocol::wire::{Ask, HangUp};
use crate::protocol::{ErrorCode, Event, Failure, PublicKey, Transfer, event, request};
use asks::{AskNumbers, Asked};
use receives::Receives;
use sends::Sends;

/// Parcels in both directions. See the [module](self).
pub(super) struct Parcels {
    ours: PublicKey,
    secrets: Secrets,
    asks: AskNumbers,
    sends: Sends,
    receives: Receives,
}

/// What both directions need while something happens.
struct Hands<'a> {
    now: Time,
    ours: PublicKey,
    cx: &'a mut Context,
    transfers: &'a mut Transfers,
    secrets: &'a mut Secrets,
    asks: &'a mut AskNumbers,
}

impl Hands<'_> {
    fn tell_hub(&mut self, ask: Ask) {
        self.cx.uplink.send(self.now, ask);
    }

    fn hang_up(&mut self, conversation: u64, guessed: bool) {
        self.tell_hub(Ask::HangUp(HangUp { hang_up: conversation, guessed }));
    }
}

impl Parcels {
    /// No parcels. `ours` is our key, which receivers and senders see; nobody else may know the seed.
    pub(super) fn new(ours: PublicKey, seed: [u8; 32]) -> Self {
        Self {
            ours,
            secrets: Secrets::new(seed),
            asks: AskNumbers::default(),
            sends: Sends::default(),
            receives: Receives::default(),
        }
    }

    /// Starts a `parcel-send`.
    pub(super) fn start_send(
        &mut self,
        now: Time,
        cx: &mut Context,
        transfers: &mut Transfers,
        pending: Pending,
        request: request::ParcelSend,
    ) {
        let (sends, _, mut hands) = self.split(now, cx, transfers);
        sends.start(&mut hands, pending, request);
        sends.tick(&mut hands);
    }

    /// What the driver has done for parcels.
    pub(super) fn handle(&mut self, now: Time, cx: &mut Context, transfers: &mut Transfers, input: ParcelInput) {
        let (sends, receives, mut hands) = self.split(now, cx, transfers);
        match input {
            ParcelInput::Prepared(parcel, result) => sends.prepared(&mut hands, parcel, result),
            ParcelInput::Recalled(parcel, kept) => sends.recalled(parcel, kept),
            ParcelInput::Hashing(parcel, progress) => {
                if let Some(id) = sends.id_of(parcel) {
                    hands.cx.tell_for(now, id, false, progress);
                }
            }
            ParcelInput::Listed(task, result) => receives.listed(&mut hands, task, result),
            ParcelInput::TicketFound(task, ticket) => receives.ticket_found(&mut hands, task, ticket),
        }
    }

    /// Starts a `parcel-receive`.
    pub(super) fn start_receive(
        &mut self,
        now: Time,
        cx: &mut Context,
        pending: Pending,
        request: request::ParcelReceive,
    ) {
        self.receives.start(now, cx, pending, request);
    }

    /// What the hub tells about parcels. Another event is given back.
    pub(super) fn hub_says(
        &mut self,
        now: Time,
        cx: &mut Context,
        transfers: &mut Transfers,
        event: Event,
    ) -> Option<Event> {
        let (sends, receives, mut hands) = self.split(now, cx, transfers);
        let hands = &mut hands;
        if let Event::CodeOpened(opened) = event {
            let asked = hands.asks.take(opened.ask);
            sends.opened(hands, asked, opened.nameplate);
        } else if let Event::CodeRefused(event::CodeRefused { ask, code, message, wait }) = event {
            let asked = hands.asks.take(ask);
            sends.refused(hands, asked, Failure { wait, ..Failure::new(code, message) });
        } else if let Event::Knocked(event::Knocked { conversation, nameplate, key, share }) = event {
            sends.knocked(hands, nameplate, (conversation, key, share.map(|share| share.0)));
        } else if let Event::KnockAnswered(answered) = event {
            let asked = hands.asks.take(answered.ask);
            receives.answered(hands, asked, (answered.conversation, answered.key));
        } else if let Event::Admitted(event::Admitted { conversation, address }) = event {
            receives.admitted(hands, conversation, address);
        } else if let Event::KnockRefused(event::KnockRefused { ask, code, message, wait }) = event {
            let asked = hands.asks.take(ask);
            receives.refused(hands, asked, Failure { wait, ..Failure::new(code, message) });
        } else if let Event::Said(event::Said { conversation, message }) = event {
            sends.said(hands, conversation, &message.0);
            receives.said(hands, conversation, &message.0);
        } else if let Event::HungUp(event::HungUp { conversation, gone }) = event {
            sends.hung_up(hands, conversation, gone);
            receives.hung_up(hands, conversation, gone);
        } else if let Event::Error(error) = &event
            && matches!(error.code, ErrorCode::BadRequest | ErrorCode::UnknownRequest)
            && hands.asks.take_all()
        {
            let failure = Failure::new(ErrorCode::WrongProtocol, "The hub does not know parcels: it is an older one.");
            let failure = failure.hint("Ask whoever keeps it to update it.");
            sends.fail_asked(hands, &failure);
            receives.fail_asked(hands, &failure);
        } else {
            return Some(event);
        }
        None
    }

    /// What has come about since: downloads that have ended, and deadlines that are over.
    pub(super) fn go_on(&mut self, now: Time, cx: &mut Context, transfers: &mut Transfers) {
        let (sends, receives, mut hands) = self.split(now, cx, transfers);
        for (transfer, result) in hands.transfers.take_ended_parcels() {
            receives.fetched(&mut hands, transfer, result);
        }
        sends.tick(&mut hands);
        if !hands.cx.uplink.is_lost() {
            receives.tick(&mut hands);
        }
    }

    /// When something is due.
    pub(super) fn next_timeout(&self, cx: &Context) -> Option<Time> {
        // What a lost hub does not carry is not late.
        let receives = self.receives.next_timeout().filter(|_| !cx.uplink.is_lost());
        [self.sends.next_timeout(cx), receives].into_iter().flatten().min()
    }

    /// The hub has forgotten us: numbers and conversations among it.
    pub(super) fn hub_has_forgotten(&mut self, now: Time) {
        self.asks.take_all();
        self.sends.hub_has_forgotten(now);
        self.receives.hub_has_forgotten(now);
    }

    /// The hub is back, and remembers us.
    pub(super) fn hub_is_back(&mut self, now: Time) {
        self.sends.hub_is_back(now);
        self.receives.hub_is_back(now);
    }

    /// Gives up the parcel of this number.
    pub(super) fn cancel(&mut self, now: Time, cx: &mut Context, transfers: &mut Transfers, transfer: u64) {
        let (sends, _, mut hands) = self.split(now, cx, transfers);
        sends.refuse(&mut hands, transfer, Failure::new(ErrorCode::Interrupted, "It was cancelled."));
    }

    /// Whether a parcel of ours has this number.
    pub(super) fn is_of(&self, transfer: u64) -> bool {
        self.sends.has(transfer)
    }

    /// Gives up the parcels that nobody fetches.
    pub(super) fn take_back_untaken(&mut self, now: Time, cx: &mut Context, transfers: &mut Transfers) {
        let (sends, _, mut hands) = self.split(now, cx, transfers);
        sends.take_back_untaken(&mut hands);
    }

    /// Takes out the requests of all parcels, each with its failure; with `fetching`, also of those that are being fetched
    /// from others.
    pub(super) fn abandon(
        &mut self,
        now: Time,
        cx: &mut Context,
        failure: &Failure,
        fetching: bool,
    ) -> Vec<(Pending, Failure)> {
        let mut given_up = self.sends.abandon(now, cx, failure);
        given_up.extend(self.receives.abandon(now, cx, failure, fetching));
        given_up
    }

    /// The parcels of ours that wait for receivers, or are being fetched.
    pub(super) fn show(&self) -> Vec<Transfer> {
        self.sends.show().collect()
    }

    /// Whether there are none.
    pub(super) fn are_none(&self) -> bool {
        self.sends.is_empty() && self.receives.is_empty()
    }

    /// Whether the holder of this key sends us one.
    pub(super) fn are_from(&self, key: &PublicKey) -> bool {
        self.receives.is_from(key)
    }

    /// Whether a request waits for one, other than for somebody who takes it.
    pub(super) fn are_awaited(&self) -> bool {
        !self.receives.is_empty() || self.sends.is_preparing()
    }

    /// Whether one of ours can be taken, or is being fetched.
    pub(super) fn is_giving(&self) -> bool {
        !self.sends.is_empty()
    }

    /// Whether one of ours can be taken, and nobody fetches it.
    pub(super) fn is_untaken(&self) -> bool {
        self.sends.is_untaken()
    }

    /// The requests that wait for the hub, to be told so.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.sends.unasked_mut().chain(self.receives.unasked_mut())
    }

    /// How many bytes their answers may need.
    pub(super) fn answer_room(&self) -> usize {
        ANSWER_SMALL * (self.sends.len() + self.receives.len())
    }

    fn split<'a>(
        &'a mut self,
        now: Time,
        cx: &'a mut Context,
        transfers: &'a mut Transfers,
    ) -> (&'a mut Sends, &'a mut Receives, Hands<'a>) {
        let Self { ours, secrets, asks, sends, receives } = self;
        (sends, receives, Hands { now, ours: *ours, cx, transfers, secrets, asks })
    }
}

/// A failure that the hub names, as a request of this row may tell it: a hub may say anything.
fn of_hub(failure: Failure, pending: &Pending) -> Failure {
    let error = Event::from(event::Error::from(failure.clone()));
    if pending.request.rules().may_be_answered_by(&error) {
        return failure;
    }
    Failure::new(ErrorCode::WrongProtocol, format!("The hub refuses it with `{}`: {}", failure.code, failure.message))
}

/// The longest that is said at once, sealed.
fn fits(word: &[u8]) -> bool {
    word.len() + crate::core::exchange::SEALED_BYTES <= crate::protocol::limits::SAY_BYTES
}

/// Whose answer an ask awaits.
impl Asked {
    fn send(self) -> Option<u64> {
        match self {
            Self::Open(transfer) => Some(transfer),
            Self::Knock(_) => None,
        }
    }

    fn receive(self) -> Option<u64> {
        match self {
            Self::Knock(task) => Some(task),
            Self::Open(_) => None,
        }
    }
}
