//! What the hub keeps on disk, in words: pure data, written by the store and read back at start.

use super::PublicKey;

/// A change that the hub asks its store to keep. Keeping the same record twice is the same as once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A name belongs to a key, from now on or still.
    Name {
        /// The name as its owner writes it.
        name: String,
        /// The name as it is compared, see [`fold`](super::name::fold). There is one owner for each.
        fold: String,
        /// The key that the name belongs to.
        key: PublicKey,
        /// When it was taken, in milliseconds since 1970 (UTC).
        since: i64,
    },
}

/// A [`Record::Name`] as the store gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameRecord {
    /// The name as its owner writes it.
    pub name: String,
    /// The name as it is compared.
    pub fold: String,
    /// The key that the name belongs to.
    pub key: PublicKey,
    /// When it was taken, in milliseconds since 1970 (UTC).
    pub since: i64,
}
