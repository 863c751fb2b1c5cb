//! Noticing that offered files change, and that new ones appear in watched folders.
//!
//! The system's events (`fs_events`) are only hints: paths to look at. A path is looked at until it has not changed for a
//! moment, then hashed, put on the shelf, and published. Events can be lost, or not be had at all; so everything is scanned
//! now and then. The scans alone would be enough, only later.

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

/// How many events may wait for the thread. If there are more, it scans everything.
const EVENT_QUEUE: usize = 4_096;

/// Receives the changes.
pub(crate) type Changed = Box<dyn Fn(FilesChanged) + Send>;

/// How fast changes are noticed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WatchIntervals {
    /// How long a file must be the same until it is hashed.
    pub(crate) quiet: Duration,
    /// The time between full scans, if a scan takes no time.
    pub(crate) poll: Duration,
    /// The same where the system does not report all changes.
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
    /// Starts the thread once there is something to watch, because the system has few watchers to give.
    start: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// What the watcher and its thread share.
#[derive(Debug)]
struct WatchShared {
    index: Mutex<WatchIndex>,
    /// An event was lost.
    missed: AtomicBool,
    stop: Cancel,
}

impl Watcher {
    pub(crate) fn new(shelf: ContentStore, cache: Arc<HashCache>, intervals: WatchIntervals, changed: Changed) -> Self {
        let (notes, incoming) = sync_channel(EVENT_QUEUE);
        let index = Mutex::new(WatchIndex::new(shelf));
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

    /// Puts files on the shelf, and watches them and these folders from now on.
    pub(crate) fn add(&self, offering: &Offering, files: Vec<Ready>, folders: Vec<String>) {
        let (placed, added) = self.shared.index().add(offering, files, &folders);
        self.shared.note(&self.notes, WatchEvent::Added(placed, added));
        if let Some(start) = self.start.lock().unwrap_or_else(PoisonError::into_inner).take() {
            start();
        }
    }

    /// Takes files off the shelf and forgets them; see [`Offers::withdraw`](crate::io::offers::Offers::withdraw).
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
        // The thread is not waited for: it may be telling somebody who waits for us.
        self.shared.stop.cancel();
        self.shared.note(&self.notes, WatchEvent::Stop);
    }
}

impl WatchShared {
    /// Held for moments only.
    fn index(&self) -> MutexGuard<'_, WatchIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, notes: &SyncSender<WatchEvent>, note: WatchEvent) {
        if notes.try_send(note).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}
