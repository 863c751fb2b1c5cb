//! The log between sessions and the state: how far it has come, and what waits for it.
//!
//! A record is applied at once, and what rests on it is told when it is on disk. So nobody sees what a crash takes back,
//! and nobody waits for what has nothing to do with them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::sessions::underway::Entering;
use crate::core::hub::state::Notice;
use crate::protocol::name::NameKey;
use crate::protocol::record::StoredMessage;
use crate::protocol::types::Content;
use crate::protocol::{Event, Failure, Id};

/// What may only be said when something is on disk.
pub(in crate::core::hub) enum AwaitingCommit {
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

/// How far the log has come, and what waits for it, in the order of the commits.
#[derive(Default)]
pub(in crate::core::hub) struct Commits {
    /// The newest record that was persisted.
    newest: u64,
    /// The newest that is on disk.
    on_disk: u64,
    /// The newest that says something of names, blocks or rooms.
    shown: u64,
    /// The number of all records of the decision that is being carried out.
    of_decision: Option<u64>,
    waiting: VecDeque<(u64, AwaitingCommit)>,
}

impl Commits {
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.newest
    }

    /// The number of one more record.
    pub(in crate::core::hub) fn next(&mut self) -> u64 {
        self.newest = self.of_decision.unwrap_or(self.newest + 1);
        self.newest
    }

    /// What comes until [`Commits::end_decision`] has one number: after a crash all of it is on disk or nothing.
    pub(in crate::core::hub) fn begin_decision(&mut self) {
        self.of_decision = Some(self.newest + 1);
    }

    pub(in crate::core::hub) fn end_decision(&mut self) {
        self.of_decision = None;
    }

    /// The newest record says something of names, blocks or rooms.
    pub(in crate::core::hub) fn newest_is_shown(&mut self) {
        self.shown = self.newest;
    }

    /// Whether everything that names, blocks and rooms are asked for is on disk.
    pub(in crate::core::hub) fn shown_is_on_disk(&self) -> bool {
        self.shown <= self.on_disk
    }

    /// How much waits.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// This waits for everything that was persisted until now.
    pub(in crate::core::hub) fn hold(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.newest, awaiting));
    }

    /// This waits for what names, blocks or rooms rest on.
    pub(in crate::core::hub) fn hold_shown(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.shown, awaiting));
    }

    /// Everything up to this record is on disk.
    pub(in crate::core::hub) fn committed(&mut self, commit: u64) {
        self.on_disk = self.on_disk.max(commit);
    }

    /// The next thing that waits for nothing any more.
    pub(in crate::core::hub) fn pop(&mut self) -> Option<AwaitingCommit> {
        let on_disk = self.on_disk;
        self.waiting.pop_front_if(|(commit, _)| *commit <= on_disk).map(|(_, awaiting)| awaiting)
    }

    /// A registration that waits goes over to another session of the same key. Says whether there is one.
    pub(in crate::core::hub) fn pass_on(&mut self, from: PeerId, to: PeerId, entering: &Entering) -> bool {
        let waiting = self.waiting.iter_mut().find_map(|(_, awaiting)| match awaiting {
            AwaitingCommit::Entering(peer, theirs) if *peer == from => Some((peer, theirs)),
            AwaitingCommit::Entering(..)
            | AwaitingCommit::Said { .. }
            | AwaitingCommit::Done { .. }
            | AwaitingCommit::Stored { .. }
            | AwaitingCommit::Refused { .. } => None,
        });
        match waiting {
            Some((peer, theirs)) => {
                (*peer, *theirs) = (to, entering.clone());
                true
            }
            None => false,
        }
    }

    /// A registration is not waited for any more.
    pub(in crate::core::hub) fn drop_entering(&mut self, id: PeerId) {
        self.waiting.retain(|(_, awaiting)| !matches!(awaiting, AwaitingCommit::Entering(peer, _) if *peer == id));
    }

    /// The commits of messages that wait.
    pub(in crate::core::hub) fn messages(&self) -> Vec<u64> {
        let messages = self.waiting.iter().filter(|(_, awaiting)| matches!(awaiting, AwaitingCommit::Said { .. }));
        messages.map(|(commit, _)| *commit).collect()
    }

    /// Takes out the messages with these commits: they will not be on disk.
    pub(in crate::core::hub) fn give_up(
        &mut self,
        commits: &BTreeSet<u64>,
    ) -> Vec<(StoredMessage, PeerId, Option<Id>)> {
        let mut given_up = Vec::new();
        for (commit, awaiting) in std::mem::take(&mut self.waiting) {
            if commits.contains(&commit)
                && let AwaitingCommit::Said { message, peer, request_id, .. } = awaiting
            {
                given_up.push((*message, peer, request_id));
            } else {
                self.waiting.push_back((commit, awaiting));
            }
        }
        given_up
    }

    /// The store will never take this record: whoever waits for it is refused, when their turn comes. Gives the
    /// registrations among them.
    pub(in crate::core::hub) fn refuse(&mut self, commit: u64, failure: &Failure) -> Vec<(PeerId, NameKey)> {
        let mut entering = Vec::new();
        for (_, awaiting) in self.waiting.iter_mut().filter(|(held, _)| *held == commit) {
            let (peer, request_id, request) = match awaiting {
                AwaitingCommit::Entering(peer, theirs) => {
                    entering.push((*peer, theirs.name_key.clone()));
                    (*peer, theirs.request_id.take(), "register")
                }
                AwaitingCommit::Said { peer, request_id, .. } => (*peer, request_id.take(), "message"),
                AwaitingCommit::Done { peer, request_id, .. } => (*peer, request_id.take(), ""),
                AwaitingCommit::Stored { .. } | AwaitingCommit::Refused { .. } => continue,
            };
            *awaiting = AwaitingCommit::Refused { peer, request_id, request, failure: failure.clone() };
        }
        entering
    }
}
