//! A hub's settings. The driver fills them in when the hub starts; the machine never changes them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::core::link::LinkConfig;
use crate::core::secrets::Secrets;
use crate::core::time::Time;
use crate::protocol::limits::HubLimits;
use crate::protocol::name::NameKey;
use crate::protocol::{JoinLink, PublicKey, Timestamp};

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Clients that show a valid invite, and keys that the hub knows from before.
    Invite,
    /// Only clients that log in with an account.
    Accounts,
    /// Only the holder of this key, and guests who receive what it sends: the hub belongs to one program, for as long as
    /// that runs. Such a hub draws the numbers of codes at random, see
    /// [`OWN_NAMEPLATES`](crate::protocol::code::OWN_NAMEPLATES).
    Only(PublicKey),
}

/// What happens after failed logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPolicy {
    /// The number of failures in a row after which an account is locked.
    pub max_failures: u32,
    /// How long it stays locked.
    pub lockout: Duration,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self { max_failures: 3, lockout: Duration::from_secs(10) }
    }
}

/// Where the hub serves files, and how many bytes of copies it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFiles {
    /// The key by which clients recognize the hub when they fetch from it.
    pub key: PublicKey,
    /// The address from which the hub serves files. Unspecified if it listens on all addresses: each client then uses
    /// the one under which it reaches the hub.
    pub address: IpAddr,
    /// The TCP port on which it serves files.
    pub port: u16,
    /// Room for copies, in bytes.
    pub room: u64,
}

/// Which messages are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// Those that were sent within this time.
    For(Duration),
    /// The newest ones, up to this many bytes in all.
    Bytes(u64),
}

/// Which members may make invites, besides the hub's keeper.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Inviters {
    /// None.
    #[default]
    Nobody,
    /// Those with these names.
    Names(BTreeSet<NameKey>),
    /// All.
    All,
}

/// The key by which clients recognize the hub, and what its own secrets are made of.
#[derive(Debug, Clone)]
pub struct HubKeys {
    /// The hub's join link, without a secret.
    pub link: JoinLink,
    /// The key that the hub proves on each connection.
    pub key: PublicKey,
    /// Secret random bytes, from a seed that was drawn for this run.
    pub secrets: Secrets,
}

/// How clients meet through the hub.
#[derive(Clone, Default)]
pub struct MeetingConfig {
    /// A random secret of this run, from which the tokens of meetings are made.
    pub secret: [u8; 32],
    /// Meetings of all clients that may wait for their connections at once. Each has at most four connections.
    pub at_once: usize,
    /// What the hub relays; `None` if nothing.
    pub relay: Option<RelayLimits>,
}

impl fmt::Debug for MeetingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, at_once, relay } = self;
        f.debug_struct("MeetingConfig").field("at_once", at_once).field("relay", relay).finish_non_exhaustive()
    }
}

/// What a hub relays at most. The rates are the driver's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayLimits {
    /// Streams at once for which one client has asked.
    pub streams_each: usize,
    /// Streams at once, of all clients.
    pub streams: usize,
    /// Bytes in a day, of the streams for which one client has asked. Days begin at midnight UTC.
    pub day: u64,
}

/// A hub's settings.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The timers of each client's link.
    pub link: LinkConfig,
    /// How long a session without a connection keeps its name and offers.
    pub grace: Duration,
    /// The bounds on clients, rates, offers and the rest.
    pub limits: HubLimits,
    /// Who may join.
    pub access: Access,
    /// What happens after failed logins.
    pub logins: LoginPolicy,
    /// How clients meet through the hub.
    pub meetings: MeetingConfig,
    /// Where the hub serves files; `None` if it serves none and keeps no copies.
    pub files: Option<HubFiles>,
    /// Which messages are kept; `None` keeps all of them.
    pub keep: Option<Retention>,
    /// Which members may make invites.
    pub inviters: Inviters,
    /// The hub's key and secrets.
    pub keys: HubKeys,
    /// A random number for this run. It is part of each session's identifier, so that a session of another run is not
    /// mistaken for one of this run.
    pub run: u64,
    /// The calendar time at `Time(0)`.
    pub epoch: Timestamp,
}

impl HubConfig {
    /// The calendar time at `now`.
    pub(super) fn today(&self, now: Time) -> Timestamp {
        Timestamp(self.epoch.0 + (now.0 / 1_000) as i64)
    }
}
