//! The frames of the link between hub and client, and between two clients: one JSON line each.
//!
//! The first line in each direction is a hello. Then come frames. A frame has a numbered body, an acknowledgement, a
//! probe, or several of these.
//!
//! Hub and client parse and write these lines; [`core::link`](crate::core) numbers, acknowledges and repeats the
//! bodies, and never parses them.

mod ask;
mod exchange;
mod files;
mod handover;
mod meeting;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use ask::*;
pub use exchange::*;
pub use files::*;
pub use handover::*;
pub use meeting::{MEETING_GREETING, Meet, MeetAt, Purpose, RELAY_GREETING};

use super::event;
use super::{Follows, Timestamp};

/// The protocol of the link, named in every hello.
pub const LINK_PROTOCOL: &str = "potluck-link/1";

/// The protocol of the streams that users read and write.
pub const USER_PROTOCOL: &str = "potluck/1";

/// The first line of every connection from a client to its hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The session to resume; nothing for a new session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The number of the last frame that the client received in that session.
    pub received: u64,
    /// The port on which this client serves files.
    pub port: u16,
    /// The port on which this client accepts direct connections.
    #[serde(default)]
    pub link_port: u16,
    /// The random name that this process gave itself at its start, 16 hex digits. With the number of a request it makes
    /// the request's idempotency key.
    #[serde(default)]
    pub instance: String,
    /// The number of this process's newest request. In a new session, requests up to it are repetitions of earlier
    /// ones.
    #[serde(default)]
    pub asked: i64,
    /// The secret of an invite, if the join link had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
    /// Whether the client comes as a guest, for a parcel: it gets a session without being a member, and can do nothing
    /// but knock at a number and what follows from that ([`Knock`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
    /// For a new session: how the client follows the table and the roster.
    #[serde(default, skip_serializing_if = "Follows::is_everything")]
    pub follow: Follows,
}

/// The hub's first line on every connection, in answer to the client's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The name of the session: resumed or new.
    pub session: String,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// The number of the last frame that the hub received in that session.
    pub received: u64,
}

/// The last line of a connection if the hub refuses a client or ends its session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Farewell {
    /// The reason.
    pub farewell: event::Error,
}

/// The first line of a direct connection, in each direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerHello {
    /// [`LINK_PROTOCOL`].
    pub hello: String,
    /// The name under which the speaker is registered at the hub.
    pub private: String,
    /// The speaker's running number at the hub. It differs from one run of a client to the next.
    pub number: u64,
}

/// The body of a frame on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeerBody {
    /// A message to the user.
    Private(PrivateText),
    /// The user has all messages up to this number.
    Had(u64),
    /// All messages up to this number are held back, because the user hears only one room. `Had` follows once they hear
    /// everything again.
    Held(u64),
    /// Ends the link, with a reason; it is the last frame. Without a frame, in place of a hello, it refuses the link.
    Close(String),
}

/// A message on a direct connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrivateText {
    /// The number of the message on this link, from 1.
    pub number: u64,
    /// The text of the message.
    pub text: String,
    /// The time of sending, by the sender's clock.
    pub sent: Timestamp,
}

/// A frame to send. Frames to many clients can share the memory of one body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The number of the body, and the body as JSON.
    pub body: Option<(u64, Arc<str>)>,
    /// The number of the last frame received from the other side.
    pub ack: u64,
    /// Whether the other side must answer at once.
    pub probe: bool,
}

impl Frame {
    /// Appends the frame to `out` as one line.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        let probe = if self.probe { r#","probe":true"# } else { "" };
        let written = match &self.body {
            Some((n, body)) => writeln!(out, r#"{{"n":{n},"ack":{}{probe},"body":{body}}}"#, self.ack),
            None => writeln!(out, r#"{{"ack":{}{probe}}}"#, self.ack),
        };
        written.expect("writing to memory does not fail");
    }
}

/// A received frame, whose body has not been parsed yet.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameIn<'a> {
    /// The number of the body.
    pub n: Option<u64>,
    /// The number of the last frame that the other side has received.
    pub ack: u64,
    /// Whether the other side wants an answer at once.
    #[serde(default)]
    pub probe: bool,
    /// The body as JSON.
    #[serde(borrow)]
    pub body: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back() {
        let mut wire = Vec::new();
        Frame { body: Some((3, r#"{"event":"waited"}"#.into())), ack: 2, probe: false }.write(&mut wire);
        Frame { body: None, ack: 9, probe: true }.write(&mut wire);
        let lines: Vec<FrameIn<'_>> =
            std::str::from_utf8(&wire).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((lines[0].n, lines[0].ack, lines[0].body.unwrap().get()), (Some(3), 2, r#"{"event":"waited"}"#));
        assert_eq!((lines[1].n, lines[1].ack, lines[1].probe), (None, 9, true));
    }
}
