//! What a client is started with, and what its user does.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::core::LinkConfig;
use crate::core::session::{AcceptFrom, DownloadConfig, Patience as SessionPatience, SessionConfig};
use crate::io::os::clock::Clock;
use crate::io::state::home::Home;
use crate::protocol::event::Settings;
use crate::protocol::limits::{MAX_TRANSFERS, PUSH_PATIENCE};
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::{BadLine, Follows, JoinLink, PublicKey, RequestLine, TransportChoice};

/// What a client is started with. [`ClientOptions::new`] gives each option but the first three its default.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The hub.
    pub hub: JoinLink,
    /// The name to register.
    pub name: String,
    /// The account's password, to log in with.
    pub password: Option<Password>,
    /// The key that the hub must have, if it is known.
    pub hub_key: Option<PublicKey>,
    /// How to reach the hub.
    pub transport: TransportChoice,
    /// Where files come from and go to.
    pub folders: Folders,
    /// Where others reach this client.
    pub ports: Ports,
    /// How files are fetched and sent.
    pub transfers: TransferOptions,
    /// What of the table and the roster is followed.
    pub follow: Follows,
    /// Whether to take messages. Who does not leaves them for the next time.
    pub inbox: bool,
    /// Whether to stay when the input ends.
    pub linger: bool,
    /// Whether to end at the first request that fails.
    pub fail_fast: bool,
    /// How long things may take.
    pub patience: Patience,
    /// Started with the program, before the hub's name was looked up.
    pub clock: Clock,
}

/// The folders of a client.
#[derive(Debug, Clone)]
pub struct Folders {
    /// Keys and pins.
    pub home: Home,
    /// The folder to offer from.
    pub dir: Option<PathBuf>,
    /// Where downloads go.
    pub downloads: PathBuf,
}

/// The ports of a client; 0 takes a free one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    /// Serves files, over TCP.
    pub files: u16,
    /// Takes direct connections, over UDP and TCP.
    pub link: u16,
}

/// How files are fetched and sent.
#[derive(Debug, Clone)]
pub struct TransferOptions {
    /// What happens when a file exists.
    pub on_conflict: OnConflict,
    /// The most bytes a second that are sent to other clients, if there is a limit.
    pub up: Option<u64>,
    /// The most bytes a second that are fetched from them, if there is a limit.
    pub down: Option<u64>,
    /// How many files or folders are fetched at once.
    pub max_transfers: usize,
    /// Whose pushes are accepted without asking.
    pub accept_from: AcceptFrom,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a lost hub is tried again.
    pub give_up: Duration,
    /// How long everything may take since the clock was started, if there is a limit.
    pub timeout: Option<Duration>,
    /// How long the end waits for somebody to take what we push when nothing else is left; until `timeout` if absent.
    pub push: Option<Duration>,
}

impl ClientOptions {
    /// Options with their defaults for a client that keeps its keys in `home`.
    pub fn new(hub: JoinLink, name: String, home: Home) -> Self {
        Self {
            hub,
            name,
            password: None,
            hub_key: None,
            transport: TransportChoice::Auto,
            folders: Folders { home, dir: None, downloads: PathBuf::from(".") },
            ports: Ports::default(),
            transfers: TransferOptions {
                on_conflict: OnConflict::Fail,
                up: None,
                down: None,
                max_transfers: MAX_TRANSFERS,
                accept_from: AcceptFrom::Nobody,
            },
            follow: Follows::default(),
            inbox: true,
            linger: false,
            fail_fast: false,
            patience: Patience {
                link: LinkConfig::client(),
                give_up: Duration::from_secs(60),
                timeout: None,
                push: Some(PUSH_PATIENCE),
            },
            clock: Clock::start(),
        }
    }

    /// The session's settings, for a client that serves files and takes direct connections at these ports.
    pub(super) fn session(&self, ports: Ports, seed: u64) -> SessionConfig {
        SessionConfig {
            name: self.name.clone(),
            hub: self.hub.host_port(),
            password: self.password.clone(),
            follow: self.follow,
            inbox: self.inbox,
            invite: self.hub.invite.clone(),
            link: self.patience.link,
            patience: SessionPatience {
                give_up: self.patience.give_up,
                timeout: self.patience.timeout,
                pushes: self.patience.push,
            },
            linger: self.linger,
            fail_fast: self.fail_fast,
            downloads: DownloadConfig {
                on_conflict: self.transfers.on_conflict,
                max_transfers: self.transfers.max_transfers,
                accept_from: self.transfers.accept_from.clone(),
            },
            settings: self.settings(ports),
            epoch: self.clock.epoch(),
            seed,
        }
    }

    /// The answer to `settings`, with the ports that the client got.
    fn settings(&self, ports: Ports) -> Settings {
        let TransferOptions { on_conflict, up, down, max_transfers, accept_from } = &self.transfers;
        Settings {
            dir: self.folders.dir.as_ref().map(|dir| dir.to_string_lossy().into_owned()),
            downloads: self.folders.downloads.to_string_lossy().into_owned(),
            port: ports.files,
            link_port: ports.link,
            transport: self.transport.to_string(),
            on_conflict: on_conflict.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned()),
            up: *up,
            down: *down,
            max_transfers: *max_transfers as u64,
            follow: self.follow.table,
            follow_roster: self.follow.roster,
            accept_from: match accept_from {
                AcceptFrom::Nobody => Vec::new(),
                AcceptFrom::Names(names) => names.clone(),
                AcceptFrom::All => vec!["all".to_owned()],
            },
        }
    }
}

/// Something that the user does.
#[derive(Debug)]
pub enum UserInput {
    /// A line; its number counts from 1.
    Line(u64, Vec<u8>),
    /// A line that was too long to be kept.
    TooLong(u64),
    /// A line that was looked at already, and cannot be understood.
    Bad(u64, BadLine),
    /// A request that needs no parsing.
    Request(RequestLine),
    /// There is no more input.
    End,
}
