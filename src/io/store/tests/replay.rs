//! What a hub loads from its database is what it knew, whatever became of the end of its log: kept, kept again, lost.

use std::fs;

use super::super::disk::wal;
use super::*;
use crate::core::hub::State;
use crate::core::hub::play::{Play, assert_same, restarted};
use crate::core::time::Rng;

/// A hub's folder, and how many of a run's records are in its database.
struct Database {
    dir: tempfile::TempDir,
    rng: Rng,
    kept: usize,
}

impl Database {
    fn new(seed: u64) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), rng: Rng(seed ^ 0xd15c), kept: 0 }
    }

    /// Opens the store; what is written then stays in its log until it is closed.
    fn open(&self) -> Store {
        let (store, _) = Store::open(self.dir.path()).unwrap();
        store.database().pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        store
    }

    fn load(&self) -> State {
        State::load(&mut Store::open(self.dir.path()).unwrap().1)
    }

    /// Keeps what is new in a run, in portions; `portion_kept` hears how much of it is on disk.
    fn keep(&mut self, run: &[Record], portion_kept: &mut dyn FnMut(&Self)) {
        let mut store = self.open();
        portion_kept(self);
        while let Some(first) = run.get(self.kept) {
            let portion = match first {
                Record::NameGone { name_key } => {
                    self.remove(name_key);
                    1
                }
                _ => {
                    let rest = run.get(self.kept..).unwrap();
                    let most = 1 + self.rng.below(120) as usize;
                    let records: Vec<&Record> =
                        rest.iter().take(most).take_while(|record| !is_removal(record)).collect();
                    store.keep(records.iter().copied()).unwrap();
                    records.len()
                }
            };
            self.kept += portion;
            portion_kept(self);
        }
    }

    /// The keeper's command removes a name from the store, if it is there.
    fn remove(&self, name_key: &NameKey) {
        match Users::open(self.dir.path()).unwrap().remove(name_key.as_str()) {
            Ok(_) => {}
            Err(failure) => assert_eq!(failure.code, ErrorCode::NoSuchPerson, "{failure}"),
        }
    }

    /// Some of the newest records are kept once more, but none from before a name was removed: the hub does not write
    /// those again when it hears of it.
    fn repeat(&mut self, run: &[Record]) {
        let removed = run.iter().rposition(is_removal).map_or(0, |at| at + 1);
        let from = removed.max(self.kept.saturating_sub(300));
        let from = from + self.rng.below((self.kept - from) as u64 + 1) as usize;
        let mut store = self.open();
        for portion in run.get(from..self.kept).unwrap().chunks(70) {
            store.keep(portion).unwrap();
        }
    }
}

fn is_removal(record: &Record) -> bool {
    matches!(record, Record::NameGone { .. })
}

/// The state that the first records of a run make, for a hub that begins.
fn after(run: &[Record], records: usize) -> State {
    let mut state = State::default();
    run.iter().take(records).for_each(|record| state.apply(record));
    restarted(&state)
}

#[test]
fn what_a_hub_loads_from_its_database_is_what_it_knew() {
    for seed in 30..32 {
        let (mut play, mut database) = (Play::new(seed), Database::new(seed));
        for records in (1_000..=8_000).step_by(1_000) {
            play.until(records);
            database.keep(&play.kept(), &mut |_| ());
            assert_same(&restarted(&play.live), &database.load(), "loaded");
        }
        let (messages, rooms) = play.messages_and_rooms();
        assert!(messages > 500 && rooms > 20, "enough has happened");
    }
}

#[test]
fn what_is_kept_again_after_a_crash_changes_nothing() {
    for seed in 40..41 {
        let (mut play, mut database) = (Play::new(seed), Database::new(seed));
        for records in (300..=3_000).step_by(300) {
            play.until(records);
            database.keep(&play.kept(), &mut |_| ());
            for _ in 0..2 {
                database.repeat(&play.kept());
                assert_same(&restarted(&play.live), &database.load(), "kept again");
            }
        }
    }
}

/// What a power cut leaves of a database that is open: all that was synced before it, and of its log some first part,
/// with what the disk makes of the rest.
fn cut(database: &Database, log: &[u8], at: usize, torn: bool) -> tempfile::TempDir {
    let left = tempfile::tempdir().unwrap();
    let file = left.path().join(DATABASE);
    fs::copy(database.dir.path().join(DATABASE), &file).unwrap();
    let mut log_left = log.get(..at).unwrap().to_vec();
    if torn {
        log_left.resize(log.len(), 0xa5);
    }
    fs::write(wal(&file), log_left).unwrap();
    left
}

#[test]
fn a_crash_takes_back_what_was_not_committed_and_nothing_else() {
    for seed in 50..51 {
        let (mut play, mut database, mut rng) = (Play::new(seed), Database::new(seed), Rng(seed));
        for records in (400..=2_000).step_by(400) {
            play.until(records);
            // How long the log was when so many records were committed, and what crashes left.
            let (mut commits, mut crashes) = (vec![(0, database.kept)], Vec::new());
            database.keep(&play.kept(), &mut |database| {
                let log = fs::read(wal(&database.dir.path().join(DATABASE))).unwrap_or_default();
                commits.push((log.len(), database.kept));
                for torn in [false, true] {
                    let at = rng.below(log.len() as u64 + 1) as usize;
                    let (_, committed) = *commits.iter().rfind(|(length, _)| *length <= at).unwrap();
                    crashes.push((cut(database, &log, at, torn), committed));
                }
            });
            for (left, committed) in crashes {
                let mut left = Database { dir: left, rng: Rng(seed), kept: committed };
                assert_same(&after(&play.kept(), committed), &left.load(), "what was committed");
                if rng.below(4) == 0 {
                    // Whoever has the log has what is lost written once more.
                    left.keep(&play.kept(), &mut |_| ());
                    assert_same(&restarted(&play.live), &left.load(), "and the rest again");
                }
            }
        }
    }
}
