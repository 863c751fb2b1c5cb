//! What is told of requests that wait, and of an end that waits for what is not over.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::types::Transfer;
use crate::protocol::vocabulary::bodies;

/// What a request or the end waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitsFor {
    /// The hub, which does not answer.
    Hub,
    /// Requests that have not been answered.
    Answers,
    /// Transfers that are under way or queued.
    Transfers,
    /// Pushes that nobody has taken yet.
    Pushes,
    /// Copies that the hub makes of what is offered.
    Copies,
    /// Messages that were kept for us, and are on their way.
    Messages,
}

bodies! {
    /// A request that needs the hub waits for it, or the end waits for what is not over.
    Waiting {
        /// The request that waits; none if it is the end of the input.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        /// What it waits for.
        r#for: Vec<WaitsFor>,
        /// Transfers and pushes that the end waits for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        transfers: Vec<Transfer>,
        /// How long it waits at most, in milliseconds, if that is known: then pushes that nobody has taken are given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
    }
}
