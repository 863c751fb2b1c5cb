//! The messages to the watcher's thread.

use std::path::PathBuf;
use std::sync::Arc;

use crate::io::content::stored_content::StoredContent;

/// A message to the watcher's thread.
#[derive(Debug)]
pub(super) enum WatchEvent {
    /// Something at this path has changed.
    Look(PathBuf),
    /// Something at this path has changed, and it may be another folder now.
    Moved(PathBuf),
    /// These files and folders were added to the index.
    Added(Vec<Arc<StoredContent>>, Vec<u64>),
    /// The watcher was dropped: the thread must end.
    Stop,
}
