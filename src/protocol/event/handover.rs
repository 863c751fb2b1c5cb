//! Events about parcels that are handed over by a short code. Between hub and client only; see
//! [`wire::OpenCode`](crate::protocol::wire::OpenCode).

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::code::Nameplate;
use crate::protocol::vocabulary::bodies;
use crate::protocol::wire::Octets;
use crate::protocol::{ErrorCode, PublicKey};

bodies! {
    /// The number that a code has at this hub, until the client closes it or its session ends.
    CodeOpened {
        /// The number of the ask.
        ask: u64,
        /// The number.
        nameplate: Nameplate,
    }
    /// There is no number for a code.
    CodeRefused {
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
    /// Somebody knocks at a number that this client has opened.
    Knocked {
        /// The number of the conversation.
        conversation: u64,
        /// The number at which they knock.
        nameplate: Nameplate,
        /// The key that they have proved to the hub.
        key: PublicKey,
        /// Their share; nothing if they come back, having been admitted before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        share: Option<Octets>,
    }
    /// Whoever has opened a number can be talked to.
    KnockAnswered {
        /// The number of the ask.
        ask: u64,
        /// The number of the conversation.
        conversation: u64,
        /// The key that they have proved to the hub.
        key: PublicKey,
    }
    /// The sender has let this client meet it, and fetch the parcel.
    Admitted {
        /// The number of the conversation.
        conversation: u64,
        /// The address from which the sender is connected to the hub. Whoever only knocks is not told it.
        address: IpAddr,
    }
    /// Nobody can be talked to at a number.
    KnockRefused {
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
    /// What the other side of a conversation says.
    Said {
        /// The number of the conversation.
        conversation: u64,
        /// What it says.
        #[schemars(with = "String")]
        message: Octets,
    }
    /// A conversation is over.
    HungUp {
        /// The number of the conversation.
        conversation: u64,
        /// Whether the other side is gone, and did not end it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        gone: bool,
    }
}
