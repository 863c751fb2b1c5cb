//! Who takes part, and what is wrong with them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::ChunkSet;

/// What is wrong with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Half of the chunks that it sends from then on are wrong.
    Lies,
    /// It is gone: its connections break, and nobody can make new ones.
    Leaves,
    /// Its file is another one.
    Changes,
    /// It says that it has all chunks, and does not.
    Claims,
    /// Its connections stay, and nothing comes any more.
    Stalls,
}

/// One of the clients.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// What it has when it comes; `None` for all.
    pub has: Option<ChunkSet>,
    /// Whether it fetches: all, or these chunks.
    pub fetches: Option<Option<ChunkSet>>,
    /// When it comes.
    pub comes: Duration,
    /// How many bytes it sends in a second, to all together.
    pub rate: u64,
    /// How long its way to the middle of the network is.
    pub delay: Duration,
    /// What is wrong with it.
    pub fault: Fault,
    /// From when on.
    pub fault_at: Duration,
    /// Whether it leaves when it has everything.
    pub leaves_when_done: bool,
    /// The chunks that an earlier attempt left, and whether each is right.
    pub left: BTreeMap<u32, bool>,
    /// How many bytes come over one connection to it in a second, if its own rate is not what counts: a window of the
    /// network, or a core.
    pub lane_rate: Option<u64>,
    /// How many bytes it takes in in a second, over all connections, if there is an end to that.
    pub down: Option<u64>,
    /// How many cores it has.
    pub cores: usize,
}
