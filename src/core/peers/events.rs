//! What happens on direct connections, as the session is told of it.

use crate::protocol::{Failure, Timestamp};

/// Something that has happened on a direct connection.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// A link is open.
    Opened {
        /// Who is at the other end.
        peer: String,
        /// Whether the other end opened it.
        theirs: bool,
        /// The request that has wanted it first, by its ticket.
        ticket: Option<u64>,
    },
    /// Somebody says something.
    Said {
        /// Who says it.
        peer: String,
        /// The link on which it came.
        link: u64,
        /// Its number on this link.
        number: u64,
        /// The text.
        text: String,
        /// When it was sent, by the sender's clock.
        sent: Timestamp,
    },
    /// The other side's user has read a message of ours.
    Acked {
        /// The request that sent it, by its ticket.
        ticket: u64,
        /// Who has it.
        peer: String,
        /// Its number on this link.
        number: u64,
        /// When it was sent.
        sent: Timestamp,
    },
    /// The other side's program has a message of ours, and holds it back until its user leaves `focus`.
    Held {
        /// The request that sent it, by its ticket.
        ticket: u64,
        /// Who will have it.
        peer: String,
        /// Its number on this link.
        number: u64,
        /// When it was sent.
        sent: Timestamp,
    },
    /// The other side's user has read a message that was held back.
    Delivered {
        /// Who has it.
        peer: String,
        /// Its number on this link.
        number: u64,
    },
    /// How long a probe and its answer took.
    RoundTrip {
        /// The request.
        ticket: u64,
        /// Microseconds.
        micros: u64,
    },
    /// A request cannot be fulfilled.
    Failed {
        /// The request that sent it, by its ticket.
        ticket: u64,
        /// Why.
        failure: Failure,
    },
    /// An open link has ended.
    Closed {
        /// Who was at the other end.
        peer: String,
        /// Why.
        reason: String,
    },
    /// This person does not answer: the hub should look whether they are there.
    Doubted(String),
}
