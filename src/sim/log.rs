//! The simulated hub's log: what is on its way to the disk, and what a crash makes of it.

use std::collections::VecDeque;

use super::MemoryStore;
use crate::core::time::Rng;
use crate::protocol::Record;

/// How many of the newest records may be kept once more after a crash.
const REPEATED: usize = 40;

/// Records on their way to the disk.
#[derive(Default)]
pub(super) struct Log {
    writing: Vec<(u64, Record)>,
    /// The newest that are on the disk.
    lately: VecDeque<Record>,
}

impl Log {
    pub(super) fn write(&mut self, commit: u64, record: Record) {
        self.writing.push((commit, record));
    }

    /// Everything up to this commit is on the disk.
    pub(super) fn committed(&mut self, commit: u64, disk: &mut MemoryStore) {
        let count = self.writing.iter().take_while(|(number, _)| *number <= commit).count();
        self.keep(count, disk);
    }

    /// The hub dies. Of what was being written some first part is on the disk, though nobody was told so, and what has
    /// the same commit is there as a whole; the rest is lost. Who writes the log again does not know how much of it is
    /// there: some of the newest records are kept once more.
    pub(super) fn crash(&mut self, rng: &mut Rng, disk: &mut MemoryStore) {
        let written = rng.below(self.writing.len() as u64 + 1) as usize;
        let last = self.writing.iter().take(written).next_back().map_or(0, |(commit, _)| *commit);
        self.committed(last, disk);
        self.writing.clear();
        let repeated = rng.below(self.lately.len() as u64 + 1) as usize;
        self.lately.iter().skip(self.lately.len() - repeated).for_each(|record| disk.keep(record));
    }

    /// Another program has changed what is on the disk: nothing from before that is written again.
    pub(super) fn changed_by_others(&mut self) {
        self.lately.clear();
    }

    fn keep(&mut self, count: usize, disk: &mut MemoryStore) {
        for (_, record) in self.writing.drain(..count) {
            disk.keep(&record);
            self.lately.push_back(record);
        }
        while self.lately.len() > REPEATED {
            self.lately.pop_front();
        }
    }
}
