//! The clients of a swarm, and the faults that they have.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::{ChunkSet, Route};

/// What is wrong with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Half of the chunks that it sends are wrong.
    Lies,
    /// It leaves: its connections break, and no new ones can be made.
    Leaves,
    /// Its file changes.
    Changes,
    /// It claims to have all chunks, and does not.
    Claims,
    /// Its connections stay open, and it sends nothing.
    Stalls,
}

/// What happens to the ways to a client and from it, through no fault of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// All its connections break; new ones can be made.
    Breaks,
    /// The same, and no new ones can be made for so long.
    Away(Duration),
    /// It gets another address: its connections fall silent, and new ones can be made at the new one, of which others
    /// are told so long afterwards.
    Moves(Duration),
    /// New connections to it take this way. If it is better than before, others are told; if it is worse, those that
    /// there are break.
    Way(Route),
}

/// The properties of one client.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// The chunks that it has at the beginning; `None` for all.
    pub has: Option<ChunkSet>,
    /// What it fetches: nothing, everything (`Some(None)`), or these chunks.
    pub fetches: Option<Option<ChunkSet>>,
    /// When it joins.
    pub comes: Duration,
    /// The bytes a second that it sends, to all receivers together.
    pub rate: u64,
    /// The delay of the network between it and any other client, one half of the way.
    pub delay: Duration,
    /// What is wrong with it.
    pub fault: Fault,
    /// The time from which the fault acts.
    pub fault_at: Duration,
    /// Whether it leaves once it has everything that it wants.
    pub leaves_when_done: bool,
    /// The chunks that an earlier attempt left on its disk, and whether each is right.
    pub left: BTreeMap<u32, bool>,
    /// The bytes a second over a single connection to it, if that is less than its own rate: because of a window of the
    /// network, or of one core.
    pub lane_rate: Option<u64>,
    /// The bytes a second that it can receive over all connections, if there is a limit.
    pub down: Option<u64>,
    /// The number of its cores.
    pub cores: usize,
    /// What happens to the ways to it, and when.
    pub changes: Vec<(Duration, Change)>,
}
