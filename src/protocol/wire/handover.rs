//! A parcel is handed over by a short code: what its sender, its receiver and the hub between them say to each other.
//!
//! 1. The sender asks for a number with [`OpenCode`], and is told it
//!    ([`CodeOpened`](crate::protocol::event::CodeOpened)). The words of the code are its own; the hub never learns them.
//! 2. The receiver, who has typed the code, knocks at that number with its share ([`Knock`]). Both are told the number of
//!    their *conversation* and each other's key ([`Knocked`](crate::protocol::event::Knocked) to the sender,
//!    [`KnockAnswered`](crate::protocol::event::KnockAnswered) to the receiver).
//! 3. From then on the hub carries what they say to each other ([`Say`], told as
//!    [`Said`](crate::protocol::event::Said)), in order, and understands nothing of it: shares, confirmations, and what
//!    the two seal ([`parcel`](crate::protocol::parcel)).
//! 4. The sender, who knows now that the receiver is the right one, admits it ([`Admit`]). Only then may the two meet
//!    ([`Meet`](super::Meet)), and does the receiver's session last as long as the conversation.
//! 5. Either side ends the conversation ([`HangUp`], told as [`HungUp`](crate::protocol::event::HungUp)); so does the
//!    loss of a session.
//!
//! A receiver need not be a member of the hub. It then comes as a guest ([`ClientHello`](super::ClientHello)), and can do
//! nothing but this. All of it is held in the hub's memory only: after a restart of the hub the sender opens its number
//! again, and names those whom it had admitted, who may then come back without a share.

use serde::{Deserialize, Serialize};

use super::Octets;
use crate::protocol::PublicKey;
use crate::protocol::code::Nameplate;

/// Asks for a number for a code. The hub answers with `code-opened` or `code-refused`, out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCode {
    /// The number of this ask: one that this client has not used in this session.
    pub open_code: u64,
    /// The number that the code had before the hub forgot it; nothing for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nameplate: Option<Nameplate>,
    /// Whom the sender had admitted already, at most [`CODE_ADMITTED`](crate::protocol::limits::CODE_ADMITTED).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admitted: Vec<PublicKey>,
}

/// Gives a number back. Its conversations go on. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseCode {
    /// The number.
    pub close_code: Nameplate,
}

/// Wants to talk to whoever has opened a number. The hub answers with `knock-answered` or `knock-refused`, out of order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knock {
    /// The number.
    pub knock: Nameplate,
    /// The number of this ask: one that this client has not used in this session.
    pub ask: u64,
    /// The receiver's share. Nothing if it comes back, having been admitted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Octets>,
}

/// Says something to the other side of a conversation. There is no answer; what is said in a conversation that is over
/// is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Say {
    /// The number of the conversation.
    pub say: u64,
    /// What is said: at most [`SAY_BYTES`](crate::protocol::limits::SAY_BYTES), and of a receiver all together at most
    /// [`RECEIVER_BYTES`](crate::protocol::limits::RECEIVER_BYTES). More than that ends the conversation.
    pub message: Octets,
}

/// The sender of a parcel lets the other side of a conversation meet it. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admit {
    /// The number of the conversation.
    pub admit: u64,
}

/// Ends a conversation. There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HangUp {
    /// The number of the conversation.
    pub hang_up: u64,
    /// The sender says that the other side has guessed at the code: the hub counts that against its address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guessed: bool,
}

/// The protocol of the question whether a hub has a number, named in its line.
pub const SEEK_PROTOCOL: &str = "potluck-seek/1";

/// In place of a hello: asks whether somebody has opened this number here. Says nothing of the words of a code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seek {
    /// [`SEEK_PROTOCOL`].
    pub seek: String,
    /// The number.
    pub nameplate: Nameplate,
}

/// The hub's answer, after which it closes the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeekAnswer {
    /// Whether somebody has.
    pub opened: bool,
}
