//! What waits for the store: answers for a commit, questions for what is found.

use std::collections::BTreeMap;
use std::time::Duration;

use super::commits::AwaitingCommit;
use super::{ConnId, Hub, Output, PeerId};
use crate::core::time::Time;
use crate::protocol::record::{Found, Record};
use crate::protocol::{Event, Id, Timestamp};

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

/// Why the store was asked.
pub(super) enum PendingQuery {
    /// For what a client does not have: in the visit of this number, and as of this message.
    Inbox { peer: PeerId, number: u64, as_of: u64 },
    /// For what has been said.
    History { peer: PeerId, request_id: Option<Id>, forward: bool },
    /// For what a client was answered before it came.
    PastAnswers(PeerId),
    /// For the invite that a connection has shown.
    Invite(ConnId),
}

/// Queries that the store has not answered, and how many there were: logins are counted with them.
#[derive(Default)]
pub(super) struct Queries {
    pending: BTreeMap<u64, PendingQuery>,
    last: u64,
}

impl Queries {
    /// A number that was not used before.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The number of one more query.
    pub(super) fn ask(&mut self, pending: PendingQuery) -> u64 {
        let number = self.number();
        self.pending.insert(number, pending);
        number
    }

    fn answered(&mut self, number: u64) -> Option<PendingQuery> {
        self.pending.remove(&number)
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }
}

impl Hub {
    /// Has a record written down. What can wait for a store that is in trouble does.
    pub(super) fn persist(&mut self, record: Record) {
        let Some(record) = self.health.postpone(record) else { return };
        let commit = self.commits.next();
        self.out.push_back(Output::Persist(commit, record));
    }

    /// Holds an answer back that tells of names, blocks or rooms until what it tells is on disk. While the store is in
    /// trouble, what is asked is answered all the same.
    pub(super) fn when_kept(
        &mut self,
        peer: PeerId,
        request_id: &Option<Id>,
        answer: impl Into<Event>,
    ) -> Option<Event> {
        if self.commits.shown_is_on_disk() || !self.health.is_well() {
            return Some(answer.into());
        }
        let (request_id, answer) = (request_id.clone(), Box::new(answer.into()));
        self.commits.hold_shown(AwaitingCommit::Done { peer, request_id, answer, notice: None });
        None
    }

    /// Everything up to this commit is on disk.
    pub(super) fn committed(&mut self, now: Time, commit: u64) {
        self.commits.committed(commit);
        self.credentials.committed(commit);
        while let Some(awaiting) = self.commits.pop() {
            match awaiting {
                AwaitingCommit::Entering(id, entering) => self.entered(now, id, entering),
                AwaitingCommit::Said { message, room, peer, request_id } => {
                    self.said(now, &message, room, peer, request_id)
                }
                AwaitingCommit::Done { peer, request_id, answer, notice } => {
                    self.answer(now, peer, request_id, *answer);
                    if let Some(notice) = notice {
                        self.room_notice(now, notice);
                    }
                }
                AwaitingCommit::Stored { peer, content } => self.tell_stored(now, peer, &content, None),
                AwaitingCommit::Refused { peer, request_id, request, failure } => {
                    self.refuse(now, peer, request_id, request, failure)
                }
            }
        }
    }

    /// The store has answered.
    pub(super) fn found(&mut self, now: Time, number: u64, found: Found) {
        match (self.queries.answered(number), found) {
            (Some(PendingQuery::Inbox { peer, number, as_of }), Found::Messages(kept, more)) => {
                self.inbox_read(now, peer, number, as_of, kept, more);
            }
            (Some(PendingQuery::History { peer, request_id, forward }), Found::Messages(kept, more)) => {
                let history = self.recalled(kept, more, forward);
                if let Some(peer) = self.peers.get_mut(&peer) {
                    peer.exchange.reading_ends();
                }
                self.answer(now, peer, request_id, history);
                self.go_on(now, peer);
            }
            (Some(PendingQuery::PastAnswers(peer)), Found::PastAnswers(past)) => self.recall(now, peer, past),
            (Some(PendingQuery::Invite(conn)), Found::Invite(invite)) => self.invite_found(now, conn, invite),
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
            Some(Keep::Bytes(bytes)) => self.persist(Record::TrimTo { bytes }),
            None => {}
        }
    }
}
