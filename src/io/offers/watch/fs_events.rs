//! Subscribes to the operating system's events about changes in folders.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::WatchShared;
use super::event::WatchEvent;

/// The folders whose changes the system reports. Each folder is subscribed separately, without its subfolders.
pub(super) struct FsEvents {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
    /// Whether the system could not watch some folder.
    blind: bool,
    /// Whether that has been logged.
    warned: bool,
}

impl FsEvents {
    pub(super) fn open(events: bool, notes: SyncSender<WatchEvent>, shared: Arc<WatchShared>) -> Self {
        let tell = move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => shared.missed.store(true, Ordering::Release),
            Ok(event) => tell(event, &notes, &shared),
            Err(e) => {
                tracing::debug!("watching: {}", crate::protocol::cause::plain(&e.to_string()));
                shared.missed.store(true, Ordering::Release);
            }
        };
        let opened = events.then(|| notify::recommended_watcher(tell)).transpose();
        let watcher = opened
            .inspect_err(|e| {
                tracing::warn!("the system tells of no changes: {}", crate::protocol::cause::plain(&e.to_string()))
            })
            .unwrap_or_default();
        Self { watcher, folders: BTreeSet::new(), blind: false, warned: false }
    }

    /// Watches a folder. Returns whether it was not watched before.
    pub(super) fn watch(&mut self, folder: &Path) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        // Once the system has no room for one more, the others are not tried.
        if self.blind || self.folders.contains(folder) {
            return false;
        }
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => self.folders.insert(folder.to_owned()),
            Err(notify::Error { kind: ErrorKind::PathNotFound, .. }) => false,
            Err(e) => {
                self.blind = true;
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(
                        "changes in {} are noticed late: {}",
                        folder.display(),
                        crate::protocol::cause::plain(&e.to_string())
                    );
                }
                false
            }
        }
    }

    /// Whether some changes are not reported.
    pub(super) fn is_blind(&self) -> bool {
        self.blind || self.watcher.is_none()
    }

    /// Allows what could not be watched to be tried again.
    pub(super) fn try_again(&mut self) {
        self.blind = false;
    }

    /// Stops watching at this path and below, because something else is there now.
    pub(super) fn lose(&mut self, path: &Path) {
        let from = (Bound::Included(path), Bound::Unbounded);
        let lost: Vec<_> = self.folders.range::<Path, _>(from).take_while(|f| f.starts_with(path)).cloned().collect();
        for folder in lost {
            self.unwatch(&folder);
        }
    }

    /// Stops watching all folders for which `wanted` is false.
    pub(super) fn retain(&mut self, wanted: impl Fn(&Path) -> bool) {
        let lost: Vec<_> = self.folders.iter().filter(|folder| !wanted(folder)).cloned().collect();
        for folder in lost {
            self.unwatch(&folder);
        }
    }

    fn unwatch(&mut self, folder: &Path) {
        self.folders.remove(folder);
        if let Some(watcher) = &mut self.watcher {
            // The subscription may have ended already, with its folder.
            let _ = watcher.unwatch(folder);
        }
    }
}

fn tell(event: Event, notes: &SyncSender<WatchEvent>, shared: &WatchShared) {
    let note = match event.kind {
        // Reading is no change; our own hashing would count.
        EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write) => return,
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => WatchEvent::Moved,
        EventKind::Any | EventKind::Access(_) | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Other => {
            WatchEvent::Look
        }
    };
    for path in event.paths {
        shared.note(notes, note(path));
    }
}
