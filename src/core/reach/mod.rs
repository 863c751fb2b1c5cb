//! One way to a peer: how a client comes to a connection with another one, whatever routers are between them.
//!
//! Three ways are tried as a race, and the best that stands is used:
//!
//! - **direct**: the peer's own address is dialled: the one that the hub sees it at, or one in our own network;
//! - **punched**: both dial each other at the same moment, so that each one's router expects what the other sends;
//! - **relayed**: both connect to the hub, which joins the two connections.
//!
//! The first needs only the peer's address; it gets a head start. The others need a *meeting*, for which the hub is asked
//! (see [`wire::Meet`](crate::protocol::wire::Meet)). For each meeting each side opens a fresh TCP port, from which it
//! connects to the hub and dials the other side, and on which it accepts what comes.
//!
//! There are two machines: [`Asking`] for the client that wants the connection, and [`Answering`] for the one that was
//! asked. Whoever asks is the TLS client on every connection, and alone decides which one is used. Whoever is asked
//! serves all of them. Sockets and handshakes are the driver's (`io::net::reach`), or the simulator's.
//!
//! Nobody can be aimed at a third party: [`Surroundings`] says which addresses are dialled at all, and [`Greeter`] who
//! says first on a connection of a meeting that it is a potluck
//! ([`MEETING_GREETING`](crate::protocol::wire::MEETING_GREETING)). Until then the other side sends nothing.

mod answering;
mod asking;
mod punching;
mod surroundings;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use answering::{Answering, AnsweringInput, AnsweringOutput};
pub use asking::{ANSWER, Asking, AskingInput, AskingOutput, Wanted};
pub use surroundings::{Interface, Place, Surroundings};

use crate::protocol::{ErrorCode, Failure};

/// One connection of a race, from when it is dialled or comes. The numbers are never used twice in one race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// To the peer's own port, without a meeting.
    Direct,
    /// Dialled from the meeting's port; the machine gives the number.
    Dialled(u32),
    /// Accepted on the meeting's port; the driver gives the number.
    Came(u32),
    /// To the hub's port, from the meeting's port.
    Half,
}

/// Who greets on a line. A printer prints whatever it is sent, and a member of the hub may name one as its own place in a
/// network that it shares with us: there, whoever has dialled waits for the greeting of whoever was dialled. Elsewhere
/// only what the hub has seen is dialled, and both may have dialled: there it is whoever was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeter {
    /// We do, before anything else.
    Us,
    /// The other side does; we send nothing before.
    Them,
    /// Nobody: it is no line between the two.
    Nobody,
}

/// What the connections of one side of a meeting show at the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Its half.
    pub half: String,
    /// One more, over the other family of addresses, if the hub has any.
    pub second: String,
}

/// What the hub says of a meeting, as far as a machine must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The number of the meeting at the hub.
    pub meeting: u64,
    /// What our connections show at the hub.
    pub tokens: Tokens,
    /// Whether the hub joins the halves.
    pub relays: bool,
    /// Why it does not.
    pub no_relay: Option<ErrorCode>,
}

/// The fresh port of a meeting, or why there is none.
pub type Bound = Result<(u16, Surroundings), Failure>;

/// Where the other side may be, as the hub passes it on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// As the hub sees it.
    pub outer: Vec<SocketAddr>,
    /// In its own network.
    pub inner: Vec<SocketAddr>,
}
