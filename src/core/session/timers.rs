//! The timers of a session.
//!
//! The parts know their deadlines. After each input the session reads them and sets its table of timers accordingly, so
//! no timer outlives its reason.

/// The timers of a session. Of several that are due at one moment, the first here fires first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The pause between two tries to reach a lost hub is over.
    Reconnect,
    /// The hub has accepted the connection and does not say hello.
    Hello,
    /// The link to the hub wants to acknowledge, to probe, or to be given up.
    Link,
    /// The session has taken as long as its user lets it.
    Limit,
    /// The hub was too busy to let us in, and is asked again.
    Enter,
    /// A timer of the direct connections is due.
    Peers,
    /// Downloads have moved up in the queue, and their new places may be told.
    Places,
    /// Somebody takes too long about a parcel, or its time is over.
    Parcels,
    /// The hub does not answer our goodbye.
    Goodbye,
    /// The hub acknowledges frames but has not answered a request for too long.
    Answer,
    /// Hashing has held up other requests for long enough.
    Hashing,
    /// The hub has been lost for so long that requests which wait for it should say so.
    RequestsWait,
    /// `quit`, or the end of the input, has waited for so long that it should say for what.
    EndWaits,
    /// Only pushes that nobody takes are left, and the end does not wait for them any longer.
    UntakenPushes,
    /// The end waits for standard output to be read, and should say so elsewhere.
    Unread,
}

impl Timer {
    pub(super) const ALL: [Self; 15] = [
        Self::Reconnect,
        Self::Hello,
        Self::Link,
        Self::Limit,
        Self::Enter,
        Self::Peers,
        Self::Places,
        Self::Parcels,
        Self::Goodbye,
        Self::Answer,
        Self::Hashing,
        Self::RequestsWait,
        Self::EndWaits,
        Self::UntakenPushes,
        Self::Unread,
    ];
}
