//! Entering under a name, leaving, and contests for a name.
//!
//! A session enters at once if its name is known to be its own, and otherwise when that is on disk. If another session
//! has the name, the two contest it; see `sessions::contest`.

use super::cx::Cx;
use super::journal::commits::AwaitingCommit;
use super::roster::{keep_visit, roster_line, set_presence};
use super::sessions::contest::{Challenge, in_use};
use super::sessions::exchange::Exchange;
use super::sessions::underway::Entering;
use super::state::{Contest, decide};
use super::{Hub, Output, PeerId, people, pings, pushes};
use crate::core::hub::sessions::registered::Registered;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::name::{NameKey, check_person};
use crate::protocol::{Client, Event, Failure, Id, Network, Presence, Timestamp, event, log, request};

impl Hub {
    /// Handles `register`. The answer comes when the session has entered.
    ///
    /// # Errors
    /// `bad-name`, `already-registered`, `login-required`, `name-taken`, `access-denied`, `too-many`, or why the store
    /// cannot keep a new name
    pub(super) fn register(
        &mut self,
        now: Time,
        id: PeerId,
        request_id: &Option<Id>,
        request: request::Register,
    ) -> Result<(), Failure> {
        check_person(&request.name).map_err(|failure| failure.at(pointer_at("/name")))?;
        self.entrance.may_enter(&self.base.at(now), id, None)?;
        let name_key = NameKey::of(&request.name);
        let known = self.entrance.judge(&self.base.at(now), id, &request.name)?;
        self.enter_or_contest(
            now,
            id,
            Entering { request_id: request_id.clone(), name: request.name, name_key, known },
        );
        Ok(())
    }

    /// Enters under a name, or contests it if another session has it. The caller has checked that the name is the
    /// client's.
    pub(super) fn enter_or_contest(&mut self, now: Time, id: PeerId, entering: Entering) {
        match self.base.sessions.named(&entering.name_key) {
            None => self.enter(now, id, entering),
            Some(holder) => self.contest(now, id, holder, entering),
        }
    }

    /// Enters under a free name: at once if it is known to belong to this client's key, otherwise when that is on disk.
    pub(super) fn enter(&mut self, now: Time, id: PeerId, entering: Entering) {
        let Some(peer) = self.base.sessions.get(id) else { return };
        if peer.name.is_some() || self.base.sessions.named(&entering.name_key).is_some() {
            let failure = decide::name_taken(&entering.name);
            return self.base.at(now).refuse(id, entering.request_id, "register", failure);
        }
        if entering.known {
            return self.welcome(now, id, entering);
        }
        let (name, name_key, key, since) =
            (entering.name.clone(), entering.name_key.clone(), peer.key, self.base.config.today(now).0);
        if !self.base.journal.state.names().is_taken(&name_key) {
            self.entrance.newcomers.add(now, Network::of(peer.at.address.ip()));
        }
        let credential = self.base.journal.state.names().credential(&name_key);
        if !self.base.journal.state.names().knows(&key) {
            self.entrance.spend_invite(&mut self.base.at(now), id, &name);
        }
        self.base.at(now).hold_name(name_key.clone(), id);
        self.entrance.underway.begin(id, &entering);
        self.entrance.claim_name(&mut self.base.at(now), name, name_key, key, since, credential);
        self.base.journal.commits.hold(AwaitingCommit::Entering(id, entering));
    }

    /// A registration is on disk. If its session has ended meanwhile, the name becomes free.
    pub(super) fn entered(&mut self, now: Time, id: PeerId, entering: Entering) {
        self.entrance.underway.end(id);
        if self.base.sessions.has(id) {
            self.welcome(now, id, entering);
        } else {
            self.base.at(now).free_name(&entering.name_key, id);
        }
    }

    /// Completes a registration: the client enters, is answered, and is told what it follows and what waits for it.
    fn welcome(&mut self, now: Time, id: PeerId, entering: Entering) {
        // The name is shown as its owner first wrote it.
        let name = self.base.journal.state.names().shown(&entering.name_key);
        self.arrive(now, id, name, entering.name_key.clone());
        welcome_again(&mut self.base.at(now), id, entering.request_id, self.feeds.newest());
        tell_blocks(&mut self.base.at(now), id);
        self.base.at(now).begin_following(id);
        pushes::offer_pushes_to(&mut self.base.at(now), &entering.name_key);
    }

    /// Takes a client out of the roster and its offers out of the table. The session stays. Returns the number of
    /// offers.
    pub(super) fn leave(&mut self, now: Time, id: PeerId, reason: &str) -> u64 {
        self.feeds.settle(&mut self.base.at(now), id);
        let Some(peer) = self.base.sessions.get_mut(id) else { return 0 };
        let Some(name) = peer.name.take() else { return 0 };
        self.places.parted(now, id);
        if self.handovers.holds_place(id) {
            self.places.hold(id);
        }
        peer.feed = None;
        let client = roster_line(peer, &name, Presence::Offline, Timestamp(0));
        let files: Vec<_> = self.base.journal.state.table().files_of(id).cloned().collect();
        self.base.at(now).free_name(&name.name_key, id);
        let withdrawn = files.len() as u64;
        self.files.offers_left(&mut self.base.at(now), id, &name.name, files);
        self.files.holders.forget(id);
        pushes::take_all_back(&mut self.base.at(now), id);
        self.meetings.left(&mut self.base.at(now), id);
        self.files.copies_left(&mut self.base.at(now), id);
        if self.base.sessions.fetchers.leave(client.key) && self.base.config.files.is_some() {
            self.base.out.push_back(Output::MayNotFetch(client.key));
        }
        self.base.at(now).part(id, &client);
        self.feeds.was_last_there(&mut self.base.at(now), &name.name_key);
        let (closed, number) = (self.base.config.today(now), name.number);
        if let Some(left) = decide::leave(&self.base.journal.state, &name.name_key, &name.name, closed) {
            self.base.at(now).record_of_session(&left);
        }
        self.base.sessions.visits.set_state(number, Presence::Offline);
        self.base.sessions.visits.close(number, closed);
        keep_visit(&mut self.base.at(now), number);
        self.base.sessions.visits.left(Client { state: Presence::Offline, since: closed, ..client });
        self.base.log(log::ClientLeft { name: name.name, number, reason: reason.to_owned() });
        withdrawn
    }

    /// Gives a session its name: it appears in the roster, and may fetch from the hub.
    pub(super) fn arrive(&mut self, now: Time, id: PeerId, name: String, name_key: NameKey) {
        let opened = self.base.config.today(now);
        let Some((key, address)) = self.base.sessions.get(id).map(|peer| (peer.key, peer.at.address)) else { return };
        let number = self.base.sessions.visits.begin(&name, key, address, opened);
        let Some(peer) = self.base.sessions.get_mut(id) else { return };
        peer.name =
            Some(Registered { name: name.clone(), name_key: name_key.clone(), number, entered: self.feeds.newest() });
        let there = peer.conn.is_some();
        self.base.sessions.fetchers.enter(key);
        self.places.named(id);
        if self.base.config.files.is_some() {
            self.base.out.push_back(Output::MayFetch(key, name.clone()));
        }
        self.feeds.is_there(&mut self.base.at(now), &name_key);
        // One that was on its way to the disk is its own already: that it is there now is no sign of life.
        if self.base.sessions.named(&name_key) != Some(id) {
            self.base.at(now).hold_name(name_key, id);
        }
        keep_visit(&mut self.base.at(now), number);
        self.base.log(log::ClientRegistered { name, number, address: address.to_string() });
        let state = if there { Presence::Online } else { Presence::Away };
        set_presence(&mut self.base.at(now), id, state);
    }

    /// Handles `dereg`: the client leaves, and its session stays.
    pub(super) fn dereg(&mut self, now: Time, id: PeerId) -> Result<Event, Failure> {
        let name = self.base.sessions.me(id)?.name;
        let withdrawn = self.leave(now, id, "dereg");
        Ok(event::Deregistered { name, withdrawn }.into())
    }

    /// Handles `quit`: answers, and ends the session.
    pub(super) fn quit(&mut self, now: Time, id: PeerId, request_id: &Option<Id>) {
        // Clients that measure the way to this one get their answers.
        pings::probes_fail(&mut self.base.at(now), id);
        // The client does not want its other answers any more.
        if let Some(peer) = self.base.sessions.get_mut(id) {
            peer.exchange = Exchange::default();
        }
        self.base.at(now).answer(
            id,
            request_id.clone(),
            event::Bye { reason: "quit".into(), code: 0, given_up: Default::default() },
        );
        // The answer must be sent before the connection is closed.
        while let Some((conn, frame)) =
            self.base.sessions.get_mut(id).and_then(|peer| Some((peer.conn?, peer.link.poll(now)?)))
        {
            self.base.out.push_back(super::Output::Send(conn, frame));
        }
        self.end(now, id, "quit");
    }

    /// A session wants a name of its own that another session has. If the holder has no connection, it gets the name at
    /// once; otherwise the holder is probed, and a former newcomer is refused.
    pub(super) fn contest(&mut self, now: Time, id: PeerId, holder: PeerId, entering: Entering) {
        let ack_timeout = self.base.config.link.ack_timeout;
        let Some(peer) = self.base.sessions.get_mut(holder).filter(|peer| peer.conn.is_some()) else {
            return self.take_over(now, holder, id, entering);
        };
        if let Some(challenge) = &mut peer.challenge {
            let by = std::mem::replace(&mut challenge.by, id);
            let older = std::mem::replace(&mut challenge.entering, entering);
            self.entrance.underway.end(by);
            self.entrance.underway.begin(id, &challenge.entering);
            let failure = in_use(&older.name, ack_timeout);
            return self.base.at(now).refuse(by, older.request_id, "register", failure);
        }
        peer.link.probe(now);
        let (counts_from, deadline) = (now + ack_timeout / 5, now + ack_timeout);
        self.entrance.underway.begin(id, &entering);
        let seen = self.base.journal.state.roster().holder(&entering.name_key);
        peer.challenge = Some(Challenge { by: id, entering, seen, counts_from, asked_again: false, deadline });
        self.base.sessions.talks(holder);
    }

    /// Gives a contested name to the newcomer, because its holder has lost the connection. Returns false if nobody
    /// contests it any more; the holder then keeps its grace.
    pub(super) fn pass_to_challenger(&mut self, now: Time, holder: PeerId) -> bool {
        let Some(challenge) = self.base.sessions.get_mut(holder).and_then(|peer| peer.challenge.take()) else {
            return false;
        };
        if !self.base.sessions.has(challenge.by) {
            self.entrance.underway.end(challenge.by);
            return false;
        }
        self.challenge_won(now, holder, challenge);
        true
    }

    /// The newcomer wins the contest, because the holder is gone.
    pub(super) fn challenge_won(&mut self, now: Time, holder: PeerId, challenge: Challenge) {
        self.entrance.underway.end(challenge.by);
        self.take_over(now, holder, challenge.by, challenge.entering);
    }

    /// Ends the holder's session and gives its name to another session of the same key. If the holder's registration is
    /// not on disk yet, the new session takes over the waiting.
    fn take_over(&mut self, now: Time, holder: PeerId, by: PeerId, entering: Entering) {
        self.end(now, holder, "replaced");
        let waits = self.entrance.underway.is(holder, &entering.name_key);
        if waits && self.base.journal.commits.pass_on(holder, by, &entering) {
            self.base.at(now).hold_name(entering.name_key.clone(), by);
            self.entrance.underway.end(holder);
            self.entrance.underway.begin(by, &entering);
        } else {
            self.enter(now, by, entering);
        }
    }

    /// The holder of a contested name has sent something. If that counts already, it has won, and the newcomer is
    /// refused.
    pub(super) fn answer_challenge(&mut self, now: Time, holder: PeerId) {
        let challenge = self.base.sessions.get(holder).and_then(|peer| peer.challenge.as_ref());
        if challenge.is_some_and(|challenge| challenge.counts_from <= now) {
            self.keep_name(now, holder);
        }
    }

    /// The holder of a contested name lives: whoever wants it is refused.
    fn keep_name(&mut self, now: Time, holder: PeerId) {
        let challenge = self.base.sessions.get_mut(holder).and_then(|peer| peer.challenge.take());
        if let Some(Challenge { by, entering, .. }) = challenge {
            self.entrance.underway.end(by);
            let failure = in_use(&entering.name, self.base.config.link.ack_timeout);
            self.base.at(now).refuse(by, entering.request_id, "register", failure);
        }
    }

    /// Goes on with a contest when time has passed: probes the holder again, or ends it. Returns whether it was ended.
    pub(super) fn challenge_tick(&mut self, now: Time, holder: PeerId) -> bool {
        let ack_timeout = self.base.config.link.ack_timeout;
        let Some(peer) = self.base.sessions.get_mut(holder) else { return false };
        let Some(challenge) = peer.challenge.as_mut().filter(|challenge| challenge.due() <= now) else { return false };
        if !challenge.asked_again {
            challenge.asked_again = true;
            // If the hub itself has slept, the holder still gets its time to answer.
            challenge.deadline = challenge.deadline.max(now + ack_timeout * 4 / 5);
            peer.link.probe(now);
            return false;
        }
        let (by, seen, name_key) = (challenge.by, challenge.seen, challenge.entering.name_key.clone());
        if !self.base.sessions.has(by) {
            // The newcomer has left meanwhile, so nobody contests the name any more.
            self.base.sessions.get_mut(holder).and_then(|peer| peer.challenge.take());
            self.entrance.underway.end(by);
            return false;
        }
        if seen.is_some_and(|seen| decide::contest(&self.base.journal.state, &name_key, seen, false) == Contest::Holder)
        {
            // It has come back meanwhile, over another connection.
            self.keep_name(now, holder);
            return false;
        }
        self.end(now, holder, "replaced");
        true
    }
}

/// Answers a client that has entered. `newest` is the newest message on disk.
pub(super) fn welcome_again(cx: &mut Cx<'_>, id: PeerId, request_id: Option<Id>, newest: u64) {
    let Ok(Registered { name, number, .. }) = cx.sessions.me(id) else { return };
    let (clients, offers, revision) =
        (cx.journal.state.roster().len() as u64, cx.journal.state.table().len() as u64, cx.journal.state.revision());
    cx.answer(id, request_id, event::Welcome { name, number, revision, clients, offers, newest });
}

/// Tells a client whom its user blocks, because it must refuse their direct connections itself.
fn tell_blocks(cx: &mut Cx<'_>, id: PeerId) {
    if let Ok(blocks) = people::blocked_by(cx, id)
        && !blocks.names.is_empty()
    {
        cx.tell(id, blocks);
    }
}
