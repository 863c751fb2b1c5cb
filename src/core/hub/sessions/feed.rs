//! The messages on their way to one client: which have been sent, and which its user has confirmed.
//!
//! A feed is live while the client gets each message as soon as it is on disk. If the client confirms too slowly, the
//! feed stops being live; the client then catches up from memory or from the store, and becomes live again. The feed
//! holds only numbers, never texts.

use std::collections::VecDeque;

use crate::protocol::limits::{FEED_BYTES, FEED_MESSAGES};
use crate::protocol::name::NameKey;
use crate::protocol::wire::Received;

/// The position of one client among the messages.
pub(in crate::core::hub) struct Feed {
    /// Every message for the client up to this number has been sent.
    sent: u64,
    /// The client gets each message as soon as it is on disk, and lacks none.
    live: bool,
    /// The client has been told once that it has everything that was kept for it.
    caught_up: bool,
    /// The store is being asked for the messages that the client lacks.
    reading: bool,
    /// Messages that were sent and are not confirmed, oldest first: at most [`FEED_MESSAGES`] and [`FEED_BYTES`].
    window: VecDeque<Unconfirmed>,
    bytes: usize,
    /// What the user had received when the feed opened; there may be gaps in it.
    had: Received,
}

/// A message that was sent and is not confirmed.
struct Unconfirmed {
    number: u64,
    bytes: usize,
    /// The sender, if the message is to this client alone.
    direct: Option<NameKey>,
}

impl Feed {
    /// A feed that goes on after message number `sent`, and leaves out the messages that the user already has by `had`.
    pub(in crate::core::hub) fn new(sent: u64, had: Received) -> Self {
        let (window, bytes) = (VecDeque::new(), 0);
        Self { sent, live: false, caught_up: false, reading: false, window, bytes, had }
    }

    /// The number up to which every message for the client has been sent.
    pub(in crate::core::hub) fn sent(&self) -> u64 {
        self.sent
    }

    pub(in crate::core::hub) fn has_room(&self) -> bool {
        self.window.len() < FEED_MESSAGES && self.bytes < FEED_BYTES
    }

    /// How many more messages, and bytes, may be sent without a confirmation.
    pub(in crate::core::hub) fn room(&self) -> (usize, usize) {
        (FEED_MESSAGES.saturating_sub(self.window.len()), FEED_BYTES.saturating_sub(self.bytes))
    }

    /// Whether the feed is live and everything is confirmed.
    pub(in crate::core::hub) fn is_settled(&self) -> bool {
        self.live && self.window.is_empty()
    }

    /// Decides whether a new message is sent to the client now; if so, [`Feed::send`] must follow. If the window is
    /// full, the feed stops being live, and the client gets the message when it catches up.
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

    /// Puts a message into the window. Returns false if it must not be sent, because the user has it already. `direct`
    /// is the sender of a message to this client alone.
    pub(in crate::core::hub) fn send(&mut self, number: u64, bytes: usize, direct: Option<&NameKey>) -> bool {
        self.sent = number;
        if number <= self.had.received && self.had.except.binary_search(&number).is_err() {
            return false;
        }
        self.window.push_back(Unconfirmed { number, bytes, direct: direct.cloned() });
        self.bytes += bytes;
        true
    }

    /// Notes that no message up to this number is left to be sent to the client.
    pub(in crate::core::hub) fn skip_to(&mut self, number: u64) {
        self.sent = self.sent.max(number);
    }

    /// Takes a confirmation: the user has what `received` says. Of the newly confirmed messages, returns the number and
    /// sender of each that was to this client alone. `newest` is the newest message on disk; a confirmation beyond it
    /// says nothing about messages that the store still reads.
    pub(in crate::core::hub) fn confirm(&mut self, newest: u64, received: &Received) -> Vec<(u64, NameKey)> {
        if self.reading && (self.had.received..=newest).contains(&received.received) {
            // The store's answer may contain messages that the user has by now.
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

    /// Whether the store should be read for the client: it lacks messages, no reading is under way, and there is room.
    pub(in crate::core::hub) fn may_catch_up(&self) -> bool {
        !self.live && !self.reading && self.has_room()
    }

    /// Notes that the store was asked for messages.
    pub(in crate::core::hub) fn reading_begins(&mut self) {
        self.reading = true;
    }

    /// Notes that the store has answered.
    pub(in crate::core::hub) fn reading_ends(&mut self) {
        self.reading = false;
    }

    /// Makes the feed live; called when every message for the client has been sent. Returns whether this is the first
    /// time, when the client is told that it has caught up.
    pub(in crate::core::hub) fn goes_live(&mut self) -> bool {
        self.live = true;
        !std::mem::replace(&mut self.caught_up, true)
    }
}
