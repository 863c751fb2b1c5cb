//! How one lane goes.

use crate::core::time::Time;
use crate::protocol::Route;

/// How a lane goes, and whether it is to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Way {
    /// `None` while it is dialled.
    pub(super) route: Option<Route>,
    /// Its connection was there before, and nothing has come over it since: it may be lost, and nobody would know.
    pub(super) kept: bool,
    /// It was dialled in place of others.
    pub(super) renews: bool,
    /// The way that it goes may be lost.
    pub(super) doubtful: bool,
    /// Another one is connected in its place, since then.
    pub(super) replaced: Option<Time>,
}
