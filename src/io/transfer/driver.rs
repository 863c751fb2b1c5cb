//! What the threads that drive one [`Fetch`] share: the machine, behind a lock, and the orders for each thread.
//!
//! A transfer has one thread for each lane, one for the disk, and the caller's thread, which starts the lanes' threads
//! and passes notes on to the user. A thread that has an input for the machine calls [`Driver::report`]. That takes the
//! lock, hands the input to the machine, and distributes the machine's outputs: each goes to the thread that carries it
//! out, which is woken. No thread does I/O or waits for anything else while it holds the lock.
//!
//! If lanes or files fail, the machine decides what follows; nothing here fails but the writing of a small file.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::fetcher::Fetcher;
use super::socket::Hangup;
use crate::core::Time;
use crate::core::fetch::{Fetch, FetchPlan, Input, Job, Lane, Output, Start, TransferNote};
use crate::io::content::Incoming;
use crate::io::content::hash::{Fingerprint, Hashed, Manifest};
use crate::io::content::{Downloads, Writer, path_of};
use crate::io::os::cancel::Cancel;
use crate::protocol::{Chunking, ContentHash, ErrorCode, Failure, PublicKey};

/// A new lane: the source to which its thread must connect, and what it then fetches.
pub(super) struct Dial {
    pub(super) lane: Lane,
    pub(super) address: SocketAddr,
    pub(super) key: PublicKey,
    pub(super) job: Job,
}

/// What the threads of one transfer share.
pub(super) struct Driver<'a> {
    pub(super) plan: Arc<FetchPlan>,
    pub(super) fetcher: &'a Fetcher<'a>,
    /// The folder into which the files of a folder are written; `None` for a single file.
    pub(super) downloads: Option<&'a Downloads>,
    /// The total size in bytes of the small files, which come whole over the stream.
    pub(super) streamed: u64,
    /// The small files: element `n` is the index in the plan of the file with number `n` in the stream.
    small: Vec<u32>,
    started: Instant,
    /// Raised when the transfer has failed or was cancelled, so that long work on the disk stops.
    pub(super) stop: Cancel,
    state: Mutex<DriverState>,
    /// Wakes the caller's thread.
    pub(super) changed: Condvar,
    /// Wakes the disk's thread.
    pub(super) disk: Condvar,
}

pub(super) struct DriverState {
    pub(super) machine: Fetch,
    #[cfg(debug_assertions)]
    witness: crate::core::fetch::invariants::Witness,
    lanes: BTreeMap<Lane, LaneBox>,
    pub(super) dials: Vec<(Dial, Hangup)>,
    pub(super) disk: VecDeque<Output>,
    pub(super) notes: VecDeque<TransferNote>,
    /// The file that is fetched in chunks now.
    pub(super) incoming: Option<Arc<Incoming>>,
    /// The numbers of the [`NumberedWriter`]s in use.
    writers: BTreeSet<usize>,
}

/// The mailbox of one lane: what the machine wants of it and its thread has not fetched yet.
struct LaneBox {
    orders: VecDeque<Output>,
    wake: Arc<Condvar>,
    /// Whether its thread sleeps until there are orders. Waking a thread that does not sleep would waste a system call.
    sleeps: bool,
    /// Interrupts the lane's thread, whatever it waits for.
    hangup: Hangup,
    /// Whether the lane says goodbye to its source when it ends ([`Output::Close`]), or is cut off ([`Output::Cut`]).
    closes: bool,
}

impl LaneBox {
    fn wake(&mut self) {
        if std::mem::take(&mut self.sleeps) {
            self.wake.notify_one();
        }
    }
}

impl<'a> Driver<'a> {
    pub(super) fn new(
        plan: Arc<FetchPlan>,
        fetcher: &'a Fetcher<'a>,
        downloads: Option<&'a Downloads>,
        start: Start,
    ) -> Self {
        let machine = Fetch::new(Time(0), plan.clone(), start);
        let small = machine.small().to_vec();
        let streamed = small.iter().map(|file| plan.files[*file as usize].chunking.size()).sum();
        let state = DriverState {
            machine,
            #[cfg(debug_assertions)]
            witness: Default::default(),
            lanes: BTreeMap::new(),
            dials: Vec::new(),
            disk: VecDeque::new(),
            notes: VecDeque::new(),
            incoming: None,
            writers: BTreeSet::new(),
        };
        let (started, stop, state) = (Instant::now(), Cancel::default(), Mutex::new(state));
        let (changed, disk) = (Condvar::new(), Condvar::new());
        Self { plan, fetcher, downloads, streamed, small, started, stop, state, changed, disk }
    }

    /// Writes a small file under its final name, and from then on serves it to others if the plan shares. `file` is its index in the plan.
    ///
    /// # Errors
    /// Why the file could not be written.
    pub(super) fn write_file(&self, writer: &mut NumberedWriter<'a>, file: u32, bytes: &[u8]) -> Result<(), Failure> {
        let planned = self.plan.files.get(file as usize).ok_or(ErrorCode::Internal)?;
        let (name, fingerprint) = writer.writer.write(&planned.target, bytes, planned.modified)?;
        if self.plan.share {
            let path = path_of(self.fetcher.folder, &planned.target, &name);
            self.fetcher.store.keep(&planned.file, path, came_whole(planned.hash.0, bytes.len(), fingerprint));
        }
        Ok(())
    }

    /// What a lane of this kind asks its source for, or the first of it.
    pub(super) fn content_of(&self, job: Job) -> ContentHash {
        let file = match job {
            Job::Chunks(file) => Some(file),
            Job::Files => self.small.first().copied(),
        };
        file.and_then(|file| self.plan.files.get(file as usize)).map_or(self.plan.hash, |planned| planned.hash)
    }

    /// Something that writes small files, for one lane. Its number is part of the names of its temporary files, so no
    /// two in use have the same one. `None` for a single file. Give it back by [`Driver::free_writer`].
    pub(super) fn writer(&self) -> Option<NumberedWriter<'a>> {
        let downloads = self.downloads?;
        let mut state = self.lock();
        let number = (0..).find(|number| !state.writers.contains(number))?;
        state.writers.insert(number);
        drop(state);
        Some(NumberedWriter {
            writer: Writer::new(downloads, &self.fetcher.token, number, self.plan.on_conflict),
            number,
        })
    }

    /// Frees the writer's number.
    pub(super) fn free_writer(&self, writer: &NumberedWriter<'a>) {
        self.lock().writers.remove(&writer.number);
    }

    /// The index in the plan of the file with this number in the stream.
    ///
    /// # Panics
    /// If the machine has no such small file.
    pub(super) fn small(&self, file: u32) -> u32 {
        self.small[file as usize]
    }

    /// The file that is fetched in chunks now, if it is the one with this index in the plan.
    pub(super) fn incoming(&self, file: u32) -> Option<Arc<Incoming>> {
        self.lock().incoming.clone().filter(|incoming| incoming.file == file)
    }

    /// Hands an input to the machine, and distributes the machine's outputs.
    pub(super) fn report(&self, input: Input) {
        self.handle(&mut self.lock(), input);
    }

    /// Does what [`Driver::report`] does, for the thread of `lane`, and appends the lane's new orders to `orders`, all
    /// under one lock.
    pub(super) fn report_of(&self, lane: Lane, input: Input, orders: &mut VecDeque<Output>) {
        let mut state = self.lock();
        self.handle(&mut state, input);
        if let Some(of) = state.lanes.get_mut(&lane) {
            orders.append(&mut of.orders);
        }
    }

    /// Blocks the thread of `lane` until the machine has orders for it, and appends them to `orders`. Returns without
    /// any if the lane must end, or has ended.
    pub(super) fn wait_for_orders(&self, lane: Lane, orders: &mut VecDeque<Output>) {
        let mut state = self.lock();
        while let Some(of) = state.lanes.get_mut(&lane) {
            orders.append(&mut of.orders);
            if !orders.is_empty() || of.hangup.is_raised() {
                return;
            }
            let wake = of.wake.clone();
            of.sleeps = true;
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether the machine has ended this lane by [`Output::Close`], so that its thread says goodbye to the source.
    pub(super) fn closes(&self, lane: Lane) -> bool {
        self.lock().lanes.get(&lane).is_some_and(|of| of.closes)
    }

    pub(super) fn handle(&self, state: &mut DriverState, input: Input) {
        let lane = if let Input::Ended(lane, _) = &input { Some(*lane) } else { None };
        state.machine.handle(self.now(), input);
        if let Some(lane) = lane {
            state.lanes.remove(&lane);
        }
        self.drain(state);
    }

    /// Takes all outputs of the machine, and hands each to the thread that carries it out, which is woken: a lane's,
    /// the disk's, or the caller's.
    ///
    /// # Panics
    /// In debug builds, if an invariant of the machine does not hold.
    pub(super) fn drain(&self, state: &mut DriverState) {
        #[cfg(debug_assertions)]
        if let Err(wrong) = state.witness.check(&state.machine) {
            panic!("{wrong}");
        }
        while let Some(output) = state.machine.poll() {
            match output {
                Output::Dial { lane, address, key, job } => {
                    // If there is no file descriptor for the hangup, there is none for the socket either, so dialling
                    // fails.
                    let (hangup, wake) = (Hangup::waking().unwrap_or_default(), Arc::default());
                    let (orders, hangs) = (VecDeque::new(), hangup.clone());
                    let of = LaneBox { orders, wake, sleeps: false, hangup: hangs, closes: false };
                    state.lanes.insert(lane, of);
                    state.dials.push((Dial { lane, address, key, job }, hangup));
                }
                Output::AskManifest(lane)
                | Output::AskChunks(lane, _)
                | Output::AskFiles(lane, _)
                | Output::Write(lane, _)
                | Output::KeepAlive(lane) => {
                    if let Some(of) = state.lanes.get_mut(&lane) {
                        of.orders.push_back(output);
                        of.wake();
                    }
                }
                Output::Close(lane) | Output::Cut(lane) => {
                    if let Some(of) = state.lanes.get_mut(&lane) {
                        of.closes = output == Output::Close(lane);
                        of.hangup.raise();
                        of.wake();
                    }
                }
                Output::Open(_) | Output::Check(_) | Output::Place { .. } | Output::Make(_) | Output::Leave { .. } => {
                    state.disk.push_back(output);
                    self.disk.notify_one();
                }
                Output::Note(note) => state.notes.push_back(note),
            }
        }
        let over = state.machine.outcome().is_some();
        if over {
            self.disk.notify_one();
        }
        if over || !state.notes.is_empty() || !state.dials.is_empty() {
            self.changed.notify_one();
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.started.elapsed().as_micros() as u64)
    }

    /// Takes the lock. Never hold it over I/O or a wait.
    pub(super) fn lock(&self) -> MutexGuard<'_, DriverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes small files for one lane, see [`Driver::writer`].
pub(super) struct NumberedWriter<'a> {
    writer: Writer<'a>,
    number: usize,
}

/// How we serve a small file to others: as one chunk, or none if it is empty. Its owner may have cut it into smaller
/// chunks.
fn came_whole(hash: [u8; 32], size: usize, fingerprint: Fingerprint) -> Hashed {
    let chunking = Chunking::for_size(size as u64, None);
    let manifest = if chunking.count() == 0 { Manifest::from([]) } else { [hash].into() };
    Hashed { hash: ContentHash(hash), chunking, manifest, fingerprint }
}
