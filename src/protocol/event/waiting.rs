//! The event for a request that waits for the hub, and for an end of input that waits for unfinished work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::Transfer;
use crate::protocol::vocabulary::bodies;

/// What a request, or the end of the input, waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitsFor {
    /// The hub, which does not answer.
    Hub,
    /// Requests that have not been answered yet.
    Answers,
    /// Transfers that are running or queued.
    Transfers,
    /// Pushes that nobody has accepted or declined yet.
    Pushes,
    /// Copies of offered files that the hub is making.
    Copies,
    /// Messages that the hub kept for this client and is sending.
    Messages,
}

bodies! {
    /// A request waits for the hub, or the end of the input waits for unfinished work.
    Waiting {
        /// The name of the request that waits; absent if it is the end of the input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        /// The things that it waits for.
        r#for: Vec<WaitsFor>,
        /// The transfers and pushes that the end waits for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        transfers: Vec<Transfer>,
        /// The longest wait in milliseconds, if it has a limit; then pushes that nobody has accepted are given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
    }
}
