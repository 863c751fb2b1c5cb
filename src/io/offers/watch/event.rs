//! What the watcher's thread is told.

use std::path::PathBuf;
use std::sync::Arc;

use crate::io::content::store::StoredContent;

/// Something that the watcher's thread must look at.
#[derive(Debug)]
pub(super) enum WatchEvent {
    /// Something has happened at this path.
    Look(PathBuf),
    /// The same, and what is there now may be another folder.
    Moved(PathBuf),
    /// These files and folders have been added to the index.
    Added(Vec<Arc<StoredContent>>, Vec<u64>),
    /// The watcher was dropped.
    Stop,
}
