//! Which file of a folder is fetched from where.
//!
//! [`SmallFiles`] knows the state of many small files and hands them out to *lanes*, the connections
//! over which they come, many at a time and whole. Each file is done, failed with a reason, waiting,
//! or handed out to exactly one lane. What a lane takes at a time gets less towards the end, and no
//! lane has more on its way than its share of what waits, so that the lanes finish together; what a
//! lane had when it was lost waits again. A lane that has had nothing to do for a while may take over
//! half of what another source still owes.

pub mod invariants;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use super::Lane;
use crate::protocol::{ErrorCode, Failure};

/// So many files a lane may have on its way, however few are left: less is not worth a request.
const LEAST_FILES: usize = 16;
/// The same in bytes.
const LEAST_BYTES: u64 = 256 << 10;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its size in bytes.
    pub size: u64,
    /// What it takes in the line of a request, in bytes.
    pub line: usize,
    /// Who has it, by number.
    pub sources: Vec<u32>,
}

/// How much a lane may take. The first file is always within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The bytes of all files.
    pub bytes: u64,
    /// The bytes of all their lines.
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileState {
    Waiting,
    /// On its way over this lane.
    Flying(Lane),
    /// Being written by this lane: nobody else gets it any more.
    Claimed(Lane),
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy)]
struct LaneState {
    source: u32,
    /// How many files are on their way, and their bytes.
    flying: (usize, u64),
}

/// The state of every file.
#[derive(Debug)]
pub struct SmallFiles {
    items: Vec<Item>,
    states: Vec<FileState>,
    /// The files of each source that may be waiting, in order; others are passed over.
    queues: Vec<VecDeque<u32>>,
    /// Why a source is not used any more.
    dropped: Vec<Option<Failure>>,
    /// Those that have joined and not left.
    lanes: BTreeMap<Lane, LaneState>,
    /// How many lanes there are at a time.
    width: usize,
    waiting: usize,
    waiting_bytes: u64,
    undone: usize,
    /// Failed, and not yet told.
    failed: Vec<(u32, Failure)>,
}

impl SmallFiles {
    /// All of these files from sources numbered below `sources`, over `width` lanes at a time.
    /// Those that nobody has fail at once.
    pub fn new(items: Vec<Item>, sources: usize, width: usize) -> Self {
        let mut files = Self {
            states: vec![FileState::Waiting; items.len()],
            queues: vec![VecDeque::new(); sources],
            dropped: vec![None; sources],
            lanes: BTreeMap::new(),
            width: width.max(1),
            waiting: items.len(),
            waiting_bytes: items.iter().map(|i| i.size).sum(),
            undone: items.len(),
            failed: Vec::new(),
            items,
        };
        for file in 0..files.items.len() as u32 {
            files.items[file as usize].sources.retain(|s| (*s as usize) < sources);
            for source in &files.items[file as usize].sources {
                files.queues[*source as usize].push_back(file);
            }
            files.fail_if_nobody_has(file, || Failure::new(ErrorCode::SourceGone, "Nobody has the file."));
        }
        files
    }

    /// A new connection to the source with this number.
    pub fn join(&mut self, lane: Lane, source: u32) {
        self.lanes.insert(lane, LaneState { source, flying: (0, 0) });
    }

    /// All files, by number; of each source that could not give one, that file is not said to be there any more.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// So many lanes share what waits from now on.
    pub fn set_width(&mut self, lanes: usize) {
        self.width = lanes.max(1);
    }

    /// The lane is lost, or has no more to do. What it had waits again.
    pub fn leave(&mut self, lane: Lane) {
        let Some(source) = self.source(lane) else { return };
        for file in (0..self.states.len() as u32).rev() {
            if matches!(self.states[file as usize], FileState::Flying(l) | FileState::Claimed(l) if l == lane) {
                self.give_back(file, source);
            }
        }
        self.lanes.remove(&lane);
    }

    /// Files for this lane to fetch next; none if there is nothing for it now, or it has its share on
    /// its way. More may come while [`SmallFiles::is_over`] is false.
    pub fn take(&mut self, lane: Lane, room: Room) -> Vec<u32> {
        let mut taken = Vec::new();
        let Some(LaneState { source, flying: (files, bytes) }) = self.lanes.get(&lane).copied() else { return taken };
        let fair = (self.waiting / self.width, self.waiting_bytes / self.width as u64);
        if files > fair.0.max(LEAST_FILES) || bytes > fair.1.max(LEAST_BYTES) {
            return taken;
        }
        let share = (fair.0 / 2).max(LEAST_FILES);
        let most = room.bytes.min((fair.1 / 2).max(LEAST_BYTES));
        let (mut bytes, mut line) = (0, 0);
        while taken.len() < share
            && let Some(file) = self.next_waiting(source)
        {
            let item = &self.items[file as usize];
            bytes += item.size;
            line += item.line;
            if !taken.is_empty() && (bytes > most || line > room.line) {
                break;
            }
            self.change(file, FileState::Flying(lane));
            self.queues[source as usize].pop_front();
            taken.push(file);
        }
        taken
    }

    /// Whether there is something that this lane could take.
    pub fn has_work(&mut self, lane: Lane) -> bool {
        self.source(lane).is_some_and(|source| self.next_waiting(source).is_some())
    }

    /// The first source among those that are `free` that has something waiting.
    pub fn next_source(&mut self, free: impl Fn(u32) -> bool) -> Option<u32> {
        (0..self.queues.len() as u32).find(|s| free(*s) && self.next_waiting(*s).is_some())
    }

    /// A file has come over this lane, whole and right. True if it is to be written: by nobody else
    /// then, until [`SmallFiles::done`] or [`SmallFiles::fail`].
    pub fn claim(&mut self, lane: Lane, file: u32) -> bool {
        let flies = self.states.get(file as usize) == Some(&FileState::Flying(lane));
        if flies {
            self.change(file, FileState::Claimed(lane));
        }
        flies
    }

    /// A claimed file is there. False if it was not claimed.
    pub fn done(&mut self, file: u32) -> bool {
        let claimed = matches!(self.states.get(file as usize), Some(FileState::Claimed(_)));
        if claimed {
            self.change(file, FileState::Done);
            self.undone -= 1;
        }
        claimed
    }

    /// A file cannot be had, whoever has it.
    pub fn fail(&mut self, file: u32, failure: Failure) {
        match self.states.get(file as usize) {
            None | Some(FileState::Done | FileState::Failed) => return,
            Some(FileState::Waiting | FileState::Flying(_) | FileState::Claimed(_)) => {
                self.change(file, FileState::Failed)
            }
        }
        self.undone -= 1;
        self.failed.push((file, failure));
    }

    /// The lane's source cannot give this file; others may.
    pub fn strike(&mut self, lane: Lane, file: u32, failure: Failure) {
        let (Some(source), Some(item)) = (self.source(lane), self.items.get_mut(file as usize)) else { return };
        item.sources.retain(|s| *s != source);
        if self.states[file as usize] == FileState::Flying(lane) {
            self.wait(file);
        }
        self.fail_if_nobody_has(file, || failure);
    }

    /// The source is not used any more. What its lanes had waits for others, and files that nobody
    /// else has fail. Its lanes get nothing more, and should leave.
    pub fn drop_source(&mut self, source: u32, failure: &Failure) {
        let Some(dropped) = self.dropped.get_mut(source as usize) else { return };
        dropped.get_or_insert_with(|| failure.clone());
        self.queues[source as usize].clear();
        for file in (0..self.items.len() as u32).rev() {
            let sources = &mut self.items[file as usize].sources;
            let before = sources.len();
            sources.retain(|s| *s != source);
            if sources.len() == before {
                continue;
            }
            if let FileState::Flying(lane) = self.states[file as usize]
                && self.source(lane) == Some(source)
            {
                self.wait(file);
            }
            self.fail_if_nobody_has(file, || failure.clone());
        }
    }

    /// Why a source was dropped, if it was.
    pub fn dropped(&self, source: u32) -> Option<&Failure> {
        self.dropped.get(source as usize)?.as_ref()
    }

    /// Lets half of what another source owes wait again, for this lane to take: of the source's lane
    /// that owes the most of what this one could have. That lane's files will not be claimed.
    pub fn take_over(&mut self, lane: Lane) {
        let Some(own) = self.source(lane) else { return };
        let mut owed: BTreeMap<Lane, Vec<u32>> = BTreeMap::new();
        for (file, state) in (0..).zip(&self.states) {
            if let FileState::Flying(other) = state
                && self.source(*other) != Some(own)
                && self.items[file as usize].sources.contains(&own)
            {
                owed.entry(*other).or_default().push(file);
            }
        }
        let most = owed.into_values().max_by_key(Vec::len).unwrap_or_default();
        for file in most[most.len() / 2..].iter().rev() {
            self.wait(*file);
        }
    }

    /// The files that have failed since the last call, and why.
    pub fn take_failed(&mut self) -> Vec<(u32, Failure)> {
        std::mem::take(&mut self.failed)
    }

    /// Fails every file that is not done.
    pub fn fail_rest(&mut self, failure: &Failure) {
        (0..self.items.len() as u32).for_each(|file| self.fail(file, failure.clone()));
    }

    /// Whether every file is done or has failed.
    pub fn is_over(&self) -> bool {
        self.undone == 0
    }

    fn source(&self, lane: Lane) -> Option<u32> {
        self.lanes.get(&lane).map(|lane| lane.source)
    }

    fn next_waiting(&mut self, source: u32) -> Option<u32> {
        let queue = self.queues.get_mut(source as usize)?;
        while let Some(file) = queue.front() {
            let had = || self.items[*file as usize].sources.contains(&source);
            if self.states[*file as usize] == FileState::Waiting && had() {
                return Some(*file);
            }
            queue.pop_front();
        }
        None
    }

    /// A file that a source's lane had.
    fn give_back(&mut self, file: u32, source: u32) {
        self.wait(file);
        let why = self.dropped(source).cloned();
        self.fail_if_nobody_has(file, || why.unwrap_or(ErrorCode::PeerBroke.into()));
    }

    /// A file that was handed out waits again, as the first of all.
    fn wait(&mut self, file: u32) {
        self.change(file, FileState::Waiting);
        for source in &self.items[file as usize].sources {
            self.queues[*source as usize].push_front(file);
        }
    }

    /// Every change of a state, with what is counted of it.
    fn change(&mut self, file: u32, to: FileState) {
        let size = self.items[file as usize].size;
        match std::mem::replace(&mut self.states[file as usize], to) {
            FileState::Waiting => {
                self.waiting -= 1;
                self.waiting_bytes -= size;
            }
            FileState::Flying(lane) => {
                if let Some(LaneState { flying, .. }) = self.lanes.get_mut(&lane) {
                    *flying = (flying.0 - 1, flying.1 - size);
                }
            }
            FileState::Claimed(_) | FileState::Done | FileState::Failed => {}
        }
        match to {
            FileState::Waiting => {
                self.waiting += 1;
                self.waiting_bytes += size;
            }
            FileState::Flying(lane) => {
                if let Some(LaneState { flying, .. }) = self.lanes.get_mut(&lane) {
                    *flying = (flying.0 + 1, flying.1 + size);
                }
            }
            FileState::Claimed(_) | FileState::Done | FileState::Failed => {}
        }
    }

    /// A waiting file that nobody has any more fails.
    fn fail_if_nobody_has(&mut self, file: u32, why: impl FnOnce() -> Failure) {
        if self.states[file as usize] == FileState::Waiting && self.items[file as usize].sources.is_empty() {
            self.fail(file, why());
        }
    }
}
