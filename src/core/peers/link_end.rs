//! The ways in which a link ends, and what our user, the other side and the hub are told.

use std::time::Duration;

use super::Name;
use crate::protocol::{ErrorCode, Failure};

/// Why a link ends.
pub(super) enum LinkEnd {
    /// Our user closes it, or our session ends.
    Ours,
    /// The other side closes it.
    Theirs,
    /// The other side has left the hub.
    Left,
    /// It could not be opened.
    Unopened(Failure),
    /// The connection broke, or the other side violated the protocol.
    Broken(String),
    /// The other side has not acknowledged anything for this long.
    Silent(Duration),
}

impl LinkEnd {
    /// The failure for requests that wait for the link.
    pub(super) fn failure(&self, peer: &str) -> Failure {
        let unreachable = |message: String| {
            Failure::new(ErrorCode::PeerUnreachable, message)
                .hint(format!("Ask again; or `message {peer} TEXT`, which the hub keeps for them."))
        };
        match self {
            Self::Ours => Failure::new(ErrorCode::Interrupted, "The direct connection was closed.").hint("Ask again."),
            Self::Theirs => unreachable(format!("{peer} has closed the direct connection.")),
            Self::Left => Failure::new(ErrorCode::NotOnline, format!("{peer} has left.")),
            Self::Unopened(failure) => failure.clone(),
            Self::Broken(reason) => unreachable(format!("The direct connection to {peer} broke: {reason}.")),
            Self::Silent(span) => {
                unreachable(format!("{peer} has not acknowledged anything for {} ms.", span.as_millis()))
            }
        }
    }

    /// The reason in words, for our user.
    pub(super) fn reason(&self, me: Option<&Name>, peer: &str) -> String {
        match self {
            Self::Ours => format!("closed by {}", me.map_or("us", |me| &me.name)),
            Self::Theirs => format!("closed by {peer}"),
            Self::Left => format!("{peer} has left"),
            Self::Unopened(failure) => failure.message.trim_end_matches('.').to_owned(),
            Self::Broken(reason) => reason.clone(),
            Self::Silent(span) => format!("no answer for {} ms", span.as_millis()),
        }
    }

    /// Whether the hub should probe the other side.
    pub(super) fn is_doubtful(&self) -> bool {
        match self {
            Self::Ours | Self::Theirs | Self::Left => false,
            Self::Unopened(failure) => failure.code == ErrorCode::PeerUnreachable,
            Self::Broken(_) | Self::Silent(_) => true,
        }
    }

    /// Whether the other side is told that the link ends.
    pub(super) fn is_said(&self) -> bool {
        match self {
            Self::Ours | Self::Left | Self::Silent(_) => true,
            Self::Theirs | Self::Unopened(_) | Self::Broken(_) => false,
        }
    }
}
