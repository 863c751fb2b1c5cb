//! The simulated hub's log: records on their way to the disk, and what a crash does to them.
//!
//! The simulated hub adds each record that its machine gives to the store. [`Sim`](super::Sim) moves records to the
//! [`MemoryStore`] when the virtual disk has written them, or when the hub crashes.

use std::collections::VecDeque;

use super::MemoryStore;
use crate::core::time::Rng;
use crate::protocol::Record;

/// The most records that a crash writes a second time.
const REPEATED: usize = 40;

/// The records that are being written.
#[derive(Default)]
pub(super) struct Log {
    writing: Vec<(u64, Record)>,
    /// The newest records on the disk, which a crash may repeat.
    lately: VecDeque<Record>,
}

impl Log {
    pub(super) fn write(&mut self, commit: u64, record: Record) {
        self.writing.push((commit, record));
    }

    /// Moves every record up to this commit to the disk.
    pub(super) fn committed(&mut self, commit: u64, disk: &mut MemoryStore) {
        let count = self.writing.iter().take_while(|(number, _)| *number <= commit).count();
        self.write_next(count, disk);
    }

    /// The hub crashes. A random prefix of the records that were being written reaches the disk, in whole commits; the
    /// hub is not told, and the rest is lost. Some of the newest records are written a second time. The real writer
    /// does not do so, but the store must survive it: keeping a record twice must be the same as keeping it once.
    pub(super) fn crash(&mut self, rng: &mut Rng, disk: &mut MemoryStore) {
        let written = rng.below(self.writing.len() as u64 + 1) as usize;
        let last = self.writing.iter().take(written).next_back().map_or(0, |(commit, _)| *commit);
        self.committed(last, disk);
        self.writing.clear();
        let repeated = rng.below(self.lately.len() as u64 + 1) as usize;
        self.lately.iter().skip(self.lately.len() - repeated).for_each(|record| disk.keep(record));
    }

    /// Notes that another program has changed the disk: a crash no longer repeats earlier records, because they would
    /// undo that change.
    pub(super) fn changed_by_others(&mut self) {
        self.lately.clear();
    }

    fn write_next(&mut self, count: usize, disk: &mut MemoryStore) {
        for (_, record) in self.writing.drain(..count) {
            disk.keep(&record);
            self.lately.push_back(record);
        }
        while self.lately.len() > REPEATED {
            self.lately.pop_front();
        }
    }
}
