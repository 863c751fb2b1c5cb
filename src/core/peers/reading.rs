//! What the user at the other end has. A message counts as delivered only then: not when their machine has it.
//!
//! So there are two acknowledgements. The link's says that the other side lives, and is wanted within the ack timeout. That
//! of the reader may take long: meanwhile messages wait, at the other end as many as a window holds, the others here. Who
//! does not read is there all the same.

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::time::Time;
use crate::protocol::limits::PRIVATE_UNREAD;
use crate::protocol::{ErrorCode, Failure, Timestamp};

/// How long a message waits for its reader before its sender is told that it has not been read.
const PATIENCE: Duration = Duration::from_secs(30);

/// After how long without any progress no more messages are taken that would have to wait.
const STALLED: Duration = Duration::from_secs(5);

/// A deadline that is seen so late was slept through.
pub(super) const LATE: Duration = Duration::from_millis(100);

/// Messages that the other side's user does not have, and what ours has of theirs.
#[derive(Default)]
pub(super) struct Reading {
    unread: VecDeque<Unread>,
    bytes: usize,
    /// When the other side's user last read something, or had nothing to read.
    progress: Time,
    stalled: bool,
    /// The number of the last message that has arrived from the other side.
    pub(super) heard: u64,
    /// The number of the last one that our user has, and of the last one that the other side was told of.
    had: u64,
    confirmed: u64,
}

/// A message that has been sent.
pub(super) struct Unread {
    /// The request; none if it has been answered by now.
    pub(super) ticket: Option<u64>,
    pub(super) number: u64,
    pub(super) bytes: usize,
    pub(super) at: Time,
    pub(super) stamp: Timestamp,
}

impl Reading {
    /// Whether the window has room for another message.
    pub(super) fn takes(&self) -> bool {
        self.unread.is_empty() || self.bytes < PRIVATE_UNREAD
    }

    /// A message was sent.
    pub(super) fn sent(&mut self, message: Unread) {
        if self.unread.is_empty() {
            (self.progress, self.stalled) = (message.at, false);
        }
        self.bytes += message.bytes;
        self.unread.push_back(message);
    }

    /// The other side's user has everything up to a number: what that is. None if it was not sent.
    pub(super) fn read(&mut self, now: Time, number: u64, last_sent: u64) -> Option<Vec<Unread>> {
        if number > last_sent {
            return None;
        }
        let mut read = Vec::new();
        while let Some(message) = self.unread.pop_front_if(|message| message.number <= number) {
            self.bytes -= message.bytes;
            (self.progress, self.stalled) = (now, false);
            read.push(message);
        }
        Some(read)
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

    /// What the other side is to be told that our user has.
    pub(super) fn confirm(&mut self) -> Option<u64> {
        let news = self.had > self.confirmed;
        self.confirmed = self.had;
        news.then_some(self.had)
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
