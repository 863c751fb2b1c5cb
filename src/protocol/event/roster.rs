//! Who is there, and who has been.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::{Client, Presence};
use crate::protocol::vocabulary::bodies;
use crate::protocol::{ErrorCode, Timestamp};

bodies! {
    /// Who is there.
    Roster {
        /// The revision that this is.
        revision: u64,
        /// The clients, sorted by number.
        clients: Vec<Client>,
        /// After which number to go on, with `after`, if there are more than fit into one answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    }
    /// Somebody came, went or stopped answering.
    RosterUpdated {
        /// The revision that we have now.
        revision: u64,
        /// Who changed; those who left are `offline`. Our own line has `you`.
        clients: Vec<Client>,
        /// How many are there now, away or online.
        total: u64,
        /// Whether `clients` is the whole roster, and what was known before is void.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        full: bool,
    }
    /// Every client of this run.
    Status {
        /// The newest thousand, sorted by number.
        clients: Vec<Visit>,
        /// How many there were in all.
        total: u64,
        /// Why the hub can keep nothing new at the moment, if it cannot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<StoreTrouble>,
    }
    /// The hub's store cannot be written for now: it is tried again and again, and goes on by itself.
    StoreTrouble {
        /// `store-full`, `store-busy` or `store-unavailable`: what is refused until it works again.
        code: ErrorCode,
        /// What the store says.
        message: String,
        /// Since when.
        since: Timestamp,
    }
    /// One client's time at the hub.
    Visit {
        /// Its name.
        name: String,
        /// Its running number.
        number: u64,
        /// The address and port that it came from.
        address: String,
        /// Whether it is there.
        state: Presence,
        /// When it came.
        opened: Timestamp,
        /// When it left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closed: Option<Timestamp>,
        /// How many messages it has sent.
        #[serde(default)]
        messages: u64,
    }
}
