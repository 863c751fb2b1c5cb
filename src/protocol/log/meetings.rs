//! What the hub's log says about meetings of clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::ContentHash;
use crate::protocol::vocabulary::bodies;

bodies! {
    /// A client wants a connection with another one, which cannot simply be dialled.
    MeetingBegun {
        /// The number of the meeting.
        meeting: u64,
        /// The name of the client that asked for it; `(guest)` if its key has none here.
        by: String,
        /// The name of the other client; `(guest)` if its key has none here.
        with: String,
        /// The content that it wants to fetch; absent if it wants to talk without the hub.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<ContentHash>,
        /// Whether the hub relays if they find no better way.
        relays: bool,
    }
    /// The connections of a meeting were joined by the hub, have carried something, and have ended.
    RelayEnded {
        /// The number of the meeting.
        meeting: u64,
        /// The name of the client that asked for it, to which the bytes are counted. Those of a guest are counted to the
        /// other one.
        by: String,
        /// The name of the other client.
        with: String,
        /// The bytes that were relayed, both directions together.
        bytes: u64,
        /// The time from the joining to the end, in milliseconds.
        took: u64,
        /// Why it has ended, in words.
        why: String,
    }
}
