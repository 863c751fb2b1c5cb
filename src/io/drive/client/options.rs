//! What a client is started with, and what its user does.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::core::LinkConfig;
use crate::core::session::AcceptFrom;
use crate::io::os::clock::Clock;
use crate::io::state::home::Home;
use crate::protocol::event::Settings;
use crate::protocol::transfer::OnConflict;
use crate::protocol::types::Password;
use crate::protocol::{BadLine, Follows, JoinLink, PublicKey, RequestLine, TransportChoice};

/// What a client is started with.
pub struct ClientOptions {
    /// The hub.
    pub hub: JoinLink,
    /// The account's password, to log in with.
    pub password: Option<Password>,
    /// The name to register.
    pub name: String,
    /// The key that the hub must have, if it is known.
    pub hub_key: Option<PublicKey>,
    /// Keys and pins.
    pub home: Home,
    /// The folder to offer from.
    pub dir: Option<PathBuf>,
    /// Where downloads go.
    pub downloads: PathBuf,
    /// How to reach the hub.
    pub transport: TransportChoice,
    /// The port to serve files on; 0 takes a free one.
    pub port: u16,
    /// The port to take direct connections on; 0 takes a free one.
    pub link_port: u16,
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
    /// Whether to stay when the input ends.
    pub linger: bool,
    /// Whether to end at the first request that fails.
    pub fail_fast: bool,
    /// What of the table and the roster is followed.
    pub follow: Follows,
    /// Whether to take messages. Who does not leaves them for the next time.
    pub inbox: bool,
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a lost hub is tried again.
    pub give_up: Duration,
    /// How long everything may take since `clock` was started, if there is a limit.
    pub timeout: Option<Duration>,
    /// How long the end waits for somebody to take what we push when nothing else is left; until `timeout` if absent.
    pub push_patience: Option<Duration>,
    /// Started with the program, before the hub's name was looked up.
    pub clock: Clock,
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

/// The answer to `settings`, with the ports that the client got.
pub(super) fn settings(options: &ClientOptions, port: u16, link_port: u16) -> Settings {
    Settings {
        dir: options.dir.as_ref().map(|dir| dir.to_string_lossy().into_owned()),
        downloads: options.downloads.to_string_lossy().into_owned(),
        port,
        link_port,
        transport: options.transport.to_string(),
        on_conflict: options
            .on_conflict
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned()),
        up: options.up,
        down: options.down,
        max_transfers: options.max_transfers as u64,
        follow: options.follow.table,
        follow_roster: options.follow.roster,
        accept_from: match &options.accept_from {
            AcceptFrom::Nobody => Vec::new(),
            AcceptFrom::Names(names) => names.clone(),
            AcceptFrom::All => vec!["all".to_owned()],
        },
    }
}
