//! How far the log has come, and what waits for it.
//!
//! Each record that is persisted gets a commit number; a record of a decision of several has the same number as the
//! others. A record is applied at once, but what rests on it is told only when its commit is on disk
//! ([`Commits::committed`]). So no client sees what a crash could take back, and nothing waits for a commit that it
//! does not rest on.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::core::hub::PeerId;
use crate::core::hub::sessions::underway::Entering;
use crate::core::hub::state::Notice;
use crate::protocol::name::NameKey;
use crate::protocol::record::StoredMessage;
use crate::protocol::types::Content;
use crate::protocol::{Event, Failure, Id};

/// What is told or done only when a commit is on disk.
pub(in crate::core::hub) enum AwaitingCommit {
    /// A registration: the session then gets its name.
    Entering(PeerId, Entering),
    /// A message: it is then fed to those it is for, and its sender is answered.
    Said {
        message: Box<StoredMessage>,
        /// The room's name when the message was sent, because the room may be gone by now.
        room: Option<String>,
        peer: PeerId,
        request_id: Option<Id>,
    },
    /// A request whose answer waits, and what the members of a room are told of it.
    Done { peer: PeerId, request_id: Option<Id>, answer: Box<Event>, notice: Option<Notice> },
    /// A copy of a client's offer: the client then hears that the hub keeps it.
    Stored { peer: PeerId, content: Arc<Content> },
    /// A request that failed, and whose refusal waits for its turn.
    Refused { peer: PeerId, request_id: Option<Id>, request: &'static str, failure: Failure },
}

/// The numbers of the newest commits, and what waits for which, in the order of the commits.
#[derive(Default)]
pub(in crate::core::hub) struct Commits {
    /// The newest commit that was persisted.
    newest: u64,
    /// The newest commit that is on disk.
    on_disk: u64,
    /// The newest commit that changes what requests for names, blocks or rooms are answered.
    shown: u64,
    /// While a decision of several records is carried out: the commit number of all of them.
    of_decision: Option<u64>,
    waiting: VecDeque<(u64, AwaitingCommit)>,
}

impl Commits {
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.newest
    }

    /// The commit number of one more record.
    pub(in crate::core::hub) fn next(&mut self) -> u64 {
        self.newest = self.of_decision.unwrap_or(self.newest + 1);
        self.newest
    }

    /// All records until [`Commits::end_decision`] get one commit number, so that after a crash all of them are on disk
    /// or none.
    pub(in crate::core::hub) fn begin_decision(&mut self) {
        self.of_decision = Some(self.newest + 1);
    }

    pub(in crate::core::hub) fn end_decision(&mut self) {
        self.of_decision = None;
    }

    /// The newest record changes what requests for names, blocks or rooms are answered.
    pub(in crate::core::hub) fn newest_is_shown(&mut self) {
        self.shown = self.newest;
    }

    /// Whether all that requests for names, blocks and rooms are answered is on disk.
    pub(in crate::core::hub) fn shown_is_on_disk(&self) -> bool {
        self.shown <= self.on_disk
    }

    /// The number of things that wait; bounded by `COMMITS_WAITING`, see `Cx::spend`.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lets something wait for everything that was persisted until now.
    pub(in crate::core::hub) fn hold(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.newest, awaiting));
    }

    /// Lets something wait for what requests for names, blocks or rooms are answered, and for what waits already.
    pub(in crate::core::hub) fn hold_shown(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.shown, awaiting));
    }

    /// Everything up to this commit is on disk; [`Commits::pop`] then gives what waited for it.
    pub(in crate::core::hub) fn committed(&mut self, commit: u64) {
        self.on_disk = self.on_disk.max(commit);
    }

    /// The next thing that waits for nothing any more, oldest commit first.
    pub(in crate::core::hub) fn pop(&mut self) -> Option<AwaitingCommit> {
        let on_disk = self.on_disk;
        self.waiting.pop_front_if(|(commit, _)| *commit <= on_disk).map(|(_, awaiting)| awaiting)
    }

    /// Moves a waiting registration to another session of the same key. Returns whether there was one.
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

    /// Drops the registration of a session that waits, because the session has ended.
    pub(in crate::core::hub) fn drop_entering(&mut self, id: PeerId) {
        self.waiting.retain(|(_, awaiting)| !matches!(awaiting, AwaitingCommit::Entering(peer, _) if *peer == id));
    }

    /// The commits of the messages that wait.
    pub(in crate::core::hub) fn messages(&self) -> Vec<u64> {
        let messages = self.waiting.iter().filter(|(_, awaiting)| matches!(awaiting, AwaitingCommit::Said { .. }));
        messages.map(|(commit, _)| *commit).collect()
    }

    /// Takes out the messages with these commits, because they will never be on disk: message, sender's session,
    /// request.
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

    /// Turns what waits for this commit into refusals with this failure, because the store will never take it. Each is
    /// sent when its turn comes. Returns the sessions and names of the registrations among them.
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
