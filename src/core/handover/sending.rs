//! The sender of a parcel: whom it answers, whom it admits, and when its code is over.

mod keeping;
mod returns;

use std::collections::{BTreeMap, VecDeque};

use returns::Returns;

use super::{CONFIRM_TIME, SendingStep};
use crate::core::exchange::{Binding, Channel, Life, Maker, Over, Resumption, ReturnNonce, Unready};
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::code::Nameplate;
use crate::protocol::limits::KNOCK_TIME;
use crate::protocol::parcel::FromReceiver;
use crate::protocol::{Code, ErrorCode, Failure, PublicKey};

/// Receivers that wait until an exchange with another one is over.
const WAITING: usize = 16;

/// The sender of one parcel. See the [module](super).
#[derive(Debug)]
pub struct Sending {
    ours: PublicKey,
    times: u64,
    /// The random bits from which the words of the code follow.
    words: u16,
    code: Option<Code>,
    /// What whoever is right is told, in plain.
    word: Vec<u8>,
    life: Life,
    talks: BTreeMap<u64, Talk>,
    admitted: BTreeMap<PublicKey, Admitted>,
    /// How many have everything.
    received: u64,
    /// Why nobody new may have it.
    closed: Option<Failure>,
    /// Whether something has changed that is to be kept on disk.
    changed: bool,
    out: VecDeque<SendingStep>,
}

/// A conversation with somebody who has knocked.
#[derive(Debug)]
struct Talk {
    key: PublicKey,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// They wait for our answer to their share until then.
    Waiting(Vec<u8>, Time),
    /// They have our share, and must confirm until then.
    Confirming(Box<Maker>, Time),
    /// They were right before, and are to say their nonce.
    Returning,
    /// They may fetch, and will say when they have everything.
    Open(Box<Channel>),
}

/// Somebody who was right.
#[derive(Debug)]
struct Admitted {
    /// Which of those who may have it, from 1.
    receiver: u64,
    resumption: Resumption,
    has_all: bool,
    returns: Returns,
}

impl Sending {
    /// A parcel for so many, from 1 on; `word` is what whoever is right is told of it.
    pub fn new(ours: PublicKey, times: u64, word: Vec<u8>, secrets: &mut Secrets) -> Self {
        Self {
            ours,
            times,
            words: u16::from_be_bytes(secrets.bytes()),
            code: None,
            word,
            life: Life::new(Some(times)),
            talks: BTreeMap::new(),
            admitted: BTreeMap::new(),
            received: 0,
            closed: None,
            changed: false,
            out: VecDeque::new(),
        }
    }

    /// The hub has given us a number. Returns the code.
    pub fn opened(&mut self, nameplate: Nameplate) -> &Code {
        self.changed = true;
        let new = Code::new(nameplate, self.words);
        // After a kill of the process, the words are those of before.
        let known = self.code.take().filter(|known| known.nameplate() == nameplate);
        self.code.insert(known.unwrap_or(new))
    }

    /// The number of the code, once it has one.
    pub fn nameplate(&self) -> Option<Nameplate> {
        self.code.as_ref().map(Code::nameplate)
    }

    /// The next step.
    pub fn poll(&mut self) -> Option<SendingStep> {
        self.out.pop_front()
    }

    /// Those who were right and do not have everything.
    pub fn admitted(&self) -> Vec<PublicKey> {
        self.admitted.iter().filter(|(_, admitted)| !admitted.has_all).map(|(key, _)| *key).collect()
    }

    /// How many have everything.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether as many were right as may be, and all of them have everything.
    pub fn is_received_by_all(&self) -> bool {
        self.life.over() == Some(Over::UsedUp) && self.admitted.values().all(|admitted| admitted.has_all)
    }

    /// Whether somebody who was right is in a conversation with us.
    pub fn is_being_fetched(&self) -> bool {
        self.talks.values().any(|talk| match talk.stage {
            Stage::Returning | Stage::Open(_) => true,
            Stage::Waiting(..) | Stage::Confirming(..) => false,
        })
    }

    /// Why nobody new may have it, once nobody who was right is here any more.
    pub fn failure(&self) -> Option<&Failure> {
        self.closed.as_ref().filter(|_| !self.is_being_fetched())
    }

    /// When time must pass.
    pub fn next_timeout(&self) -> Option<Time> {
        let due = |talk: &Talk| match talk.stage {
            Stage::Waiting(_, until) | Stage::Confirming(_, until) => Some(until),
            Stage::Returning | Stage::Open(_) => None,
        };
        self.talks.values().filter_map(due).min()
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Time, secrets: &mut Secrets) {
        let late = |talk: &Talk| match talk.stage {
            Stage::Waiting(_, until) | Stage::Confirming(_, until) => until <= now,
            Stage::Returning | Stage::Open(_) => false,
        };
        let late: Vec<u64> = self.talks.iter().filter(|(_, talk)| late(talk)).map(|(number, _)| *number).collect();
        for conversation in late {
            match self.talks.remove(&conversation).map(|talk| talk.stage) {
                Some(Stage::Confirming(..)) => {
                    self.hang_up(conversation, true);
                    self.guessed(false);
                }
                Some(Stage::Waiting(..) | Stage::Returning | Stage::Open(_)) => self.hang_up(conversation, false),
                None => {}
            }
        }
        self.answer_next(now, secrets);
    }

    /// Somebody knocks, with a share unless they were right before.
    pub fn knocked(
        &mut self,
        now: Time,
        conversation: u64,
        key: PublicKey,
        share: Option<Vec<u8>>,
        secrets: &mut Secrets,
    ) {
        // A hub that gives one number twice ends both.
        if self.talks.contains_key(&conversation) {
            self.hung_up(now, conversation, false, secrets);
            return self.hang_up(conversation, false);
        }
        let Some(share) = share else { return self.returned(now, conversation, key) };
        let waiting = self.talks.values().filter(|talk| matches!(talk.stage, Stage::Waiting(..))).count();
        if self.is_closed() || waiting >= WAITING {
            return self.hang_up(conversation, false);
        }
        self.talks.insert(conversation, Talk { key, stage: Stage::Waiting(share, now + KNOCK_TIME) });
        self.answer_next(now, secrets);
    }

    /// Somebody comes back who was right before. If they are still here, that was their connection before.
    fn returned(&mut self, now: Time, conversation: u64, key: PublicKey) {
        let admitted = self.admitted.get_mut(&key).filter(|admitted| !admitted.has_all);
        let Some((admitted, told)) = admitted.and_then(|it| it.returns.count(now).map(|told| (it, told))) else {
            return self.hang_up(conversation, false);
        };
        let receiver = admitted.receiver;
        let is_old = |talk: &Talk| talk.key == key && matches!(talk.stage, Stage::Returning | Stage::Open(_));
        let old: Vec<u64> = self.talks.iter().filter(|(_, talk)| is_old(talk)).map(|(number, _)| *number).collect();
        for number in old {
            self.talks.remove(&number);
            self.hang_up(number, false);
        }
        self.talks.insert(conversation, Talk { key, stage: Stage::Returning });
        self.out.push_back(SendingStep::Admit { conversation, key, receiver, again: true, told });
    }

    /// The other side of a conversation says something.
    pub fn said(&mut self, now: Time, conversation: u64, message: &[u8], secrets: &mut Secrets) {
        let Some(Talk { key, stage }) = self.talks.remove(&conversation) else { return };
        match stage {
            Stage::Confirming(maker, _) => {
                match maker.finish(message) {
                    Ok((confirmation, channel)) => self.admit(conversation, key, &confirmation, channel),
                    Err(_) => {
                        self.hang_up(conversation, true);
                        self.guessed(true);
                    }
                }
                self.answer_next(now, secrets);
            }
            Stage::Returning => self.go_on(conversation, key, message, secrets),
            Stage::Open(mut channel) => {
                let word = channel.open(message).ok();
                if let Some(FromReceiver::Received) = word.and_then(|word| serde_json::from_slice(&word).ok()) {
                    self.has_all(key);
                }
                // It is the last that they say.
                self.hang_up(conversation, false);
            }
            // They say nothing before we do.
            Stage::Waiting(..) => {
                self.hang_up(conversation, false);
                self.answer_next(now, secrets);
            }
        }
    }

    /// They were right.
    fn admit(&mut self, conversation: u64, key: PublicKey, confirmation: &[u8], mut channel: Channel) {
        self.life.confirmed();
        self.changed = true;
        let receiver = self.life.right();
        let admitted =
            Admitted { receiver, resumption: channel.resumption().clone(), has_all: false, returns: Returns::here() };
        // One key may be right twice. What it did not fetch the first time, it fetches now.
        let receiver = match self.admitted.get_mut(&key) {
            Some(known) => {
                (known.resumption, known.has_all, known.returns) = (admitted.resumption, false, admitted.returns);
                known.receiver
            }
            None => self.admitted.entry(key).insert_entry(admitted).get().receiver,
        };
        self.out.push_back(SendingStep::Say(conversation, confirmation.to_vec()));
        self.out.push_back(SendingStep::Say(conversation, channel.seal(&self.word)));
        self.out.push_back(SendingStep::Admit { conversation, key, receiver, again: false, told: true });
        self.talks.insert(conversation, Talk { key, stage: Stage::Open(Box::new(channel)) });
    }

    /// They have said their nonce: ours follows, and the channel stands.
    fn go_on(&mut self, conversation: u64, key: PublicKey, message: &[u8], secrets: &mut Secrets) {
        let ours: ReturnNonce = secrets.bytes();
        let channel = ReturnNonce::try_from(message).ok().zip(self.admitted.get(&key));
        match channel.and_then(|(theirs, admitted)| admitted.resumption.maker(&theirs, &ours).ok()) {
            Some(mut channel) => {
                self.out.push_back(SendingStep::Say(conversation, ours.to_vec()));
                // Where it is to be had may be another place than before.
                self.out.push_back(SendingStep::Say(conversation, channel.seal(&self.word)));
                self.talks.insert(conversation, Talk { key, stage: Stage::Open(Box::new(channel)) });
            }
            None => self.hang_up(conversation, false),
        }
    }

    fn has_all(&mut self, key: PublicKey) {
        let Some(admitted) = self.admitted.get_mut(&key) else { return };
        admitted.has_all = true;
        self.changed = true;
        self.received += 1;
        let (receiver, left) = (admitted.receiver, self.times.saturating_sub(self.received));
        self.out.push_back(SendingStep::Delivered { key, receiver, left });
    }

    /// The other side of a conversation has ended it, or is `gone`.
    pub fn hung_up(&mut self, now: Time, conversation: u64, gone: bool, secrets: &mut Secrets) {
        let Some(talk) = self.talks.remove(&conversation) else { return };
        match talk.stage {
            Stage::Confirming(..) => self.guessed(false),
            Stage::Returning | Stage::Open(_) => self.left(talk.key, gone),
            Stage::Waiting(..) => {}
        }
        self.answer_next(now, secrets);
    }

    /// Somebody who was right is not here any more. Once nobody new may have it, it ends with the last of them.
    fn left(&mut self, key: PublicKey, gone: bool) {
        let admitted = self.admitted.get_mut(&key).filter(|admitted| !admitted.has_all);
        if admitted.is_some_and(|admitted| admitted.returns.leave()) && self.closed.is_none() {
            self.out.push_back(SendingStep::Left { key, gone });
        }
    }

    /// The hub has forgotten everything: all conversations are over.
    pub fn hub_has_forgotten(&mut self) {
        let talks = std::mem::take(&mut self.talks);
        if talks.values().any(|talk| matches!(talk.stage, Stage::Confirming(..))) {
            self.guessed(false);
        }
    }

    /// Nobody new may have it any more, for this reason. Those who were right may go on.
    pub fn close(&mut self, why: Failure) {
        self.closed.get_or_insert(why);
        self.turn_away();
    }

    /// It is over: everybody is hung up on.
    pub fn end(&mut self) {
        for conversation in std::mem::take(&mut self.talks).into_keys() {
            self.hang_up(conversation, false);
        }
    }

    /// An exchange has not ended well: the code is over. `wrong` says that the words were, rather than that nothing came.
    fn guessed(&mut self, wrong: bool) {
        self.life.failed();
        self.changed = true;
        let failure = match wrong {
            true => ErrorCode::CodeGuessed.into(),
            false => Failure::new(
                ErrorCode::CodeGuessed,
                "Somebody has begun to use the code and not gone on, which may have been a guess, so it is void. Nothing was sent to them.",
            ),
        };
        self.close(failure);
    }

    fn is_closed(&self) -> bool {
        self.closed.is_some() || self.code.is_none() || self.life.over().is_some()
    }

    /// Hangs up on all who were not right.
    fn turn_away(&mut self) {
        let is_new = |talk: &Talk| matches!(talk.stage, Stage::Waiting(..) | Stage::Confirming(..));
        let new: Vec<u64> = self.talks.iter().filter(|(_, talk)| is_new(talk)).map(|(number, _)| *number).collect();
        for conversation in new {
            self.talks.remove(&conversation);
            self.hang_up(conversation, false);
        }
    }

    fn hang_up(&mut self, conversation: u64, guessed: bool) {
        self.out.push_back(SendingStep::HangUp { conversation, guessed });
    }

    /// Answers the first who waits, if no exchange is under way.
    fn answer_next(&mut self, now: Time, secrets: &mut Secrets) {
        loop {
            let is_waiting = |talk: &Talk| matches!(talk.stage, Stage::Waiting(..));
            let Some((&conversation, _)) = self.talks.iter().find(|(_, talk)| is_waiting(talk)) else { return };
            if self.is_closed() {
                return self.turn_away();
            }
            if self.talks.values().any(|talk| matches!(talk.stage, Stage::Confirming(..))) {
                return;
            }
            self.answer(now, conversation, secrets);
        }
    }

    fn answer(&mut self, now: Time, conversation: u64, secrets: &mut Secrets) {
        let (Some(Talk { key, stage: Stage::Waiting(share, _) }), Some(code)) =
            (self.talks.remove(&conversation), &self.code)
        else {
            return;
        };
        let binding = Binding { nameplate: code.nameplate(), typist: key, maker: self.ours, exporter: None };
        let answered = Maker::answer(code, &binding, &share, secrets);
        match (answered, self.life.over()) {
            (Ok((maker, share)), None) => match self.life.answer() {
                Ok(()) => {
                    self.changed = true;
                    let stage = Stage::Confirming(Box::new(maker), now + CONFIRM_TIME);
                    self.talks.insert(conversation, Talk { key, stage });
                    self.out.push_back(SendingStep::Say(conversation, share.to_vec()));
                }
                Err(Unready::Busy | Unready::Over(Over::Guessed | Over::UsedUp)) => self.hang_up(conversation, false),
            },
            // That was no share, and nothing was given away. The hub counts it all the same: it has kept others waiting.
            (Err(_), _) => self.hang_up(conversation, true),
            (Ok(_), Some(_)) => self.hang_up(conversation, false),
        }
    }
}
