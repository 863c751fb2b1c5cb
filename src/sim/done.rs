//! What is done on a client's own machine.

use crate::core::session::{FilesChanged, Hashed, TransferNote, UploadNote};
use crate::protocol::wire::Received;
use crate::protocol::{Content, Failure, event};

/// Something on a client's own machine is done.
pub(super) enum Done {
    Dir(u64, Result<String, Failure>),
    Hashing(u64, event::OfferProgress),
    Hashed(u64, Result<Hashed, Failure>),
    Changed(FilesChanged),
    Lent(u64, Result<Content, Failure>),
    Inbox(String, Received),
    Transfer(u64, TransferNote),
    Upload(u64, UploadNote),
    /// Every key is the one that is known.
    Pinned(u64),
}
