//! The threads that write and read the hub's store, so that the hub never waits for the disk.
//!
//! Changes and questions come in one order. Changes are written in that order, many at once; a question is answered
//! when all that came before it is on the disk. A store with a file is read on a thread of its own, so that a slow
//! search does not hold up what is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, TrySendError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::Duration;

use super::store::{Reader, Store};
use crate::protocol::cause;
use crate::protocol::record::{Found, NameRecord, Query};
use crate::protocol::{ErrorCode, Failure, Record};

/// How many jobs may wait. The hub takes no more requests while the disk is that far behind.
const QUEUE: usize = 1_024;

/// How many questions may be unanswered.
const QUESTIONS: usize = 1_024;

/// How long the store is left alone before it is looked at whether another program has changed it.
const IDLE: Duration = Duration::from_secs(1);

/// What the hub is told by its store.
#[derive(Debug, PartialEq, Eq)]
pub enum Told {
    /// Everything up to the batch of this number is on the disk.
    Committed(u64),
    /// What the question of this number has found. Later changes may be in it already.
    Found(u64, Found),
    /// Another program has changed names or accounts; these are on the disk now. What was submitted after the last
    /// batch that was told as committed may be missing.
    Names(Vec<NameRecord>),
    /// Writing or reading has failed. Nothing is kept any more, and nothing else is told by the thread that says so.
    Failed(Failure),
}

/// Called on the store's threads, with what there is to tell.
pub type Tell = Box<dyn Fn(Told) + Send + Sync>;

/// Records that are kept together or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the commit, growing from batch to batch.
    pub number: u64,
    /// What to keep; may be empty, when only the order matters.
    pub records: Vec<Record>,
}

/// Something for the store.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// To be kept.
    Keep(Batch),
    /// To be answered: the question's number, and the question.
    Find(u64, Box<Query>),
}

/// Why a job was not taken; it is given back.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many are waiting: offer it again after the next [`Told`].
    Full(Job),
    /// The store has ended with an error, which was told.
    Stopped(Job),
}

/// The way to a store's threads. Dropping it lets them do what is waiting, then end.
pub struct StoreWriter {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What both threads know.
struct Shared {
    tell: Tell,
    /// Questions that have no answer yet.
    unanswered: AtomicUsize,
    failed: AtomicBool,
}

impl Shared {
    fn failed(&self, failure: Failure) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            (self.tell)(Told::Failed(failure));
        }
    }

    /// Tells an answer; says whether there was one.
    fn answer(&self, number: u64, found: Result<Found, Failure>) -> bool {
        self.unanswered.fetch_sub(1, Ordering::AcqRel);
        match found {
            Ok(found) => (self.tell)(Told::Found(number, found)),
            Err(failure) => {
                self.failed(failure);
                return false;
            }
        }
        true
    }
}

impl StoreWriter {
    /// Hands the store to threads of its own. `tell` is called on them; it holds them up for as long as it takes.
    ///
    /// # Errors
    /// `store-failed` when there can be no more threads, or the store cannot be opened again for reading.
    pub fn spawn(store: Store, tell: Tell) -> Result<Self, Failure> {
        let shared = Arc::new(Shared { tell, unanswered: AtomicUsize::new(0), failed: AtomicBool::new(false) });
        let reading = match store.reader()? {
            Some(reader) => Some(Reading::spawn(reader, Arc::clone(&shared))?),
            None => None,
        };
        let (jobs, waiting) = sync_channel(QUEUE);
        let writer = Writer { store, reading, shared: Arc::clone(&shared) };
        Ok(Self { jobs, shared, thread: thread("store", move || writer.run(&waiting))? })
    }

    /// Puts a job behind those that wait. Never blocks.
    ///
    /// # Errors
    /// Gives the job back when it cannot be taken, now or any more.
    pub fn submit(&self, job: Job) -> Result<(), NotTaken> {
        if self.shared.failed.load(Ordering::Acquire) {
            return Err(NotTaken::Stopped(job));
        }
        let question = matches!(job, Job::Find(..));
        if question && self.shared.unanswered.fetch_add(1, Ordering::AcqRel) >= QUESTIONS {
            self.shared.unanswered.fetch_sub(1, Ordering::AcqRel);
            return Err(NotTaken::Full(job));
        }
        self.jobs.try_send(job).map_err(|e| {
            if question {
                self.shared.unanswered.fetch_sub(1, Ordering::AcqRel);
            }
            match e {
                TrySendError::Full(job) => NotTaken::Full(job),
                TrySendError::Disconnected(job) => NotTaken::Stopped(job),
            }
        })
    }

    /// Waits until all that was submitted, and what there was no room for, is on the disk and answered, or has failed,
    /// and closes the store.
    pub fn close(self, rest: impl IntoIterator<Item = Job>) {
        for job in rest {
            if matches!(job, Job::Keep(_)) && self.jobs.send(job).is_err() {
                break;
            }
        }
        drop(self.jobs);
        // A panic on that thread has been printed by itself; there is nothing to add here.
        let _ = self.thread.join();
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|e| {
        Failure::new(ErrorCode::StoreFailed, format!("No thread can be had for the store: {}.", cause::of_io(&e)))
    })
}

/// The thread that writes.
struct Writer {
    store: Store,
    /// The thread that reads; without it the answers are given here.
    reading: Option<Reading>,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Job>) {
        if let Err(failure) = self.work(waiting) {
            self.shared.failed(failure);
        }
        if let Some(reading) = self.reading {
            reading.close();
        }
    }

    /// Group commit: whatever has gathered during one wait for the disk shares the next one.
    fn work(&mut self, waiting: &Receiver<Job>) -> Result<(), Failure> {
        let mut trimming = false;
        loop {
            let first = match trimming {
                true => waiting.try_recv().map_err(|e| match e {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                false => waiting.recv_timeout(IDLE),
            };
            let group: Vec<Job> = match first {
                Ok(first) => std::iter::once(first).chain(waiting.try_iter().take(QUEUE)).collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if self.shared.failed.load(Ordering::Acquire) {
                return Ok(());
            }
            if let Some(names) = self.store.changed_names()? {
                (self.shared.tell)(Told::Names(names));
            }
            self.do_all(group)?;
            trimming = self.store.trim()?;
        }
    }

    fn do_all(&mut self, group: Vec<Job>) -> Result<(), Failure> {
        let (mut batches, mut questions) = (Vec::new(), Vec::new());
        for job in group {
            match job {
                Job::Keep(batch) => batches.push(batch),
                Job::Find(number, query) => questions.push((number, query)),
            }
        }
        if let Some(highest) = batches.iter().map(|batch| batch.number).max() {
            self.store.keep(batches.iter().flat_map(|batch| &batch.records))?;
            (self.shared.tell)(Told::Committed(highest));
        }
        for (number, query) in questions {
            match &self.reading {
                Some(reading) => reading.ask(number, query),
                None if !self.shared.answer(number, self.store.find(&query)) => break,
                None => {}
            }
        }
        Ok(())
    }
}

/// The thread that reads.
struct Reading {
    /// Unbounded, so that the writer never waits for it; [`QUESTIONS`] bounds what is in it.
    questions: Sender<(u64, Box<Query>)>,
    thread: JoinHandle<()>,
}

impl Reading {
    fn spawn(reader: Reader, shared: Arc<Shared>) -> Result<Self, Failure> {
        let (questions, waiting) = channel::<(u64, Box<Query>)>();
        let answer = move || {
            for (number, query) in &waiting {
                if !shared.answer(number, reader.find(&query)) {
                    return;
                }
            }
        };
        Ok(Self { questions, thread: thread("store reader", answer)? })
    }

    /// A reader that has ended has said why.
    fn ask(&self, number: u64, query: Box<Query>) {
        let _ = self.questions.send((number, query));
    }

    fn close(self) {
        drop(self.questions);
        let _ = self.thread.join();
    }
}

#[cfg(test)]
#[path = "store_writer_tests.rs"]
mod tests;
