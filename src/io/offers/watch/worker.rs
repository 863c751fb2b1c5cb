//! The watcher's thread: checks paths that may have changed.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::event::WatchEvent;
use super::fs_events::FsEvents;
use super::index::HashTask;
use super::{Changed, WatchIntervals, WatchShared};
use crate::core::session::FilesChanged;
use crate::io::content::hash::Fingerprint;
use crate::io::content::hash_cache::HashCache;
use crate::io::content::hash_many::hash_or_remember;
use crate::io::content::stored_content::StoredContent;
use crate::io::offers::ready::Ready;
use crate::io::offers::walk::{Found, find_in};
use crate::protocol::limits::PUBLISH_FILES;
use crate::protocol::{Content, ErrorCode};

/// The changed paths that may wait to settle. Further ones are found by the next full scan.
const PENDING: usize = 65_536;
/// A full scan takes at most one part in this many of the time.
const POLL_SHARE: u32 = 50;
/// How often a folder is read again because new folders have appeared in it.
const SCANS: usize = 8;
/// How many times longer a path waits whose state the system does not report.
const UNTOLD: u32 = 10;
/// The time after which finished files are published while others are still being hashed.
const TELL: Duration = Duration::from_secs(1);

/// The state of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathState {
    File(Fingerprint),
    Folder,
    /// There is nothing, or nothing that can be offered.
    Nothing,
    /// The system cannot tell at the moment.
    Unknown,
}

impl PathState {
    fn at(path: &Path) -> Self {
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => Self::Folder,
            Ok(meta) => Fingerprint::of_metadata(&meta).map_or(Self::Nothing, Self::File),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Self::Nothing,
            Err(_) => Self::Unknown,
        }
    }

    fn file(&self) -> Option<&Fingerprint> {
        match self {
            Self::File(fingerprint) => Some(fingerprint),
            Self::Folder | Self::Nothing | Self::Unknown => None,
        }
    }
}

/// A path that has changed, and must stay the same until `due`.
struct Pending {
    seen: PathState,
    due: Instant,
}

pub(super) struct Worker {
    shared: Arc<WatchShared>,
    cache: Arc<HashCache>,
    intervals: WatchIntervals,
    changed: Changed,
    fs_events: FsEvents,
    pending: HashMap<PathBuf, Pending>,
    next_settle: Instant,
    next_poll: Instant,
    /// The earliest time of the next full scan, whatever events were lost.
    rest: Instant,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<WatchShared>,
        cache: Arc<HashCache>,
        intervals: WatchIntervals,
        changed: Changed,
        fs_events: FsEvents,
    ) -> Self {
        let now = Instant::now();
        let (next_settle, next_poll, pending) = (now, now + intervals.poll_blind.min(intervals.poll), HashMap::new());
        Self { shared, cache, intervals, changed, fs_events, pending, next_settle, next_poll, rest: now }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self, notes: &Receiver<WatchEvent>) {
        loop {
            let next = if self.pending.is_empty() { self.next_poll } else { self.next_poll.min(self.next_settle) };
            match notes.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(WatchEvent::Look(path)) => self.touch(&path),
                Ok(WatchEvent::Moved(path)) => {
                    self.fs_events.lose(&path);
                    self.touch(&path);
                }
                Ok(WatchEvent::Added(files, folders)) => self.added(&files, &folders),
                Ok(WatchEvent::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.shared.stop.is_cancelled() {
                return;
            }
            if self.shared.missed.swap(false, Ordering::AcqRel) {
                self.next_poll = self.next_poll.min(self.rest);
            }
            if Instant::now() >= self.next_poll {
                self.poll();
            }
            if Instant::now() >= self.next_settle && !self.pending.is_empty() {
                self.act_on_settled();
            }
        }
    }

    /// Subscribes to what was offered, and catches up with changes made before that.
    fn added(&mut self, files: &[Arc<StoredContent>], folders: &[u64]) {
        for file in files {
            self.watch_parent(&file.path());
        }
        for file in files {
            self.check(&file.path());
        }
        for folder in folders {
            self.scan(*folder, None);
        }
    }

    fn watch_parent(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.fs_events.watch(parent);
        }
    }

    /// Something at a path may have changed.
    fn touch(&mut self, path: &Path) {
        if let Some(pending) = self.pending.get_mut(path) {
            pending.due = Instant::now() + self.intervals.quiet;
            self.next_settle = self.next_settle.min(pending.due);
            return;
        }
        let (below, around) = {
            let index = self.shared.index();
            (index.below(path), index.folders_around(path))
        };
        let seen = PathState::at(path);
        let is_offered = below.iter().any(|below| *below.path() == *path);
        for below in below {
            let below = below.path();
            let seen = PathState::at(&below);
            self.pend(below.into_owned(), seen);
        }
        if !around.is_empty() && !is_offered {
            if seen == PathState::Folder {
                self.scan_around(&around);
            } else {
                self.pend(path.to_owned(), seen);
            }
        }
    }

    fn pend(&mut self, path: PathBuf, seen: PathState) {
        self.pend_for(path, seen, self.intervals.quiet);
    }

    fn pend_for(&mut self, path: PathBuf, seen: PathState, time: Duration) {
        if self.pending.len() >= PENDING {
            self.shared.missed.store(true, Ordering::Release);
            return;
        }
        let due = Instant::now() + time;
        self.next_settle = if self.pending.is_empty() { due } else { self.next_settle.min(due) };
        self.pending.entry(path).or_insert(Pending { seen, due });
    }

    /// Checks whether an offered file is still as it was offered.
    fn check(&mut self, path: &Path) {
        let seen = PathState::at(path);
        if !self.shared.index().is_as_offered(path, seen.file()) {
            self.pend(path.to_owned(), seen);
        }
    }

    fn scan_around(&mut self, around: &[(u64, String)]) {
        for (folder, name) in around {
            self.scan(*folder, Some(name));
        }
    }

    /// Looks for new files in a watched folder, or in one within it.
    fn scan(&mut self, number: u64, within: Option<&str>) {
        let Some(scope) = self.shared.index().scope(number) else { return };
        let prefix = within.map_or_else(|| scope.prefix.clone(), |name| format!("{name}/"));
        let depth = prefix.matches('/').count() - scope.prefix.matches('/').count();
        let mut found = Found::default();
        for _ in 0..SCANS {
            found = find_in(&scope.base, &prefix, depth, scope.hidden, &self.shared.stop);
            // Files created before the folder was watched are found by reading it again.
            let mut is_new = false;
            for inner in &found.folders {
                is_new |= self.fs_events.watch(&scope.base.join(inner.trim_end_matches('/')));
            }
            if !is_new {
                break;
            }
        }
        for file in found.files {
            let path = scope.base.join(&*file.name);
            if self.shared.index().is_news(&path, &file.fingerprint) {
                self.pend(path, PathState::File(file.fingerprint));
            }
        }
    }

    /// Scans everything.
    fn poll(&mut self) {
        let started = Instant::now();
        self.fs_events.try_again();
        let (files, folders) = {
            let index = self.shared.index();
            (index.all(), index.folder_numbers())
        };
        let mut parents = BTreeSet::new();
        for file in &files {
            if self.shared.stop.is_cancelled() {
                return;
            }
            let path = file.path();
            self.watch_parent(&path);
            self.check(&path);
            if let Some(parent) = path.parent()
                && !parents.contains(parent)
            {
                parents.insert(parent.to_owned());
            }
        }
        for folder in folders {
            self.scan(folder, None);
        }
        let index = self.shared.index();
        self.fs_events.retain(|folder| parents.contains(folder) || index.is_in_folder(folder));
        drop(index);
        let (now, took) = (Instant::now(), started.elapsed());
        let pause = if self.fs_events.is_blind() { self.intervals.poll_blind } else { self.intervals.poll };
        self.rest = now + self.intervals.quiet.max(took * 4);
        self.next_poll = now + pause.max(took * POLL_SHARE);
    }

    /// Acts on paths that have not changed for a moment.
    fn act_on_settled(&mut self) {
        let now = Instant::now();
        let mut due = Vec::new();
        for (path, pending) in self.pending.iter_mut().filter(|(_, pending)| pending.due <= now) {
            let seen = PathState::at(path);
            if seen == PathState::Unknown {
                *pending = Pending { seen, due: now + self.intervals.quiet * UNTOLD };
            } else if seen == pending.seen {
                due.push((path.clone(), seen));
            } else {
                *pending = Pending { seen, due: now + self.intervals.quiet };
            }
        }
        let (mut tasks, mut gone) = (Vec::new(), Vec::new());
        for (path, seen) in due {
            self.pending.remove(&path);
            let settled = self.shared.index().judge_settled(&path, seen.file());
            tasks.extend(settled.tasks);
            gone.extend(settled.gone);
            if seen == PathState::Folder {
                let around = self.shared.index().folders_around(&path);
                self.scan_around(&around);
            }
        }
        self.hash(tasks, gone);
        // All that is due within this time is settled together.
        let together = Instant::now() + self.intervals.quiet / 4;
        let soonest = self.pending.values().map(|pending| pending.due).min();
        self.next_settle = soonest.map_or(together, |soonest| soonest.max(together));
    }

    /// Hashes files that are new or have changed, and publishes them together with those that are gone.
    fn hash(&mut self, mut tasks: Vec<HashTask>, gone: Vec<String>) {
        tasks.sort_by(|a, b| (&a.base, a.chunks, &a.name).cmp(&(&b.base, b.chunks, &b.name)));
        let mut news = FilesChanged { changed: Vec::new(), gone };
        let mut told = Instant::now();
        for alike in tasks.chunk_by(|a, b| a.base == b.base && a.chunks == b.chunks) {
            for some in alike.chunks(PUBLISH_FILES) {
                self.hash_alike(some, &mut news);
                if news.changed.len() >= PUBLISH_FILES || told.elapsed() > TELL {
                    self.tell(std::mem::take(&mut news));
                    told = Instant::now();
                }
            }
        }
        self.tell(news);
    }

    /// Hashes files that are relative to one folder.
    fn hash_alike(&mut self, tasks: &[HashTask], news: &mut FilesChanged) {
        let Some(HashTask { base, chunks, .. }) = tasks.first() else { return };
        let files: Vec<_> = tasks.iter().map(|task| (&*task.name, task.fingerprint)).collect();
        let results = hash_or_remember(base, &files, *chunks, &self.cache, &mut |_| (), &self.shared.stop);
        for (task, result) in tasks.iter().zip(results) {
            let path = base.join(&*task.name);
            match result {
                Ok(hashed) => {
                    self.watch_parent(&path);
                    let ready = Ready { name: task.name.clone(), hashed };
                    news.changed.extend(self.shared.index().replace(task, ready));
                }
                Err(failure) if failure.code == ErrorCode::Interrupted => {}
                Err(failure) if matches!(failure.code, ErrorCode::NoSuchFile | ErrorCode::NotAFile) => {
                    if self.shared.index().drop_failed(task) {
                        news.gone.push(task.name.to_string());
                    }
                }
                // It is being written again, and there will be a quiet moment; or the system cannot read it for now.
                Err(failure) => {
                    let is_written = failure.code == ErrorCode::SourceChanged;
                    // A new file that was never offered is found again by the next full scan.
                    if is_written || self.shared.index().is_offered(task) {
                        let seen = PathState::at(&path);
                        self.pend_for(path, seen, self.intervals.quiet * if is_written { 1 } else { UNTOLD });
                    }
                }
            }
        }
    }

    /// Publishes what has changed, in pieces that one message to the hub can hold.
    fn tell(&self, news: FilesChanged) {
        let (mut changed, mut gone) = (news.changed.into_iter(), news.gone.into_iter());
        while !self.shared.stop.is_cancelled() {
            let changed: Vec<Content> = changed.by_ref().take(PUBLISH_FILES).collect();
            let gone: Vec<String> = gone.by_ref().take(PUBLISH_FILES).collect();
            if changed.is_empty() && gone.is_empty() {
                return;
            }
            (self.changed)(FilesChanged { changed, gone });
        }
    }
}
