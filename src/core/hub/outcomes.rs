//! What comes of what was done outside: what is on disk, what the store found, how it is, and the end of the hub.

use std::collections::BTreeSet;
use std::time::Duration;

use super::config::Retention;
use super::journal::commits::AwaitingCommit;
use super::journal::queries::PendingQuery;
use super::{ConnId, Hub, Output, people, roster};
use crate::core::time::Time;
use crate::protocol::record::{Destination, Found, Query, Record};
use crate::protocol::wire::Farewell;
use crate::protocol::{ErrorCode, Failure, Timestamp, log, to_json};

/// How often old messages are looked for.
const TRIM_EVERY: Duration = Duration::from_secs(60);

impl Hub {
    /// Everything up to this commit is on disk.
    pub(super) fn committed(&mut self, now: Time, commit: u64) {
        self.base.journal.commits.committed(commit);
        self.entrance.credentials.committed(commit);
        while let Some(awaiting) = self.base.journal.commits.pop() {
            self.told_by_commit(now, awaiting);
            self.expel_doomed(now);
        }
    }

    /// Tells what has waited for a commit.
    fn told_by_commit(&mut self, now: Time, awaiting: AwaitingCommit) {
        let cx = &mut self.base.at(now);
        match awaiting {
            AwaitingCommit::Entering(id, entering) => self.entered(now, id, entering),
            AwaitingCommit::Said { message, room, peer, request_id } => {
                // Nobody is heard in a room before they have come.
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
            AwaitingCommit::Refused { peer, request_id, request, failure } => {
                cx.refuse(peer, request_id, request, failure)
            }
        }
    }

    /// The store has answered.
    pub(super) fn found(&mut self, now: Time, number: u64, found: Found) {
        match (self.base.journal.queries.answered(number), found) {
            (Some(PendingQuery::Inbox { peer, number, as_of }), Found::Messages(kept, more)) => {
                self.feeds.inbox_read(&mut self.base.at(now), peer, number, as_of, kept, more);
            }
            (Some(PendingQuery::History { peer, request_id, forward }), Found::Messages(kept, more)) => {
                let history = people::recalled(&self.base.at(now), kept, more, forward);
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
            (Some(PendingQuery::TrimPoint), Found::TrimPoint(below)) => {
                let trim = self.base.journal.state.decide_trim(below);
                self.base.at(now).record_together(trim.into_iter());
            }
            // Nobody has asked this.
            (_, Found::Messages(..) | Found::PastAnswers(_) | Found::Invite(_) | Found::TrimPoint(_)) => {}
        }
    }

    /// Asks which messages are to be forgotten.
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

    /// The store cannot write, and will be tried again.
    pub(super) fn store_degraded(&mut self, now: Time, failure: Failure) {
        self.base.log(log::StoreDegraded { code: failure.code, message: failure.message.clone().into_owned() });
        let today = self.base.config.today(now);
        self.base.journal.health.degrade(now, today, failure);
    }

    /// The trouble lasts.
    pub(super) fn give_up(&mut self) {
        self.base.journal.health.gives_up();
        let commits = self.base.journal.commits.messages();
        if !commits.is_empty() {
            self.base.out.push_back(Output::Abandon(commits));
        }
    }

    /// These are not on disk and never will be.
    pub(super) fn store_abandoned(&mut self, now: Time, commits: &[u64]) {
        let failure = self.base.journal.health.failure().unwrap_or_else(|| ErrorCode::StoreUnavailable.into());
        for (message, peer, request_id) in self.base.journal.commits.give_up(&commits.iter().copied().collect()) {
            self.base.at(now).record(Record::MessageAbandoned(message));
            self.base.at(now).refuse(peer, request_id, "message", failure.clone());
        }
    }

    /// The store writes again: what it could not write before is on disk.
    pub(super) fn store_recovered(&mut self, now: Time) {
        let Some((since, postponed)) = self.base.journal.health.recover() else { return };
        self.base.log(log::StoreRecovered { after: (now - since).as_millis() as u64 });
        for record in postponed {
            self.base.at(now).persist(record);
        }
        self.feeds.flush_soon(now);
        self.files.make_copies(&mut self.base.at(now));
    }

    /// The store will never take what was to be kept with this commit: whoever waits for it is told, when its turn comes.
    pub(super) fn store_refused(&mut self, now: Time, commit: u64, failure: Failure) {
        self.base.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        for (id, name_key) in self.base.journal.commits.refuse(commit, &ErrorCode::Internal.into()) {
            self.entrance.underway.end(id);
            self.base.at(now).free_name(&name_key, id);
        }
    }

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
        // The farewell is the last word, whatever comes until the driver has ended.
        self.pending.clear();
        self.base.sessions.disconnect_all();
        self.feeds.flush_received(&mut self.base.at(now));
        let visits: Vec<u64> =
            self.base.sessions.all().filter_map(|(_, peer)| Some(peer.name.as_ref()?.number)).collect();
        roster::close_visits(&mut self.base.at(now), visits);
        self.base.log(log::HubStopped {});
        self.base.out.push_back(Output::Stopped);
    }

    pub(super) fn store_failed(&mut self, now: Time, failure: Failure) {
        self.base.log(log::StoreFailed { code: failure.code, message: failure.message.into_owned() });
        self.stop(now, "the store failed".into());
    }
}
