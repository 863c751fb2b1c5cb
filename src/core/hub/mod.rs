//! The hub: who is here, what is offered, what was said.
//!
//! A connection says hello and gets a session, new or resumed. A session may register a name, and then is in the roster;
//! its offers are in the table. What clients want to be so is proposed to the [`State`], which judges it; what comes of
//! it is applied, written down, and told when it is on disk.
//!
//! - `sessions`: who is connected to this process, and what belongs to one session.
//! - `state`: what all would share if there were several hubs. `journal`: what of it is on disk, and what waits for that.
//! - `cx`: what every part works with while an input is handled, and the ways to answer, tell and record.
//! - `entrance`: who may enter. `feeds`: what is said, to whom it is for. `files`: who has what.
//! - `connections`, `entry`, `requests`, `revocation`, `outcomes`: what the hub does with each input, by its parts.

mod config;
mod connections;
mod cx;
mod entrance;
mod entry;
mod feeds;
mod files;
mod journal;
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

pub use config::{Access, HubConfig, HubFiles, LoginPolicy, Retention};
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
use entrance::credentials::Credentials;
use entrance::newcomers::Newcomers;
use feeds::Feeds;
use files::Files;
use files::chores::Chores;
use files::copies::Copies;
use files::holders::Holders;
use journal::Journal;
use room_news::RoomChanges;
use sessions::Sessions;
use sessions::pending::PendingConnections;
use sessions::places::Places;
use sessions::refusals::Refusals;
use sessions::underway::Underway;
use sessions::updates::Updates;
use sessions::visits::Visits;
use timers::{OWN, Timer};

/// How long a connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The driver's number for a connection; never used twice in one run.
pub type ConnId = u64;

/// A session's number in this run.
type PeerId = u64;

/// The hub's machine: who is connected, what all share, and between them what waits for the disk.
pub struct Hub {
    base: Base,
    /// Connections that have not said hello.
    pending: PendingConnections,
    /// How many sessions there may be, and whose.
    places: Places,
    entrance: Entrance,
    feeds: Feeds,
    room_news: RoomChanges,
    files: Files,
    timers: Timers<Timer>,
    /// When old messages are looked for.
    trim_at: Option<Time>,
    stopping: bool,
}

impl Hub {
    /// A hub that knows this from before.
    pub fn new(config: HubConfig, mut loaded: Loaded) -> Self {
        let entrance = Entrance {
            underway: Underway::default(),
            credentials: Credentials::load(&loaded.names),
            newcomers: Newcomers::default(),
            attempts: Attempts::default(),
        };
        let mut hub = Self {
            pending: PendingConnections::default(),
            places: Places::default(),
            entrance,
            feeds: Feeds::new(loaded.last_message),
            room_news: RoomChanges::default(),
            files: Files { holders: Holders::default(), copies: Copies::default(), chores: Chores::default() },
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
        let found = hub.base.journal.state.decide_beginning(hub.base.config.epoch);
        hub.base.at(Time(0)).record_together(found.into_iter());
        hub.files.drop_copies_of_nobody(&mut hub.base.at(Time(0)));
        hub.set_timers();
        hub
    }

    /// Takes an input. See the drain contract in [`crate::core`].
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Connected { conn, key, address, transport } => self.connected(now, conn, key, address, transport),
            Input::Line { conn, line } => self.line(now, conn, line),
            Input::Disconnected { conn, reason } => self.disconnected(now, conn, reason),
            Input::Committed(commit) => self.committed(now, commit),
            Input::Found(question, found) => self.found(now, question, found),
            Input::Names(names) => self.names_reloaded(now, names),
            Input::Verified(attempt, verified) => self.verified(now, attempt, verified),
            Input::Copied(copy, result) => self.files.copied(&mut self.base.at(now), copy, result),
            Input::CopyFound(hash, size) => self.files.copy_found(&mut self.base.at(now), hash, size),
            Input::CopyLost(hash) => self.files.copy_lost(&mut self.base.at(now), hash),
            Input::HubFilesChanged(changed, gone) => {
                self.files.hub_files_changed(&mut self.base.at(now), changed, gone)
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
        self.tick(now);
    }

    /// The next thing to be done.
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

    /// When a tick is wanted.
    pub fn next_timeout(&self) -> Option<Time> {
        self.timers.next()
    }

    /// How many sessions have a timer.
    fn session_timers(&self) -> usize {
        self.timers.len() - OWN.iter().filter(|timer| self.timers.at(**timer).is_some()).count()
    }

    /// Does what is due, and sets all timers anew.
    fn tick(&mut self, now: Time) {
        self.set_timers();
        while let Some(timer) = self.timers.pop_due(now) {
            self.fire(now, timer);
            self.expel_doomed(now);
            self.set_timers();
        }
    }

    fn set_timers(&mut self) {
        for timer in OWN {
            let at = self.due(timer);
            self.timers.set_or_stop(timer, at);
        }
    }

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
        }
    }

    /// How much there is of everything that must go with those for whom it is there; for tests.
    #[doc(hidden)]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let mut counts = vec![
            ("pending connections", self.pending.len()),
            ("registrations", self.entrance.underway.len()),
            ("logins", self.entrance.attempts.len()),
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
        counts
    }

    /// Clients by name and state, for whoever embeds or tests a hub.
    pub fn roster(&self) -> Vec<Client> {
        self.base.journal.state.roster().lines().cloned().collect()
    }

    /// All offers in the order of `list`.
    pub fn offers(&self) -> Vec<Offer> {
        let rows = self.base.journal.state.table().from(&state::key("", ""));
        rows.map(|((_, owner), shelved)| self.base.sessions.offer(&self.base.config, owner, shelved)).collect()
    }

    /// The newest revision.
    pub fn revision(&self) -> u64 {
        self.base.journal.state.revision()
    }
}

#[cfg(test)]
pub(crate) use state::play_tests as play;
#[cfg(test)]
mod tests;
