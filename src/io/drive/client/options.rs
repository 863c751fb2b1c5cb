//! A client's options, and the inputs of its user.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::core::LinkConfig;
use crate::core::session::{AcceptFrom, Chance, DownloadConfig, Entry, PassesOn, SessionConfig, SessionTimeouts};
use crate::io::net::identity::Identity;
use crate::io::os::clock::Clock;
use crate::io::state::home::Home;
use crate::protocol::event::Settings;
use crate::protocol::limits::{MAX_TRANSFERS, PUSH_PATIENCE};
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::{BadLine, Failure, Follows, JoinLink, PublicKey, RequestLine, TransportChoice};

/// The options of a client. [`ClientOptions::new`] sets most of them to their defaults.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The address of the hub.
    pub hub: JoinLink,
    /// As whom the client comes.
    pub who: Who,
    /// The key that the hub must prove, if it is known.
    pub hub_key: Option<PublicKey>,
    /// Whether the hub is there for this time only, so that its key is not kept.
    pub passing: bool,
    /// The transport to the hub.
    pub transport: TransportChoice,
    /// The client's folders.
    pub folders: Folders,
    /// The client's ports.
    pub ports: Ports,
    /// The options for transfers.
    pub transfers: TransferOptions,
    /// How the table and the roster are followed.
    pub follow: Follows,
    /// Whether to take messages. If not, the hub keeps them for the next time.
    pub inbox: bool,
    /// Whether to stay when the input ends.
    pub linger: bool,
    /// Whether to end at the first failed request.
    pub fail_fast: bool,
    /// Timeouts.
    pub patience: ClientTimeouts,
    /// The clock, which was started with the program, before the hub's name was resolved.
    pub clock: Clock,
}

/// As whom a client comes to the hub.
#[derive(Debug, Clone)]
pub enum Who {
    /// Under a name, with the key of that name.
    Named {
        /// The name to register under.
        name: String,
        /// The account's password, if the client must log in.
        password: Option<Password>,
    },
    /// Without a name, for parcels: somebody whom the hub lets in.
    Member {
        /// The name by whose key the hub knows them; otherwise they come with a key that is for this.
        key_of: Option<String>,
    },
    /// Without a name, to receive a parcel and nothing else, with a key that is for this.
    Guest,
}

impl Who {
    /// How their session is at the hub.
    pub(super) fn entry(&self) -> Entry {
        match self {
            Self::Named { name, password } => Entry::Named { name: name.clone(), password: password.clone() },
            Self::Member { .. } => Entry::Member,
            Self::Guest => Entry::Guest,
        }
    }

    /// Their key pair.
    ///
    /// # Errors
    /// Those of [`Home::identity`].
    pub fn identity(&self, home: &Home) -> Result<Identity, Failure> {
        match self {
            Self::Named { name, .. } | Self::Member { key_of: Some(name) } => home.identity(name),
            Self::Member { key_of: None } => home.sender_identity(),
            Self::Guest => home.receiver_identity(),
        }
    }
}

/// The folders of a client.
#[derive(Debug, Clone)]
pub struct Folders {
    /// The data folder with keys and pins.
    pub home: Home,
    /// The folder to offer from, if one is chosen.
    pub dir: Option<PathBuf>,
    /// The folder for downloads.
    pub downloads: PathBuf,
    /// The private folder for what is only passed on.
    pub apart: Option<PathBuf>,
}

/// The ports of a client. 0 takes a free one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ports {
    /// The TCP port that serves files.
    pub files: u16,
    /// The port, UDP and TCP, for direct connections.
    pub link: u16,
    /// Whether the whole network can reach both, also if the hub is on this machine. Otherwise such a client's ports are
    /// open to this machine alone.
    pub everywhere: bool,
}

/// The options for transfers.
#[derive(Debug, Clone)]
pub struct TransferOptions {
    /// What happens if a file to be saved exists.
    pub on_conflict: OnConflict,
    /// The limit for sending to other clients, in bytes a second.
    pub up: Option<u64>,
    /// The limit for fetching from other clients, in bytes a second.
    pub down: Option<u64>,
    /// How many files or folders are fetched at once.
    pub max_transfers: usize,
    /// Whose pushes are accepted without asking.
    pub accept_from: AcceptFrom,
    /// What of parcels is only passed on.
    pub passes_on: PassesOn,
}

/// The timeouts of a client.
#[derive(Debug, Clone, Copy)]
pub struct ClientTimeouts {
    /// The timing of the link to the hub.
    pub link: LinkConfig,
    /// How long the client tries to reach a lost hub.
    pub give_up: Duration,
    /// The longest time from the start of the clock to the end of the session, if there is a limit.
    pub timeout: Option<Duration>,
    /// How long the end waits for receivers of pushes if nothing else is left; `None` waits until `timeout`.
    pub push: Option<Duration>,
}

impl ClientOptions {
    /// Options with their defaults for a client that keeps its keys in `home`.
    pub fn new(hub: JoinLink, name: String, home: Home) -> Self {
        Self {
            hub,
            who: Who::Named { name, password: None },
            hub_key: None,
            passing: false,
            transport: TransportChoice::Auto,
            folders: Folders { home, dir: None, downloads: PathBuf::from("."), apart: None },
            ports: Ports::default(),
            transfers: TransferOptions {
                on_conflict: OnConflict::Fail,
                up: None,
                down: None,
                max_transfers: MAX_TRANSFERS,
                accept_from: AcceptFrom::Nobody,
                passes_on: PassesOn::Nothing,
            },
            follow: Follows::default(),
            inbox: true,
            linger: false,
            fail_fast: false,
            patience: ClientTimeouts {
                link: LinkConfig::client(),
                give_up: Duration::from_secs(60),
                timeout: None,
                push: Some(PUSH_PATIENCE),
            },
            clock: Clock::start(),
        }
    }

    /// The settings of the session, for a client with these ports and this key.
    pub(super) fn session(&self, ports: Ports, key: PublicKey, chance: Chance) -> SessionConfig {
        SessionConfig {
            entry: match self.who.entry() {
                Entry::Member if self.passing => Entry::Keeper,
                entry @ (Entry::Named { .. } | Entry::Member | Entry::Keeper | Entry::Guest) => entry,
            },
            key,
            hub: self.hub.host_port(),
            follow: self.follow,
            inbox: self.inbox,
            invite: self.hub.invite.clone(),
            link: self.patience.link,
            patience: SessionTimeouts {
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
                passes_on: self.transfers.passes_on,
            },
            settings: self.settings(ports),
            epoch: self.clock.epoch(),
            chance,
        }
    }

    /// The settings as the `ready` event shows them.
    fn settings(&self, ports: Ports) -> Settings {
        let TransferOptions { on_conflict, up, down, max_transfers, accept_from, passes_on: _ } = &self.transfers;
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

/// An input of the user.
#[derive(Debug)]
pub enum UserInput {
    /// A line of standard input, with its number counted from 1.
    Line(u64, Vec<u8>),
    /// A line that exceeded the limit and was skipped, with its number.
    TooLong(u64),
    /// A line that was parsed already and is no request, with its number.
    Bad(u64, BadLine),
    /// A request that needs no parsing.
    Request(RequestLine),
    /// The end of the input.
    End,
}
