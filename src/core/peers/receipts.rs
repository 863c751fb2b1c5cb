//! What the user at the other end has. A message counts as delivered only then: not when their machine has it.
//!
//! So there are two acknowledgements. The link's says that the other side lives, and is wanted within the ack timeout. That
//! of the reader may take long: meanwhile messages wait, at the other end as many as a window holds, the others here. Who
//! does not read is there all the same. Who hears only one room is, too, and will have what is held back for them: it is
//! said so, and that it has arrived is said later.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::limits::{HELD_MESSAGES, PRIVATE_UNREAD};
use crate::protocol::wire::PeerBody;
use crate::protocol::{ErrorCode, Failure, Timestamp};

/// How long a message waits for its reader before its sender is told that it has not been read.
const PATIENCE: Duration = Duration::from_secs(30);

/// After how long without any progress no more messages are taken that would have to wait.
const STALLED: Duration = Duration::from_secs(5);

/// A deadline that is seen so late was slept through.
pub(super) const LATE: Duration = Duration::from_millis(100);

/// Messages that the other side's user does not have, and what ours has of theirs.
#[derive(Default)]
pub(super) struct Receipts {
    unread: VecDeque<UnreadText>,
    bytes: usize,
    /// The numbers of those before that are held back at the other side, though their requests are answered.
    held: VecDeque<u64>,
    /// When the other side's user last read something, or had nothing to read.
    progress: Time,
    stalled: bool,
    /// The number of the last message that has arrived from the other side.
    pub(super) heard: u64,
    /// The number of the last one that our user has, and of the last one that the other side was told of.
    had: u64,
    confirmed: u64,
    /// The same of those that are held back for our user.
    holds: u64,
    holds_confirmed: u64,
}

/// A message that has been sent.
pub(super) struct UnreadText {
    /// The request; none if it has been answered by now.
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

    /// The other side's user has everything up to a number: what that is, but for what was held back. None if it was
    /// not sent.
    pub(super) fn read(&mut self, now: Time, number: u64, last_sent: u64) -> Option<Vec<UnreadText>> {
        if number > last_sent {
            return None;
        }
        Some(self.take(now, number))
    }

    /// What was held back up to a number.
    pub(super) fn released(&mut self, number: u64) -> Vec<u64> {
        let count = self.held.partition_point(|held| *held <= number);
        self.held.drain(..count).collect()
    }

    /// The other side holds everything up to a number back: what of it waits for an answer. None if it was not sent.
    pub(super) fn held(&mut self, now: Time, number: u64, last_sent: u64) -> Option<Vec<UnreadText>> {
        let held = self.read(now, number, last_sent)?;
        self.held.extend(held.iter().filter(|message| message.ticket.is_some()).map(|message| message.number));
        // An honest client holds no more.
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

    /// The requests that have waited too long for a reader.
    pub(super) fn expire(&mut self, now: Time) -> Vec<u64> {
        if self.next_timeout().is_some_and(|due| due + LATE <= now) {
            // This machine has slept: the reader still has its time.
            self.progress = now;
            self.unread.iter_mut().for_each(|message| message.at = now);
        }
        self.stalled |= !self.unread.is_empty() && self.progress + STALLED <= now;
        let late = self.unread.iter_mut().take_while(|message| message.at + PATIENCE <= now);
        late.filter_map(|message| message.ticket.take()).collect()
    }

    /// Whether nothing has been read for a while, though there is something.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let late = self.unread.iter().find(|message| message.ticket.is_some()).map(|message| message.at + PATIENCE);
        let stalled = (!self.unread.is_empty() && !self.stalled).then(|| self.progress + STALLED);
        late.into_iter().chain(stalled).min()
    }

    /// The requests that still wait for a reader.
    pub(super) fn tickets(&self) -> impl Iterator<Item = u64> {
        self.unread.iter().filter_map(|message| message.ticket)
    }

    /// Our user has everything up to a number.
    pub(super) fn has(&mut self, number: u64) {
        self.had = self.had.max(number.min(self.heard));
    }

    /// Everything up to a number that our user does not have is held back for them.
    pub(super) fn holds(&mut self, number: u64) {
        self.holds = self.holds.max(number.min(self.heard));
    }

    /// What the other side is to be told of our user.
    pub(super) fn confirm(&mut self) -> impl Iterator<Item = PeerBody> + use<> {
        let had = (self.had > self.confirmed).then_some(PeerBody::Had(self.had));
        let held = (self.holds > self.had.max(self.holds_confirmed)).then_some(PeerBody::Held(self.holds));
        (self.confirmed, self.holds_confirmed) = (self.had, self.holds);
        had.into_iter().chain(held)
    }
}

/// When something that has not been sent has waited too long.
pub(super) fn too_late(since: Time) -> Time {
    since + PATIENCE
}

/// Why a message has not been read: the other side has it and its user does not, or it was not sent.
pub fn not_read(peer: &str, sent: bool) -> Failure {
    let message = match sent {
        true => format!("{peer} is there, but has not read this for {} s; it may still be shown.", PATIENCE.as_secs()),
        false => format!("{peer} is there, but reads nothing; this was not sent."),
    };
    Failure::new(ErrorCode::NotRead, message)
}
