//! What a session waits for.
//!
//! A deadline follows from how the parts stand: it is read off after each input, so that no timer can be left over from
//! what is past.

/// The timers of a session. Of several that are due at one moment, the first here fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The pause after a connection that was lost is over: the hub is tried again.
    Reconnect,
    /// The hub has been connected to, and does not say hello.
    Hello,
    /// The link to the hub wants to acknowledge, to probe, or to be given up.
    Link,
    /// The session has taken as long as its user lets it.
    Limit,
    /// The hub had no time for us at its entrance, and is asked again.
    Enter,
    /// One of the direct connections waits for something.
    Peers,
    /// Places in the queue of downloads have changed since they were told.
    Places,
    /// We have said goodbye, and the hub does not answer.
    Goodbye,
    /// The hub is there, and owes an answer for too long.
    Answer,
    /// Hashing has held up for long enough what may go past it.
    Hashing,
    /// The hub has been lost for so long that those who wait for it should know.
    RequestsWait,
    /// The end has waited for so long that the user should know for what.
    EndWaits,
    /// Only pushes that nobody takes are left, and the end waits for them no longer.
    UntakenPushes,
    /// The end waits for a reader, who should know that, though they do not read.
    Unread,
}

impl Timer {
    pub(super) const ALL: [Self; 14] = [
        Self::Reconnect,
        Self::Hello,
        Self::Link,
        Self::Limit,
        Self::Enter,
        Self::Peers,
        Self::Places,
        Self::Goodbye,
        Self::Answer,
        Self::Hashing,
        Self::RequestsWait,
        Self::EndWaits,
        Self::UntakenPushes,
        Self::Unread,
    ];
}
