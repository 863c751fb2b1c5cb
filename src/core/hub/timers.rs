//! The hub's timers, and what each of them does when it fires.

use super::PeerId;

/// The timers of a hub. Of those that are due at the same moment, the first in this list fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The oldest connection has not said hello in time and is turned away.
    Hello,
    /// A session has been without a name for too long and ends.
    Nameless,
    /// A session's link sends again or gives up its connection; a session's grace ends; the holder of a contested name
    /// is probed or loses it.
    Session(PeerId),
    /// A receiver has not confirmed a message in time: its sender is answered that it is stored, but not yet delivered.
    Receipt,
    /// The store has been unable to write for too long: messages that wait for it are given up.
    GiveUp,
    /// The next portion of a change that concerns very many offers is carried out.
    Chores,
    /// The number of refused requests that had no log line of their own is logged.
    Refusals,
    /// Which messages people have received is written down.
    Received,
    /// Messages that are older than the retention are trimmed.
    Trim,
    /// Gathered changes of the table, the roster and rooms are told.
    Gather,
    /// Clients that are fetching a content are told who else has it.
    Holders,
    /// A meeting has waited for its connections for too long.
    Meetings,
    /// Somebody has knocked at a code, and was not admitted for too long.
    Handovers,
}

/// All timers except those of sessions.
pub(super) const OWN: [Timer; 12] = [
    Timer::Hello,
    Timer::Nameless,
    Timer::Receipt,
    Timer::GiveUp,
    Timer::Chores,
    Timer::Refusals,
    Timer::Received,
    Timer::Trim,
    Timer::Gather,
    Timer::Holders,
    Timer::Meetings,
    Timer::Handovers,
];
