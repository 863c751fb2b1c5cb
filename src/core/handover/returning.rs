//! A receiver that was right keeps in touch with its sender until that knows that everything has arrived. If they lose
//! each other, it knocks again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use super::{CONFIRM_TIME, HUB_TIME, ReceivingStep};
use crate::core::exchange::{Channel, Resumption, ReturnNonce};
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::PublicKey;
use crate::protocol::parcel::{FromReceiver, FromSender};

/// How long after a knock in vain the next one follows: at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long it is tried to tell the sender that everything has arrived.
const REPORT_TIME: Duration = Duration::from_secs(30);

/// The conversation of a receiver that was right.
#[derive(Debug)]
pub(super) struct Returning {
    sender: PublicKey,
    resumption: Resumption,
    stage: Stage,
    pause: Duration,
    /// Until when it is tried to tell the sender that everything is here; nothing while it is not.
    report_until: Option<Time>,
    /// Whether it was said once. If they lose each other after that, the sender may know it.
    reported: bool,
}

#[derive(Debug)]
enum Stage {
    /// There is no conversation. The next knock is then.
    Away(Time),
    /// The hub is to answer the knock until then.
    Knocking(Time),
    /// The sender is to say its nonce until then.
    Greeting { conversation: u64, nonce: ReturnNonce, until: Time },
    /// The sender can be told.
    Open { conversation: u64, channel: Box<Channel> },
    /// The sender was told that everything is here, and hangs up.
    Reported { conversation: u64 },
}

impl Returning {
    /// In a conversation by the channel of the exchange.
    pub(super) fn open(sender: PublicKey, conversation: u64, channel: Channel) -> Self {
        let resumption = channel.resumption().clone();
        let stage = Stage::Open { conversation, channel: Box::new(channel) };
        Self { sender, resumption, stage, pause: FIRST_PAUSE, report_until: None, reported: false }
    }

    /// In no conversation, with what was kept. It knocks at the next tick.
    pub(super) fn away(now: Time, sender: PublicKey, resumption: Resumption) -> Self {
        Self { sender, resumption, stage: Stage::Away(now), pause: FIRST_PAUSE, report_until: None, reported: false }
    }

    pub(super) fn conversation(&self) -> Option<u64> {
        match &self.stage {
            Stage::Greeting { conversation, .. }
            | Stage::Open { conversation, .. }
            | Stage::Reported { conversation } => Some(*conversation),
            Stage::Away(_) | Stage::Knocking(_) => None,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let stage = match &self.stage {
            Stage::Away(until) | Stage::Knocking(until) | Stage::Greeting { until, .. } => Some(*until),
            Stage::Open { .. } | Stage::Reported { .. } => None,
        };
        [stage, self.report_until].into_iter().flatten().min()
    }

    /// Lets time pass. True once it is of no use any more to tell the sender.
    pub(super) fn tick(&mut self, now: Time, out: &mut VecDeque<ReceivingStep>) -> bool {
        if self.report_until.is_some_and(|until| until <= now) {
            out.extend(self.conversation().map(ReceivingStep::HangUp));
            return true;
        }
        match &self.stage {
            Stage::Away(at) if *at <= now => {
                self.stage = Stage::Knocking(now + HUB_TIME);
                out.push_back(ReceivingStep::Knock(None));
            }
            Stage::Knocking(until) if *until <= now => self.pause(now),
            Stage::Greeting { conversation, until, .. } if *until <= now => {
                out.push_back(ReceivingStep::HangUp(*conversation));
                self.pause(now);
            }
            Stage::Away(_) | Stage::Knocking(_) | Stage::Greeting { .. } => {}
            Stage::Open { .. } | Stage::Reported { .. } => {}
        }
        false
    }

    fn pause(&mut self, now: Time) {
        self.stage = Stage::Away(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// The knock was refused, for the present if the hub says how long to wait.
    pub(super) fn refused(&mut self, now: Time, for_the_present: bool) -> Left {
        let Stage::Knocking(_) = self.stage else { return Left::ForNow };
        self.pause(now);
        // It has heard that everything is here, and has ended.
        if self.reported && !for_the_present { Left::Told } else { Left::ForNow }
    }

    /// The knock was answered by somebody with this key. If it is the sender, says the nonce.
    pub(super) fn answered(
        &mut self,
        now: Time,
        (conversation, key, address): (u64, PublicKey, IpAddr),
        secrets: &mut Secrets,
        out: &mut VecDeque<ReceivingStep>,
    ) {
        let expected = matches!(self.stage, Stage::Knocking(_));
        if !expected || key != self.sender {
            out.push_back(ReceivingStep::HangUp(conversation));
            if expected {
                self.pause(now);
            }
            return;
        }
        let nonce: ReturnNonce = secrets.bytes();
        self.stage = Stage::Greeting { conversation, nonce, until: now + CONFIRM_TIME };
        out.push_back(ReceivingStep::Say(conversation, nonce.to_vec()));
        out.push_back(ReceivingStep::At(address));
    }

    /// The sender says something: its nonce, and then the parcel once more. Whatever else it says ends the conversation,
    /// but not what is fetched.
    pub(super) fn said(&mut self, now: Time, message: &[u8], out: &mut VecDeque<ReceivingStep>) {
        if let Stage::Open { channel, .. } = &mut self.stage {
            let word = channel.open(message).ok();
            if let Some(FromSender { parcel }) = word.and_then(|word| serde_json::from_slice(&word).ok()) {
                return out.push_back(ReceivingStep::Again(Box::new(parcel)));
            }
        }
        let (conversation, channel) = match &self.stage {
            Stage::Greeting { conversation, nonce, .. } => {
                let theirs = ReturnNonce::try_from(message).ok();
                (*conversation, theirs.and_then(|theirs| self.resumption.typist(nonce, &theirs).ok()))
            }
            Stage::Open { conversation, .. } => (*conversation, None),
            // What was under way to us when we said our last word is of no interest.
            Stage::Reported { .. } | Stage::Away(_) | Stage::Knocking(_) => return,
        };
        match channel {
            Some(channel) => {
                self.pause = FIRST_PAUSE;
                self.stage = Stage::Open { conversation, channel: Box::new(channel) };
                self.report(out);
            }
            None => {
                out.push_back(ReceivingStep::HangUp(conversation));
                self.pause(now);
            }
        }
    }

    /// Everything is here: the sender is to know.
    pub(super) fn complete(&mut self, now: Time, out: &mut VecDeque<ReceivingStep>) {
        self.report_until.get_or_insert(now + REPORT_TIME);
        self.report(out);
    }

    /// Tells the sender that everything is here, if that is so and it can be told.
    fn report(&mut self, out: &mut VecDeque<ReceivingStep>) {
        if let (Stage::Open { conversation, channel }, Some(_)) = (&mut self.stage, self.report_until) {
            let word = serde_json::to_vec(&FromReceiver::Received).unwrap_or_default();
            let conversation = *conversation;
            out.push_back(ReceivingStep::Say(conversation, channel.seal(&word)));
            (self.stage, self.reported) = (Stage::Reported { conversation }, true);
        }
    }

    /// The conversation is over; `gone` says that the sender did not end it.
    pub(super) fn hung_up(&mut self, now: Time, gone: bool) -> Left {
        let left = match &self.stage {
            // Whether it has heard the last word is not known if it is gone.
            Stage::Greeting { .. } | Stage::Reported { .. } if !gone && self.reported => Left::Told,
            Stage::Greeting { .. } | Stage::Open { .. } if !gone && self.report_until.is_none() => Left::Ended,
            Stage::Greeting { .. } | Stage::Open { .. } | Stage::Reported { .. } => Left::ForNow,
            Stage::Away(_) | Stage::Knocking(_) => return Left::ForNow,
        };
        self.pause(now);
        left
    }

    /// The hub has forgotten everything, the conversation among it: knocks again soon.
    pub(super) fn hub_has_forgotten(&mut self, now: Time) {
        self.stage = Stage::Away(now + FIRST_PAUSE);
    }

    /// The hub is back, and remembers: what it did not answer while it was away may still come.
    pub(super) fn hub_is_back(&mut self, now: Time) {
        match &mut self.stage {
            Stage::Knocking(until) => *until = now + HUB_TIME,
            Stage::Greeting { until, .. } => *until = now + CONFIRM_TIME,
            Stage::Away(_) | Stage::Open { .. } | Stage::Reported { .. } => {}
        }
    }
}

/// What the end of a conversation means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// The sender knows that everything is here.
    Told,
    /// The sender has ended the handover.
    Ended,
    /// The two have lost each other, and may come together again.
    ForNow,
}
