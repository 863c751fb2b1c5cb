//! Local tasks of a simulated client that have finished.

use crate::core::session::{FilesChanged, Hashed, TransferNote, UploadNote};
use crate::core::verify::KnownKey;
use crate::protocol::parcel::{Parcel, Ticket};
use crate::protocol::wire::Received;
use crate::protocol::{Content, Failure, event};

/// A local task that has finished, such as hashing, and its result.
pub(super) enum Done {
    Dir(u64, Result<String, Failure>),
    Hashing(u64, event::OfferProgress),
    Hashed(u64, Result<Hashed, Failure>),
    Changed(FilesChanged),
    Granted(u64, Result<Content, Failure>),
    Verified(u64, Result<(KnownKey, event::SafetyNumber), Failure>),
    ParcelPrepared(u64, Result<Box<Parcel>, Failure>),
    Listed(u64, Result<Vec<Content>, Failure>),
    TicketFound(u64, Option<Box<Ticket>>),
    Inbox(String, Received),
    Transfer(u64, TransferNote),
    Upload(u64, UploadNote),
    /// Every key agrees with the pinned one.
    Pinned(u64),
}
