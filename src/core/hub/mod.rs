//! The hub: who is here, and what is offered.
//!
//! A connection says hello and gets a session, new or resumed. A session may register a name, and then is in
//! the roster; its offers are in the table. Both are state with revisions: changes are gathered for a short
//! while, then each client that can take more is told what changed since what it has.

mod accounts;
mod attempts;
mod attending;
mod chores;
mod clients;
mod commits;
mod config;
mod contest;
mod copies;
mod counts;
mod ending;
mod entry;
mod exchange;
mod feed;
mod following;
mod health;
mod held;
mod holders;
mod invites;
mod locate;
mod newcomers;
mod offers;
mod orphans;
mod pages;
mod people;
mod places;
mod proposing;
mod pushes;
mod rates;
mod recent;
mod refusals;
mod requests;
mod revocation;
mod room_news;
mod rooms;
mod roster;
mod scanned;
mod search;
mod state;
mod strangers;
mod telling;
mod timers;
mod underway;
mod visits;

pub use accounts::{LoginPolicy, Verified};
pub use config::{Access, HubConfig};
pub use copies::{CopyPlan, HubFiles};
pub use held::Keep;
pub use state::{SessionRecord, Snapshot, State};

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::time::Time;
use super::timers::Timers;
use crate::protocol::log::LogEvent;
use crate::protocol::name::NameKey;
use crate::protocol::record::{Found, Loaded, NameRecord, Query, Record};
use crate::protocol::types::{Content, Password};
use crate::protocol::wire::Frame;
use crate::protocol::{ContentHash, Failure, PublicKey};
use attempts::Attempts;
use chores::Chores;
use clients::Peer;
use commits::Commits;
use copies::Copies;
use feed::Awaiting;
use health::Health;
use held::{PendingQuery, Queries};
use holders::Holders;
use newcomers::Newcomers;
use places::Places;
use recent::Recent;
use refusals::Refusals;
use revocation::Credentials;
use room_news::RoomNews;
use roster::Fetchers;
use scanned::Scanned;
use strangers::Strangers;
use telling::Updates;
use timers::Timer;
use underway::Underway;
use visits::Visits;

/// How long a connection may take to say hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// The driver's number for a connection; never used twice in one run.
pub type ConnId = u64;

/// A session's number in this run.
type PeerId = u64;

/// What a hub is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// A connection was made; the other side has proved that it holds the key.
    Connected {
        /// Its number.
        conn: ConnId,
        /// The key.
        key: PublicKey,
        /// Where it comes from.
        address: SocketAddr,
        /// `quic` or `tcp`.
        transport: &'static str,
    },
    /// A line arrived, without its line feed.
    Line {
        /// On which connection.
        conn: ConnId,
        /// The line.
        line: &'a [u8],
    },
    /// A connection broke.
    Disconnected {
        /// Which.
        conn: ConnId,
        /// How.
        reason: String,
    },
    /// Everything up to this commit is on disk.
    Committed(u64),
    /// What the store answers to a question.
    Found(u64, Found),
    /// Names or accounts were changed by another program: these there are now.
    Names(Vec<NameRecord>),
    /// A password has been checked: whose it is, if it is right.
    Verified(u64, Option<Verified>),
    /// A copy is on disk, or could not be made.
    Copied(u64, Result<(), Failure>),
    /// The bytes of a copy from before are there, and so many.
    CopyFound(ContentHash, u64),
    /// The bytes of this copy are not there any more.
    CopyLost(ContentHash),
    /// What lies on the hub's own shelf has changed: these files are new or other ones, these are gone.
    ShelfChanged(Vec<Content>, Vec<String>),
    /// The store cannot write for now: full, held by another program, failing. What was persisted is written once that works.
    StoreDegraded(Failure),
    /// What was persisted with these numbers is not written, and will not be: it was given up in time.
    StoreAbandoned(Vec<u64>),
    /// The store writes again, and what it could not write before is on its way.
    StoreRecovered,
    /// The store will never take what was persisted with this number. `Committed` comes for it all the same.
    StoreRefused(u64, Failure),
    /// The store does not work any more.
    StoreFailed(Failure),
    /// The hub shall end.
    Stop(String),
    /// Time has passed.
    Tick,
}

/// What a hub wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a frame.
    Send(ConnId, Frame),
    /// Send a line that is not a frame, without its line feed.
    Say(ConnId, String),
    /// Close a connection once everything before has been sent.
    Close(ConnId),
    /// Write a record; `Committed` with this number is wanted when it is on disk. Records with the same number follow one
    /// another and belong together: all of them are kept or none.
    Persist(u64, Record),
    /// Give up these records if they are not written yet; `StoreAbandoned` with those that are not is wanted.
    Abandon(Vec<u64>),
    /// Ask the store; `Found` with this number is wanted.
    Query(u64, Query),
    /// Check a password; `Verified` with this number is wanted.
    Verify {
        /// The number.
        attempt: u64,
        /// The account's name; there may be none.
        name_key: NameKey,
        /// The password.
        password: Password,
    },
    /// Fetch a content and keep it; `Copied` is wanted.
    Copy(CopyPlan),
    /// Remove the bytes of this copy.
    Discard(ContentHash),
    /// Who holds this key is here under this name, and may fetch from the hub.
    MayFetch(PublicKey, String),
    /// Who holds this key may not any more.
    MayNotFetch(PublicKey),
    /// Write on the log.
    Log(LogEvent),
    /// The hub has ended.
    Stopped,
}

/// The hub's machine.
pub struct Hub {
    config: HubConfig,
    strangers: Strangers,
    peers: Scanned<BTreeMap<PeerId, Peer>>,
    conns: BTreeMap<ConnId, PeerId>,
    /// Registered names.
    online: Scanned<HashMap<NameKey, PeerId>>,
    underway: Underway,
    health: Health,
    fetchers: Fetchers,
    /// What all would share if there were several hubs.
    state: State,
    credentials: Credentials,
    newcomers: Newcomers,
    places: Places,
    room_news: BTreeMap<u64, RoomNews>,
    refusals: Refusals,
    /// Logins that are being checked.
    attempts: Attempts,
    recent: Recent,
    awaiting: BTreeMap<u64, Awaiting>,
    queries: Queries,
    /// Who has received more than is written down.
    unsaved: BTreeSet<NameKey>,
    flush_at: Option<Time>,
    trim_at: Option<Time>,
    visits: Visits,
    chores: Chores,
    updates: Updates,
    holders: Holders,
    copies: Copies,
    gather_at: Option<Time>,
    timers: Timers<Timer>,
    /// Peers that may have frames to send.
    talking: BTreeSet<PeerId>,
    next_peer: PeerId,
    commits: Commits,
    stopping: bool,
    out: VecDeque<Output>,
}

impl Hub {
    /// A hub that knows this from before.
    pub fn new(config: HubConfig, mut loaded: Loaded) -> Self {
        let mut hub = Self {
            strangers: Strangers::default(),
            peers: Scanned::default(),
            conns: BTreeMap::new(),
            online: Scanned::default(),
            underway: Underway::default(),
            health: Health::default(),
            fetchers: Fetchers::default(),
            state: State::load(&mut loaded),
            credentials: Credentials::load(&loaded.names),
            newcomers: Newcomers::default(),
            places: Places::default(),
            room_news: BTreeMap::new(),
            refusals: Refusals::default(),
            attempts: Attempts::default(),
            recent: Recent::new(loaded.last_message),
            awaiting: BTreeMap::new(),
            queries: Queries::default(),
            unsaved: BTreeSet::new(),
            flush_at: None,
            trim_at: config.keep.map(|_| Time(0)),
            visits: Visits::default(),
            chores: Chores::default(),
            updates: Updates::default(),
            holders: Holders::default(),
            copies: Copies::default(),
            gather_at: None,
            timers: Timers::default(),
            talking: BTreeSet::new(),
            next_peer: 1,
            commits: Commits::default(),
            stopping: false,
            out: VecDeque::new(),
            config,
        };
        hub.record_together(hub.state.decide_beginning(hub.config.epoch).into_iter());
        hub.drop_copies_of_nobody(Time(0));
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
            Input::Copied(copy, result) => self.copied(now, copy, result),
            Input::CopyFound(hash, size) => self.copy_found(now, hash, size),
            Input::CopyLost(hash) => self.copy_lost(now, hash),
            Input::ShelfChanged(changed, gone) => self.shelf_changed(now, changed, gone),
            Input::StoreDegraded(failure) => self.store_degraded(now, failure),
            Input::StoreAbandoned(commits) => self.store_abandoned(now, &commits),
            Input::StoreRecovered => self.store_recovered(now),
            Input::StoreRefused(commit, failure) => self.store_refused(commit, failure),
            Input::StoreFailed(failure) => self.store_failed(now, failure),
            Input::Stop(reason) => self.stop(now, reason),
            Input::Tick => {}
        }
        self.tick(now);
    }

    /// The next thing to be done.
    pub fn poll(&mut self, now: Time) -> Option<Output> {
        loop {
            if let Some(output) = self.out.pop_front() {
                return Some(output);
            }
            let id = *self.talking.first()?;
            let frame = self.peers.get_mut(&id).and_then(|peer| Some((peer.conn?, peer.link.poll(now)?)));
            match frame {
                Some((conn, frame)) => return Some(Output::Send(conn, frame)),
                None => {
                    self.talking.pop_first();
                    self.schedule(id);
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) use state::play_tests as play;
#[cfg(test)]
mod tests;
