//! What a client tells the hub about a meeting: two clients that want a connection with each other, and cannot simply
//! dial.
//!
//! Whoever wants the other asks the hub with [`Meet`]. Both are told of the meeting
//! ([`Meeting`](crate::protocol::event::Meeting)), and each gets a token of its own. Each opens a fresh TCP port and,
//! from it, connects to the hub's TCP port, where it shows its token in one line, [`RELAY_GREETING`]. So the hub sees
//! at which address the other side may reach that port, and tells it
//! ([`MeetingPlaces`](crate::protocol::event::MeetingPlaces)). If the hub relays, it joins the two connections.
//!
//! A side that reaches the hub over IPv4 and IPv6 shows its second token over the other family, so that the hub sees both
//! of its addresses. The hub keeps that connection open as long as it waits for the meeting, and never joins it.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::{ContentHash, PublicKey};

/// The beginning of a connection to the hub's TCP port that is one half of a meeting. A space, the token of 32 hex
/// digits and a line feed follow; then nothing until the halves are joined.
pub const RELAY_GREETING: &str = "POTLUCK-RELAY/1";

/// What one side sends first on a connection that one of them dialled at the other, before TLS begins; the other one stays
/// silent until it has come. In a network that both are in it is the side that was dialled: something there that is no
/// potluck, such as a printer, never gets a byte. Elsewhere it is the side that was asked for the meeting.
pub const MEETING_GREETING: &[u8] = b"POTLUCK-MEETING/1\n";

/// What the connection is wanted for. Whoever is asked dials only for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To fetch this content, or one of a folder.
    Content(ContentHash),
    /// To talk without the hub.
    Private,
}

/// Asks for a meeting with another client. The hub answers with `meeting` or `meeting-refused`, out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meet {
    /// The key of the other client. Of several clients with that key, the one that came last is asked,
    pub meet: PublicKey,
    /// unless this says under which name it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The number of this ask: one that this client has not used in this session.
    pub ask: u64,
    /// What for.
    pub purpose: Purpose,
}

/// Where this side of a meeting can be reached inside its own network. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeetAt {
    /// The number of the meeting.
    pub meet_at: u64,
    /// The addresses of its interfaces, with the meeting's port; at most
    /// [`MEETING_PLACES`](crate::protocol::limits::MEETING_PLACES).
    pub inner: Vec<SocketAddr>,
}
