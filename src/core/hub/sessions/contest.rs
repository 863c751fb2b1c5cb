//! A name that its owner wants a second time, while a session has it that may belong to a process that was killed.
//!
//! If the operating system closes a dead process's connection (TCP), the name becomes free at once. If nobody does
//! (QUIC, or a machine that lost its power), the hub probes the session that holds the name, and gives the name to the
//! newcomer if there is no answer within the ack timeout. There is at most one contest for a name, with one deadline.
//! If several newcomers come, of which some may have been killed as well, the newest gets the name.

use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::hub::sessions::underway::Entering;
use crate::core::hub::state::InUse;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::{ErrorCode, Failure};

/// A session of the same key wants a name that is in use. It gets the name only if the holder does not answer.
pub(in crate::core::hub) struct Challenge {
    pub(in crate::core::hub) by: PeerId,
    pub(in crate::core::hub) entering: Entering,
    /// The holder as it was when the name was contested.
    pub(in crate::core::hub) seen: Option<InUse>,
    /// Frames from the holder count from this time on. Earlier ones may have been on their way when it died.
    pub(in crate::core::hub) counts_from: Time,
    /// Whether the holder has been probed again at `counts_from`.
    pub(in crate::core::hub) asked_again: bool,
    /// When the holder loses the name.
    pub(in crate::core::hub) deadline: Time,
}

impl Challenge {
    /// When something must be done: the second probe, or the end of the contest.
    pub(in crate::core::hub) fn due(&self) -> Time {
        if self.asked_again { self.deadline } else { self.counts_from }
    }
}

/// The failure of a newcomer whose name another living client of the same key has.
pub(in crate::core::hub) fn in_use(name: &str, ask_again: Duration) -> Failure {
    let message = format!("The name {name} is in use: another client of yours is here under it.");
    Failure::new(ErrorCode::NameTaken, message)
        .at(pointer_at("/name"))
        .hint("Leave there first (`quit`), or join under another name with --name.")
        .wait(ask_again.as_millis() as u64)
}
