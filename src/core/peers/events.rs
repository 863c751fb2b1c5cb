//! The events of direct connections, from the machine to the session.

use crate::protocol::{Failure, Timestamp};

/// An event of a direct connection.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// A link is open.
    Opened {
        /// The name of the person at the other end.
        peer: String,
        /// Whether the other side opened it.
        theirs: bool,
        /// The ticket of the first request that wanted it; `None` if the other side opened it.
        ticket: Option<u64>,
    },
    /// A message has arrived.
    Said {
        /// The sender's name.
        peer: String,
        /// The link on which it arrived.
        link: u64,
        /// The number of the message on that link.
        number: u64,
        /// The text of the message.
        text: String,
        /// The time of sending, by the sender's clock.
        sent: Timestamp,
    },
    /// The other side's user has read a message of ours.
    Acked {
        /// The ticket of the request that sent it.
        ticket: u64,
        /// The receiver's name.
        peer: String,
        /// The number of the message on its link.
        number: u64,
        /// The time of sending.
        sent: Timestamp,
    },
    /// The other side's client has a message of ours, and holds it back until its user ends `focus`.
    Held {
        /// The ticket of the request that sent it.
        ticket: u64,
        /// The receiver's name.
        peer: String,
        /// The number of the message on its link.
        number: u64,
        /// The time of sending.
        sent: Timestamp,
    },
    /// The other side's user has read a message that was held back.
    Delivered {
        /// The receiver's name.
        peer: String,
        /// The number of the message on its link.
        number: u64,
    },
    /// The round trip to the other side was measured.
    RoundTrip {
        /// The ticket of the request that asked for it.
        ticket: u64,
        /// The round trip in microseconds.
        micros: u64,
    },
    /// A request has failed.
    Failed {
        /// The ticket of the request.
        ticket: u64,
        /// The reason.
        failure: Failure,
    },
    /// A link that was open has ended.
    Closed {
        /// The name of the person at the other end.
        peer: String,
        /// The reason, in words.
        reason: String,
    },
    /// The person of this name cannot be reached where they were when they were dialled: where does the hub know them to
    /// be by now? [`Peers::found`](super::Peers::found) takes the answer.
    Sought(String),
    /// The person of this name does not answer. The hub should probe them.
    Doubted(String),
}
