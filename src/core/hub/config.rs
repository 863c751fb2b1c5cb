//! A hub's settings.

use std::net::IpAddr;
use std::time::Duration;

use crate::core::link::LinkConfig;
use crate::core::time::Time;
use crate::protocol::limits::HubLimits;
use crate::protocol::{PublicKey, Timestamp};

/// Who may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who shows an invite, and keys that have been here before.
    Invite,
    /// Who has an account.
    Accounts,
}

/// How failed logins are met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginPolicy {
    /// After so many failures in a row an account is locked.
    pub max_failures: u32,
    /// For how long.
    pub lockout: Duration,
}

impl Default for LoginPolicy {
    fn default() -> Self {
        Self { max_failures: 3, lockout: Duration::from_secs(10) }
    }
}

/// Where the hub serves files, and how much room it has for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFiles {
    /// The hub's key.
    pub key: PublicKey,
    /// Its address; unspecified if it listens on all: clients know under which one they reach it.
    pub address: IpAddr,
    /// The TCP port.
    pub port: u16,
    /// Room for copies, in bytes.
    pub room: u64,
}

/// What is kept of what was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// What was said within this time.
    For(Duration),
    /// The newest, with so many bytes in all.
    Bytes(u64),
}

/// A hub's settings.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// The link's timers.
    pub link: LinkConfig,
    /// How long a client that does not answer keeps its place.
    pub grace: Duration,
    /// What is allowed.
    pub limits: HubLimits,
    /// Who may join.
    pub access: Access,
    /// How failed logins are met.
    pub logins: LoginPolicy,
    /// Where the hub serves files, if it does.
    pub files: Option<HubFiles>,
    /// What is kept of what was said; everything, unless this says otherwise.
    pub keep: Option<Retention>,
    /// A random number: sessions of another run are not taken for ours.
    pub run: u64,
    /// What the calendar said at time 0.
    pub epoch: Timestamp,
}

impl HubConfig {
    /// What the calendar says.
    pub(super) fn today(&self, now: Time) -> Timestamp {
        Timestamp(self.epoch.0 + (now.0 / 1_000) as i64)
    }
}
