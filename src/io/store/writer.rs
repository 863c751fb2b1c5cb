//! The threads that write and read the hub's store, so that the hub never waits for the disk.
//!
//! Changes and questions come in one order. Changes are written in that order, many at once; a question is answered
//! when all that came before it is on the disk. A store with a file is read on a thread of its own, so that a slow
//! search does not hold up what is written.
//!
//! What cannot be written for now (a full disk, another program's lock) is tried again, in its order, until it is: so
//! nothing that was submitted is lost or written twice, and nothing has to be taken back. Meanwhile the hub is told, and
//! submits nothing new.

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

/// How many jobs may wait. The hub takes no more requests while the disk is that far behind.
const QUEUE: usize = 1_024;

/// How many questions may be unanswered.
const QUESTIONS: usize = 1_024;

/// How long the store is left alone before it is looked at whether another program has changed it.
const IDLE: Duration = Duration::from_secs(1);

/// The first pause before what could not be written is tried again, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often it is tried again when the hub ends.
const LAST_TRIES: u32 = 3;

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
    /// Nothing can be written for now; it is tried again.
    Degraded(Failure),
    /// The batches of these numbers were given up before they were written.
    Abandoned(Vec<u64>),
    /// It can be written again.
    Recovered,
    /// The batch of this number is at fault itself, and was left out.
    Refused(u64, Failure),
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
    thread: JoinHandle<Result<(), Failure>>,
}

/// What both threads know.
struct Shared {
    tell: Tell,
    /// Questions that have no answer yet.
    unanswered: AtomicUsize,
    failed: AtomicBool,
    /// The hub ends.
    closing: AtomicBool,
    /// Batches that shall not be written any more, if they are not written yet.
    abandoned: Mutex<BTreeSet<u64>>,
}

impl Shared {
    fn abandoned(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
        let shared = Arc::new(Shared {
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

    /// Gives up batches that were submitted, if nothing can be written now; those that never will be are told as
    /// [`Told::Abandoned`].
    pub fn abandon(&self, batches: Vec<u64>) {
        self.shared.abandoned().extend(batches);
    }

    /// Waits until all that was submitted, and what there was no room for, is on the disk and answered, or has failed,
    /// and closes the store.
    ///
    /// # Errors
    /// Why not everything could be written. Nothing of that was told as committed.
    pub fn close(self, rest: impl IntoIterator<Item = Job>) -> Result<(), Failure> {
        for job in rest {
            if matches!(job, Job::Keep(_)) && self.jobs.send(job).is_err() {
                break;
            }
        }
        drop(self.jobs);
        // A panic on that thread has been printed by itself.
        self.thread.join().unwrap_or_else(|_| Err(ErrorCode::StoreFailed.into()))
    }
}

fn thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>, Failure> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|e| {
        Failure::new(ErrorCode::StoreFailed, format!("No thread can be had for the store: {}.", cause::of_io(&e)))
    })
}

/// Whether it may work later.
fn passes(failure: &Failure) -> bool {
    matches!(failure.code, ErrorCode::StoreFull | ErrorCode::StoreBusy | ErrorCode::StoreUnavailable)
}

/// Leaves out the batches that the hub has given up.
fn give_up(shared: &Shared, batches: &mut Vec<Batch>) {
    let mut abandoned = shared.abandoned();
    let gone = batches.extract_if(.., |batch| abandoned.remove(&batch.number));
    let gone: Vec<u64> = gone.map(|batch| batch.number).collect();
    drop(abandoned);
    if !gone.is_empty() {
        (shared.tell)(Told::Abandoned(gone));
    }
}

/// The thread that writes.
struct Writer {
    store: Store,
    /// The thread that reads; without it the answers are given here.
    reading: Option<Reading>,
    shared: Arc<Shared>,
    /// Why nothing can be written, if nothing can.
    trouble: Option<ErrorCode>,
    /// What came meanwhile.
    backlog: VecDeque<Job>,
    /// The hub ends: nothing more will come.
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

    /// Group commit: whatever has gathered during one wait for the disk shares the next one.
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
                (self.shared.tell)(Told::Names(names));
            }
            let group = self.backlog.drain(..).collect();
            self.do_all(waiting, group)?;
            if self.trouble.is_some() && self.store.probe().is_ok() {
                self.trouble = None;
                (self.shared.tell)(Told::Recovered);
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
        // What came behind what could not be written may be among what was given up. The rest of that was written before.
        give_up(&self.shared, &mut batches);
        if let Some(highest) = batches.iter().map(|batch| batch.number).max() {
            self.shared.abandoned().retain(|number| *number > highest);
            self.keep(waiting, &mut batches)?;
            // It may be in a file that nobody will find again.
            self.store.check_place()?;
            (self.shared.tell)(Told::Committed(highest));
        }
        questions.into_iter().for_each(|(number, query)| self.ask(number, query));
        Ok(())
    }

    /// Keeps batches: together, or, if one of them is at fault, each by itself and that one not.
    fn keep(&mut self, waiting: &Receiver<Job>, batches: &mut Vec<Batch>) -> Result<(), Failure> {
        let shared = Arc::clone(&self.shared);
        let all = |store: &mut Store, last: Option<ErrorCode>| {
            // What failed for other reasons may have reached the disk all the same.
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
                    (self.shared.tell)(Told::Refused(batch.number, failure));
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

    /// Does something with the store, again and again while that may still work.
    fn insist<T>(
        &mut self,
        waiting: &Receiver<Job>,
        mut work: impl FnMut(&mut Store, Option<ErrorCode>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (mut pause, mut last_tries, mut last) = (PAUSES.0, LAST_TRIES, None);
        loop {
            match work(&mut self.store, last) {
                Err(failure) if passes(&failure) => {
                    // Where the file is gone, that is why.
                    self.store.check_place()?;
                    last = Some(failure.code);
                    if self.closing {
                        last_tries = last_tries.checked_sub(1).ok_or_else(|| failure.clone())?;
                    }
                    if self.trouble.replace(failure.code) != Some(failure.code) {
                        (self.shared.tell)(Told::Degraded(failure));
                    }
                    self.rest(waiting, pause);
                    pause = PAUSES.1.min(pause * 2);
                }
                done => return done,
            }
        }
    }

    /// Waits, and meanwhile has questions answered that do not depend on what waits to be written.
    fn rest(&mut self, waiting: &Receiver<Job>, pause: Duration) {
        let end = Instant::now() + pause;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            match waiting.recv_timeout(left) {
                // What somebody asked before may be on its way.
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
