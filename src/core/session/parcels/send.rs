//! One parcel of ours, from the request to its final event.

mod ending;

use std::time::Duration;

use super::asks::{Asked, may_be_of, no_number_of_it};
use super::{Hands, fits, of_hub};
use crate::core::handover::{HUB_TIME, Sending, SendingStep};
use crate::core::session::context::Context;
use crate::core::session::pending::Pending;
use crate::core::session::{Entry, Output, ParcelOutput};
use crate::core::time::Time;
use crate::protocol::code::Nameplate;
use crate::protocol::parcel::{FromSender, Parcel, ParcelKind, SentCode};
use crate::protocol::types::Stage;
use crate::protocol::wire::{Admit, Ask, CloseCode, OpenCode, Say};
use crate::protocol::{Direction, ErrorCode, Failure, Timestamp, Transfer, event};

/// How often a hub that has no number now is asked again.
const TRIES: u32 = 5;

/// A parcel of ours.
pub(super) struct Send {
    transfer: u64,
    pub(super) pending: Pending,
    times: u64,
    /// For how long the code is good.
    span: Option<Duration>,
    /// The code under which it was sent before.
    kept: Option<Box<SentCode>>,
    stage: Preparation,
}

enum Preparation {
    /// Its files are being hashed.
    Hashing,
    Prepared(Box<Prepared>),
}

/// A parcel whose files are known.
struct Prepared {
    sending: Sending,
    /// The same with another code, if it is to go on under the one of before, which the hub may refuse.
    fresh: Option<Sending>,
    about: About,
    number: Number,
    tries: u32,
    /// Until when the code is good, once it was told.
    until: Option<(Time, Timestamp)>,
    /// Whether the code was told.
    told: bool,
    /// Whether that time is over, and then how long those who have claimed it may take to fetch.
    over: Option<Time>,
}

/// How it stands with the number of the code at the hub.
#[derive(Clone, Copy)]
enum Number {
    /// The hub is to be asked for one, from then on.
    Wanted(Time),
    /// It is to answer until then.
    Asked(Time),
    /// It has given one.
    Open,
}

/// What a parcel is, as events tell it.
struct About {
    kind: ParcelKind,
    name: String,
    files: u64,
    size: u64,
}

/// How a parcel ends.
pub(super) enum End {
    Sent,
    Failed(Failure),
}

impl Send {
    /// A parcel whose files are to be hashed.
    pub(super) fn new(transfer: u64, pending: Pending, times: u64, span: Option<Duration>) -> Self {
        Self { transfer, pending, times, span, kept: None, stage: Preparation::Hashing }
    }

    /// It was sent before, under this code.
    pub(super) fn recall(&mut self, kept: Box<SentCode>) {
        self.kept = Some(kept);
    }

    /// The files are hashed.
    ///
    /// # Errors
    /// `message-too-long` if it cannot be told.
    pub(super) fn prepare(&mut self, hands: &mut Hands<'_>, parcel: Parcel) -> Result<(), Failure> {
        let about = About { kind: parcel.kind, name: parcel.name.clone(), files: parcel.files, size: parcel.size };
        let word = serde_json::to_vec(&FromSender { parcel }).unwrap_or_default();
        if !fits(&word) {
            let message = "The text, or the names of the files, are too long to be told.";
            return Err(Failure::new(ErrorCode::MessageTooLong, message));
        }
        let fresh = Sending::new(hands.ours, self.times, word.clone(), hands.secrets);
        let recalled = self.recalled(hands, word);
        let (sending, until, fresh) = match recalled {
            Some((sending, until)) => (sending, until, Some(fresh)),
            None => (fresh, None, None),
        };
        self.stage = Preparation::Prepared(Box::new(Prepared {
            sending,
            fresh,
            about,
            number: Number::Wanted(hands.now),
            tries: 0,
            until,
            told: false,
            over: None,
        }));
        Ok(())
    }

    /// How it goes on under the code that it had before, and until when, if that is as it is wanted now.
    fn recalled(&mut self, hands: &mut Hands<'_>, word: Vec<u8>) -> Option<(Sending, Option<(Time, Timestamp)>)> {
        let kept = self.kept.take().filter(|kept| kept.times == self.times)?;
        if self.span.is_some() != kept.until.is_some() {
            return None;
        }
        let now = hands.cx.effects.calendar(hands.now);
        let until = kept.until.map(|until| {
            let left = Duration::from_millis(u64::try_from(until.0 - now.0).unwrap_or(0));
            (hands.now + left, until)
        });
        let sending = Sending::recalled(hands.ours, word, &kept, hands.secrets)?;
        until.is_none_or(|(at, _)| at > hands.now).then_some((sending, until))
    }

    fn prepared(&self) -> Option<&Prepared> {
        match &self.stage {
            Preparation::Hashing => None,
            Preparation::Prepared(prepared) => Some(prepared),
        }
    }

    fn prepared_mut(&mut self) -> Option<&mut Prepared> {
        match &mut self.stage {
            Preparation::Hashing => None,
            Preparation::Prepared(prepared) => Some(prepared),
        }
    }

    /// The machine that answers those who knock.
    pub(super) fn sending_mut(&mut self) -> Option<&mut Sending> {
        self.prepared_mut().map(|prepared| &mut prepared.sending)
    }

    /// Whether the code was told.
    pub(super) fn is_told(&self) -> bool {
        self.prepared().is_some_and(|prepared| prepared.told)
    }

    /// Whether the hub is being asked for a number.
    pub(super) fn is_asking(&self) -> bool {
        self.prepared().is_some_and(|prepared| matches!(prepared.number, Number::Asked(_)))
    }

    pub(super) fn is_being_fetched(&self) -> bool {
        self.prepared().is_some_and(|prepared| prepared.sending.is_being_fetched())
    }

    pub(super) fn nameplate(&self) -> Option<Nameplate> {
        self.prepared().and_then(|prepared| prepared.sending.nameplate())
    }

    /// When time must pass.
    pub(super) fn next_timeout(&self, is_lost: bool) -> Option<Time> {
        let prepared = self.prepared()?;
        let number = match prepared.number {
            Number::Wanted(at) | Number::Asked(at) => Some(at).filter(|_| !is_lost),
            Number::Open => None,
        };
        let until = prepared.over.or(prepared.until.map(|(until, _)| until));
        let until = until.filter(|_| prepared.over.is_none() || prepared.sending.is_being_fetched());
        [number, until, prepared.sending.next_timeout()].into_iter().flatten().min()
    }

    /// Lets time pass, and does what is to be done. Returns how it ends, if it does.
    pub(super) fn go_on(&mut self, hands: &mut Hands<'_>) -> Option<End> {
        let (now, transfer, id) = (hands.now, self.transfer, self.pending.id.clone());
        let prepared = self.prepared_mut()?;
        prepared.sending.tick(now, hands.secrets);
        prepared.end_in_time(hands, &id);
        if let Some(failure) = prepared.ask_for_number(hands, transfer) {
            return Some(End::Failed(failure));
        }
        self.carry_out(hands);
        self.end()
    }

    /// How it ends, if it does.
    fn end(&self) -> Option<End> {
        let prepared = self.prepared()?;
        if prepared.sending.is_received_by_all() {
            return Some(End::Sent);
        }
        let failure = prepared.sending.failure()?;
        // Whoever has it has it, even if there could have been more.
        if prepared.over.is_some() && prepared.sending.received() > 0 && failure.code == ErrorCode::NotTaken {
            return Some(End::Sent);
        }
        Some(End::Failed(failure.clone()))
    }

    /// The hub has given a number. Returns why that is of no use, if it is.
    pub(super) fn opened(&mut self, hands: &mut Hands<'_>, nameplate: Nameplate) -> Option<Failure> {
        let (transfer, times, span) = (self.transfer, self.times, self.span);
        let id = self.pending.id.clone();
        let prepared = self.prepared_mut()?;
        let known = prepared.sending.nameplate();
        let may_be = may_be_of(nameplate, hands.cx.config.entry == Entry::Keeper);
        if known.is_some_and(|known| known != nameplate) || !may_be {
            hands.tell_hub(Ask::CloseCode(CloseCode { close_code: nameplate }));
            return Some(if may_be { lost_number() } else { no_number_of_it() });
        }
        prepared.number = Number::Open;
        let code = prepared.sending.opened(nameplate).to_string();
        if std::mem::replace(&mut prepared.told, true) {
            return None;
        }
        let span = span.map(|span| (hands.now + span, hands.cx.effects.calendar(hands.now + span)));
        prepared.until = prepared.until.or(span);
        let again = prepared.fresh.take().is_some();
        let About { kind, ref name, files, size } = prepared.about;
        let until = prepared.until.map(|(_, until)| until);
        let (name, hub) = (name.clone(), hands.cx.config.hub.clone());
        let ready = event::ParcelReady { transfer, code, hub, kind, name, files, size, times, until, again };
        prepared.keep(hands, transfer);
        hands.cx.tell_for(hands.now, id, false, ready);
        None
    }

    /// The hub gives no number. Returns why the parcel fails, if it is not asked again.
    pub(super) fn refused(&mut self, now: Time, failure: Failure) -> Option<Failure> {
        let failure = of_hub(failure, &self.pending);
        let prepared = self.prepared_mut()?;
        prepared.tries += 1;
        match failure.wait.filter(|_| prepared.tries < TRIES) {
            Some(wait) => {
                prepared.number = Number::Wanted(now + Duration::from_millis(wait.max(1)));
                None
            }
            // It was ours before the hub forgot it.
            None if prepared.told => Some(lost_number()),
            None => match prepared.fresh.take() {
                Some(fresh) => {
                    (prepared.sending, prepared.until, prepared.number) = (fresh, None, Number::Wanted(now));
                    None
                }
                None => Some(failure),
            },
        }
    }

    /// The hub has forgotten the number and all conversations: it is asked for the number again.
    pub(super) fn hub_has_forgotten(&mut self, now: Time) {
        if let Some(prepared) = self.prepared_mut() {
            prepared.sending.hub_has_forgotten();
            (prepared.number, prepared.tries) = (Number::Wanted(now), 0);
        }
    }

    /// The hub is back, and remembers: its answer may still come.
    pub(super) fn hub_is_back(&mut self, now: Time) {
        if let Some(Prepared { number: Number::Asked(until), .. }) = self.prepared_mut() {
            *until = now + HUB_TIME;
        }
    }

    /// Does what the machine wants.
    pub(super) fn carry_out(&mut self, hands: &mut Hands<'_>) {
        let (transfer, id, times) = (self.transfer, self.pending.id.clone(), self.times);
        let Some(prepared) = self.prepared_mut() else { return };
        prepared.keep(hands, transfer);
        let code = prepared.sending.nameplate().unwrap_or_default();
        let name = |receiver: u64| match times {
            1 => format!("receiver of {code}"),
            _ => format!("receiver {receiver} of {code}"),
        };
        while let Some(step) = prepared.sending.poll() {
            match step {
                SendingStep::Say(say, message) => {
                    hands.tell_hub(Ask::Say(Say { say, message: crate::protocol::wire::Octets(message) }));
                }
                SendingStep::Admit { conversation, key, receiver, again, told } => {
                    hands.tell_hub(Ask::Admit(Admit { admit: conversation }));
                    hands.cx.output(Output::Parcel(ParcelOutput::Serve(transfer, key, name(receiver))));
                    hands.transfers.expect_receiver(name(receiver), id.clone());
                    if told {
                        let claimed = event::ParcelClaimed { transfer, key, again };
                        hands.cx.tell_for(hands.now, id.clone(), false, claimed);
                    }
                }
                SendingStep::Delivered { key, receiver, left } => {
                    hands.transfers.receiver_has_all(hands.now, hands.cx, &name(receiver));
                    let delivered = event::ParcelDelivered { transfer, key, left };
                    hands.cx.tell_for(hands.now, id.clone(), false, delivered);
                }
                SendingStep::Left { key, gone } => {
                    let left = event::ParcelLeft { transfer, key, gone };
                    hands.cx.tell_for(hands.now, id.clone(), false, left);
                }
                SendingStep::HangUp { conversation, guessed } => hands.hang_up(conversation, guessed),
            }
        }
    }

    /// It is over: takes the number back, and tells how many have it.
    pub(super) fn sent(&self) -> event::ParcelSent {
        let (name, files, size) = self
            .prepared()
            .map_or((String::new(), 0, 0), |Prepared { about, .. }| (about.name.clone(), about.files, about.size));
        let times = self.prepared().map_or(0, |prepared| prepared.sending.received());
        event::ParcelSent { transfer: self.transfer, name, files, size, times }
    }

    /// Nobody may have it any more.
    pub(super) fn close(&mut self, now: Time, cx: &mut Context) {
        cx.output(Output::Parcel(ParcelOutput::Drop(self.transfer)));
        let Some(prepared) = self.prepared_mut() else { return };
        prepared.sending.end();
        while let Some(step) = prepared.sending.poll() {
            if let SendingStep::HangUp { conversation: hang_up, guessed } = step {
                cx.uplink.send(now, Ask::HangUp(crate::protocol::wire::HangUp { hang_up, guessed }));
            }
        }
        if let Some(close_code) = prepared.sending.nameplate() {
            cx.uplink.send(now, Ask::CloseCode(CloseCode { close_code }));
        }
    }

    /// As `transfers` shows it.
    pub(super) fn show(&self) -> Transfer {
        let about = self.prepared().map(|prepared| &prepared.about);
        let peer = self.nameplate().map_or_else(String::new, |code| format!("whoever has the code {code}-…"));
        Transfer {
            transfer: self.transfer,
            direction: Direction::Up,
            file: about.map_or_else(|| "a parcel".to_owned(), |about| about.name.clone()),
            peer,
            bytes: 0,
            size: about.map_or(0, |about| about.size),
            state: Stage::Waiting,
            route: None,
        }
    }

    /// Why nobody has taken it when its user leaves.
    pub(super) fn untaken(&self) -> Failure {
        let name = self.prepared().map_or("the parcel", |prepared| &prepared.about.name);
        Failure::new(ErrorCode::NotTaken, format!("Nobody has taken {name}, and you have left."))
            .hint("Send it again when they are there, for another code.")
    }
}

impl Prepared {
    /// Keeps on disk what has changed, before anything is said that follows from it.
    fn keep(&mut self, hands: &mut Hands<'_>, transfer: u64) {
        if let Some(kept) = self.sending.to_keep(self.until.map(|(_, until)| until)) {
            hands.cx.output(Output::Parcel(ParcelOutput::KeepCode(transfer, Box::new(kept))));
        }
    }

    /// Asks the hub for a number, if it is time. Returns why none is to be had.
    fn ask_for_number(&mut self, hands: &mut Hands<'_>, transfer: u64) -> Option<Failure> {
        let now = hands.now;
        match self.number {
            Number::Wanted(at) if at <= now && hands.cx.uplink.takes_requests() => {
                let (nameplate, admitted) = (self.sending.nameplate(), self.sending.admitted());
                let open_code = hands.asks.ask(Asked::Open(transfer));
                hands.tell_hub(Ask::OpenCode(OpenCode { open_code, nameplate, admitted }));
                self.number = Number::Asked(now + HUB_TIME);
                None
            }
            Number::Asked(until) if until <= now && !hands.cx.uplink.is_lost() => {
                let message = "The hub has not given a number for the code.";
                Some(Failure::new(ErrorCode::HubLost, message).hint("Perhaps it is an older one. Try again later."))
            }
            Number::Wanted(_) | Number::Asked(_) | Number::Open => None,
        }
    }
}

fn lost_number() -> Failure {
    Failure::new(ErrorCode::CodeVoid, "The hub has forgotten the code, and somebody else has its number now.")
        .hint("Send it again, for another code.")
}
