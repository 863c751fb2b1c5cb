//! What the hub's log says about logins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::Timestamp;
use crate::protocol::vocabulary::bodies;

bodies! {
    /// A login failed.
    LoginFailed {
        /// The name of the account.
        name: String,
        /// The address and port of the client.
        address: String,
        /// Failed logins for that name in a row.
        failures: u32,
    }
    /// The logins of a name, address or key are not checked for a while.
    LoginLocked {
        /// What is locked: `name:` and the name; `address:` and the address (for IPv6 its /64); or `key:` and a key
        /// that knows the account.
        whom: String,
        /// Failed logins in a row.
        failures: u32,
        /// The end of the lock.
        until: Timestamp,
    }
}
