//! Read receipts: a message counts as delivered when the other side's user has read it, not when their machine has it.
//!
//! So there are two acknowledgements. That of the link shows that the other side is alive, and must arrive within the
//! ack timeout. The read receipt may take long. Meanwhile as many messages as fit the window are at the other side, and
//! further ones wait here; a person who does not read is not taken for gone. While the other side's user is in `focus`,
//! their client says that a message is held back, and later that it was read.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::limits::{HELD_MESSAGES, PRIVATE_UNREAD};
use crate::protocol::wire::PeerBody;
use crate::protocol::{ErrorCode, Failure, Timestamp};

/// How long a message waits to be read before its sender is told that it was not.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long receipts may be missing before further messages, which would have to wait, are refused.
const STALLED: Duration = Duration::from_secs(5);

/// A deadline noticed this late was missed because the machine had slept.
pub(super) const LATE: Duration = Duration::from_millis(100);

/// Our messages that the other side's user has not read, and how far our user has read theirs.
#[derive(Default)]
pub(super) struct Receipts {
    unread: VecDeque<UnreadText>,
    bytes: usize,
    /// The numbers of messages that the other side holds back, and whose requests have been answered.
    held: VecDeque<u64>,
    /// When the other side's user last read something, or had nothing to read.
    progress: Time,
    stalled: bool,
    /// The number of the last message from the other side.
    pub(super) heard: u64,
    /// The number up to which our user has read, and the one that the other side was told.
    had: u64,
    confirmed: u64,
    /// The number up to which we hold back, and the one that the other side was told.
    holds: u64,
    holds_confirmed: u64,
}

/// A sent message that was not read.
pub(super) struct UnreadText {
    /// The ticket of its request; `None` once that is answered.
    pub(super) ticket: Option<u64>,
    pub(super) number: u64,
    pub(super) bytes: usize,
    pub(super) at: Time,
    pub(super) stamp: Timestamp,
}

impl Receipts {
    /// Whether the window has room for another message.
    pub(super) fn takes(&self) -> bool {
        self.unread.is_empty() || self.bytes < PRIVATE_UNREAD
    }

    /// A message was sent.
    pub(super) fn sent(&mut self, message: UnreadText) {
        if self.unread.is_empty() {
            (self.progress, self.stalled) = (message.at, false);
        }
        self.bytes += message.bytes;
        self.unread.push_back(message);
    }

    /// The other side's user has read up to this number. Returns the messages that were read; `None` if the number was
    /// never sent.
    pub(super) fn read(&mut self, now: Time, number: u64, last_sent: u64) -> Option<Vec<UnreadText>> {
        if number > last_sent {
            return None;
        }
        Some(self.take(now, number))
    }

    /// Takes the held-back messages up to a number.
    pub(super) fn released(&mut self, number: u64) -> Vec<u64> {
        let count = self.held.partition_point(|held| *held <= number);
        self.held.drain(..count).collect()
    }

    /// The other side holds back up to this number. Returns the messages that are newly held back; `None` if the number
    /// was never sent.
    pub(super) fn held(&mut self, now: Time, number: u64, last_sent: u64) -> Option<Vec<UnreadText>> {
        let held = self.read(now, number, last_sent)?;
        self.held.extend(held.iter().filter(|message| message.ticket.is_some()).map(|message| message.number));
        // An honest client holds back no more than that.
        self.held.drain(..self.held.len().saturating_sub(HELD_MESSAGES));
        Some(held)
    }

    fn take(&mut self, now: Time, number: u64) -> Vec<UnreadText> {
        let mut read = Vec::new();
        while let Some(message) = self.unread.pop_front_if(|message| message.number <= number) {
            self.bytes -= message.bytes;
            (self.progress, self.stalled) = (now, false);
            read.push(message);
        }
        read
    }

    /// Takes the tickets of requests that have waited too long for a receipt.
    pub(super) fn expire(&mut self, now: Time) -> Vec<u64> {
        if self.next_timeout().is_some_and(|due| due + LATE <= now) {
            // This machine has slept, so the reader gets the full time again.
            self.progress = now;
            self.unread.iter_mut().for_each(|message| message.at = now);
        }
        self.stalled |= !self.unread.is_empty() && self.progress + STALLED <= now;
        let late = self.unread.iter_mut().take_while(|message| message.at + PATIENCE <= now);
        late.filter_map(|message| message.ticket.take()).collect()
    }

    /// Whether there are unread messages, and no receipt has arrived for a while.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let late = self.unread.iter().find(|message| message.ticket.is_some()).map(|message| message.at + PATIENCE);
        let stalled = (!self.unread.is_empty() && !self.stalled).then(|| self.progress + STALLED);
        late.into_iter().chain(stalled).min()
    }

    /// The tickets of the requests that wait for a receipt.
    pub(super) fn tickets(&self) -> impl Iterator<Item = u64> {
        self.unread.iter().filter_map(|message| message.ticket)
    }

    /// Our user has read up to this number.
    pub(super) fn has(&mut self, number: u64) {
        self.had = self.had.max(number.min(self.heard));
    }

    /// Messages up to this number that our user has not read are held back.
    pub(super) fn holds(&mut self, number: u64) {
        self.holds = self.holds.max(number.min(self.heard));
    }

    /// The receipts that the other side has not been sent yet.
    pub(super) fn confirm(&mut self) -> impl Iterator<Item = PeerBody> + use<> {
        let had = (self.had > self.confirmed).then_some(PeerBody::Had(self.had));
        let held = (self.holds > self.had.max(self.holds_confirmed)).then_some(PeerBody::Held(self.holds));
        (self.confirmed, self.holds_confirmed) = (self.had, self.holds);
        had.into_iter().chain(held)
    }
}

/// The deadline of a text that waits since `since` to be sent.
pub(super) fn too_late(since: Time) -> Time {
    since + PATIENCE
}

/// The failure of a message without a receipt. `sent` says whether the other side's machine may have it.
pub fn not_read(peer: &str, sent: bool) -> Failure {
    let message = match sent {
        true => format!("{peer} is there, but has not read this for {} s; it may still be shown.", PATIENCE.as_secs()),
        false => format!("{peer} is there, but reads nothing; this was not sent."),
    };
    Failure::new(ErrorCode::NotRead, message)
}
