//! How far one client has come with what was said, and what is on its way to it.

use std::collections::VecDeque;

use crate::protocol::limits::{FEED_BYTES, FEED_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::Received;

/// How far a client has come.
pub(in crate::core::hub) struct Feed {
    /// Everything for it up to here is on its way, or has arrived.
    sent: u64,
    /// It gets what is said as it is said: there is nothing else that it does not have.
    live: bool,
    /// It has been told that it has everything that was kept for it.
    caught_up: bool,
    /// The store is being asked what it does not have.
    reading: bool,
    /// What is on its way, oldest first, at most [`FEED_MESSAGES`] and [`FEED_BYTES`].
    window: VecDeque<Unconfirmed>,
    bytes: usize,
    /// What its user had when it opened, though something before that was missing.
    had: Received,
}

/// A message on its way.
struct Unconfirmed {
    number: u64,
    bytes: usize,
    /// Who sent it, if it is to this client alone.
    direct: Option<NameKey>,
}

impl Feed {
    /// A feed that goes on after message `sent`; the user has what `had` says.
    pub(in crate::core::hub) fn new(sent: u64, had: Received) -> Self {
        let (window, bytes) = (VecDeque::new(), 0);
        Self { sent, live: false, caught_up: false, reading: false, window, bytes, had }
    }

    /// Up to which message everything is on its way or has arrived.
    pub(in crate::core::hub) fn sent(&self) -> u64 {
        self.sent
    }

    pub(in crate::core::hub) fn has_room(&self) -> bool {
        self.window.len() < FEED_MESSAGES && self.bytes < FEED_BYTES
    }

    /// For how many messages, and bytes, there is room.
    pub(in crate::core::hub) fn room(&self) -> (usize, usize) {
        (FEED_MESSAGES.saturating_sub(self.window.len()), FEED_BYTES.saturating_sub(self.bytes))
    }

    /// Whether the client keeps up and has confirmed everything.
    pub(in crate::core::hub) fn is_settled(&self) -> bool {
        self.live && self.window.is_empty()
    }

    /// Whether the client gets a message as it is said. If it has no room for it, it gets it later.
    pub(in crate::core::hub) fn takes_live(&mut self, number: u64) -> bool {
        if !self.live || number <= self.sent {
            return false;
        }
        if !self.has_room() {
            self.live = false;
            self.sent = number - 1;
            return false;
        }
        true
    }

    /// A message goes to the client. Says whether its user does not have it already.
    pub(in crate::core::hub) fn send(&mut self, number: u64, bytes: usize, direct: Option<&NameKey>) -> bool {
        self.sent = number;
        if number <= self.had.received && self.had.except.binary_search(&number).is_err() {
            return false;
        }
        self.window.push_back(Unconfirmed { number, bytes, direct: direct.cloned() });
        self.bytes += bytes;
        true
    }

    /// There is nothing for the client up to a message but what was sent.
    pub(in crate::core::hub) fn skip_to(&mut self, number: u64) {
        self.sent = self.sent.max(number);
    }

    /// The user has what `received` says. Gives the messages to this client alone that have arrived by that, and who
    /// sent them. `newest` is the newest message.
    pub(in crate::core::hub) fn confirm(&mut self, newest: u64, received: &Received) -> Vec<(u64, NameKey)> {
        if self.reading && (self.had.received..=newest).contains(&received.received) {
            // What the store is about to find may be with its user by now.
            self.had = received.clone();
        }
        let (mut arrived, mut missing) = (Vec::new(), VecDeque::new());
        let count = self.window.partition_point(|message| message.number <= received.received);
        for message in self.window.drain(..count) {
            if received.except.binary_search(&message.number).is_ok() {
                missing.push_back(message);
                continue;
            }
            self.bytes -= message.bytes;
            arrived.extend(message.direct.map(|from| (message.number, from)));
        }
        while let Some(message) = missing.pop_back() {
            self.window.push_front(message);
        }
        arrived
    }

    /// Whether there is something to be given that was said before, and room for it.
    pub(in crate::core::hub) fn may_catch_up(&self) -> bool {
        !self.live && !self.reading && self.has_room()
    }

    /// The store is asked what the client does not have.
    pub(in crate::core::hub) fn reading_begins(&mut self) {
        self.reading = true;
    }

    /// The store has answered.
    pub(in crate::core::hub) fn reading_ends(&mut self) {
        self.reading = false;
    }

    /// The client gets what is said as it is said from now on. Says whether it does so for the first time.
    pub(in crate::core::hub) fn goes_live(&mut self) -> bool {
        self.live = true;
        !std::mem::replace(&mut self.caught_up, true)
    }
}
