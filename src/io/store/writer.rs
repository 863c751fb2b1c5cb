//! The threads that write and read the hub's store, so that the hub never waits for the disk.
//!
//! Records and queries share one queue. Records are written in its order, many in one transaction; a query is answered
//! after the records before it, except while writing fails. A store in a file is read on a second thread, so that a
//! slow search does not delay writing.
//!
//! If something cannot be written for now (a full disk, another program's lock), it is retried in order until it
//! succeeds, and the hub is told. No record is written twice. One that is not written was reported: as abandoned at the
//! hub's wish, as refused because it is invalid, or by the error with which the store ended or was closed.
//!
//! The hub's driver owns the [`StoreWriter`]: it submits jobs, and passes each [`StoreReport`] on to the machine.
//! Committed means on the disk.

mod reading;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::io::store::Store;
use crate::protocol::cause;
use crate::protocol::record::{Found, NameRecord, Query};
use crate::protocol::{ErrorCode, Failure, Record};
use reading::Reading;

/// The jobs that may wait. While the disk is that far behind, the hub takes no more requests.
const QUEUE: usize = 1_024;

/// The queries that may be unanswered.
const QUESTIONS: usize = 1_024;

/// How often an idle writer looks for changes of the store by another program, to report [`StoreReport::Names`].
const IDLE: Duration = Duration::from_secs(1);

/// The first and the longest pause before a failed write is retried.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The retries while the hub is ending.
const LAST_TRIES: u32 = 3;

/// A report from the store to the hub.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreReport {
    /// Everything up to the batch of this number is on the disk.
    Committed(u64),
    /// The answer to the query of this number. It may include later records.
    Found(u64, Found),
    /// Another program has changed names or accounts; these are on the disk now. Names submitted after the last
    /// committed batch may be missing.
    Names(Vec<NameRecord>),
    /// Nothing can be written for now; it is being retried.
    Degraded(Failure),
    /// The batches of these numbers were given up before they were written.
    Abandoned(Vec<u64>),
    /// Writing works again.
    Recovered,
    /// The batch of this number is invalid and was left out.
    Refused(u64, Failure),
    /// Writing or reading has failed for good. Nothing is stored any more, and the thread reports nothing else.
    Failed(Failure),
}

/// Called on the store's threads with each report.
pub type Tell = Box<dyn Fn(StoreReport) + Send + Sync>;

/// Records that are stored together or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the commit. It grows from batch to batch.
    pub number: u64,
    /// The records. There may be none, if only the order matters.
    pub records: Vec<Record>,
}

/// A job for the store.
#[derive(Debug, PartialEq, Eq)]
pub enum Job {
    /// Store the records of a batch.
    Keep(Batch),
    /// Answer the query of this number.
    Find(u64, Box<Query>),
}

/// Why a job was not accepted. It holds the job.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many jobs are waiting. Submit it again after the next [`StoreReport`].
    Full(Job),
    /// The store has ended with an error, which was reported.
    Stopped(Job),
}

/// The handle of the store's threads. When it is dropped, they finish the waiting jobs and end.
pub struct StoreWriter {
    jobs: SyncSender<Job>,
    shared: Arc<WriterShared>,
    thread: JoinHandle<Result<(), Failure>>,
}

/// What both threads share.
struct WriterShared {
    tell: Tell,
    /// The number of queries without an answer.
    unanswered: AtomicUsize,
    failed: AtomicBool,
    /// Whether the hub is ending.
    closing: AtomicBool,
    /// The batches that must not be written, unless they have been written already.
    abandoned: Mutex<BTreeSet<u64>>,
}

impl WriterShared {
    fn abandoned(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, failure: Failure) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            (self.tell)(StoreReport::Failed(failure));
        }
    }

    /// Reports the answer to a query, or that reading has failed for good; then returns false.
    fn answer(&self, number: u64, found: Result<Found, Failure>) -> bool {
        self.unanswered.fetch_sub(1, Ordering::AcqRel);
        match found {
            Ok(found) => (self.tell)(StoreReport::Found(number, found)),
            Err(failure) => {
                self.failed(failure);
                return false;
            }
        }
        true
    }
}

impl StoreWriter {
    /// Gives the store to threads of its own. `tell` is called on them, and they wait while it runs.
    ///
    /// # Errors
    /// `store-failed` if a thread cannot be started, or the store cannot be opened again for reading.
    pub fn spawn(store: Store, tell: Tell) -> Result<Self, Failure> {
        let shared = Arc::new(WriterShared {
            tell,
            unanswered: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            abandoned: Mutex::default(),
        });
        let reading = match store.reader()? {
            Some(reader) => Some(Reading::spawn(reader, Arc::clone(&shared))?),
            None => None,
        };
        let (jobs, waiting) = sync_channel(QUEUE);
        let writer = Writer {
            store,
            reading,
            shared: Arc::clone(&shared),
            trouble: None,
            backlog: VecDeque::new(),
            closing: false,
        };
        Ok(Self { jobs, shared, thread: thread("store", move || writer.run(&waiting))? })
    }

    /// Queues a job. Never blocks.
    ///
    /// # Errors
    /// Returns the job if the queue is full or the store has ended.
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

    /// Drops submitted batches that are not written yet. Those that will never be written are reported as
    /// [`StoreReport::Abandoned`].
    pub fn abandon(&self, batches: Vec<u64>) {
        self.shared.abandoned().extend(batches);
    }

    /// Waits until all submitted jobs and those in `rest` are done or have failed, and closes the store.
    ///
    /// # Errors
    /// The reason if not everything could be written. Nothing of that was reported as committed.
    pub fn close(self, rest: impl IntoIterator<Item = Job>) -> Result<(), Failure> {
        for job in rest {
            if matches!(job, Job::Keep(_)) && self.jobs.send(job).is_err() {
                break;
            }
        }
        drop(self.jobs);
        // The panic has been printed already.
        self.thread.join().unwrap_or_else(|_| Err(ErrorCode::StoreFailed.into()))
    }
}

fn thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Failure> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|e| {
        Failure::new(ErrorCode::StoreFailed, format!("No thread can be had for the store: {}.", cause::of_io(&e)))
    })
}

/// Whether a retry may succeed.
fn passes(failure: &Failure) -> bool {
    matches!(failure.code, ErrorCode::StoreFull | ErrorCode::StoreBusy | ErrorCode::StoreUnavailable)
}

/// Removes the batches that the hub has given up.
fn give_up(shared: &WriterShared, batches: &mut Vec<Batch>) {
    let mut abandoned = shared.abandoned();
    let gone = batches.extract_if(.., |batch| abandoned.remove(&batch.number));
    let gone: Vec<u64> = gone.map(|batch| batch.number).collect();
    drop(abandoned);
    if !gone.is_empty() {
        (shared.tell)(StoreReport::Abandoned(gone));
    }
}

/// The state of the thread that writes.
struct Writer {
    store: Store,
    /// The thread that reads. Without it, this thread answers the queries.
    reading: Option<Reading>,
    shared: Arc<WriterShared>,
    /// Why nothing can be written, while that is so.
    trouble: Option<ErrorCode>,
    /// The jobs that arrived meanwhile.
    backlog: VecDeque<Job>,
    /// Whether the hub is ending, so that no more jobs arrive.
    closing: bool,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Job>) -> Result<(), Failure> {
        let done = self.work(waiting);
        if let Err(failure) = &done {
            self.shared.failed(failure.clone());
        }
        if let Some(reading) = self.reading {
            reading.close(&self.shared);
        }
        done
    }

    /// Group commit: all batches that gather during one wait for the disk are written together.
    fn work(&mut self, waiting: &Receiver<Job>) -> Result<(), Failure> {
        let mut trimming = false;
        loop {
            let first = match trimming || !self.backlog.is_empty() {
                true => waiting.try_recv().map_err(|e| match e {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                }),
                false => waiting.recv_timeout(IDLE),
            };
            match first {
                Ok(first) => self.backlog.extend(std::iter::once(first).chain(waiting.try_iter().take(QUEUE))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.backlog.is_empty() => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => self.closing = true,
            }
            if self.shared.failed.load(Ordering::Acquire) {
                return Ok(());
            }
            self.store.check_place()?;
            if let Some(names) = self.insist(waiting, |store, _| store.changed_names())? {
                (self.shared.tell)(StoreReport::Names(names));
            }
            let group = self.backlog.drain(..).collect();
            self.do_all(waiting, group)?;
            if self.trouble.is_some() && self.store.probe().is_ok() {
                self.trouble = None;
                (self.shared.tell)(StoreReport::Recovered);
            }
            trimming = self.insist(waiting, |store, _| store.trim())?;
        }
    }

    fn do_all(&mut self, waiting: &Receiver<Job>, group: Vec<Job>) -> Result<(), Failure> {
        let (mut batches, mut questions) = (Vec::new(), Vec::new());
        for job in group {
            match job {
                Job::Keep(batch) => batches.push(batch),
                Job::Find(number, query) => questions.push((number, query)),
            }
        }
        // Batches behind one that failed may have been given up. The others were written before.
        give_up(&self.shared, &mut batches);
        if let Some(highest) = batches.iter().map(|batch| batch.number).max() {
            self.shared.abandoned().retain(|number| *number > highest);
            self.keep(waiting, &mut batches)?;
            // The file may have been deleted, and what is written to it lost.
            self.store.check_place()?;
            (self.shared.tell)(StoreReport::Committed(highest));
        }
        questions.into_iter().for_each(|(number, query)| self.ask(number, query));
        Ok(())
    }

    /// Stores batches in one transaction. If that fails because one is invalid, stores each by itself; the invalid one
    /// is left out and reported as refused.
    fn keep(&mut self, waiting: &Receiver<Job>, batches: &mut Vec<Batch>) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let all = |store: &mut Store, last: Option<ErrorCode>| {
            // After another kind of failure, the records may have reached the disk all the same.
            if matches!(last, Some(ErrorCode::StoreFull | ErrorCode::StoreBusy)) {
                give_up(&shared, batches);
            }
            store.keep(batches.iter().flat_map(|batch| &batch.records))
        };
        match self.insist(waiting, all) {
            Err(failure) if failure.code == ErrorCode::Internal => {}
            done => return done,
        }
        for batch in batches.iter() {
            match self.insist(waiting, |store, _| store.keep(&batch.records)) {
                Err(failure) if failure.code == ErrorCode::Internal => {
                    (self.shared.tell)(StoreReport::Refused(batch.number, failure));
                }
                done => done?,
            }
        }
        Ok(())
    }

    fn ask(&self, number: u64, query: Box<Query>) {
        match &self.reading {
            Some(reading) => reading.ask(number, query),
            None => drop(self.shared.answer(number, self.store.find(&query))),
        }
    }

    /// Calls `work` with the store and the code of its last failure, again and again while a retry may help.
    fn insist<T>(
        &mut self,
        waiting: &Receiver<Job>,
        mut work: impl FnMut(&mut Store, Option<ErrorCode>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (mut pause, mut last_tries, mut last) = (PAUSES.0, LAST_TRIES, None);
        loop {
            match work(&mut self.store, last) {
                Err(failure) if passes(&failure) => {
                    // If the file has gone, that is the reason.
                    self.store.check_place()?;
                    last = Some(failure.code);
                    if self.closing {
                        last_tries = last_tries.checked_sub(1).ok_or_else(|| failure.clone())?;
                    }
                    if self.trouble.replace(failure.code) != Some(failure.code) {
                        (self.shared.tell)(StoreReport::Degraded(failure));
                    }
                    self.rest(waiting, pause);
                    pause = PAUSES.1.min(pause * 2);
                }
                done => return done,
            }
        }
    }

    /// Pauses before a retry. Answers queries meanwhile, but not those that need records which still wait.
    fn rest(&mut self, waiting: &Receiver<Job>, pause: Duration) {
        let end = Instant::now() + pause;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match waiting.recv_timeout(left) {
                // This query must see the answers that are still waiting to be written.
                Ok(Job::Find(number, query)) if !matches!(*query, Query::PastAnswers { .. }) => self.ask(number, query),
                Ok(job) => self.backlog.push_back(job),
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => {
                    self.closing = true;
                    return std::thread::sleep(PAUSES.0);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
