//! What waits for the store: answers for a commit, questions for what is found.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entering;
use super::state::Notice;
use super::{ConnId, Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::record::{Found, Record, StoredMessage};
use crate::protocol::types::Content;
use crate::protocol::{Event, Failure, Id, Timestamp};

/// How often old messages are looked for.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// What is kept of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// What was said within this time.
    For(Duration),
    /// The newest, with so many bytes in all.
    Bytes(u64),
}

/// What may only be said when something is on disk.
pub(super) enum Held {
    /// A registration.
    Entering(PeerId, Entering),
    /// Something that was said.
    Said {
        message: Box<StoredMessage>,
        /// The name of the room in which it was said: it may be gone by now.
        room: Option<String>,
        peer: PeerId,
        request_id: Option<Id>,
    },
    /// A request that is done, and what others are told of it.
    Done { peer: PeerId, request_id: Option<Id>, answer: Box<Event>, notice: Option<Notice> },
    /// A copy of what somebody offers.
    Stored { peer: PeerId, content: Arc<Content> },
    /// A request that failed.
    Refused { peer: PeerId, request_id: Option<Id>, request: &'static str, failure: Failure },
}

/// Why the store was asked.
pub(super) enum Question {
    /// For what a client does not have: in the visit of this number, and as of this message.
    Inbox { peer: PeerId, number: u64, as_of: u64 },
    /// For what has been said.
    History { peer: PeerId, request_id: Option<Id>, forward: bool },
    /// For what a client was answered before it came.
    PastAnswers(PeerId),
    /// For the invite that a connection has shown.
    Invite(ConnId),
}

impl Hub {
    /// Has a record written down; gives the number of its commit. What can wait for a store that is in trouble does.
    pub(super) fn persist(&mut self, record: Record) -> u64 {
        let Some(record) = self.health.postpone(record) else { return self.commit };
        self.commit += 1;
        self.out.push_back(Output::Persist(self.commit, record));
        self.commit
    }

    /// Holds an answer back that tells of names, blocks or rooms until what it tells is on disk. While the store is in
    /// trouble, what is asked is answered all the same.
    pub(super) fn when_kept(
        &mut self,
        peer: PeerId,
        request_id: &Option<Id>,
        answer: impl Into<Event>,
    ) -> Option<Event> {
        if self.facts_commit <= self.committed || !self.health.is_well() {
            return Some(answer.into());
        }
        let (request_id, answer) = (request_id.clone(), Box::new(answer.into()));
        self.held.push_back((self.facts_commit, Held::Done { peer, request_id, answer, notice: None }));
        None
    }

    /// Everything up to this commit is on disk.
    pub(super) fn committed(&mut self, now: Time, commit: u64) {
        self.committed = self.committed.max(commit);
        self.credentials.committed(commit);
        while let Some((_, held)) = self.held.pop_front_if(|(held, _)| *held <= commit) {
            match held {
                Held::Entering(id, entering) => self.entered(now, id, entering),
                Held::Said { message, room, peer, request_id } => self.said(now, &message, room, peer, request_id),
                Held::Done { peer, request_id, answer, notice } => {
                    self.answer(now, peer, request_id, *answer);
                    if let Some(notice) = notice {
                        self.room_notice(now, notice);
                    }
                }
                Held::Stored { peer, content } => self.tell_stored(now, peer, &content, None),
                Held::Refused { peer, request_id, request, failure } => {
                    self.refuse(now, peer, request_id, request, failure)
                }
            }
        }
    }

    /// The store has answered.
    pub(super) fn found(&mut self, now: Time, question: u64, found: Found) {
        match (self.questions.remove(&question), found) {
            (Some(Question::Inbox { peer, number, as_of }), Found::Messages(kept, more)) => {
                self.inbox_read(now, peer, number, as_of, kept, more);
            }
            (Some(Question::History { peer, request_id, forward }), Found::Messages(kept, more)) => {
                let history = self.recalled(kept, more, forward);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.exchange.reading_ends();
                }
                self.answer(now, peer, request_id, history);
                self.go_on(now, peer);
            }
            (Some(Question::PastAnswers(peer)), Found::PastAnswers(past)) => self.recall(now, peer, past),
            (Some(Question::Invite(conn)), Found::Invite(invite)) => self.invite_found(now, conn, invite),
            // Nobody has asked this.
            (_, Found::Messages(..) | Found::PastAnswers(_) | Found::Invite(_)) => {}
        }
    }

    /// Has old messages forgotten.
    pub(super) fn trim(&mut self, now: Time) {
        self.trim_at = self.config.keep.map(|_| now + TRIM_EVERY);
        if !self.health.is_well() {
            return;
        }
        match self.config.keep {
            Some(Keep::For(span)) => {
                let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                let before = self.calendar(now).0.saturating_sub(millis);
                self.persist(Record::TrimBefore { time: Timestamp(before) });
            }
            Some(Keep::Bytes(bytes)) => drop(self.persist(Record::TrimTo { bytes })),
            None => {}
        }
    }
}
