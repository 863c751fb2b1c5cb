//! How fast requests are begun: no faster than their answers are read, and no more at once than the hub takes.
//!
//! An answer is never dropped, so there must be room for it before its request begins. What waits for the reader is
//! known only to whoever writes it; the session counts what it has told since it was told that last. That errs on the
//! safe side, and the driver corrects it when it matters ([`Session::waits_for_reader`]).

use std::collections::VecDeque;

use super::requests::{Pending, Waiting};
use super::{Origin, Session};
use crate::core::outbox::Queued;
use crate::core::told::Class;
use crate::protocol::limits::{
    ANSWER_LARGE, ANSWER_SMALL, REQUEST_BYTES_IN_FLIGHT, REQUEST_BYTES_WAITING, REQUESTS_IN_FLIGHT, REQUESTS_WAITING,
    UNREAD_BYTES,
};
use crate::protocol::request::Bulk;
use crate::protocol::{EventLine, Request};

/// What was written and has not begun, oldest first.
#[derive(Default)]
pub(super) struct Requests {
    queue: VecDeque<Waiting>,
    bytes: usize,
}

impl Requests {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes();
        self.queue.push_back(waiting);
    }

    pub(super) fn first(&self) -> Option<&Waiting> {
        self.queue.front()
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.take_at(0)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.queue.iter_mut()
    }

    pub(super) fn take_all(&mut self) -> VecDeque<Waiting> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    /// Takes out one that passes those before it.
    pub(super) fn take_at(&mut self, at: usize) -> Option<Waiting> {
        let waiting = self.queue.remove(at)?;
        self.bytes -= waiting.bytes();
        Some(waiting)
    }

    fn has_room(&self) -> bool {
        self.queue.len() < REQUESTS_WAITING && self.bytes < REQUEST_BYTES_WAITING
    }
}

/// How much waits for the reader of what we tell, in bytes; never less than it is.
#[derive(Default)]
pub(super) struct Reader {
    unread: usize,
}

impl Reader {
    /// Something is told.
    pub(super) fn told(&mut self, line: &EventLine) {
        match Class::of(line) {
            Class::Answer | Class::Fact => self.unread += line.bytes(),
            // At most one of each kind waits.
            Class::State(_) => {}
        }
    }

    /// So much waits.
    pub(super) fn is_at(&mut self, unread: usize) {
        self.unread = unread;
    }
}

/// How much room the answer to a request may need, in bytes.
fn room_for(request: &Request) -> usize {
    match request.rules().bulk {
        Bulk::Small => ANSWER_SMALL,
        Bulk::Large => ANSWER_LARGE,
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        match self {
            Self::Request(pending) => pending.bytes,
            Self::Bad(..) => ANSWER_SMALL,
            Self::EndOfInput => 0,
        }
    }

    fn room(&self) -> usize {
        match self {
            Self::Request(pending) => room_for(&pending.request),
            Self::Bad(..) => ANSWER_SMALL,
            Self::EndOfInput => 0,
        }
    }

    /// Whether it ends the program, which says so in any case.
    pub(super) fn ends(&self) -> bool {
        match self {
            Self::Request(_) | Self::Bad(..) => self.is_quit(),
            Self::EndOfInput => true,
        }
    }
}

impl Session {
    /// Whether more requests can be taken; otherwise they wait at their source.
    pub fn accepts_requests(&self) -> bool {
        self.waiting.has_room()
    }

    /// Whether requests wait because much of what was told has not been read. Then the driver says how much that is
    /// (`Input::Unread`), now and whenever it has become less.
    pub fn waits_for_reader(&self) -> bool {
        // Where all has been read, it is answers of the hub that are waited for.
        self.reader.unread > 0 && self.waiting.first().is_some_and(|head| !self.has_room_for(head))
    }

    /// Whether what this may be answered with still has room. What waits alone always has.
    pub(super) fn has_room_for(&self, head: &Waiting) -> bool {
        let before = self.reader.unread + self.answers_under_way();
        head.ends() || before == 0 || before + head.room() <= UNREAD_BYTES
    }

    /// How much room the answers may need that are still to come.
    fn answers_under_way(&self) -> usize {
        let asked: usize = self.asks.values().map(|(_, origin)| origin.room()).sum();
        let local = self.local.as_ref().map_or(0, |(_, pending)| room_for(&pending.request));
        asked + local + ANSWER_SMALL * self.running.len()
    }

    /// Whether the hub can be asked for one more thing: it keeps no more for us than so many requests and bytes.
    pub(super) fn may_ask_more(&self) -> bool {
        let bytes: usize = self.asks.values().map(|(_, origin)| origin.bytes()).sum();
        // With `fail_fast`, what comes after a failure must not have been asked already.
        let most = if self.config.fail_fast { 1 } else { REQUESTS_IN_FLIGHT };
        self.asks.len() < most && bytes < REQUEST_BYTES_IN_FLIGHT
    }

    /// Whether everything that was asked of the hub is answered whose answer others must not overtake.
    pub(super) fn is_answered(&self) -> bool {
        let passed = |origin: &Origin| match origin {
            Origin::User(pending) => pending.may_be_passed(),
            Origin::Page(so_far) => so_far.pending.may_be_passed(),
            Origin::Enter | Origin::Return | Origin::OfferAgain | Origin::Goodbye => false,
            Origin::Offer(_) | Origin::Change | Origin::Push(_) | Origin::Forgotten => false,
        };
        let passed = !self.config.fail_fast && self.asks.values().all(|(_, origin)| passed(origin));
        self.asks.is_empty() || passed
    }
}

impl Origin {
    /// How much room the answer may need.
    fn room(&self) -> usize {
        match self {
            Self::User(pending) => room_for(&pending.request),
            Self::Page(so_far) => room_for(&so_far.pending.request),
            Self::Offer(_) => ANSWER_LARGE,
            Self::Enter | Self::Return | Self::OfferAgain | Self::Change => 0,
            Self::Push(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }

    /// How large the request was, as it was written.
    fn bytes(&self) -> usize {
        match self {
            Self::User(pending) => pending.bytes,
            Self::Page(so_far) => so_far.pending.bytes,
            Self::Offer(_) | Self::Enter | Self::Return | Self::OfferAgain => 0,
            Self::Change | Self::Push(_) | Self::Forgotten | Self::Goodbye => 0,
        }
    }
}

impl Pending {
    /// Whether what is asked later may be answered before it, and does not depend on it.
    fn may_be_passed(&self) -> bool {
        !self.request.rules().turn.holds_up() && !self.starts_a_transfer()
    }
}
