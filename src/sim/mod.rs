//! Practice: the hub and its clients under a virtual clock, with a seeded network between them.
//!
//! The machines are the real ones; what is simulated is what moves their inputs and outputs: connections with
//! delays that break, fall silent or cannot be made; a hub that crashes and loses what was not committed; disks
//! with files; transfers. The same seed gives the same run, event by event.

mod asked;
mod client;
mod disk;
mod done;
mod log;
mod look;
mod peers;
mod run;
mod shelf;
mod store;
pub mod swarm;
mod traffic;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::core::hub::{Access, Hub, HubConfig, LoginPolicy};
use crate::core::link::LinkConfig;
use crate::core::session::{AcceptFrom, DownloadConfig, FilesChanged, Patience, Session, SessionConfig};
use crate::core::time::{Rng, Time};
use crate::protocol::event::Settings;
use crate::protocol::limits::{HubLimits, MAX_TRANSFERS, PUSH_PATIENCE};
use crate::protocol::name::NameKey;
use crate::protocol::record::Query;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::wire::Received;
use crate::protocol::{LogLine, Offer, PublicKey, Timestamp};
pub use asked::Asked;
use client::Actor;
pub use client::{ClientId, ClientOptions};
pub use store::MemoryStore;

/// What the calendar says when a simulation begins.
pub const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// Where the first client takes direct connections; the others follow.
const LINK_PORT: u16 = 45_000;

/// How the simulated world behaves.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Everything that happens by chance follows from it.
    pub seed: u64,
    /// The shortest and the longest time that a line takes.
    pub latency: (Duration, Duration),
    /// The shortest and the longest time that a commit takes.
    pub commit: (Duration, Duration),
    /// The hub's limits.
    pub limits: HubLimits,
    /// Who may join.
    pub access: Access,
    /// How failed logins are met.
    pub logins: LoginPolicy,
    /// How long a client that does not answer keeps its place.
    pub grace: Duration,
    /// How long a source takes to send a whole file; it arrives in parts.
    pub sending: Duration,
    /// Whether the hub serves files, and how much room it has for copies, in bytes.
    pub files: Option<u64>,
}

impl Default for SimConfig {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            seed: 1,
            latency: (ms(1), ms(1)),
            commit: (ms(2), ms(2)),
            limits: HubLimits::default(),
            access: Access::Open,
            logins: LoginPolicy::default(),
            grace: Duration::from_secs(30),
            sending: Duration::ZERO,
            files: None,
        }
    }
}

/// A world with one hub and any number of clients.
pub struct Sim {
    config: SimConfig,
    rng: Rng,
    now: Time,
    hub: Option<Hub>,
    runs: u64,
    /// What is on the hub's disk, and what is on its way there.
    disk: MemoryStore,
    writing: log::Log,
    /// When everything that is being written will be there: commits keep their order.
    on_disk: Time,
    actors: Vec<Actor>,
    conns: BTreeMap<u64, Conn>,
    next_conn: u64,
    /// Direct connections between clients.
    pairs: BTreeMap<u64, peers::Pair>,
    agenda: BinaryHeap<Reverse<(Time, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    next_happening: u64,
    /// Whether the network lets connections be made at all.
    reachable: bool,
    log: Vec<LogLine>,
    /// What clients' machines remember of the messages that were shown: by key and name.
    shown: BTreeMap<(PublicKey, String), Received>,
    shelf: shelf::HubShelf,
    /// What was offered, by revision and run of the hub.
    tables: BTreeMap<(u64, u64), Vec<Offer>>,
}

/// A connection between a client and the hub.
struct Conn {
    client: usize,
    /// Lines vanish, and nobody is told.
    silent: bool,
    /// When the last line each way arrives: a connection keeps the order.
    to_hub_free: Time,
    to_client_free: Time,
}

/// Something that will happen.
enum Happening {
    Connects(usize),
    LineToHub(u64, String),
    LineToClient(u64, String),
    Breaks(u64),
    Committed(u64, u64),
    /// The store has an answer, for a run of the hub.
    Found(u64, u64, Query),
    /// A password has been checked.
    Verified(u64, u64, NameKey, Password),
    /// The hub, in this run of it, has fetched a copy.
    Copied(u64, crate::core::hub::CopyPlan),
    /// Something on a client's own machine is done.
    Local(usize, done::Done),
    /// Something of a direct connection.
    Peer(peers::Happens),
    /// Something of what a client fetches, by the transfer's number.
    Transfer(usize, u64, traffic::Step),
}

impl Sim {
    /// A world with a hub that has just started.
    pub fn new(config: SimConfig) -> Self {
        let mut sim = Self {
            rng: Rng(config.seed),
            config,
            now: Time(0),
            hub: None,
            runs: 0,
            tables: BTreeMap::new(),
            disk: MemoryStore::default(),
            writing: log::Log::default(),
            on_disk: Time(0),
            actors: Vec::new(),
            conns: BTreeMap::new(),
            next_conn: 1,
            pairs: BTreeMap::new(),
            agenda: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            next_happening: 0,
            reachable: true,
            log: Vec::new(),
            shown: BTreeMap::new(),
            shelf: shelf::HubShelf::default(),
        };
        sim.start_hub();
        sim
    }

    /// Starts the hub with what is on its disk.
    pub fn start_hub(&mut self) {
        self.runs += 1;
        let config = HubConfig {
            files: self.hub_files(),
            link: LinkConfig::hub(),
            grace: self.config.grace,
            limits: self.config.limits.clone(),
            access: self.config.access.clone(),
            logins: self.config.logins.clone(),
            keep: None,
            run: self.config.seed ^ self.runs,
            epoch: EPOCH,
        };
        self.hub = Some(Hub::new(config, self.disk.load()));
        self.find_files();
    }

    /// The hub dies: its connections break. Of what was being written, some first part may be on the disk, though
    /// nobody was told so; the rest is lost, and some of the newest is kept once more.
    pub fn crash_hub(&mut self) {
        self.hub = None;
        self.writing.crash(&mut self.rng, &mut self.disk);
        self.on_disk = self.now;
        let conns: Vec<u64> = self.conns.keys().copied().collect();
        for conn in conns {
            self.break_connection(conn);
        }
    }

    /// Starts a client; it connects by itself.
    pub fn join(&mut self, name: &str, options: ClientOptions) -> ClientId {
        let index = self.actors.len();
        let key = PublicKey([options.key.unwrap_or(index as u8 + 1); 32]);
        let max_transfers = options.max_transfers.unwrap_or(MAX_TRANSFERS);
        let settings = Settings {
            dir: None,
            downloads: "downloads".into(),
            port: 40_000 + index as u16,
            link_port: LINK_PORT + index as u16,
            transport: "auto".into(),
            on_conflict: "fail".into(),
            up: None,
            down: None,
            max_transfers: max_transfers as u64,
            accept_from: options.accept_from.clone(),
            follow: options.follow.table,
            follow_roster: options.follow.roster,
        };
        let session = Session::new(SessionConfig {
            name: name.into(),
            hub: "hub.example:7755".into(),
            invite: options.invite.clone(),
            password: options.password.clone().map(Password),
            follow: options.follow,
            inbox: true,
            link: LinkConfig::client(),
            patience: Patience { give_up: Duration::from_secs(60), timeout: None, pushes: Some(PUSH_PATIENCE) },
            linger: options.linger,
            fail_fast: options.fail_fast,
            downloads: DownloadConfig {
                on_conflict: OnConflict::Fail,
                max_transfers,
                accept_from: match options.accept_from.is_empty() {
                    true => AcceptFrom::Nobody,
                    false => AcceptFrom::Names(options.accept_from.clone()),
                },
            },
            settings,
            epoch: EPOCH,
            seed: self.rng.next_u64(),
        });
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, index as u8 + 1)), 50_000 + index as u16);
        self.actors.push(Actor::new(session, key, address));
        self.tell_client(index, crate::core::session::Input::Start);
        ClientId(index)
    }

    /// Puts a file on a client's disk, or another one in its place.
    pub fn give_file(&mut self, client: ClientId, dir: &str, file: &str, content: &[u8]) {
        let modified = Timestamp(EPOCH.0 + (self.now.0 / 1_000) as i64);
        let changes = self.actors[client.0].disk.give(dir, file, content, modified);
        self.files_changed(client, changes);
    }

    /// Puts a symbolic link on a client's disk.
    pub fn give_link(&mut self, client: ClientId, dir: &str, file: &str) {
        self.actors[client.0].disk.link(dir, file);
    }

    /// Takes a file from a client's disk.
    pub fn take_file(&mut self, client: ClientId, dir: &str, file: &str) {
        let changes = self.actors[client.0].disk.remove(dir, file);
        self.files_changed(client, changes);
    }

    fn files_changed(&mut self, client: ClientId, changes: FilesChanged) {
        if changes != FilesChanged::default() {
            self.later(self.now, Happening::Local(client.0, done::Done::Changed(changes)));
        }
    }

    /// Makes an account at the hub, as `potluck user add` does.
    pub fn add_account(&mut self, name: &str, password: &str) {
        self.disk.add_account(name, password);
        self.writing.changed_by_others();
        let names = self.disk.load().names;
        self.tell_hub(crate::core::hub::Input::Names(names));
    }

    /// What is on the hub's disk.
    pub fn disk(&self) -> &MemoryStore {
        &self.disk
    }

    /// Types a line at a client.
    pub fn line(&mut self, client: ClientId, text: impl AsRef<[u8]>) {
        let number = self.actors[client.0].asked.by_user(text.as_ref());
        self.tell_client(client.0, crate::core::session::Input::Line(number, text.as_ref()));
    }

    /// Ends a client's input.
    pub fn end_input(&mut self, client: ClientId) {
        self.tell_client(client.0, crate::core::session::Input::EndOfInput);
    }

    /// Sends a client a signal that ends it with this exit code.
    pub fn interrupt(&mut self, client: ClientId, code: u8) {
        self.tell_client(client.0, crate::core::session::Input::Interrupt(code));
    }

    /// A client's process dies; nobody is told but by the broken connection.
    pub fn kill(&mut self, client: ClientId) {
        self.actors[client.0].ended = Some(137);
        if let Some(conn) = self.actors[client.0].conn.take() {
            self.break_connection(conn);
        }
        self.break_pairs(client);
    }

    /// A client's machine loses its power: nobody is told anything.
    pub fn power_off(&mut self, client: ClientId) {
        self.silence_client(client);
        self.silence_pairs(client);
        self.actors[client.0].ended = Some(137);
        self.actors[client.0].conn = None;
        self.actors[client.0].off = true;
    }

    /// A client's connection breaks; both sides notice.
    pub fn break_client(&mut self, client: ClientId) {
        if let Some(conn) = self.actors[client.0].conn {
            self.break_connection(conn);
        }
    }

    /// A client's connection falls silent: lines vanish, nobody is told.
    pub fn silence_client(&mut self, client: ClientId) {
        if let Some(conn) = self.actors[client.0].conn.and_then(|conn| self.conns.get_mut(&conn)) {
            conn.silent = true;
        }
    }

    /// Whether new connections can be made.
    pub fn set_reachable(&mut self, reachable: bool) {
        self.reachable = reachable;
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    fn later(&mut self, at: Time, happening: Happening) {
        let number = self.next_happening;
        self.next_happening += 1;
        self.happenings.insert(number, happening);
        self.agenda.push(Reverse((at, number)));
    }

    fn between(&mut self, (least, most): (Duration, Duration)) -> Duration {
        let range = (most - least).as_micros() as u64;
        least + Duration::from_micros(self.rng.below(range + 1))
    }

    fn break_connection(&mut self, conn: u64) {
        let at = self.now + self.config.latency.0;
        self.later(at, Happening::Breaks(conn));
    }
}
