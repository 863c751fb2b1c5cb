//! The hub's machine: it answers the requests of connected clients and tells them who is here, what is offered and what
//! is said.
//!
//! A connection says hello and gets a session, a new one or the one that its client had before. A session that
//! registers a name appears in the roster; the files that it offers appear in the table. A request that changes a
//! shared fact becomes a proposal, which the [`State`] judges. The records of an accepted proposal are applied and sent
//! to the store at once; clients are told of them when they are on disk.
//!
//! The driver (`io::drive::hub`, or `sim` in tests) passes each [`Input`] to [`Hub::handle`] and carries out each
//! [`Output`] of [`Hub::poll`]. The machine itself reads no clock and does no I/O.
//!
//! - `sessions`: the connections and sessions of this process, and everything that belongs to one session.
//! - `state`: the facts that several hubs would share. `journal`: which records of it are on disk, and what waits for
//!   them.
//! - `cx`: the context that every part gets while an input is handled, with the ways to answer, tell, record and log.
//! - `entrance`: who may enter (invites, accounts, logins). `feeds`: delivers messages. `files`: who has which content.
//! - `meetings`: brings two clients together that cannot simply dial each other. `handovers`: codes of parcels, and what
//!   their senders and receivers say to each other; `guests`: what those of them may do who are no members.
//! - `connections`, `entry`, `requests`, `revocation`, `outcomes`: `impl Hub` for the inputs that need several parts.

mod config;
mod connections;
mod cx;
mod entrance;
mod entry;
mod feeds;
mod files;
mod guests;
mod handovers;
mod journal;
mod meetings;
mod outcomes;
mod people;
mod pings;
mod ports;
mod pushes;
mod requests;
mod revocation;
mod room_news;
mod rooms;
mod roster;
mod sessions;
mod state;
mod timers;

pub use config::{Access, HubConfig, HubFiles, HubKeys, Inviters, LoginPolicy, MeetingConfig, RelayLimits, Retention};
pub use ports::{CopyPlan, Input, Output, Verified};
pub use state::{SessionRecord, Snapshot, State};

use crate::protocol::Client;
use crate::protocol::Offer;
use std::collections::VecDeque;
use std::time::Duration;

use super::time::Time;
use super::timers::Timers;
use crate::protocol::record::Loaded;
use crate::protocol::{ErrorCode, Failure};
use cx::Base;
use entrance::Entrance;
use entrance::attempts::Attempts;
use entrance::codes::Codes;
use entrance::credentials::Credentials;
use entrance::newcomers::Newcomers;
use feeds::Feeds;
use files::Files;
use files::chores::Chores;
use files::copies::Copies;
use files::holders::Holders;
use handovers::{Handovers, News};
use journal::Journal;
use meetings::Meetings;
use room_news::RoomChanges;
use sessions::Sessions;
use sessions::contest::Challenge;
use sessions::pending::PendingConnections;
use sessions::places::Places;
use sessions::refusals::Refusals;
use sessions::underway::Underway;
use sessions::updates::Updates;
use sessions::visits::Visits;
use timers::{OWN, Timer};

/// Time that a connection has for its hello; after that it is turned away with `wrong-protocol`.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The number that the driver gives to a connection. Never used twice in one run.
pub type ConnId = u64;

/// The number that the driver gives to a connection that shows a token. Never used twice in one run.
pub type HalfId = u64;

/// The number of a session. Never used twice in one run.
type PeerId = u64;

/// The hub's machine. See the module's documentation for its parts, and the drain contract in [`crate::core`].
pub struct Hub {
    base: Base,
    /// Connections without a session: they have not said hello, or the store is looking up their invite.
    pending: PendingConnections,
    /// The limits on the number of sessions, and the deadlines of sessions without a name.
    places: Places,
    entrance: Entrance,
    feeds: Feeds,
    room_news: RoomChanges,
    files: Files,
    meetings: Meetings,
    handovers: Handovers,
    timers: Timers<Timer>,
    /// When messages older than the retention are trimmed next; `None` if everything is kept.
    trim_at: Option<Time>,
    /// Set by `stop`: from then on new connections are turned away.
    stopping: bool,
}

impl Hub {
    /// A hub that starts from what the store has `loaded`. `config.epoch` is the calendar time at `Time(0)`.
    pub fn new(config: HubConfig, mut loaded: Loaded) -> Self {
        let entrance = Entrance {
            underway: Underway::default(),
            credentials: Credentials::load(&loaded.names),
            newcomers: Newcomers::default(),
            attempts: Attempts::default(),
            codes: Codes::new(config.keys.secrets.clone(), loaded.last_nameplate),
        };
        let mut hub = Self {
            pending: PendingConnections::default(),
            places: Places::default(),
            entrance,
            feeds: Feeds::new(loaded.last_message),
            room_news: RoomChanges::default(),
            files: Files { holders: Holders::default(), copies: Copies::default(), chores: Chores::default() },
            meetings: Meetings::default(),
            handovers: Handovers::new(config.run),
            timers: Timers::default(),
            trim_at: config.keep.map(|_| Time(0)),
            stopping: false,
            base: Base {
                config,
                sessions: Sessions::new(Visits::default()),
                journal: Journal::new(State::load(&mut loaded)),
                updates: Updates::default(),
                refusals: Refusals::default(),
                out: VecDeque::new(),
            },
        };
        let found = state::decide::beginning(&hub.base.journal.state, hub.base.config.epoch);
        hub.base.at(Time(0)).record_together(found.into_iter());
        hub.files.drop_copies_of_nobody(&mut hub.base.at(Time(0)));
        hub.set_timers();
        hub
    }

    /// Handles one input, then whatever has become due by `now`. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Connected { conn, key, address, transport, exporter } => {
                self.connected(now, conn, (key, exporter), address, transport)
            }
            Input::Line { conn, line } => self.line(now, conn, line),
            Input::Disconnected { conn, reason } => self.disconnected(now, conn, reason),
            Input::Committed(commit) => self.committed(now, commit),
            Input::Found(query, found) => self.found(now, query, found),
            Input::Names(names) => self.names_reloaded(now, names),
            Input::Verified(attempt, verified) => self.verified(now, attempt, verified),
            Input::Copied(copy, result) => self.files.copied(&mut self.base.at(now), copy, result),
            Input::CopyFound(hash, size) => self.files.copy_found(&mut self.base.at(now), hash, size),
            Input::CopyLost(hash) => self.files.copy_lost(&mut self.base.at(now), hash),
            Input::HubFilesChanged(changed, gone) => {
                self.files.hub_files_changed(&mut self.base.at(now), changed, gone)
            }
            Input::Half { half, token, address } => self.meetings.half(&mut self.base.at(now), half, token, address),
            Input::Call { call, key, content } => self.meetings.call(&mut self.base.at(now), call, key, content),
            Input::Relayed { meeting, bytes } => self.meetings.relayed(&mut self.base.at(now), meeting, bytes),
            Input::RelayEnded { meeting, bytes, why } => {
                self.meetings.relay_ended(&mut self.base.at(now), meeting, bytes, why)
            }
            Input::StoreDegraded(failure) => self.store_degraded(now, failure),
            Input::StoreAbandoned(commits) => self.store_abandoned(now, &commits),
            Input::StoreRecovered => self.store_recovered(now),
            Input::StoreRefused(commit, failure) => self.store_refused(now, commit, failure),
            Input::StoreFailed(failure) => self.store_failed(now, failure),
            Input::Stop(reason) => self.stop(now, reason),
            Input::Tick => {}
        }
        self.expel_doomed(now);
        self.heed_handovers(now);
        self.tick(now);
    }

    /// The next thing that the driver must do; `None` when there is nothing left to do until the next input. Frames are
    /// taken from the sessions' links only after all other outputs.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        loop {
            if let Some(output) = self.base.out.pop_front() {
                return Some(output);
            }
            let id = self.base.sessions.next_talking()?;
            let peer = self.base.sessions.get_mut(id);
            match peer.and_then(|peer| Some((peer.conn?, peer.link.poll(now)?))) {
                Some((conn, frame)) => return Some(Output::Send(conn, frame)),
                None => {
                    self.base.sessions.is_silent(id);
                    self.schedule(id);
                }
            }
        }
    }

    /// When the driver must call [`Hub::handle`] at the latest, with [`Input::Tick`] if nothing else has happened.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// The number of sessions that have a timer.
    fn session_timers(&self) -> usize {
        self.timers.len() - OWN.iter().filter(|timer| self.timers.at(**timer).is_some()).count()
    }

    /// Fires every timer that is due, and sets the hub's own timers from the state of its parts after each one.
    fn tick(&mut self, now: Time) {
        self.set_timers();
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(now, timer);
            self.expel_doomed(now);
            self.heed_handovers(now);
            self.set_timers();
        }
        if !self.stopping {
            self.entrance.codes.settle(&mut self.base.at(now), |conn| self.pending.get(conn).is_some());
        }
    }

    fn set_timers(&mut self) {
        for timer in OWN {
            let at = self.due(timer);
            self.timers.set_or_stop(timer, at);
        }
    }

    /// When one of the hub's own timers fires, as the part that it belongs to says.
    fn due(&self, timer: Timer) -> Option<Time> {
        match timer {
            Timer::Hello => self.pending.oldest().map(|(_, deadline)| deadline),
            Timer::Nameless => self.places.next_due(),
            Timer::Session(id) => self.timers.at(Timer::Session(id)),
            Timer::Receipt => self.feeds.receipt_due(),
            Timer::GiveUp => self.base.journal.health.give_up_at(),
            Timer::Chores => self.files.chores.due(),
            Timer::Refusals => self.base.refusals.due(),
            Timer::Received => self.feeds.flush_due(),
            Timer::Trim => self.trim_at,
            Timer::Gather => self.base.updates.due(),
            Timer::Holders => self.files.holders.news_at(),
            Timer::Meetings => self.meetings.due(),
            Timer::Handovers => self.handovers.due(),
        }
    }

    fn fire(&mut self, now: Time, timer: Timer) {
        match timer {
            Timer::Hello => {
                if let Some((conn, _)) = self.pending.oldest().filter(|(_, deadline)| *deadline <= now) {
                    self.turn_away(conn, Failure::new(ErrorCode::WrongProtocol, "no hello within 10 s"));
                }
            }
            Timer::Nameless => self.end_nameless(now),
            Timer::Session(id) => self.session_due(now, id),
            Timer::Receipt => self.feeds.receipt_is_late(&mut self.base.at(now)),
            Timer::GiveUp => self.give_up(),
            Timer::Chores => self.files.go_on_with_chores(&mut self.base.at(now)),
            Timer::Refusals => self.base.at(now).log_left_out(),
            Timer::Received => self.feeds.flush_received(&mut self.base.at(now)),
            Timer::Trim => self.trim(now),
            Timer::Gather => {
                self.base.at(now).tell_changes_to_all();
                self.room_news.tell_all_room_news(&mut self.base.at(now));
            }
            Timer::Holders => self.files.tell_news(&mut self.base.at(now)),
            Timer::Meetings => self.meetings.go_on(&mut self.base.at(now)),
            Timer::Handovers => self.handovers.go_on(&mut self.base.at(now)),
        }
    }

    /// Tells the other parts what has changed among those who hand over parcels.
    fn heed_handovers(&mut self, now: Time) {
        for news in self.handovers.take_news() {
            match news {
                News::Place(id) if self.base.sessions.get(id).is_none_or(|peer| peer.name.is_some()) => {}
                News::Place(id) if self.handovers.holds_place(id) => self.places.hold(id),
                News::Place(id) => self.places.release(now, id),
                News::Parted(pair) => self.meetings.part(&mut self.base.at(now), pair),
                News::Guess(network) => self.entrance.codes.guessed(now, network),
            }
        }
    }

    /// A session's timer has fired: for the end of its grace, for its link, or for a contest about its name.
    fn session_due(&mut self, now: Time, id: PeerId) {
        let (grace, patience) = (self.base.config.grace, self.base.config.link.patience());
        let Some(peer) = self.base.sessions.get_mut(id) else { return };
        if peer.away_since.is_some_and(|since| since + grace <= now) {
            return self.end(now, id, "gone");
        }
        if peer.link.tick(now).is_err() {
            return self.lose(now, id, format!("no answer for {} ms", patience.as_millis()));
        }
        if self.challenge_tick(now, id) {
            return;
        }
        self.base.sessions.talks(id);
    }

    /// Sets a session's timer if it must fire earlier than it is set. It is never set later: a timer that fires too
    /// early finds nothing to do and is set again.
    pub(super) fn schedule(&mut self, id: PeerId) {
        let grace = self.base.config.grace;
        let Some(peer) = self.base.sessions.get_mut(id) else { return };
        let due = peer.link.next_timeout().or(peer.away_since.map(|since| since + grace));
        let Some(due) = due.into_iter().chain(peer.challenge.as_ref().map(Challenge::due)).min() else { return };
        if self.timers.at(Timer::Session(id)).is_none_or(|set| set > due) {
            self.timers.set(Timer::Session(id), due);
        }
    }

    /// The size of each collection whose entries must go with the session, connection or request that they belong to.
    /// Tests check with it that nothing leaks.
    #[doc(hidden)]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let mut counts = vec![
            ("pending connections", self.pending.len()),
            ("registrations", self.entrance.underway.len()),
            ("logins", self.entrance.attempts.len()),
            ("exchanges", self.entrance.codes.len()),
            ("questions", self.base.journal.queries.len()),
            ("held", self.base.journal.commits.len()),
            ("timers", self.session_timers()),
            ("room news", self.room_news.len()),
            ("roster", self.base.journal.state.roster().len()),
            ("chores", self.files.chores.len()),
            ("outputs", self.base.out.len()),
        ];
        counts.extend(self.base.sessions.counts());
        counts.extend(self.feeds.counts());
        counts.extend(self.files.holders.counts());
        counts.extend(self.base.journal.state.pushes().counts());
        counts.push(("wanted copies", self.base.journal.state.copies().count_wished()));
        counts.extend(self.files.copies.counts());
        counts.extend(self.meetings.counts());
        counts.extend(self.handovers.counts());
        counts
    }

    /// The roster: each client with its presence, for programs that embed or test a hub.
    pub fn roster(&self) -> Vec<Client> {
        self.base.journal.state.roster().lines().cloned().collect()
    }

    /// All offers of the table, in the order in which `list` gives them.
    pub fn offers(&self) -> Vec<Offer> {
        let rows = self.base.journal.state.table().from(&state::key("", ""));
        rows.map(|((_, owner), listed)| self.base.sessions.offer(&self.base.config, owner, listed)).collect()
    }

    /// The newest revision of the table and the roster.
    pub fn revision(&self) -> u64 {
        self.base.journal.state.revision()
    }
}

#[cfg(test)]
pub(crate) use state::play_tests as play;
#[cfg(test)]
mod tests;
