//! Events about meetings: two clients that want a connection with each other. Between hub and client only; see
//! [`wire::Meet`](crate::protocol::wire::Meet).

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::vocabulary::bodies;
use crate::protocol::wire::Purpose;
use crate::protocol::{ErrorCode, PublicKey};

bodies! {
    /// A meeting has begun. It lasts until its halves have not come in time, or the relayed connection ends.
    Meeting {
        /// The number of the meeting at this hub.
        meeting: u64,
        /// For whoever has asked for it: the number of the ask. Absent for the side that was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<u64>,
        /// The key that the other side must prove.
        peer: PublicKey,
        /// The other side's name.
        name: String,
        /// What for.
        purpose: Purpose,
        /// What this side's half shows at the hub's TCP port: 32 hex digits, good for one connection.
        token: String,
        /// What one more connection from the same port may show, over the other family of addresses (IPv4 or IPv6). The
        /// hub only sees where it comes from, and never joins it.
        second_token: String,
        /// Whether the hub joins the halves. Otherwise it only sees where they come from.
        relays: bool,
        /// Why it does not: `relay-off` or `relay-full`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_relay: Option<ErrorCode>,
    }
    /// Where the other side of a meeting may be reached; told again when more is known.
    MeetingPlaces {
        /// The number of the meeting.
        meeting: u64,
        /// Where its half came from, as the hub sees it: one address for each family.
        outer: Vec<SocketAddr>,
        /// The addresses that it says it has in its own network.
        inner: Vec<SocketAddr>,
    }
    /// There is no meeting.
    MeetingRefused {
        /// The number of the ask.
        ask: u64,
        /// The kind of failure.
        code: ErrorCode,
        /// Says what is wrong.
        message: String,
        /// After how many milliseconds it may be asked again, if that helps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    }
}
