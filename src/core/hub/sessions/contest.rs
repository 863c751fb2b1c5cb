//! A name that its own owner wants twice: the session that has it may be that of a process that was killed.
//!
//! Where the system closes a dead process's connection (TCP), the name is free at once. Where nobody does (QUIC, a
//! machine without power), the session that holds the name is probed, and replaced if it misses the ack timeout. There
//! is one contest for a name at a time, and it has one deadline: of several newcomers, who may have been killed as well,
//! the newest has it.

use std::time::Duration;

use crate::core::hub::PeerId;
use crate::core::hub::sessions::underway::Entering;
use crate::core::hub::state::InUse;
use crate::core::time::Time;
use crate::protocol::line::pointer_at;
use crate::protocol::{ErrorCode, Failure};

/// Somebody wants a name that is in use and that is theirs: granted only if its holder does not live.
pub(in crate::core::hub) struct Challenge {
    pub(in crate::core::hub) by: PeerId,
    pub(in crate::core::hub) entering: Entering,
    /// The holder as it was when the name was contested.
    pub(in crate::core::hub) seen: Option<InUse>,
    /// From when on what the holder says counts. What comes earlier may have been on its way when it died.
    pub(in crate::core::hub) counts_from: Time,
    /// Whether the holder has been probed at `counts_from`, too.
    pub(in crate::core::hub) asked_again: bool,
    /// When the holder has lost the name.
    pub(in crate::core::hub) deadline: Time,
}

impl Challenge {
    /// When something is to be done.
    pub(in crate::core::hub) fn due(&self) -> Time {
        if self.asked_again { self.deadline } else { self.counts_from }
    }
}

/// The name is the newcomer's own, and another client of theirs lives under it.
pub(in crate::core::hub) fn in_use(name: &str, ask_again: Duration) -> Failure {
    let message = format!("The name {name} is in use: another client of yours is here under it.");
    Failure::new(ErrorCode::NameTaken, message)
        .at(pointer_at("/name"))
        .hint("Leave there first (`quit`), or join under another name with --name.")
        .wait(ask_again.as_millis() as u64)
}
