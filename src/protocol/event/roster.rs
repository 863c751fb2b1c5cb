//! Events about the clients at the hub: who is there, and who has been.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Client, Presence};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ErrorCode, Timestamp};

bodies! {
    /// The clients that are there.
    Roster {
        /// The revision of the roster that was read.
        revision: u64,
        /// The clients, sorted by number.
        clients: Vec<Client>,
        /// The value for `after` that asks for the clients that follow, if they do not fit into one answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// Clients came, left or stopped answering.
    RosterUpdated {
        /// The revision of the roster that this client has now.
        revision: u64,
        /// The entries that changed; those who left are `offline`. This client's own entry has `you`.
        clients: Vec<Client>,
        /// The number of clients that are there now, online or away.
        total: u64,
        /// Whether `clients` is the whole roster, which replaces everything told before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    }
    /// The clients of this run of the hub.
    Status {
        /// The newest thousand visits, sorted by number.
        clients: Vec<Visit>,
        /// The number of visits in this run of the hub.
        total: u64,
        /// Why the hub cannot store anything new at the moment; absent if it can.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<StoreTrouble>,
        /// What the hub relays for clients that cannot reach each other. Told to clients on the hub's own machine, if there
        /// was anything of it today (UTC).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        relay: Option<RelayFigures>,
    }
    /// What the hub relays.
    RelayFigures {
        /// Connections of pairs of clients that are joined now.
        streams: u64,
        /// The bytes of today, both directions together.
        bytes: u64,
        /// Meetings of today for which it did not relay, because something was full.
        refused: u64,
    }
    /// The hub cannot write to its store for now. It retries by itself.
    StoreTrouble {
        /// `store-full`, `store-busy` or `store-unavailable`: the code of requests that are refused meanwhile.
        code: ErrorCode,
        /// The store's error, in words.
        message: String,
        /// The time of the first failed write.
        since: Timestamp,
    }
    /// One client's visit: from its registration until it left.
    Visit {
        /// The name of the client.
        name: String,
        /// The client's running number at this hub.
        number: u64,
        /// The address and port from which it connected.
        address: String,
        /// Whether the client is still there.
        state: Presence,
        /// The time of its registration.
        opened: Timestamp,
        /// The time at which it left; absent while it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<Timestamp>,
        /// The number of messages that it has sent.
        #[serde(default)]
        messages: u64,
    }
}
