//! Our parcels that others may fetch by a code.

use std::collections::BTreeMap;
use std::time::Duration;

use super::asks::Asked;
use super::send::{End, Send};
use super::{Hands, of_hub};
use crate::core::session::context::Context;
use crate::core::session::pending::{Pending, RequestId};
use crate::core::session::{Output, ParcelOutput};
use crate::core::time::Time;
use crate::protocol::code::Nameplate;
use crate::protocol::limits::{CODE_ADMITTED, CODES_EACH, PARCEL_TEXT};
use crate::protocol::line::pointer_at;
use crate::protocol::parcel::{Parcel, ParcelContent, ParcelKind, SentCode, TEXT_NAME};
use crate::protocol::when::span_or_seconds;
use crate::protocol::wire::{Ask, CloseCode};
use crate::protocol::{ErrorCode, Failure, PublicKey, Transfer, request};

/// The longest time for which a code is good.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Our parcels, by the numbers of their transfers.
#[derive(Default)]
pub(super) struct Sends {
    open: BTreeMap<u64, Send>,
}

impl Sends {
    /// Starts a `parcel-send`.
    pub(super) fn start(&mut self, hands: &mut Hands<'_>, pending: Pending, request: request::ParcelSend) {
        let checked = check(&request).and_then(|(times, span)| {
            if self.open.len() >= CODES_EACH {
                let message = format!("{CODES_EACH} parcels of yours are waiting already.");
                return Err(Failure::new(ErrorCode::TooMany, message).hint("`cancel` one of them."));
            }
            Ok((times, span))
        });
        let (times, span) = match checked {
            Ok(checked) => checked,
            Err(failure) => return hands.cx.refuse(hands.now, pending.id, failure),
        };
        let parcel = hands.transfers.take_number();
        self.open.insert(parcel, Send::new(parcel, pending, times, span));
        let request::ParcelSend { paths, text, stream, .. } = request;
        match text {
            Some(text) => {
                let port = hands.cx.config.settings.port;
                self.prepared(hands, parcel, Ok(of_text(text, port)));
            }
            None => hands.cx.output(Output::Parcel(ParcelOutput::Prepare { parcel, paths, stream })),
        }
    }

    /// The files of a parcel are hashed, or could not be.
    pub(super) fn prepared(&mut self, hands: &mut Hands<'_>, parcel: u64, result: Result<Parcel, Failure>) {
        let Some(send) = self.open.get_mut(&parcel) else { return };
        let result = result.map_err(|failure| of_hub(failure, &send.pending));
        let prepared = result.and_then(|told| send.prepare(hands, told));
        if let Err(failure) = prepared {
            self.refuse(hands, parcel, failure);
        }
    }

    /// A parcel whose files are being hashed was sent before, under this code.
    pub(super) fn recalled(&mut self, parcel: u64, kept: Box<SentCode>) {
        if let Some(send) = self.open.get_mut(&parcel) {
            send.recall(kept);
        }
    }

    /// Lets time pass, and does what is to be done.
    pub(super) fn tick(&mut self, hands: &mut Hands<'_>) {
        for transfer in self.open.keys().copied().collect::<Vec<_>>() {
            let Some(send) = self.open.get_mut(&transfer) else { continue };
            match send.go_on(hands) {
                None => {}
                Some(End::Failed(failure)) => self.refuse(hands, transfer, failure),
                Some(End::Sent) => {
                    if let Some(send) = self.take(hands.now, hands.cx, transfer) {
                        let sent = send.sent();
                        hands.cx.finish(hands.now, send.pending.id, sent);
                    }
                }
            }
        }
    }

    /// The hub has given a number.
    pub(super) fn opened(&mut self, hands: &mut Hands<'_>, asked: Option<Asked>, nameplate: Nameplate) {
        let transfer = asked.and_then(Asked::send);
        let is_taken = self.open.iter().any(|(of, send)| Some(*of) != transfer && send.nameplate() == Some(nameplate));
        let Some((transfer, send)) = transfer.and_then(|of| Some((of, self.open.get_mut(&of)?))) else {
            // It was given up meanwhile.
            return hands.tell_hub(Ask::CloseCode(CloseCode { close_code: nameplate }));
        };
        let failure = match is_taken {
            true => Some(Failure::new(ErrorCode::WrongProtocol, "The hub gives one number twice.")),
            false => send.opened(hands, nameplate),
        };
        if let Some(failure) = failure {
            self.refuse(hands, transfer, failure);
        }
    }

    /// The hub gives no number.
    pub(super) fn refused(&mut self, hands: &mut Hands<'_>, asked: Option<Asked>, failure: Failure) {
        let Some(transfer) = asked.and_then(Asked::send) else { return };
        let failure = self.open.get_mut(&transfer).and_then(|send| send.refused(hands.now, failure));
        if let Some(failure) = failure {
            self.refuse(hands, transfer, failure);
        }
    }

    /// Every parcel whose number is being asked for fails.
    pub(super) fn fail_asked(&mut self, hands: &mut Hands<'_>, failure: &Failure) {
        let asked: Vec<u64> = self.open.iter().filter(|(_, send)| send.is_asking()).map(|(of, _)| *of).collect();
        for transfer in asked {
            self.refuse(hands, transfer, failure.clone());
        }
    }

    /// Somebody knocks.
    pub(super) fn knocked(
        &mut self,
        hands: &mut Hands<'_>,
        nameplate: Nameplate,
        (conversation, key, share): (u64, PublicKey, Option<Vec<u8>>),
    ) {
        let knocked = self.open.values_mut().find(|send| send.nameplate() == Some(nameplate));
        match knocked.and_then(Send::sending_mut) {
            Some(sending) => sending.knocked(hands.now, conversation, key, share, hands.secrets),
            None => hands.hang_up(conversation, false),
        }
    }

    /// The other side of a conversation says something. Each parcel knows its own conversations.
    pub(super) fn said(&mut self, hands: &mut Hands<'_>, conversation: u64, message: &[u8]) {
        for sending in self.open.values_mut().filter_map(Send::sending_mut) {
            sending.said(hands.now, conversation, message, hands.secrets);
        }
    }

    /// A conversation is over.
    pub(super) fn hung_up(&mut self, hands: &mut Hands<'_>, conversation: u64, gone: bool) {
        for sending in self.open.values_mut().filter_map(Send::sending_mut) {
            sending.hung_up(hands.now, conversation, gone, hands.secrets);
        }
    }

    /// The hub has forgotten all numbers and conversations.
    pub(super) fn hub_has_forgotten(&mut self, now: Time) {
        self.open.values_mut().for_each(|send| send.hub_has_forgotten(now));
    }

    /// The hub is back, and remembers.
    pub(super) fn hub_is_back(&mut self, now: Time) {
        self.open.values_mut().for_each(|send| send.hub_is_back(now));
    }

    /// The request of a parcel.
    pub(super) fn id_of(&self, parcel: u64) -> Option<RequestId> {
        self.open.get(&parcel).map(|send| send.pending.id.clone())
    }

    /// Whether one has this number.
    pub(super) fn has(&self, transfer: u64) -> bool {
        self.open.contains_key(&transfer)
    }

    /// Ends a parcel, with a failure for its request.
    pub(super) fn refuse(&mut self, hands: &mut Hands<'_>, transfer: u64, failure: Failure) {
        hands.asks.forget(Asked::Open(transfer));
        if let Some(send) = self.take(hands.now, hands.cx, transfer) {
            hands.cx.refuse(hands.now, send.pending.id, failure);
        }
    }

    /// Takes a parcel out: nobody may have it any more.
    fn take(&mut self, now: Time, cx: &mut Context, transfer: u64) -> Option<Send> {
        let mut send = self.open.remove(&transfer)?;
        send.close(now, cx);
        Some(send)
    }

    /// Gives up the parcels that nobody fetches.
    pub(super) fn take_back_untaken(&mut self, hands: &mut Hands<'_>) {
        let untaken = self.open.iter().filter(|(_, send)| send.is_told() && !send.is_being_fetched());
        for (transfer, failure) in untaken.map(|(of, send)| (*of, send.untaken())).collect::<Vec<_>>() {
            self.refuse(hands, transfer, failure);
        }
    }

    /// Takes out the requests of all, each with its failure.
    pub(super) fn abandon(&mut self, now: Time, cx: &mut Context, failure: &Failure) -> Vec<(Pending, Failure)> {
        let all: Vec<u64> = self.open.keys().copied().collect();
        let taken = all.into_iter().filter_map(|transfer| self.take(now, cx, transfer));
        taken.map(|send| (send.pending, failure.clone())).collect()
    }

    /// As `transfers` shows them.
    pub(super) fn show(&self) -> impl Iterator<Item = Transfer> {
        self.open.values().map(Send::show)
    }

    pub(super) fn next_timeout(&self, cx: &Context) -> Option<Time> {
        let is_lost = cx.uplink.is_lost();
        self.open.values().filter_map(|send| send.next_timeout(is_lost)).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether the code of one was not told yet.
    pub(super) fn is_preparing(&self) -> bool {
        self.open.values().any(|send| !send.is_told())
    }

    /// Whether one can be fetched, and nobody does.
    pub(super) fn is_untaken(&self) -> bool {
        self.open.values().any(|send| send.is_told() && !send.is_being_fetched())
    }

    /// The requests that wait for the hub.
    pub(super) fn unasked_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.open.values_mut().filter(|send| !send.is_told()).map(|send| &mut send.pending)
    }
}

/// A text as a parcel.
fn of_text(text: String, port: u16) -> Parcel {
    let size = text.len() as u64;
    let (kind, name, content) = (ParcelKind::Text, TEXT_NAME.to_owned(), ParcelContent::Text(text));
    Parcel { kind, name, files: 0, size, content, addresses: Vec::new(), port }
}

/// Checks a `parcel-send`: how many may have it, and for how long.
fn check(request: &request::ParcelSend) -> Result<(u64, Option<Duration>), Failure> {
    let refuse = |code: ErrorCode, message: String, at: &str| Err(Failure::new(code, message).at(pointer_at(at)));
    let request::ParcelSend { paths, text, stream, times, until } = request;
    if paths.is_empty() == text.is_none() {
        let message = "Either paths or a text are sent.";
        return refuse(ErrorCode::BadRequest, message.into(), "/paths");
    }
    if text.as_ref().is_some_and(|text| text.len() > PARCEL_TEXT) {
        let message = format!("A text has at most {PARCEL_TEXT} bytes.");
        return refuse(ErrorCode::MessageTooLong, message, "/text");
    }
    if text.as_ref().is_some_and(String::is_empty) {
        return refuse(ErrorCode::BadRequest, "The text is empty.".into(), "/text");
    }
    if *stream && paths.len() != 1 {
        return refuse(ErrorCode::BadRequest, "A stream is one file.".into(), "/stream");
    }
    let times = times.unwrap_or(1);
    if !(1..=CODE_ADMITTED as u64).contains(&times) {
        let message = format!("1 to {CODE_ADMITTED} may have a parcel.");
        let failure = Failure::new(ErrorCode::TooMany, message).at(pointer_at("/times"));
        return Err(failure.hint(format!("Say a number from 1 to {CODE_ADMITTED}; for more, send it again.")));
    }
    let Some(until) = until else { return Ok((times, None)) };
    match span_or_seconds(until).filter(|span| !span.is_zero() && *span <= LONGEST) {
        Some(span) => Ok((times, Some(span))),
        None => {
            let message = "A code is good for a span such as 10m or 2h, of at most 366 days.";
            let failure = Failure::new(ErrorCode::BadTime, message).at(pointer_at("/until"));
            Err(failure.hint("Write 10m, 2h or 3d."))
        }
    }
}
