//! The exchange by a short code between a client and its hub, in place of a hello: four lines, then the connection ends.
//!
//! The client says [`ExchangeStart`], the hub [`ExchangeAnswer`], the client [`ExchangeConfirm`], the hub
//! [`ExchangeEnd`]; or the hub refuses with a farewell. What the messages are is in
//! [`core::exchange`](crate::core).

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::code::Nameplate;

/// The protocol of the exchange, named in its first line.
pub const EXCHANGE_PROTOCOL: &str = "potluck-exchange/1";

/// The first line of a connection on which a client exchanges a code for an invite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeStart {
    /// [`EXCHANGE_PROTOCOL`].
    pub exchange: String,
    /// The number of the code.
    pub nameplate: Nameplate,
    /// The client's share.
    pub share: Octets,
}

/// The hub's share. From here on the code is void, unless the client confirms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeAnswer {
    /// The share.
    pub share: Octets,
}

/// The client's proof that it knows the words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeConfirm {
    /// The confirmation.
    pub confirmation: Octets,
}

/// The hub's proof, and what the code is good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeEnd {
    /// The confirmation.
    pub confirmation: Octets,
    /// An [`Invitation`] as JSON, sealed.
    pub sealed: Octets,
}

/// What a client gets for a code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The secret of an invite.
    pub invite: String,
}

/// Bytes, as hex digits in text.
#[derive(Clone, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl<const N: usize> From<[u8; N]> for Octets {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes.to_vec())
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&HEXLOWER.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER.decode(text.as_bytes());
        bytes.map(Self).map_err(|_| serde::de::Error::custom("it must be lower-case hex digits"))
    }
}
