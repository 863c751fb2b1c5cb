//! How an event is delivered to a slow reader, and who reads it at all.

/// How an event is delivered: declared in its row of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Something happened. Every one counts; dropped facts are announced by a `gap`.
    Fact,
    /// How something stands now. A newer one replaces an older one that still waits for a slow reader.
    State,
    /// The end of the stream. It is never dropped.
    Last,
    /// Sent from the hub to a client, which does not tell it to its user.
    Between,
}
