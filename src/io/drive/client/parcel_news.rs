//! What the driver's threads have done for parcels.

use crate::io::content::parcels::ParcelFiles;
use crate::io::fs::temporary::TemporaryDir;
use crate::protocol::event::OfferProgress;
use crate::protocol::parcel::{Parcel, Ticket};
use crate::protocol::types::Skipped;
use crate::protocol::{Content, ContentHash, Failure};

/// What has been done for a parcel, by its number, or by that of a task.
#[derive(Debug)]
pub enum ParcelNews {
    /// Its files were hashed.
    Prepared(u64, Result<Box<ReadyParcel>, Failure>),
    /// Progress of hashing its files.
    Hashing(u64, OfferProgress),
    /// Its listing was fetched.
    Listed(u64, Result<Vec<Content>, Failure>),
    /// What was kept of its code.
    TicketFound(u64, Option<Box<Ticket>>),
}

/// A parcel that is ready to be fetched.
pub struct ReadyParcel {
    pub(super) parcel: Parcel,
    pub(super) files: ParcelFiles,
    /// The hash of all that is in it, by which it is known if it is sent again.
    pub(super) what: ContentHash,
    /// Where its listing lies, if it has one.
    pub(super) listing: Option<TemporaryDir>,
    /// What was left out of its folders.
    pub(super) skipped: Vec<Skipped>,
    /// The folders in it that are empty, and so are not sent.
    pub(super) empty: Vec<String>,
}

impl std::fmt::Debug for ReadyParcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadyParcel").field("files", &self.files.len()).finish()
    }
}
