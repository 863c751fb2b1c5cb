//! A name that its own owner wants twice: the session that has it may be that of a process that was killed.
//!
//! Where the system closes a dead process's connection (TCP), the name is free at once. Where nobody does (QUIC, a
//! machine without power), the session that holds the name is probed, and replaced if it misses the ack timeout. There
//! is one contest for a name at a time, and it has one deadline: of several newcomers, who may have been killed as well,
//! the newest has it.

use std::time::Duration;

use super::entry::Entering;
use super::{Held, Hub, PeerId};
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::{ErrorCode, Failure};

/// Somebody wants a name that is in use and that is theirs: granted only if its holder does not live.
pub(super) struct Challenge {
    by: PeerId,
    entering: Entering,
    /// From when on what the holder says counts. What comes earlier may have been on its way when it died.
    counts_from: Time,
    /// Whether the holder has been probed at `counts_from`, too.
    asked_again: bool,
    /// When the holder has lost the name.
    deadline: Time,
}

impl Challenge {
    /// When something is to be done.
    pub(super) fn due(&self) -> Time {
        if self.asked_again { self.deadline } else { self.counts_from }
    }
}

impl Hub {
    /// The name is ours, but in use: by a process that was killed, or by another one that lives.
    pub(super) fn contest(&mut self, now: Time, id: PeerId, holder: PeerId, entering: Entering) {
        let ack_timeout = self.config.link.ack_timeout;
        let Some(peer) = self.peers.get_mut(&holder).filter(|peer| peer.conn.is_some()) else {
            return self.take_over(now, holder, id, entering);
        };
        if let Some(challenge) = &mut peer.challenge {
            let by = std::mem::replace(&mut challenge.by, id);
            let older = std::mem::replace(&mut challenge.entering, entering);
            self.underway.end(by);
            self.underway.begin(id, &challenge.entering);
            let failure = in_use(&older.name, ack_timeout);
            return self.refuse(now, by, older.request_id, "register", failure);
        }
        peer.link.probe(now);
        let (counts_from, deadline) = (now + ack_timeout / 5, now + ack_timeout);
        self.underway.begin(id, &entering);
        peer.challenge = Some(Challenge { by: id, entering, counts_from, asked_again: false, deadline });
        self.talking.insert(holder);
    }

    /// The connection of a session is gone: who wants its name has it at once. Says whether somebody does; who has left
    /// meanwhile does not, and the holder has its grace.
    pub(super) fn pass_to_challenger(&mut self, now: Time, holder: PeerId) -> bool {
        let Some(challenge) = self.peers.get_mut(&holder).and_then(|peer| peer.challenge.take()) else { return false };
        if !self.peers.contains_key(&challenge.by) {
            self.underway.end(challenge.by);
            return false;
        }
        self.challenge_won(now, holder, challenge);
        true
    }

    /// The holder is gone.
    pub(super) fn challenge_won(&mut self, now: Time, holder: PeerId, challenge: Challenge) {
        self.underway.end(challenge.by);
        self.take_over(now, holder, challenge.by, challenge.entering);
    }

    /// A name goes from one session to another of the same key. If it is not on disk yet, the new one waits for that
    /// as the old one did.
    fn take_over(&mut self, now: Time, holder: PeerId, by: PeerId, entering: Entering) {
        self.end(now, holder, "replaced");
        let waits = self.underway.is(holder, &entering.name_key);
        let held = self.held.iter_mut().filter(|_| waits).find_map(|(_, held)| match held {
            Held::Entering(peer, held) if *peer == holder => Some((peer, held)),
            _ => None,
        });
        match held {
            Some((peer, held)) => {
                self.online.insert(entering.name_key.clone(), by);
                self.underway.end(holder);
                self.underway.begin(by, &entering);
                (*peer, *held) = (by, entering);
            }
            None => self.enter(now, by, entering),
        }
    }

    /// The holder of a contested name has said something.
    pub(super) fn answer_challenge(&mut self, now: Time, holder: PeerId) {
        let Some(peer) = self.peers.get_mut(&holder) else { return };
        if let Some(Challenge { by, entering, .. }) = peer.challenge.take_if(|challenge| challenge.counts_from <= now) {
            self.underway.end(by);
            let failure = in_use(&entering.name, self.config.link.ack_timeout);
            self.refuse(now, by, entering.request_id, "register", failure);
        }
    }

    /// Time passes for the holder of a contested name. Says whether it has lost it, and has been ended.
    pub(super) fn challenge_tick(&mut self, now: Time, holder: PeerId) -> bool {
        let ack_timeout = self.config.link.ack_timeout;
        let Some(peer) = self.peers.get_mut(&holder) else { return false };
        let Some(challenge) = peer.challenge.as_mut().filter(|challenge| challenge.due() <= now) else { return false };
        if !challenge.asked_again {
            challenge.asked_again = true;
            // If the hub itself has slept, the holder still has its time.
            challenge.deadline = challenge.deadline.max(now + ack_timeout * 4 / 5);
            peer.link.probe(now);
            return false;
        }
        let by = challenge.by;
        if !self.peers.contains_key(&by) {
            // Who has left meanwhile does not want the name any more.
            self.peers.get_mut(&holder).and_then(|peer| peer.challenge.take());
            self.underway.end(by);
            return false;
        }
        self.end(now, holder, "replaced");
        true
    }
}

/// The name is the newcomer's own, and another client of theirs lives under it.
fn in_use(name: &str, ask_again: Duration) -> Failure {
    let message = format!("The name {name} is in use: another client of yours is here under it.");
    Failure::new(ErrorCode::NameTaken, message)
        .at(pointer_at("/name"))
        .hint("Leave there first (`quit`), or join under another name with --name.")
        .wait(ask_again.as_millis() as u64)
}
