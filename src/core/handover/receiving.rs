//! The receiver of a parcel: proves that it knows the code, is told the parcel, and tells its sender when it has it.
//!
//! There is one exchange for each code that was typed: a false sender has one guess, and learns only whether it was right.
//! As long as nothing was confirmed, no guess was given away, and the receiver may begin again.

use std::collections::VecDeque;
use std::time::Duration;

use super::returning::{Left, Returning};
use super::{CONFIRM_TIME, HUB_TIME, ReceivingStep, check_parcel};
use crate::core::exchange::{Binding, Channel, ConfirmedTypist, Resumption, Typist};
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::limits::KNOCK_TIME;
use crate::protocol::parcel::{FromSender, Parcel, Ticket};
use crate::protocol::wire::Octets;
use crate::protocol::{Code, ErrorCode, Failure, PublicKey};

/// For how long a hub that is busy with the code, or a sender that is away, is tried again before the parcel is known.
const TRIED_FOR: Duration = Duration::from_secs(20);

/// The pause before the next try, unless the hub names another one.
const PAUSE: Duration = Duration::from_millis(500);

/// The receiver of one parcel, until it knows the parcel and after. See the [module](super).
#[derive(Debug)]
pub struct Receiving {
    code: Code,
    ours: PublicKey,
    stage: Stage,
    /// Until when a knock that is refused for the present is tried again.
    tried_until: Time,
    out: VecDeque<ReceivingStep>,
}

#[derive(Debug)]
enum Stage {
    /// The next knock is then.
    Pausing(Time),
    /// The hub is to answer the knock until then.
    Knocking {
        typist: Typist,
        until: Time,
    },
    /// The sender is to say its share until then.
    Sharing {
        typist: Typist,
        talk: Talk,
        until: Time,
    },
    /// The sender is to confirm until then.
    Confirming {
        typist: ConfirmedTypist,
        talk: Talk,
        until: Time,
    },
    /// The sender is to tell the parcel until then.
    Opening {
        channel: Box<Channel>,
        talk: Talk,
        until: Time,
    },
    /// It has been here before: the sender is to be found again. Its parcel.
    Recalling(Box<Returning>, Box<Parcel>),
    /// The parcel is known.
    Known(Box<Returning>),
    Over,
}

/// A conversation with the sender.
#[derive(Debug, Clone, Copy)]
struct Talk {
    conversation: u64,
    sender: PublicKey,
}

impl Receiving {
    /// A code that was typed by the holder of this key. If it has been right before, it has a ticket.
    pub fn new(now: Time, ours: PublicKey, code: Code, ticket: Option<Ticket>) -> Self {
        let stage = ticket.filter(|ticket| ticket.code == code && check_parcel(&ticket.parcel).is_ok());
        let stage = stage.and_then(|Ticket { sender, parcel, resumption, .. }| {
            let resumption = Resumption::recalled(&resumption.0).ok()?;
            Some(Stage::Recalling(Box::new(Returning::away(now, sender, resumption)), Box::new(parcel)))
        });
        let stage = stage.unwrap_or(Stage::Pausing(now));
        Self { code, ours, stage, tried_until: now + TRIED_FOR, out: VecDeque::new() }
    }

    /// The code that was typed.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The next step.
    pub fn poll(&mut self) -> Option<ReceivingStep> {
        self.out.pop_front()
    }

    /// The conversation that it is in.
    pub fn conversation(&self) -> Option<u64> {
        match &self.stage {
            Stage::Sharing { talk, .. } | Stage::Confirming { talk, .. } | Stage::Opening { talk, .. } => {
                Some(talk.conversation)
            }
            Stage::Recalling(returning, _) | Stage::Known(returning) => returning.conversation(),
            Stage::Pausing(_) | Stage::Knocking { .. } | Stage::Over => None,
        }
    }

    /// Whether the sender was found before, and is in no conversation with us now.
    pub fn is_alone(&self) -> bool {
        match &self.stage {
            Stage::Recalling(returning, _) | Stage::Known(returning) => returning.conversation().is_none(),
            Stage::Pausing(_) | Stage::Knocking { .. } | Stage::Sharing { .. } => false,
            Stage::Confirming { .. } | Stage::Opening { .. } | Stage::Over => false,
        }
    }

    /// When time must pass.
    pub fn next_timeout(&self) -> Option<Time> {
        match &self.stage {
            Stage::Pausing(until) | Stage::Knocking { until, .. } | Stage::Sharing { until, .. } => Some(*until),
            Stage::Confirming { until, .. } | Stage::Opening { until, .. } => Some(*until),
            Stage::Recalling(returning, _) => {
                Some(returning.next_timeout().map_or(self.tried_until, |at| at.min(self.tried_until)))
            }
            Stage::Known(returning) => returning.next_timeout(),
            Stage::Over => None,
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Time, secrets: &mut Secrets) {
        if self.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        match &mut self.stage {
            Stage::Pausing(_) => self.knock(now, secrets),
            Stage::Knocking { .. } => self.fail(silent("The hub has not answered.")),
            Stage::Sharing { .. } => self.fail(silent("The sender has not answered.")),
            Stage::Confirming { .. } | Stage::Opening { .. } => self.fail(unclear("The sender has not answered.")),
            Stage::Recalling(..) if self.tried_until <= now => self.fail(gone()),
            Stage::Recalling(returning, _) | Stage::Known(returning) => {
                if returning.tick(now, &mut self.out) {
                    self.told();
                }
            }
            Stage::Over => {}
        }
    }

    fn knock(&mut self, now: Time, secrets: &mut Secrets) {
        let (typist, share) = Typist::start(&self.code, secrets);
        self.stage = Stage::Knocking { typist, until: now + HUB_TIME };
        self.out.push_back(ReceivingStep::Knock(Some(share)));
    }

    /// The hub refuses the knock.
    pub fn refused(&mut self, now: Time, failure: Failure) {
        let is_busy = matches!(failure.code, ErrorCode::CodeBusy | ErrorCode::SlowDown);
        let later = failure.wait.map(Duration::from_millis).or(is_busy.then_some(PAUSE));
        match &mut self.stage {
            Stage::Knocking { .. } => match later.filter(|later| now + *later <= self.tried_until) {
                Some(later) => self.stage = Stage::Pausing(now + later.max(PAUSE)),
                None => self.fail(failure),
            },
            // The sender may come back, as long as nobody else has its number.
            Stage::Recalling(returning, _) if later.is_some() || failure.code == ErrorCode::NoSuchCode => {
                returning.refused(now, true);
            }
            Stage::Recalling(..) => self.begin_anew(now),
            Stage::Known(returning) => {
                if returning.refused(now, later.is_some()) == Left::Told {
                    self.told();
                }
            }
            Stage::Pausing(_) | Stage::Sharing { .. } | Stage::Confirming { .. } => {}
            Stage::Opening { .. } | Stage::Over => {}
        }
    }

    /// What was kept of the code is of no use: it is another code, by the same number and words.
    fn begin_anew(&mut self, now: Time) {
        self.out.push_back(ReceivingStep::Forget);
        self.stage = Stage::Pausing(now);
    }

    /// Whoever has opened the number can be talked to: their key.
    pub fn answered(&mut self, now: Time, conversation: u64, sender: PublicKey, secrets: &mut Secrets) {
        let talk = Talk { conversation, sender };
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Knocking { typist, .. } => {
                self.stage = Stage::Sharing { typist, talk, until: now + KNOCK_TIME };
            }
            Stage::Recalling(mut returning, parcel) => {
                let before = self.out.len();
                returning.answered(now, (conversation, sender), secrets, &mut self.out);
                if returning.conversation().is_none() {
                    // Somebody else has the number now.
                    self.stage = Stage::Recalling(returning, parcel);
                    return self.begin_anew(now);
                }
                self.stage = Stage::Known(returning);
                // What is sent comes before the place where it is.
                let steps = self.out.split_off(before);
                self.out.push_back(ReceivingStep::Found(parcel, sender));
                self.out.extend(steps);
            }
            Stage::Known(mut returning) => {
                returning.answered(now, (conversation, sender), secrets, &mut self.out);
                self.stage = Stage::Known(returning);
            }
            stage @ (Stage::Pausing(_) | Stage::Sharing { .. } | Stage::Confirming { .. }) => {
                self.stage = stage;
                self.out.push_back(ReceivingStep::HangUp(conversation));
            }
            stage @ (Stage::Opening { .. } | Stage::Over) => {
                self.stage = stage;
                self.out.push_back(ReceivingStep::HangUp(conversation));
            }
        }
    }

    /// The sender says something.
    pub fn said(&mut self, now: Time, message: &[u8]) {
        let until = now + CONFIRM_TIME;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Sharing { typist, talk, .. } => {
                let (typists, makers) = (self.ours, talk.sender);
                let nameplate = self.code.nameplate();
                let binding = Binding { nameplate, typist: typists, maker: makers, exporter: None };
                match typist.confirm(&binding, message) {
                    Ok((typist, confirmation)) => {
                        self.out.push_back(ReceivingStep::Say(talk.conversation, confirmation.to_vec()));
                        self.stage = Stage::Confirming { typist, talk, until };
                    }
                    Err(_) => self.hang_up_on(talk, not_confirmed()),
                }
            }
            Stage::Confirming { typist, talk, .. } => match typist.finish(message) {
                Ok(channel) => self.stage = Stage::Opening { channel: Box::new(channel), talk, until },
                Err(_) => self.hang_up_on(talk, not_confirmed()),
            },
            Stage::Opening { channel, talk, .. } => self.open(*channel, talk, message),
            Stage::Recalling(mut returning, parcel) => {
                returning.said(now, message, &mut self.out);
                self.stage = Stage::Recalling(returning, parcel);
            }
            Stage::Known(mut returning) => {
                returning.said(now, message, &mut self.out);
                self.stage = Stage::Known(returning);
            }
            stage @ (Stage::Pausing(_) | Stage::Knocking { .. } | Stage::Over) => self.stage = stage,
        }
    }

    /// The parcel was told, sealed.
    fn open(&mut self, mut channel: Channel, talk: Talk, message: &[u8]) {
        let opened = channel.open(message).ok().and_then(|word| serde_json::from_slice::<FromSender>(&word).ok());
        let Some(FromSender { parcel }) = opened else { return self.hang_up_on(talk, not_confirmed()) };
        if let Err(failure) = check_parcel(&parcel) {
            return self.hang_up_on(talk, failure);
        }
        let Talk { conversation, sender } = talk;
        let resumption = Octets::from(channel.resumption().to_keep());
        let ticket = Ticket { code: self.code.clone(), sender, parcel: parcel.clone(), resumption };
        self.out.push_back(ReceivingStep::Keep(Box::new(ticket)));
        self.out.push_back(ReceivingStep::Found(Box::new(parcel), sender));
        self.stage = Stage::Known(Box::new(Returning::open(sender, conversation, channel)));
    }

    /// The conversation is over; `gone` says that the sender did not end it.
    pub fn hung_up(&mut self, now: Time, gone_away: bool) {
        match &mut self.stage {
            Stage::Sharing { .. } if gone_away => self.fail(ErrorCode::ParcelGone.into()),
            Stage::Sharing { .. } => self.fail(ErrorCode::CodeVoid.into()),
            Stage::Confirming { .. } if !gone_away => self.fail(ErrorCode::WrongCode.into()),
            Stage::Confirming { .. } | Stage::Opening { .. } => self.fail(unclear("The sender has gone.")),
            Stage::Recalling(returning, _) | Stage::Known(returning) => match returning.hung_up(now, gone_away) {
                Left::Told => self.told(),
                Left::Ended => {
                    self.stage = Stage::Over;
                    self.out.push_back(ReceivingStep::Gone);
                }
                Left::ForNow => {}
            },
            Stage::Pausing(_) | Stage::Knocking { .. } | Stage::Over => {}
        }
    }

    /// Everything is here: the sender is to know.
    pub fn complete(&mut self, now: Time) {
        if let Stage::Known(returning) = &mut self.stage {
            returning.complete(now, &mut self.out);
        }
    }

    /// The hub has forgotten everything. As long as nothing was confirmed, it is begun again.
    pub fn hub_has_forgotten(&mut self, now: Time) {
        match &mut self.stage {
            Stage::Knocking { .. } | Stage::Sharing { .. } => {
                (self.stage, self.tried_until) = (Stage::Pausing(now + PAUSE), now + TRIED_FOR);
            }
            Stage::Confirming { .. } | Stage::Opening { .. } => self.fail(unclear("The hub has gone.")),
            Stage::Recalling(returning, _) => {
                returning.hub_has_forgotten(now);
                self.tried_until = now + TRIED_FOR;
            }
            Stage::Known(returning) => returning.hub_has_forgotten(now),
            Stage::Pausing(_) | Stage::Over => {}
        }
    }

    /// The hub is back, and remembers: what it did not carry while it was away may still come.
    pub fn hub_is_back(&mut self, now: Time) {
        self.tried_until = self.tried_until.max(now + TRIED_FOR);
        match &mut self.stage {
            Stage::Knocking { until, .. } => *until = now + HUB_TIME,
            Stage::Sharing { until, .. } => *until = now + KNOCK_TIME,
            Stage::Confirming { until, .. } | Stage::Opening { until, .. } => *until = now + CONFIRM_TIME,
            Stage::Recalling(returning, _) | Stage::Known(returning) => returning.hub_is_back(now),
            Stage::Pausing(_) | Stage::Over => {}
        }
    }

    /// It is given up.
    pub fn end(&mut self) {
        self.out.extend(self.conversation().map(ReceivingStep::HangUp));
        self.stage = Stage::Over;
    }

    fn told(&mut self) {
        self.stage = Stage::Over;
        self.out.extend([ReceivingStep::Forget, ReceivingStep::Told]);
    }

    fn hang_up_on(&mut self, talk: Talk, failure: Failure) {
        self.out.push_back(ReceivingStep::HangUp(talk.conversation));
        self.stage = Stage::Over;
        self.out.push_back(ReceivingStep::Failed(failure));
    }

    fn fail(&mut self, failure: Failure) {
        self.end();
        self.out.push_back(ReceivingStep::Failed(failure));
    }
}

fn not_confirmed() -> Failure {
    Failure::new(ErrorCode::WrongCode, "Whoever answers to that number does not know the code; they learned nothing.")
        .hint("Somebody may be in between. Ask the sender for another code, and another hub.")
}

/// Nothing was confirmed, so the code is as good as before.
fn silent(message: &'static str) -> Failure {
    Failure::new(ErrorCode::ParcelGone, message).hint("Nothing was said of the code's words. Try again.")
}

/// Whether the code is still good is not known.
fn unclear(message: &'static str) -> Failure {
    Failure::new(ErrorCode::CodeVoid, message).hint("The code may be void now; ask whoever made it for another one.")
}

fn gone() -> Failure {
    Failure::new(ErrorCode::ParcelGone, "The sender is not there any more.")
        .hint("What has arrived is kept. Ask them to send it again, or try later.")
}
