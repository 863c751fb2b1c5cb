//! What the hub does when time passes: its timers, each with its reason.

use super::PeerId;

/// The timers of a hub. Of several that fire at one moment, the one that stands first here fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A connection has not said hello in time: it is turned away.
    Hello,
    /// A session has been without a name for too long: it ends.
    Nameless,
    /// A session's link sends again or gives its connection up, its grace ends, or its name is contested.
    Session(PeerId),
    /// Nobody has said in time that a message has arrived: its sender is answered that it is stored.
    Receipt,
    /// The store has been in trouble for long: messages that wait for it are given up.
    GiveUp,
    /// The next portion of a change of very many offers.
    Chores,
    /// The log is told how many more requests were refused.
    Refusals,
    /// What people have received is written down.
    Received,
    /// Old messages are forgotten.
    Trim,
    /// Changes of the table, the roster and rooms are told.
    Gather,
    /// Those who are fetching something hear who has more of it.
    Holders,
}

/// All timers but those of sessions.
pub(super) const OWN: [Timer; 10] = [
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
];
