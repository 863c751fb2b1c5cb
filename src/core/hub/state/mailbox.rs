//! What is kept for one person: how much of it they do not have, and whose it is.
//!
//! Whoever sends has a share: a part of the room that the others leave. So one sender alone never fills a mailbox, and
//! however many do their best, there is room for whoever comes next.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::share::share;
use crate::protocol::limits::{MAILBOX_SENDERS, SMALL_MAILBOX, SMALL_MAILBOX_BYTES};
use crate::protocol::name::NameKey;

/// The messages to one person alone that they do not have yet, oldest first. It is counted from what it holds.
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
    /// Of its text.
    pub(super) bytes: u64,
    pub(super) from: NameKey,
    /// Its receiver shall not see it.
    pub(super) withheld: bool,
}

/// How much is to be shown, and how much is withheld.
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

/// Which limit has been reached, and the share of one sender if it is that.
pub(in crate::core::hub) enum Full {
    /// Of messages.
    Messages(Option<u64>),
    /// Of bytes.
    Bytes(Option<u64>),
}

impl Mailbox {
    /// Keeps a message, whose number is higher than all before.
    pub(super) fn put(&mut self, message: Waiting) {
        self.all.amount(message.withheld).add(message.bytes);
        self.by_sender.entry(message.from.clone()).or_default().amount(message.withheld).add(message.bytes);
        self.waiting.push_back(message);
    }

    /// Takes the oldest message out, if its number is not above this one.
    pub(super) fn take_up_to(&mut self, number: u64) -> Option<Waiting> {
        let taken = self.waiting.pop_front_if(|first| first.number <= number)?;
        self.uncount(&taken);
        Some(taken)
    }

    /// Takes out one message, which was not kept after all.
    pub(super) fn take(&mut self, number: u64) -> Option<Waiting> {
        let at = self.waiting.binary_search_by_key(&number, |waiting| waiting.number).ok()?;
        let taken = self.waiting.remove(at)?;
        self.uncount(&taken);
        Some(taken)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter()
    }

    fn uncount(&mut self, message: &Waiting) {
        self.all.amount(message.withheld).subtract(message.bytes);
        if let Some(theirs) = self.by_sender.get_mut(&message.from) {
            theirs.amount(message.withheld).subtract(message.bytes);
            if theirs.shown.messages + theirs.withheld.messages == 0 {
                self.by_sender.remove(&message.from);
            }
        }
    }

    /// Whether there is no room for a message of so many bytes from somebody with these names, and why. What is withheld
    /// takes no room from others, but has no more than they: whoever is blocked finds the mailbox full when it would be
    /// full of their messages.
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

    /// What counts for a message that is withheld, or is not.
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
