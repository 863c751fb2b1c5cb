//! The thread that writes to the hub's store, so that the hub never waits for the disk.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use super::store::Store;
use crate::protocol::{ErrorCode, Failure, Record};

/// How many batches may wait. The hub takes no more requests while the disk is that far behind.
const QUEUE: usize = 1_024;

/// What is told after each commit: the highest batch number that is on the disk now, or why writing
/// has ended.
pub type Committed = Box<dyn Fn(Result<u64, Failure>) + Send>;

/// Records that are kept together or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the commit, growing from batch to batch.
    pub number: u64,
    /// What to keep; may be empty, when only the order matters.
    pub records: Vec<Record>,
}

/// Why a batch was not taken; it is given back.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many are waiting: offer it again after the next commit.
    Full(Batch),
    /// Writing ended with an error, which was told.
    Stopped(Batch),
}

/// The way to a store's thread. Dropping it lets the thread write what is waiting, then end.
pub struct StoreWriter {
    batches: SyncSender<Batch>,
    thread: JoinHandle<()>,
}

impl StoreWriter {
    /// Hands the store to a thread of its own. `committed` is called on that thread, with growing
    /// numbers; after an error it is not called again.
    ///
    /// # Errors
    /// `store-failed` when there can be no more threads.
    pub fn spawn(store: Store, committed: Committed) -> Result<Self, Failure> {
        let (batches, waiting) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("store".into());
        let thread = thread.spawn(move || write(store, &waiting, &committed));
        let thread =
            thread.map_err(|e| Failure::new(ErrorCode::StoreFailed, format!("no thread for the store: {e}")))?;
        Ok(Self { batches, thread })
    }

    /// Puts a batch behind those that wait. Never blocks.
    ///
    /// # Errors
    /// Gives the batch back when it cannot be taken, now or any more.
    pub fn submit(&self, batch: Batch) -> Result<(), NotTaken> {
        self.batches.try_send(batch).map_err(|e| match e {
            TrySendError::Full(batch) => NotTaken::Full(batch),
            TrySendError::Disconnected(batch) => NotTaken::Stopped(batch),
        })
    }

    /// Waits until all that was submitted is on the disk, or has failed, and closes the store.
    pub fn close(self) {
        drop(self.batches);
        // A panic on that thread has been printed by itself; there is nothing to add here.
        let _ = self.thread.join();
    }
}

/// Group commit: whatever has gathered during one wait for the disk shares the next one.
fn write(mut store: Store, waiting: &Receiver<Batch>, committed: &Committed) {
    while let Ok(first) = waiting.recv() {
        let mut group = vec![first];
        group.extend(waiting.try_iter().take(QUEUE));
        let highest = group.iter().map(|b| b.number).max().unwrap_or_default();
        match store.keep(group.iter().flat_map(|b| &b.records)) {
            Ok(()) => committed(Ok(highest)),
            Err(e) => return committed(Err(e)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::store::tests::name;
    use std::sync::mpsc::channel;

    fn batch(number: u64) -> Batch {
        Batch { number, records: vec![name(u8::try_from(number).unwrap())] }
    }

    #[test]
    fn commits_are_told_in_order_and_all_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (told, heard) = channel();
        let committed = Box::new(move |r: Result<u64, Failure>| told.send(r.unwrap()).unwrap());
        let writer = StoreWriter::spawn(Store::open(dir.path()).unwrap().0, committed).unwrap();
        for n in 1..=200 {
            writer.submit(batch(n)).unwrap();
        }
        writer.close();
        let told: Vec<u64> = heard.iter().collect();
        assert!(told.is_sorted_by(|a, b| a < b) && told.last() == Some(&200), "{told:?}");
        assert!(told.len() < 200, "waiting batches share a commit: {}", told.len());
        assert_eq!(Store::open(dir.path()).unwrap().1.names.len(), 200);
    }

    #[test]
    fn a_failing_disk_is_told_once_and_ends_the_writing() {
        let (store, _) = Store::ephemeral().unwrap();
        store.database().pragma_update(None, "max_page_count", 1).unwrap();
        let (told, heard) = channel();
        let writer = StoreWriter::spawn(store, Box::new(move |r| told.send(r).unwrap())).unwrap();
        let key = crate::protocol::PublicKey([0; 32]);
        let big = Record::Name { name: "n".repeat(100_000), fold: String::new(), key, since: 0 };
        writer.submit(Batch { number: 1, records: vec![big] }).unwrap();
        assert_eq!(heard.recv().unwrap().unwrap_err().code, ErrorCode::StoreFailed);
        assert!(heard.recv().is_err());
        assert!(matches!(writer.submit(batch(2)), Err(NotTaken::Stopped(_))));
        writer.close();
    }

    #[test]
    fn a_stalled_disk_gives_batches_back_instead_of_blocking() {
        let (go, wait) = channel::<()>();
        let committed = Box::new(move |_| {
            let _ = wait.recv();
        });
        let writer = StoreWriter::spawn(Store::ephemeral().unwrap().0, committed).unwrap();
        let mut taken = 0;
        let refused = loop {
            match writer.submit(batch(1)) {
                Ok(()) => taken += 1,
                Err(e) => break e,
            }
        };
        assert_eq!(refused, NotTaken::Full(batch(1)));
        assert!(taken <= 3 * QUEUE, "{taken}");
        drop(go);
        writer.close();
    }
}
