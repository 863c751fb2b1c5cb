//! A hub's settings.

use std::time::Duration;

use super::{HubFiles, Keep, LoginPolicy};
use crate::core::link::LinkConfig;
use crate::protocol::Timestamp;
use crate::protocol::limits::HubLimits;

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
    pub keep: Option<Keep>,
    /// A random number: sessions of another run are not taken for ours.
    pub run: u64,
    /// What the calendar said at time 0.
    pub epoch: Timestamp,
}
