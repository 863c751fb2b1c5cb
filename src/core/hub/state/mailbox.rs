//! What waits for one person, counted by sender.
//!
//! Each sender may fill a share: a part of the room that the other senders leave. So one sender alone never fills a
//! mailbox, and there is always room for another one.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::share::share;
use crate::protocol::limits::{MAILBOX_SENDERS, SMALL_MAILBOX, SMALL_MAILBOX_BYTES};
use crate::protocol::name::NameKey;

/// The messages to one person alone that they do not have yet, oldest first. The counts follow from the messages.
#[derive(Default)]
pub(in crate::core::hub) struct Mailbox {
    waiting: VecDeque<Waiting>,
    all: Amounts,
    by_sender: HashMap<NameKey, Amounts>,
}

/// A message that waits in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) number: u64,
    /// The bytes of its text.
    pub(super) bytes: u64,
    pub(super) from: NameKey,
    /// The receiver blocks the sender and must not see it.
    pub(super) withheld: bool,
}

/// The amounts of messages that are shown to the receiver, and that are withheld from them.
#[derive(Clone, Copy, Default)]
struct Amounts {
    shown: Amount,
    withheld: Amount,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    messages: u64,
    bytes: u64,
}

/// The limit that a sender has reached. The number is the sender's share, if that was the limit.
pub(in crate::core::hub) enum Full {
    /// The number of messages.
    Messages(Option<u64>),
    /// The bytes of texts.
    Bytes(Option<u64>),
}

impl Mailbox {
    /// Adds a message, whose number must be higher than all before.
    pub(super) fn put(&mut self, message: Waiting) {
        self.all.amount(message.withheld).add(message.bytes);
        self.by_sender.entry(message.from.clone()).or_default().amount(message.withheld).add(message.bytes);
        self.waiting.push_back(message);
    }

    /// Takes the oldest message out if its number is at most `number`.
    pub(super) fn take_up_to(&mut self, number: u64) -> Option<Waiting> {
        let taken = self.waiting.pop_front_if(|first| first.number <= number)?;
        self.uncount(&taken);
        Some(taken)
    }

    /// Takes one message out, because it was given up.
    pub(super) fn take(&mut self, number: u64) -> Option<Waiting> {
        let at = self.waiting.binary_search_by_key(&number, |waiting| waiting.number).ok()?;
        let taken = self.waiting.remove(at)?;
        self.uncount(&taken);
        Some(taken)
    }

    /// Hides the sender of messages whose name nobody has any more, so that they do not count for its next owner.
    /// Returns the messages as they were.
    pub(super) fn disown(&mut self, sender: &NameKey) -> Vec<Waiting> {
        let Some(theirs) = self.by_sender.remove(sender) else { return Vec::new() };
        let nobody = sender.without_owner();
        let all = self.by_sender.entry(nobody.clone()).or_default();
        *all = Amounts { shown: all.shown.plus(theirs.shown), withheld: all.withheld.plus(theirs.withheld) };
        let of_theirs = self.waiting.iter_mut().filter(|waiting| waiting.from == *sender);
        let disowned = of_theirs.map(|waiting| {
            let before = waiting.clone();
            waiting.from = nobody.clone();
            before
        });
        disowned.collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    /// Takes a message off the counts.
    fn uncount(&mut self, message: &Waiting) {
        self.all.amount(message.withheld).subtract(message.bytes);
        if let Some(theirs) = self.by_sender.get_mut(&message.from) {
            theirs.amount(message.withheld).subtract(message.bytes);
            if theirs.shown.messages + theirs.withheld.messages == 0 {
                self.by_sender.remove(&message.from);
            }
        }
    }

    /// Whether somebody with these names may not send another message of this many bytes, and which limit they have
    /// reached. Withheld messages take no room from others. A blocked sender finds the mailbox full when their
    /// messages, shown and withheld, would have filled it; so the limit does not tell them that they are blocked.
    pub(in crate::core::hub) fn is_full<'a>(
        &self,
        bytes: usize,
        withheld: bool,
        from: impl Iterator<Item = &'a NameKey>,
        (most, most_bytes): (u64, u64),
    ) -> Option<Full> {
        let all = self.all.counted(withheld);
        let mine = from.filter_map(|name| self.by_sender.get(name)).map(|theirs| theirs.counted(withheld));
        let mine = mine.fold(Amount::default(), Amount::plus);
        let room = |most: u64, small: u64, others: u64| {
            if most <= small {
                (most.saturating_sub(others), false)
            } else {
                (share(most, others, MAILBOX_SENDERS), true)
            }
        };
        let (messages, shared) = room(most, SMALL_MAILBOX, all.messages - mine.messages);
        if mine.messages >= messages {
            return Some(Full::Messages(shared.then_some(messages)));
        }
        let (room, shared) = room(most_bytes, SMALL_MAILBOX_BYTES, all.bytes - mine.bytes);
        (mine.bytes + bytes as u64 > room).then_some(Full::Bytes(shared.then_some(room)))
    }
}

impl Amounts {
    fn amount(&mut self, withheld: bool) -> &mut Amount {
        if withheld { &mut self.withheld } else { &mut self.shown }
    }

    /// What counts against a message: shown messages, and also withheld ones if it is withheld itself.
    fn counted(&self, withheld: bool) -> Amount {
        if withheld { self.shown.plus(self.withheld) } else { self.shown }
    }
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }

    fn subtract(&mut self, bytes: u64) {
        self.messages -= 1;
        self.bytes -= bytes;
    }

    fn plus(self, other: Self) -> Self {
        Self { messages: self.messages + other.messages, bytes: self.bytes + other.bytes }
    }
}
