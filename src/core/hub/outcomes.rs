//! What the hub does with the results of outside work: commits, answers and faults of the store. Also the periodic
//! trimming, and the hub's own end.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::config::Retention;
use super::entrance::inviting::looked_up;
use super::journal::commits::AwaitingCommit;
use super::journal::queries::PendingQuery;
use super::state::decide;
use super::{ConnId, Hub, Output, people, roster};
use crate::core::time::Time;
use crate::protocol::record::{Destination, Found, Query, Record};
use crate::protocol::wire::Farewell;
use crate::protocol::{ErrorCode, Failure, Network, Timestamp, log, to_json};

/// Time from one trimming of old messages to the next.
const TRIM_EVERY: Duration = Duration::from_secs(60);

impl Hub {
    /// Everything up to this commit is on disk: tells what waited for it, in the order of the commits.
    pub(super) fn committed(&mut self, now: Time, commit: u64) {
        self.base.journal.commits.committed(commit);
        self.entrance.credentials.committed(commit);
        while let Some(awaiting) = self.base.journal.commits.pop() {
            self.told_by_commit(now, awaiting);
            self.expel_doomed(now);
        }
    }

    /// Tells clients what has waited for a commit.
    fn told_by_commit(&mut self, now: Time, awaiting: AwaitingCommit) {
        let cx = &mut self.base.at(now);
        match awaiting {
            AwaitingCommit::Entering(id, entering) => self.entered(now, id, entering),
            AwaitingCommit::Said { message, room, peer, request_id } => {
                // The room learns who has joined before it gets a message from them.
                if let Destination::Room(room) = message.destination {
                    self.room_news.tell_room_news(cx, room);
                }
                self.feeds.said(cx, &message, room, peer, request_id)
            }
            AwaitingCommit::Done { peer, request_id, answer, notice } => {
                cx.answer(peer, request_id, *answer);
                if let Some(notice) = notice {
                    self.room_news.room_notice(cx, notice);
                }
            }
            AwaitingCommit::Stored { peer, content } => super::files::copies::tell_stored(cx, peer, &content, None),
            AwaitingCommit::Exchange { conn, written } => {
                let gone_on = self.entrance.codes.written(cx, conn, written);
                self.exchanged(conn, gone_on);
            }
            AwaitingCommit::Refused { peer, request_id, request, failure } => {
                cx.refuse(peer, request_id, request, failure)
            }
        }
    }

    /// Passes the store's answer to the request, feed or connection that waits for it.
    pub(super) fn found(&mut self, now: Time, number: u64, found: Found) {
        match (self.base.journal.queries.answered(number), found) {
            (Some(PendingQuery::Inbox { peer, number, as_of }), Found::Messages(messages, more)) => {
                self.feeds.inbox_read(&mut self.base.at(now), peer, number, as_of, messages, more);
            }
            (Some(PendingQuery::History { peer, request_id, forward }), Found::Messages(messages, more)) => {
                let history = people::recalled(&self.base.at(now), messages, more, forward);
                if let Some(peer) = self.base.sessions.get_mut(peer) {
                    peer.exchange.reading_ends();
                }
                self.base.at(now).answer(peer, request_id, history);
                self.go_on(now, peer);
            }
            (Some(PendingQuery::PastAnswers(id)), Found::PastAnswers(past)) => {
                if let Some(peer) = self.base.sessions.get_mut(id) {
                    peer.past.recalled(past);
                }
                self.go_on(now, id);
            }
            (Some(PendingQuery::Invite(conn)), Found::Invite(invite)) => self.invite_found(now, conn, invite),
            (Some(PendingQuery::Code(conn)), Found::Code(code)) => {
                let gone_on = self.entrance.codes.found(&mut self.base.at(now), conn, code);
                self.exchanged(conn, gone_on.map(|()| false));
            }
            (Some(PendingQuery::Invites { peer, request_id, revoke }), Found::Invites(found)) => {
                if let Some(peer) = self.base.sessions.get_mut(peer) {
                    peer.exchange.reading_ends();
                }
                looked_up(&mut self.base.at(now), peer, request_id, revoke, &found);
                self.go_on(now, peer);
            }
            (Some(PendingQuery::TrimPoint), Found::TrimPoint(below)) => {
                let trim = decide::trim(&self.base.journal.state, below);
                self.base.at(now).record_together(trim.into_iter());
            }
            // The query was dropped, or the answer is not of its kind.
            (
                _,
                Found::Messages(..)
                | Found::PastAnswers(_)
                | Found::Invite(_)
                | Found::Code(_)
                | Found::Invites(_)
                | Found::TrimPoint(_),
            ) => {}
        }
    }

    /// Answers whether a number is open here.
    ///
    /// # Errors
    /// `slow-down`, `wrong-protocol`
    pub(super) fn seek(&mut self, now: Time, conn: ConnId, address: IpAddr, line: &[u8]) -> Result<(), Failure> {
        let answer = self.handovers.seek(now, Network::of(address), line)?;
        self.base.out.push_back(Output::SayToStranger(conn, answer));
        self.exchanged(conn, Ok(true));
        Ok(())
    }

    /// An exchange by a code has gone on: closes its connection if it is over.
    fn exchanged(&mut self, conn: ConnId, gone_on: Result<bool, Failure>) {
        match gone_on {
            Ok(false) => {}
            Ok(true) => {
                self.pending.remove(conn);
                self.base.out.push_back(Output::Close(conn));
            }
            Err(failure) => self.turn_away(conn, failure),
        }
    }

    /// Sets the next trimming, and asks the store below which number messages go now, unless it is in trouble.
    pub(super) fn trim(&mut self, now: Time) {
        self.trim_at = self.base.config.keep.map(|_| now + TRIM_EVERY);
        if !self.base.journal.health.is_well() {
            return;
        }
        let (since, bytes) = match self.base.config.keep {
            Some(Retention::For(span)) => {
                let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                (Some(Timestamp(self.base.config.today(now).0.saturating_sub(millis))), None)
            }
            Some(Retention::Bytes(bytes)) => (None, Some(bytes)),
            None => return,
        };
        self.base.at(now).query(Query::TrimPoint { since, bytes }, PendingQuery::TrimPoint);
    }

    /// The store cannot write. The driver tries again; until it succeeds, requests that need the store are refused.
    pub(super) fn store_degraded(&mut self, now: Time, failure: Failure) {
        self.base.log(log::StoreDegraded { code: failure.code, message: failure.message.clone().into_owned() });
        let today = self.base.config.today(now);
        self.base.journal.health.degrade(now, today, failure);
    }

    /// The store has been in trouble for too long: asks the driver to abandon the messages that it has not written.
    pub(super) fn give_up(&mut self) {
        self.base.journal.health.gives_up();
        let commits = self.base.journal.commits.messages();
        if !commits.is_empty() {
            self.base.out.push_back(Output::Abandon(commits));
        }
    }

    /// The driver has abandoned these commits, so they will never be on disk: refuses the messages among them.
    pub(super) fn store_abandoned(&mut self, now: Time, commits: &[u64]) {
        let failure = self.base.journal.health.failure().unwrap_or_else(|| ErrorCode::StoreUnavailable.into());
        for (message, peer, request_id) in self.base.journal.commits.give_up(&commits.iter().copied().collect()) {
            self.base.at(now).record(Record::MessageAbandoned(message));
            self.base.at(now).refuse(peer, request_id, "message", failure.clone());
        }
    }

    /// The store writes again: writes what was postponed, and resumes what was paused.
    pub(super) fn store_recovered(&mut self, now: Time) {
        let Some((since, postponed)) = self.base.journal.health.recover() else { return };
        self.base.log(log::StoreRecovered { after: (now - since).as_millis() as u64 });
        for record in postponed {
            self.base.at(now).persist(record);
        }
        self.feeds.flush_soon(now);
        self.files.make_copies(&mut self.base.at(now));
    }

    /// The store will never take the records of this commit. The clients that wait for it are refused when its turn
    /// comes.
    pub(super) fn store_refused(&mut self, now: Time, commit: u64, failure: Failure) {
        self.base.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        for (id, name_key) in self.base.journal.commits.refuse(commit, &ErrorCode::Internal.into()) {
            self.entrance.underway.end(id);
            self.base.at(now).free_name(&name_key, id);
        }
    }

    /// Says farewell to all connections, writes down what is unsaved, and ends. Later calls do nothing.
    pub(super) fn stop(&mut self, now: Time, reason: String) {
        if std::mem::replace(&mut self.stopping, true) {
            return;
        }
        self.base.log(log::HubStopping { reason, clients: self.base.journal.state.roster().len() as u64 });
        let farewell = to_json(&Farewell { farewell: Failure::from(ErrorCode::HubStopping).into() });
        let conns: BTreeSet<ConnId> = self.base.sessions.conns().chain(self.pending.conns()).collect();
        for conn in conns {
            self.base.out.push_back(Output::Say(conn, farewell.clone()));
            self.base.out.push_back(Output::Close(conn));
        }
        // Nothing may be sent after the farewell, whatever inputs come until the driver has ended.
        self.pending.clear();
        self.base.sessions.disconnect_all();
        self.feeds.flush_received(&mut self.base.at(now));
        let visits: Vec<u64> =
            self.base.sessions.all().filter_map(|(_, peer)| Some(peer.name.as_ref()?.number)).collect();
        roster::close_visits(&mut self.base.at(now), visits);
        self.base.log(log::HubStopped {});
        self.base.out.push_back(Output::Stopped);
    }

    /// The store does not work any more: the hub ends.
    pub(super) fn store_failed(&mut self, now: Time, failure: Failure) {
        self.base.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        self.stop(now, "the store failed".into());
    }
}
