//! What is told of direct connections.

use crate::protocol::{Failure, Timestamp};

/// What happens on links, for whoever asked and for the user.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// A link is open.
    Opened {
        /// Who is at the other end.
        peer: String,
        /// Whether the other end opened it.
        theirs: bool,
        /// The first request that waits for it.
        ticket: Option<u64>,
    },
    /// Somebody says something.
    Said {
        /// Who.
        peer: String,
        /// On which link.
        link: u64,
        /// Its number on this link.
        number: u64,
        /// What.
        text: String,
        /// When, by their clock.
        sent: Timestamp,
    },
    /// The user at the other side has a message of ours.
    Acked {
        /// The request.
        ticket: u64,
        /// Who has it.
        peer: String,
        /// Its number on this link.
        number: u64,
        /// When it was sent.
        sent: Timestamp,
    },
    /// The other side's program has a message of ours, and holds it back until its user hears all again.
    Held {
        /// The request.
        ticket: u64,
        /// Who will have it.
        peer: String,
        /// Its number on this link.
        number: u64,
        /// When it was sent.
        sent: Timestamp,
    },
    /// The user at the other side has a message that was held back.
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
        /// The request.
        ticket: u64,
        /// Why.
        failure: Failure,
    },
    /// An open link is gone.
    Closed {
        /// Who was at the other end.
        peer: String,
        /// Why.
        reason: String,
    },
    /// Somebody does not answer: the hub should know.
    Doubted(String),
}
