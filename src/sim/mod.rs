//! The simulation: the real hub and client machines under a virtual clock, with a seeded network between them.
//!
//! Simulated is only what moves the machines' inputs and outputs: connections with delays, which may break, fall silent
//! or be impossible; a hub that crashes and loses what was not committed; disks with files; and transfers. The same
//! seed gives the same run, event by event.

mod agenda;
mod asked;
mod client;
mod content;
mod disk;
mod done;
mod hub_files;
mod log;
mod look;
mod parcels;
mod peers;
pub mod reach;
mod run;
mod store;
pub mod swarm;
mod traffic;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::core::hub::{Access, Hub, HubConfig, HubKeys, Inviters, LoginPolicy, MeetingConfig};
use crate::core::link::LinkConfig;
use crate::core::secrets::Secrets;
use crate::core::session::{
    Chance, DownloadConfig, Entry, FilesChanged, PassesOn, Session, SessionConfig, SessionTimeouts,
};
use crate::core::time::{Rng, Time};
use crate::protocol::event::Settings;
use crate::protocol::limits::{HubLimits, MAX_TRANSFERS, PUSH_PATIENCE};
use crate::protocol::name::NameKey;
use crate::protocol::record::Query;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::wire::Received;
use crate::protocol::{DEFAULT_PORT, JoinLink, LogLine, Offer, PublicKey, Timestamp};
use agenda::Agenda;
pub use asked::Asked;
use client::Actor;
pub use client::{ClientId, ClientOptions};
pub use store::MemoryStore;

/// The calendar time at the start of a simulation.
pub const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// The port on which the first client accepts direct connections. Each further client has the next port.
const LINK_PORT: u16 = 45_000;

/// The parameters of a simulation.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The seed of every random choice.
    pub seed: u64,
    /// The shortest and the longest delay of a line.
    pub latency: (Duration, Duration),
    /// The shortest and the longest duration of a commit.
    pub commit: (Duration, Duration),
    /// The limits of the hub.
    pub limits: HubLimits,
    /// Who may join the hub.
    pub access: Access,
    /// What happens after failed logins.
    pub logins: LoginPolicy,
    /// How long the hub keeps the place of a client that does not answer.
    pub grace: Duration,
    /// How long a source takes to send a whole file, which arrives in parts.
    pub sending: Duration,
    /// The bytes for copies at the hub; `None` if the hub serves no files.
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

/// A hub and any number of clients.
pub struct Sim {
    config: SimConfig,
    rng: Rng,
    now: Time,
    host: HubHost,
    actors: Vec<Actor>,
    network: Network,
    agenda: Agenda<Happening>,
    log: Vec<LogLine>,
    /// The message numbers that each client's machine has stored as shown, by the client's key and name.
    shown: BTreeMap<(PublicKey, String), Received>,
    served: hub_files::ServedFiles,
}

/// The machine on which the hub runs.
#[derive(Default)]
struct HubHost {
    /// The hub, while it runs.
    hub: Option<Hub>,
    /// How often it was started.
    runs: u64,
    disk: MemoryStore,
    /// The records on their way to the disk.
    writing: log::Log,
    /// When everything that is being written will be on the disk. Commits keep their order.
    on_disk: Time,
    /// The table at each revision of each run, for checks.
    tables: BTreeMap<(u64, u64), Vec<Offer>>,
}

/// The connections.
struct Network {
    /// Those of clients with the hub, by number.
    conns: BTreeMap<u64, Conn>,
    /// Direct ones between clients, by number.
    pairs: BTreeMap<u64, peers::Pair>,
    /// The number of the newest.
    last: u64,
    /// Whether new connections can be made.
    reachable: bool,
}

impl Network {
    /// The number of a new connection.
    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// A connection between a client and the hub.
struct Conn {
    client: usize,
    /// Whether lines are lost without anybody being told.
    silent: bool,
    /// When the last line in each direction arrives, because a connection keeps the order.
    to_hub_free: Time,
    to_client_free: Time,
}

/// An event that is scheduled.
enum Happening {
    Connects(usize),
    LineToHub(u64, String),
    LineToClient(u64, String),
    Breaks(u64),
    Committed(u64, u64),
    /// The store answers a query of the hub's run with this number.
    Found(u64, u64, Query),
    /// The check of a password ends.
    Verified(u64, u64, NameKey, Password),
    /// The hub's run with this number has fetched a copy.
    Copied(u64, crate::core::hub::CopyPlan),
    /// A local task of a client has finished.
    Local(usize, done::Done),
    /// Something happens on a direct connection.
    Peer(peers::Happens),
    /// Something happens in a client's transfer of this number.
    Transfer(usize, u64, traffic::Step),
}

/// The join link of the simulated hub.
fn hub_link() -> JoinLink {
    let (name, host, others, invite, code) = (None, "hub.example".to_owned(), Vec::new(), None, None);
    JoinLink { name, host, port: DEFAULT_PORT, others, key: Some(PublicKey([99; 32])), invite, code }
}

impl Sim {
    /// A simulation whose hub has just started.
    pub fn new(config: SimConfig) -> Self {
        let mut sim = Self {
            rng: Rng(config.seed),
            config,
            now: Time(0),
            host: HubHost::default(),
            actors: Vec::new(),
            network: Network { conns: BTreeMap::new(), pairs: BTreeMap::new(), last: 0, reachable: true },
            agenda: Agenda::default(),
            log: Vec::new(),
            shown: BTreeMap::new(),
            served: hub_files::ServedFiles::default(),
        };
        sim.start_hub();
        sim
    }

    /// Starts the hub from its disk.
    pub fn start_hub(&mut self) {
        self.host.runs += 1;
        let config = HubConfig {
            files: self.hub_files(),
            // The simulated hub relays nothing.
            meetings: MeetingConfig { secret: [self.host.runs as u8; 32], at_once: 64, relay: None },
            link: LinkConfig::hub(),
            grace: self.config.grace,
            limits: self.config.limits.clone(),
            access: self.config.access.clone(),
            logins: self.config.logins.clone(),
            keep: None,
            inviters: Inviters::All,
            keys: HubKeys {
                link: hub_link(),
                key: PublicKey([99; 32]),
                secrets: Secrets::new([self.host.runs as u8; 32]),
            },
            run: self.config.seed ^ self.host.runs,
            epoch: EPOCH,
        };
        self.host.hub = Some(Hub::new(config, self.host.disk.load()));
        self.find_files();
    }

    /// Crashes the hub and breaks its connections. A random prefix of what was being written may be on the disk without
    /// having been reported; the rest is lost. Some of the newest records are written a second time.
    pub fn crash_hub(&mut self) {
        self.host.hub = None;
        self.host.writing.crash(&mut self.rng, &mut self.host.disk);
        self.host.on_disk = self.now;
        let conns: Vec<u64> = self.network.conns.keys().copied().collect();
        for conn in conns {
            self.break_connection(conn);
        }
    }

    /// Starts a client, which then connects.
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
        let seed = self.rng.next_u64();
        let secrets = *blake3::hash(&seed.to_be_bytes()).as_bytes();
        let named = || Entry::Named { name: name.into(), password: options.password.clone().map(Password) };
        let session = Session::new(SessionConfig {
            entry: options.unnamed.clone().unwrap_or_else(named),
            key,
            hub: "hub.example:7755".into(),
            invite: options.invite.clone(),
            follow: options.follow,
            inbox: options.unnamed.is_none(),
            link: LinkConfig::client(),
            patience: SessionTimeouts { give_up: Duration::from_secs(60), timeout: None, pushes: Some(PUSH_PATIENCE) },
            linger: options.linger,
            fail_fast: options.fail_fast,
            downloads: DownloadConfig {
                on_conflict: OnConflict::Fail,
                max_transfers,
                accept_from: options.accepts(),
                passes_on: PassesOn::Nothing,
            },
            settings,
            epoch: EPOCH,
            chance: Chance { seed, secrets },
        });
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, index as u8 + 1)), 50_000 + index as u16);
        let mut actor = Actor::new(session, key, address);
        if let Some(before) = self.actors.iter().rev().find(|before| before.key == key) {
            actor.disk.parcels.take_tickets_of(&before.disk.parcels);
        }
        self.actors.push(actor);
        self.tell_client(index, crate::core::session::Input::Start);
        ClientId(index)
    }

    /// Writes a file to a client's disk, replacing one of the same name.
    pub fn give_file(&mut self, client: ClientId, dir: &str, file: &str, content: &[u8]) {
        let modified = Timestamp(EPOCH.0 + (self.now.0 / 1_000) as i64);
        let changes = self.actors[client.0].disk.give(dir, file, content, modified);
        self.files_changed(client, changes);
    }

    /// Creates a symbolic link on a client's disk.
    pub fn give_link(&mut self, client: ClientId, dir: &str, file: &str) {
        self.actors[client.0].disk.link(dir, file);
    }

    /// Removes a file from a client's disk.
    pub fn take_file(&mut self, client: ClientId, dir: &str, file: &str) {
        let changes = self.actors[client.0].disk.remove(dir, file);
        self.files_changed(client, changes);
    }

    fn files_changed(&mut self, client: ClientId, changes: FilesChanged) {
        if changes != FilesChanged::default() {
            self.later(self.now, Happening::Local(client.0, done::Done::Changed(changes)));
        }
    }

    /// Creates an account at the hub, as `potluck user add` does.
    pub fn add_account(&mut self, name: &str, password: &str) {
        self.host.disk.add_account(name, password);
        self.host.writing.changed_by_others();
        let names = self.host.disk.load().names;
        self.tell_hub(crate::core::hub::Input::Names(names));
    }

    /// The hub's disk.
    pub fn disk(&self) -> &MemoryStore {
        &self.host.disk
    }

    /// Sends a line to a client's standard input.
    pub fn line(&mut self, client: ClientId, text: impl AsRef<[u8]>) {
        let number = self.actors[client.0].asked.by_user(text.as_ref());
        self.tell_client(client.0, crate::core::session::Input::Line(number, text.as_ref()));
    }

    /// Ends a client's standard input.
    pub fn end_input(&mut self, client: ClientId) {
        self.tell_client(client.0, crate::core::session::Input::EndOfInput);
    }

    /// Sends a client a signal that ends it with this exit code.
    pub fn interrupt(&mut self, client: ClientId, code: u8) {
        self.tell_client(client.0, crate::core::session::Input::Interrupt(code));
    }

    /// Kills a client's process. Others notice only the broken connections.
    pub fn kill(&mut self, client: ClientId) {
        self.actors[client.0].ended = Some(137);
        if let Some(conn) = self.actors[client.0].conn.take() {
            self.break_connection(conn);
        }
        self.break_pairs(client);
    }

    /// Cuts the power of a client's machine. Others notice nothing.
    pub fn power_off(&mut self, client: ClientId) {
        self.silence_client(client);
        self.silence_pairs(client);
        self.actors[client.0].ended = Some(137);
        self.actors[client.0].conn = None;
        self.actors[client.0].off = true;
    }

    /// Breaks a client's connection to the hub. Both sides notice.
    pub fn break_client(&mut self, client: ClientId) {
        if let Some(conn) = self.actors[client.0].conn {
            self.break_connection(conn);
        }
    }

    /// Silences a client's connection to the hub: lines are lost and nobody is told.
    pub fn silence_client(&mut self, client: ClientId) {
        if let Some(conn) = self.actors[client.0].conn.and_then(|conn| self.network.conns.get_mut(&conn)) {
            conn.silent = true;
        }
    }

    /// Sets whether new connections can be made.
    pub fn set_reachable(&mut self, reachable: bool) {
        self.network.reachable = reachable;
    }

    /// Runs the simulation for a span of virtual time.
    pub fn run_for(&mut self, span: Duration) {
        let end = self.now + span;
        while self.step(end) {}
        self.now = end;
    }

    fn later(&mut self, at: Time, happening: Happening) {
        self.agenda.add(at, happening);
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
