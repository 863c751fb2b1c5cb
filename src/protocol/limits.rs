//! Every limit in one table. Each is enforced before memory is spent.

/// A line on standard input, in bytes. A longer one is skipped without being kept.
pub const MAX_LINE: usize = 1 << 20;

/// A line on the link, in bytes. Room for the largest `publish` (see [`FILES_PER_REQUEST`]).
pub const MAX_FRAME: usize = 4 << 20;

/// How many bytes of table or roster changes go into one event. Small enough that a client on a
/// slow line (350 kbit/s) can acknowledge it before the link is taken for lost.
pub const DELTA_BYTES: usize = 64 << 10;

/// A request's `id`, in bytes of text.
pub const MAX_ID: usize = 128;

/// Files in one `offer` or `withdraw`.
pub const FILES_PER_REQUEST: usize = 8_192;

/// Requests of one client that may be on their way to the hub at once; more wait at the client.
pub const REQUESTS_IN_FLIGHT: usize = 256;

/// Requests that a session keeps before it stops reading its input.
pub const REQUESTS_WAITING: usize = 1_024;

/// Events that wait for a slow reader of standard output before it gets a `gap`.
pub const EVENTS_WAITING: usize = 65_536;

/// The same in bytes.
pub const EVENT_BYTES_WAITING: usize = 16 << 20;

/// Unacknowledged frames that a link keeps for the other side.
pub const LINK_FRAMES: usize = 8_192;

/// The same in bytes. A client that lets more pile up is `too-slow`.
pub const LINK_BYTES: usize = 8 << 20;

/// Unacknowledged bytes above which table and roster changes wait: they coalesce meanwhile.
pub const LINK_STATE_BYTES: usize = 256 << 10;

/// Clients that `status` names, the newest ones.
pub const STATUS_CLIENTS: usize = 1_000;

/// What a hub allows. The fields are its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubLimits {
    /// Clients at once, those within their grace included.
    pub clients: usize,
    /// Offers of one client.
    pub offers: usize,
    /// Connections that have not said hello yet.
    pub strangers: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self { clients: 5_000, offers: 65_536, strangers: 1_024 }
    }
}
