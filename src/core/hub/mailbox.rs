//! What is kept for one person: how much of it they do not have.

use std::collections::VecDeque;

/// The messages to one person alone that they do not have yet, oldest first. It is counted from what it holds.
#[derive(Default)]
pub(super) struct Mailbox {
    waiting: VecDeque<Waiting>,
    shown: Amount,
    withheld: Amount,
}

struct Waiting {
    number: u64,
    bytes: u64,
    withheld: bool,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    messages: u64,
    bytes: u64,
}

/// Which limit has been reached.
pub(super) enum Full {
    /// Of messages.
    Messages,
    /// Of bytes.
    Bytes,
}

impl Mailbox {
    /// Keeps a message, whose number is higher than all before.
    pub(super) fn put(&mut self, number: u64, bytes: usize, withheld: bool) {
        let bytes = bytes as u64;
        self.amount(withheld).add(bytes);
        self.waiting.push_back(Waiting { number, bytes, withheld });
    }

    /// Its owner has everything up to this number.
    pub(super) fn taken(&mut self, number: u64) {
        while let Some(taken) = self.waiting.pop_front_if(|first| first.number <= number) {
            let amount = self.amount(taken.withheld);
            amount.messages -= 1;
            amount.bytes -= taken.bytes;
        }
    }

    /// Whether there is no room for a message of so many bytes, and why. What is withheld takes no room from others,
    /// but has no more than they: whoever is blocked finds the mailbox full when it would be full of their messages.
    pub(super) fn is_full(&self, bytes: usize, withheld: bool, most: u64, most_bytes: u64) -> Option<Full> {
        let also = if withheld { self.withheld } else { Amount::default() };
        if self.shown.messages + also.messages >= most {
            return Some(Full::Messages);
        }
        (self.shown.bytes + also.bytes + bytes as u64 > most_bytes).then_some(Full::Bytes)
    }

    fn amount(&mut self, withheld: bool) -> &mut Amount {
        if withheld { &mut self.withheld } else { &mut self.shown }
    }
}

impl Amount {
    fn add(&mut self, bytes: u64) {
        self.messages += 1;
        self.bytes += bytes;
    }
}
