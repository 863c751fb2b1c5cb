//! Watches offered files for changes, and watched folders for new files.
//!
//! The system's events (`fs_events`) are only hints at paths that may have changed. A path is checked until it has not
//! changed for a moment; then it is hashed, added to the content store, and published. Events can be lost or
//! unavailable, so everything is also scanned from time to time. The scans alone would suffice, only later.

mod event;
mod fs_events;
mod index;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::session::{FilesChanged, Offering};
use crate::io::content::hash_cache::HashCache;
use crate::io::content::store::ContentStore;
use crate::io::offers::ready::Ready;
use crate::io::os::cancel::Cancel;
use event::WatchEvent;
use fs_events::FsEvents;
use index::WatchIndex;
use worker::Worker;

/// The events that may wait for the thread. If there are more, it scans everything.
const EVENT_QUEUE: usize = 4_096;

/// A callback that receives the changes.
pub(crate) type Changed = Box<dyn Fn(FilesChanged) + Send>;

/// The timing of the watcher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchIntervals {
    /// How long a file must not have changed before it is hashed.
    pub(crate) quiet: Duration,
    /// The time between two full scans, not counting the scan itself.
    pub(crate) poll: Duration,
    /// The same if the system does not report all changes.
    pub(crate) poll_blind: Duration,
    /// Whether to use the system's events.
    pub(crate) events: bool,
}

impl Default for WatchIntervals {
    fn default() -> Self {
        Self {
            quiet: Duration::from_millis(300),
            poll: Duration::from_secs(10),
            poll_blind: Duration::from_secs(2),
            events: true,
        }
    }
}

/// Watches what is offered, on a thread of its own, until it is dropped.
pub struct Watcher {
    shared: Arc<WatchShared>,
    notes: SyncSender<WatchEvent>,
    /// Starts the thread. It is not started before there is something to watch, because the system limits the number of
    /// watchers.
    start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// What the watcher and its thread share.
#[derive(Debug)]
struct WatchShared {
    index: Mutex<WatchIndex>,
    /// Set if an event was lost.
    missed: AtomicBool,
    stop: Cancel,
}

impl Watcher {
    pub(crate) fn new(
        contents: ContentStore,
        cache: Arc<HashCache>,
        intervals: WatchIntervals,
        changed: Changed,
    ) -> Self {
        let (notes, incoming) = sync_channel(EVENT_QUEUE);
        let index = Mutex::new(WatchIndex::new(contents));
        let shared = Arc::new(WatchShared { index, missed: AtomicBool::new(false), stop: Cancel::default() });
        let (its_queue, its_shared) = (notes.clone(), Arc::clone(&shared));
        let watch = move || {
            let fs_events = FsEvents::open(intervals.events, its_queue, Arc::clone(&its_shared));
            Worker::new(its_shared, cache, intervals, changed, fs_events).run(&incoming);
        };
        let start = move || {
            if let Err(e) = std::thread::Builder::new().name("watch".into()).spawn(watch) {
                tracing::warn!("offered files are not watched: {}", crate::protocol::cause::plain(&e.to_string()));
            }
        };
        Self { shared, notes, start: Mutex::new(Some(Box::new(start))) }
    }

    /// Adds files to the content store, and watches them and these folders from now on.
    pub(crate) fn add(&self, offering: &Offering, files: Vec<Ready>, folders: Vec<String>) {
        let (placed, added) = self.shared.index().add(offering, files, &folders);
        self.shared.note(&self.notes, WatchEvent::Added(placed, added));
        if let Some(start) = self.start.lock().unwrap_or_else(PoisonError::into_inner).take() {
            start();
        }
    }

    /// Removes files from the content store and the index; see
    /// [`Offers::withdraw`](crate::io::offers::Offers::withdraw).
    pub(crate) fn forget(&self, names: &[String]) {
        self.shared.index().forget(names);
    }

    /// Checks a file that may have changed.
    #[cfg(test)]
    pub fn suspect(&self, name: &str) {
        if let Some(path) = self.shared.index().path_of(name) {
            self.shared.note(&self.notes, WatchEvent::Look(path));
        }
    }
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // The thread is not joined: it may be inside a callback that waits for our caller.
        self.shared.stop.cancel();
        self.shared.note(&self.notes, WatchEvent::Stop);
    }
}

impl WatchShared {
    /// Locks the index. It is never held for long.
    fn index(&self) -> MutexGuard<'_, WatchIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, notes: &SyncSender<WatchEvent>, note: WatchEvent) {
        if notes.try_send(note).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}
