//! How an event is told, and to whom.

/// What the row of an event says of its telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Something has happened: each one counts.
    Fact,
    /// How something stands: of those that wait for a slow reader, only the newest counts.
    State,
    /// The end of the stream: never dropped.
    Last,
    /// Between hub and client only; no program reads it.
    Between,
}
