//! Which commits are on disk, and which answers and other effects wait for one that is not.
//!
//! Each record that is given to the store gets a commit number, which grows by one. If a decision makes several
//! records, they share one number. A record is applied to the state at once, but whatever a client could learn from it
//! is sent only when its commit is on disk ([`Commits::committed`]). So no client sees what a crash could undo.
//!
//! An effect of a request waits for the newest commit of that moment ([`Commits::hold`]). An answer that only reads
//! names, blocks or rooms waits for the newest commit that has changed those ([`Commits::hold_shown`]), and not for the
//! many messages behind it.
//!
//! `Cx::record` and the requests put effects in; after each report of the store, the hub takes out by [`Commits::pop`]
//! what may be sent. If the store will never write a commit, its effects become refusals ([`Commits::refuse`],
//! [`Commits::give_up`]). The caller takes back from the state what must not stay there: the name of a registration,
//! and abandoned messages.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use crate::core::hub::sessions::underway::Entering;
use crate::core::hub::state::Notice;
use crate::core::hub::{ConnId, PeerId};
use crate::protocol::name::NameKey;
use crate::protocol::record::StoredMessage;
use crate::protocol::types::Content;
use crate::protocol::{Event, Failure, Id};

/// An effect that must wait until a commit is on disk.
pub(in crate::core::hub) enum AwaitingCommit {
    /// A registration: when its commit is on disk, the session gets its name.
    Entering(PeerId, Entering),
    /// A message: when its commit is on disk, its recipients get it, and its sender is answered.
    Said {
        message: Box<StoredMessage>,
        /// The room's name when the message was sent, because the room may be gone by now.
        room: Option<String>,
        peer: PeerId,
        request_id: Option<Id>,
    },
    /// The answer to a request, and what the members of a room are told together with it.
    Done { peer: PeerId, request_id: Option<Id>, answer: Box<Event>, notice: Option<Notice> },
    /// A copy of a client's offer: when its commit is on disk, the client is told that the hub keeps the file.
    Stored { peer: PeerId, content: Arc<Content> },
    /// An exchange by a code: when its commit is on disk, it goes on. `written` is false if the store will never write
    /// it.
    Exchange { conn: ConnId, written: bool },
    /// The refusal of a request whose commit the store will never write. It is sent in the order of the commits.
    Refused { peer: PeerId, request_id: Option<Id>, request: &'static str, failure: Failure },
}

/// The newest commit numbers, and the effects that wait, each with the commit for which it waits.
#[derive(Default)]
pub(in crate::core::hub) struct Commits {
    /// The newest commit that was given to the store.
    newest: u64,
    /// The newest commit that is on disk.
    on_disk: u64,
    /// The newest commit that has changed names, blocks or rooms, and so the answers to requests that show them.
    shown: u64,
    /// The commit number of all records of the decision that is being recorded, if one is.
    of_decision: Option<u64>,
    waiting: VecDeque<(u64, AwaitingCommit)>,
}

impl Commits {
    /// The newest commit that was given to the store.
    pub(in crate::core::hub) fn newest(&self) -> u64 {
        self.newest
    }

    /// Assigns a commit number to a record that is given to the store.
    pub(in crate::core::hub) fn next(&mut self) -> u64 {
        self.newest = self.of_decision.unwrap_or(self.newest + 1);
        self.newest
    }

    /// Begins a decision: all records until [`Commits::end_decision`] get the same commit number, so that after a crash
    /// all of them are on disk or none.
    pub(in crate::core::hub) fn begin_decision(&mut self) {
        self.of_decision = Some(self.newest + 1);
    }

    /// Ends a decision: the next record gets a number of its own.
    pub(in crate::core::hub) fn end_decision(&mut self) {
        self.of_decision = None;
    }

    /// Notes that the newest record has changed names, blocks or rooms. Called right after it got its number.
    pub(in crate::core::hub) fn newest_is_shown(&mut self) {
        self.shown = self.newest;
    }

    /// Whether all changes of names, blocks and rooms are on disk, so that a request that shows them may be answered.
    pub(in crate::core::hub) fn shown_is_on_disk(&self) -> bool {
        self.shown <= self.on_disk
    }

    /// The number of effects that wait. `Cx::spend` refuses requests with `slow-down` while it is `COMMITS_WAITING` or
    /// more.
    pub(in crate::core::hub) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Lets an effect wait until every record that was given to the store so far is on disk.
    pub(in crate::core::hub) fn hold(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.newest, awaiting));
    }

    /// Lets an answer that shows names, blocks or rooms wait until all their changes so far are on disk. Like every
    /// effect, it also waits until the effects before it have been taken out.
    pub(in crate::core::hub) fn hold_shown(&mut self, awaiting: AwaitingCommit) {
        self.waiting.push_back((self.shown, awaiting));
    }

    /// Notes that every commit up to this one is on disk. [`Commits::pop`] then gives the effects that waited for them.
    pub(in crate::core::hub) fn committed(&mut self, commit: u64) {
        self.on_disk = self.on_disk.max(commit);
    }

    /// Takes out the oldest effect if its commit is on disk. Effects leave in the order in which they began to wait.
    pub(in crate::core::hub) fn pop(&mut self) -> Option<AwaitingCommit> {
        let on_disk = self.on_disk;
        self.waiting.pop_front_if(|(commit, _)| *commit <= on_disk).map(|(_, awaiting)| awaiting)
    }

    /// Moves the waiting registration of session `from` to session `to`, which has the same key and has taken over the
    /// name; `entering` is what `to` has asked for. Returns false if `from` has none.
    pub(in crate::core::hub) fn pass_on(&mut self, from: PeerId, to: PeerId, entering: &Entering) -> bool {
        let waiting = self.waiting.iter_mut().find_map(|(_, awaiting)| match awaiting {
            AwaitingCommit::Entering(peer, theirs) if *peer == from => Some((peer, theirs)),
            AwaitingCommit::Entering(..)
            | AwaitingCommit::Said { .. }
            | AwaitingCommit::Done { .. }
            | AwaitingCommit::Stored { .. }
            | AwaitingCommit::Exchange { .. }
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

    /// Drops the waiting registration of a session that has ended, if it has one.
    pub(in crate::core::hub) fn drop_entering(&mut self, id: PeerId) {
        self.waiting.retain(|(_, awaiting)| !matches!(awaiting, AwaitingCommit::Entering(peer, _) if *peer == id));
    }

    /// The commit numbers of the waiting messages.
    pub(in crate::core::hub) fn messages(&self) -> Vec<u64> {
        let messages = self.waiting.iter().filter(|(_, awaiting)| matches!(awaiting, AwaitingCommit::Said { .. }));
        messages.map(|(commit, _)| *commit).collect()
    }

    /// Takes out the messages of these commits, which the store has abandoned. Returns each message with its sender's
    /// session and the id of its request. The caller removes the messages from the state, and refuses the requests.
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

    /// Turns the effects that wait for this commit into refusals with this failure, because the store will never write
    /// the commit. They keep their places in the order. Returns the session and name of each registration among them,
    /// so that the caller frees the names. The news of a stored copy is not turned into a refusal.
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
                AwaitingCommit::Exchange { written, .. } => {
                    *written = false;
                    continue;
                }
                AwaitingCommit::Stored { .. } | AwaitingCommit::Refused { .. } => continue,
            };
            *awaiting = AwaitingCommit::Refused { peer, request_id, request, failure: failure.clone() };
        }
        entering
    }
}
